"""A short attack on the intake, by mutants and bombs in a process of their own, and that it would see a failure."""

from pathlib import Path

import pytest

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.frames import MAX_ASPECT_RATIO
from aurelia_core.settings import Settings
from benchmarks.attack import mutants
from benchmarks.attack.bombs import BOMBS, QUICK
from benchmarks.attack.intake import wrong_with
from benchmarks.attack.mutations import KINDS, mutant
from benchmarks.attack.seeds import MARK, seeds
from tests.support import clips


def test_mutants_end_with_frames_or_a_typed_error() -> None:
    rows = mutants.mutants(120, 200.0, 7)
    assert "120 mutants" in rows[0].what
    # How long each took is for the attack itself to judge, on a machine that does nothing else.
    assert [row for row in rows if not row.holds and "slowest" not in row.what] == []


def test_bombs_stop_at_the_limits() -> None:
    rows = mutants.bombs(200.0, QUICK)
    assert f"{len(QUICK)} bombs (1 within the limits" in rows[0].what
    assert [row for row in rows if not row.holds and "slowest" not in row.what] == []


def test_the_attack_sees_a_death_and_a_leak(tmp_path: Path) -> None:
    found = mutants.Found()
    # A script that ends without a word stands for a process that dies.
    assert mutants.watched("row", tmp_path, (), found, 5) == 6
    assert (found.deaths, found.rows()[0].holds, found.left().holds) == (1, False, False)
    assert wrong_with(MediaError(f"x.mp4 says {MARK.lower()}"), tmp_path).startswith("leaks")
    assert wrong_with(MediaError(f"{tmp_path}/x.mp4 is damaged"), tmp_path).startswith("shows a folder")
    assert wrong_with(MediaError("x.mp4 is\ndamaged"), tmp_path).startswith("is no line")
    assert wrong_with(KeyError("x"), tmp_path).startswith("untyped")
    assert wrong_with(MediaError("x.mp4 is damaged"), tmp_path) == ""


def test_every_kind_of_damage_changes_every_container(tmp_path: Path) -> None:
    made = seeds(tmp_path)
    done: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for number in range(1500):
        found = mutant(made, 1, number)
        if found.data not in {seed.data for seed in made}:
            done[found.kind].add(found.ending)
    endings = {seed.ending for seed in made}
    assert {kind for kind, reached in done.items() if reached != endings and kind != "tracks"} == set()
    assert mutant(made, 1, 4) == mutant(made, 1, 4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return ClipStore(Settings(home=tmp_path_factory.mktemp("home"), allow_any_file=True))


def test_pixels_of_an_absurd_shape_cost_no_more_than_a_wide_picture(store: ClipStore, tmp_path: Path) -> None:
    ref = store.admit(BOMBS["wide.mp4"](tmp_path / "wide.mp4"))
    assert ref["width"] is not None and ref["height"] is not None and ref["width"] > 60 * ref["height"]
    for height in (180, 100):
        images = store.frames(ref, [], 4, height=height).images
        assert images.shape[2] == MAX_ASPECT_RATIO * height and 1 <= images.shape[1] < height


def test_a_title_in_another_alphabet_does_not_stop_a_clip(store: ClipStore, tmp_path: Path) -> None:
    path = clips.tune(tmp_path / "x.wav", seconds=0.3, metadata={"title": "QQQQQQQQ"})
    path.write_bytes(path.read_bytes().replace(b"QQQQQQQQ", "Мой клип".encode("cp1251")))
    assert store.admit(path, "audio")["audio_seconds"] == 0.3


def test_an_unknown_format_is_named_as_such(store: ClipStore, tmp_path: Path) -> None:
    film = clips.film(tmp_path / "x.mp4", seconds=0.5)
    film.write_bytes(film.read_bytes().replace(b"avc1", b"xyzw"))
    tune = clips.tune(tmp_path / "x.wav", seconds=0.5)
    tune.write_bytes(tune.read_bytes().replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x34\x12"))
    with pytest.raises(MediaError, match="has a picture track in a format that cannot be decoded here"):
        store.admit(film)
    with pytest.raises(MediaError, match="has a sound track in a format that cannot be decoded here"):
        store.admit(tune, "audio")


def test_what_decord_cannot_open_pyav_reads(tmp_path: Path) -> None:
    """Its errors are not those of other libraries; a track without a rate is one that only PyAV reads."""
    made = seeds(tmp_path)
    webm = next(seed for seed in made if seed.ending == "webm")
    path = tmp_path / "x.webm"
    path.write_bytes(webm.data.replace(b"\x44\x89", b"\x44\x8e").replace(b"DURATION", b"DURATIVE"))
    looks = [
        ClipStore(Settings(home=tmp_path / reader, allow_any_file=True), reader=reader) for reader in ("decord", "pyav")
    ]
    shapes = [look.frames(look.admit(path), [], 4).images.shape for look in looks]
    assert shapes[0] == shapes[1]
