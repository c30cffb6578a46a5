"""The store: decoding children with limits, the cache, changed files, and the server's copies."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.cache import ClipCache
from aurelia_core.media.picture import Orientation
from aurelia_core.media.pool import DecodePool
from aurelia_core.media.readers import FrameRequest, read_frames
from aurelia_core.media.source import DecodeSource
from aurelia_core.settings import GIB, Settings
from tests.support import clips

ROOT = Path(__file__).parents[2]
NOWHERE = DecodeSource("/nowhere", (0, 0, 0, 0, 0), "mov")
ALL = 10**6


@pytest.fixture
def film(tmp_path):
    return clips.film(tmp_path / "film.mp4", seconds=3, size=(160, 120), sound_seconds=3.0)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", allow_any_file=True)


@pytest.fixture(scope="module")
def pool():
    pool = DecodePool(1, 2 * GIB)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("job", "seconds", "words"),
    [
        (clips.die, 30.0, "crash"),
        (clips.hang, 0.5, "took longer than the 0.5 s"),
        (clips.swell, 30.0, "needs more than the 2.0 GiB"),
    ],
)
def test_a_decoder_that_fails_is_one_error_and_the_pool_works_on(pool, job, seconds, words):
    with pytest.raises(MediaError, match="^odd.mp4 ") as caught:
        pool.run("odd.mp4", seconds, job, NOWHERE)
    assert words in str(caught.value)
    pid, _ = pool.run("fine.mp4", 30.0, clips.whoami, NOWHERE)
    assert pid != os.getpid()


def test_closing_ends_the_children():
    pool = DecodePool(1, 2 * GIB)
    pid, _ = pool.run("fine.mp4", 30.0, clips.whoami, NOWHERE)
    assert psutil.pid_exists(pid)
    pool.close()
    assert not psutil.pid_exists(pid)
    assert pool.run("fine.mp4", 30.0, clips.whoami, NOWHERE)[0] != pid
    pool.close()


@pytest.mark.slow
def test_a_memory_limit_that_a_real_clip_exceeds(film, tmp_path):
    # Its frames alone take 450 MB; how much a decoder takes beside them differs from machine to machine.
    big = clips.film(tmp_path / "big.mp4", seconds=6, fps=12, size=(1920, 1080), preset="ultrafast")
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True, decode_bytes=400 * 1024**2))
    assert store.admit(film)["duration"] == 3.0
    with pytest.raises(MediaError, match=r"^big\.mp4 needs more than the 0.4 GiB of memory"):
        store.frames(store.admit(big), [], ALL, height=1080)
    roomy = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True))
    assert len(roomy.frames(roomy.admit(big), [], ALL, height=1080).times) == 72


@pytest.mark.slow
def test_a_program_that_ends_leaves_no_process_and_runs_its_main_module_once(film, tmp_path):
    """A user's script without an `if __name__` guard, with a thread, that never closes the store."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, psutil
        AURELIA_TEST_MAIN = True
        from pathlib import Path
        from tests.support import clips
        from aurelia_core.media import ClipStore
        from aurelia_core.media.pool import shared_decode_pool
        from aurelia_core.settings import Settings
        settings = Settings(home=Path({str(tmp_path / "home")!r}), allow_any_file=True)
        print(ClipStore(settings).admit({str(film)!r})["duration"])
        print(shared_decode_pool(settings).run("x", 30, clips.whoami, None)[1])
        print(*[child.pid for child in psutil.Process().children(recursive=True)])
        """)
    )
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    duration, main_ran, pids = done.stdout.splitlines()
    assert (duration, main_ran) == ("3.0", "False")
    assert len(pids.split()) >= 2
    deadline = time.time() + 5
    while any(psutil.pid_exists(int(pid)) for pid in pids.split()):
        assert time.time() < deadline, "a decoding child outlived its program"
        time.sleep(0.05)


def test_a_second_question_decodes_nothing(film, settings):
    store = ClipStore(settings)
    ref = store.admit(film)
    store.frames(ref, [], 16)
    store.audio(ref, [], 8000)
    first = store.decode_count
    assert first == 2
    for windows in ([], [{"start": 0.3, "end": 0.9}], [{"start": 1.0, "end": 1.1}, {"start": 2.0, "end": 3.0}]):
        store.frames(store.admit(film), windows, 16)
        store.audio(ref, windows, 16000)
    store.frames(ref, [], ALL)
    assert store.decode_count == first
    later = ClipStore(settings)
    assert later.admit(film) == ref == later.admit(ref["id"])
    np.testing.assert_array_equal(later.frames(ref, [], 16).images, store.frames(ref, [], 16).images)
    assert later.decode_count == 0


def test_another_height_is_decoded_once_and_kept(film, settings):
    store = ClipStore(settings)
    ref = store.admit(film)
    images = store.frames(ref, [], 4, height=100).images
    assert images.shape == (4, 100, 133, 3)
    before = store.decode_count
    np.testing.assert_array_equal(store.frames(ref, [], 4, height=100).images, images)
    assert store.decode_count == before


def test_decord_and_pyav_agree(film, tmp_path):
    looks = []
    for reader in ("decord", "pyav"):
        store = ClipStore(Settings(home=tmp_path / reader, allow_any_file=True), reader=reader)
        looks.append(store.frames(store.admit(film), [], ALL))
    np.testing.assert_allclose(looks[0].times, looks[1].times)
    difference = np.abs(looks[0].images.astype(int) - looks[1].images.astype(int))
    assert difference.mean() < 1.5


def test_without_decord_pyav_reads(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    wanted = FrameRequest(0, [0.0, 0.5, 1.0], 160, 120, Orientation(), [0, 12, 24], 48)
    for reader in ("pyav", "decord"):
        pictures = read_frames(str(film), "mov", wanted, reader)
        assert [round(int(np.argmax(picture[100, :, 0] > 150)) / 8) for picture in pictures] == [0, 12, 5]


@pytest.mark.parametrize("spoil", ["grid-180.npy", "video-audio.npy", "video.json", "video-index.npz"])
@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_spoilt_cache_entry_is_made_again(film, settings, spoil, content):
    store = ClipStore(settings)
    ref = store.admit(film)
    frames, audio = store.frames(ref, [], 8), store.audio(ref)
    images, samples = frames.images.copy(), audio[0].samples.copy()
    entry = settings.cache_folder / ref["id"] / spoil
    whole = entry.read_bytes()
    entry.unlink()
    if content is not None:
        entry.write_bytes(content or whole[: len(whole) // 2])
    fresh = ClipStore(settings)
    assert fresh.admit(film) == ref
    np.testing.assert_array_equal(fresh.frames(ref, [], 8).images, images)
    np.testing.assert_array_equal(fresh.audio(ref)[0].samples, samples)
    assert fresh.decode_count == 1


def test_a_cache_folder_that_vanishes_is_made_again(film, settings):
    store = ClipStore(settings)
    store.frames(store.admit(film), [], 4)
    shutil.rmtree(settings.cache_folder)
    assert len(store.frames(store.admit(film), [], 4).times) == 4


def test_a_clip_that_changed(film, settings, tmp_path):
    store = ClipStore(settings)
    ref = store.admit(film)
    os.utime(film)
    assert store.admit(ref["id"]) == ref
    clips.film(film, seconds=1, size=(160, 120))
    for use in (lambda: store.admit(ref["id"]), lambda: store.verified_path(ref), lambda: store.frames(ref, [], 4)):
        with pytest.raises(MediaError, match="film.mp4 changed"):
            use()
    assert store.admit(film)["duration"] == 1.0


def test_a_clip_that_is_gone(film, settings):
    store = ClipStore(settings)
    ref = store.admit(film)
    film.unlink()
    with pytest.raises(MediaError, match="film.mp4 does not exist"):
        store.frames(ref, [], 4)


def test_equal_content_under_two_names_is_one_clip(film, settings, tmp_path):
    store = ClipStore(settings)
    first = store.admit(film)
    twin = tmp_path / "twin.mp4"
    shutil.copy(film, twin)
    before = store.decode_count
    assert store.admit(twin)["id"] == first["id"]
    assert store.decode_count == before


def reader(home, *roots):
    """A store of another process: it may read only these folders."""
    return ClipStore(Settings(home=home, media_roots=roots))


@pytest.fixture
def twins(film, tmp_path):
    """Two folders, each with film.mp4 of the same content."""
    folders = (tmp_path / "a", tmp_path / "b")
    for folder in folders:
        folder.mkdir()
        shutil.copy(film, folder / "film.mp4")
    return folders


def test_the_place_that_was_just_admitted_is_used(twins, tmp_path):
    """A run reads folder a, another one a copy in b, then a again: each by the id, as a graph does."""
    for folder in (*twins, twins[0], twins[1]):
        store = reader(tmp_path / "home", folder)
        ref = store.admit("film.mp4")
        assert store.verified_path(ref) == folder / "film.mp4"
        assert store.admit(ref["id"]) == ref
        assert len(store.frames(ref, [], 4).times) == 4


def test_two_runs_at_the_same_time_use_their_own_places(twins, tmp_path):
    stores = [reader(tmp_path / "home", folder) for folder in twins]
    refs = [store.admit("film.mp4") for store in stores]
    assert refs[0] == refs[1]
    for store, folder in zip(stores, twins, strict=True):
        assert store.verified_path(refs[0]) == folder / "film.mp4"
        assert store.admit(refs[0]["id"]) == refs[0]


def test_a_place_that_is_gone_or_changed_is_passed_over(twins, tmp_path):
    store = reader(tmp_path / "home", *twins)
    ref = store.admit(twins[0] / "film.mp4")
    store.admit(twins[1] / "film.mp4")
    (twins[1] / "film.mp4").unlink()
    assert store.verified_path(ref) == twins[0] / "film.mp4"
    clips.film(twins[1] / "film.mp4", seconds=1, size=(160, 120))
    assert store.verified_path(ref) == twins[0] / "film.mp4"
    os.utime(twins[0] / "film.mp4")
    assert len(store.frames(ref, [], 4).times) == 4
    (twins[0] / "film.mp4").unlink()
    with pytest.raises(MediaError, match=r"film\.mp4 changed after it was added"):
        store.verified_path(ref)


def test_a_place_that_is_named_again_is_named_by_its_new_name(film, settings, tmp_path):
    store = ClipStore(settings)
    store.admit(film)
    film.rename(tmp_path / "renamed.mp4")
    ref = store.admit(tmp_path / "renamed.mp4")
    assert ref["name"] == store.admit(ref["id"])["name"] == "renamed.mp4"
    film.write_bytes((tmp_path / "renamed.mp4").read_bytes())
    assert store.admit(film)["name"] == "film.mp4"


def test_a_store_of_the_last_release_is_read(twins, tmp_path):
    """Version 0.1 recorded one place of a content: here that of another process."""
    home = tmp_path / "home"
    store = reader(home, twins[0])
    ref = store.admit("film.mp4")
    folder = home / "cache" / ref["id"]
    (record,) = (folder / "places").iterdir()
    earlier = json.loads(record.read_text())
    del earlier["admitted"]
    shutil.rmtree(folder / "places")
    (folder / "source.json").write_text(json.dumps(earlier))
    assert reader(home, twins[0]).admit(ref["id"]) == ref
    with pytest.raises(MediaError, match="outside the folders"):
        reader(home, twins[1]).admit(ref["id"])
    assert reader(home, twins[0]).admit("film.mp4") == ref
    other = reader(home, twins[1])
    assert other.verified_path(other.admit("film.mp4")) == twins[1] / "film.mp4"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"path": 1}', '{"path": "x", "stamp": {"size": 1}}'])
def test_a_spoilt_record_of_a_place_is_passed_over(film, settings, content):
    store = ClipStore(settings)
    ref = store.admit(film)
    (settings.cache_folder / ref["id"] / "places" / "0.json").write_text(content)
    assert ClipStore(settings).admit(ref["id"]) == ref


def test_processes_that_admit_places_of_one_content_lose_none(film, tmp_path):
    places = [tmp_path / f"copy-{number}.mp4" for number in range(12)]
    for place in places:
        shutil.copy(film, place)
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from aurelia_core.media import ClipStore
        from aurelia_core.settings import Settings
        for name in sys.argv[1:]:
            ClipStore(Settings(home=Path({str(tmp_path / "home")!r}), allow_any_file=True)).admit(name)
        """)
    ClipStore(Settings(home=tmp_path / "home", allow_any_file=True)).admit(film)
    running = [subprocess.Popen([sys.executable, "-c", code, *map(str, places[k::3])], cwd=ROOT) for k in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    store = reader(tmp_path / "home", tmp_path)
    ref = store.admit(film)
    film.unlink()
    found = set()
    for _ in places:
        path = store.verified_path(ref)
        found.add(path)
        path.unlink()
    assert found == set(places)


def test_a_known_clip_is_admitted_without_a_write(film, settings):
    ref = ClipStore(settings).admit(film)
    before = sorted((path, path.stat().st_mtime_ns) for path in settings.cache_folder.rglob("*.json"))
    assert ClipStore(settings).admit(film) == ref
    assert sorted((path, path.stat().st_mtime_ns) for path in settings.cache_folder.rglob("*.json")) == before


def test_a_server_opens_only_its_own_copy(film, tmp_path):
    settings = Settings(home=tmp_path / "home", media_roots=(film.parent,))
    store = ClipStore(settings, copy=True)
    ref = store.admit("film.mp4")
    copy = settings.home / "media-store" / ref["id"]
    assert store.verified_path(ref) == copy and copy.read_bytes() == film.read_bytes()
    film.unlink()
    assert len(store.frames(ref, [], 4).times) == 4
    assert store.admit(ref["id"]) == ref
    assert [path.name for path in copy.parent.iterdir()] == [ref["id"]]


def test_a_copy_that_was_tampered_with_is_refused(film, tmp_path):
    settings = Settings(home=tmp_path / "home", media_roots=(film.parent,))
    store = ClipStore(settings, copy=True)
    ref = store.admit("film.mp4")
    copy = store.verified_path(ref)
    copy.chmod(0o600)
    copy.write_bytes(clips.film(tmp_path / "other.mp4", seconds=1).read_bytes())
    with pytest.raises(MediaError, match="changed"):
        store.frames(ref, [], 4)


def test_threads_share_one_decoding(film, settings):
    store = ClipStore(settings)
    results = []

    def look():
        ref = store.admit(film)
        results.append((len(store.frames(ref, [], 16).times), len(store.audio(ref)[0].samples)))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(16, 48000)] * 6
    assert store.decode_count == 2


def test_two_processes_share_the_cache(film, tmp_path):
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from aurelia_core.media import ClipStore
        from aurelia_core.settings import Settings
        store = ClipStore(Settings(home=Path({str(tmp_path / "home")!r}), allow_any_file=True))
        ref = store.admit({str(film)!r})
        print(int(store.frames(ref, [], 16).images.sum()), round(float(abs(store.audio(ref)[0].samples).sum()), 3))
        """)
    command = [sys.executable, "-c", code]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    running = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in running]
    assert [error for _, error in outputs] == ["", ""]
    assert outputs[0][0] == outputs[1][0] != ""
    left = [path.name for path in (tmp_path / "home" / "cache").iterdir() if path.name.startswith(".")]
    assert left == []


def test_the_least_recently_used_clips_give_way(tmp_path):
    cache = ClipCache(tmp_path / "cache", limit=3000)
    for number, name in enumerate("abc"):
        clip = name * 64
        with cache.workspace() as folder:
            np.save(folder / "x.npy", np.zeros(1500 - 128, np.uint8))
            cache.store_entry(folder / "x.npy", clip, "x.npy")
        cache.write_json(clip, "video.json", {"clip": name})
        os.utime(cache.folder / clip, (time.time() - 100 + number,) * 2)
    cache.touch("a" * 64)
    cache.trim("c" * 64)
    assert cache.entry_path("a" * 64, "x.npy").exists() and cache.entry_path("c" * 64, "x.npy").exists()
    assert not cache.entry_path("b" * 64, "x.npy").exists()
    assert cache.read_json("b" * 64, "video.json") == {"clip": "b"}


def test_what_was_dropped_is_decoded_again(film, settings, monkeypatch):
    store = ClipStore(settings)
    ref = store.admit(film)
    before = store.frames(ref, [], 4).images.copy()
    monkeypatch.setattr(store._cache, "limit", 1)
    store._cache.trim("f" * 64)
    assert not list((settings.cache_folder / ref["id"]).glob("*.npy"))
    np.testing.assert_array_equal(store.frames(ref, [], 4).images, before)
    assert len(store.audio(ref)[0].samples) == 48000


def test_a_reference_is_plain_json_without_a_path(film, settings):
    ref = ClipStore(settings).admit(film)
    assert json.loads(json.dumps(ref)) == ref
    assert str(film.parent) not in json.dumps(ref)
