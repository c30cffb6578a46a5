"""The server's rules without a server: tokens, who is let in, keys and references, the sheet, uploads on disk."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aurelia.server.clip_owners import STALE_UPLOAD_SECONDS, ClipOwners
from aurelia.server.tokens import LOCAL_OWNER, STUDIO_OWNER, AccessDenied, AccessRules
from aurelia.server.validation import ClipNotFound, check_clips, check_keys, check_settings, check_state
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.contact_sheet import render_contact_sheet, waveform_peaks
from aurelia_core.settings import GIB, Settings
from tests.support.clips import film, tune

ALICE, BOB = "alices-token-of-some-length", "bobs-token-of-some-length"
HERE = {"client": "127.0.0.1", "host": "localhost:2024"}


@pytest.fixture
def library(tmp_path: Path) -> ClipOwners:
    home = tmp_path / "home"
    (home / "media").mkdir(parents=True)
    return ClipOwners(ClipStore(Settings(home=home, media_roots=(home / "media",)), copy=True))


def given(library: ClipOwners, content: bytes, owner: str = "alice", name: str = "film.mp4", kind: Any = None) -> Any:
    with library.upload_folder() as folder:
        file = folder / "received"
        file.write_bytes(content)
        return library.add(file, owner, name, kind)


def test_every_token_is_its_owners(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"# ours\nbob:{BOB}\n")
    env = {"AURELIA_TOKENS": f" alice:{ALICE} ,", "AURELIA_TOKENS_FILE": str(tmp_path / "tokens")}
    rules = AccessRules.from_environment(env)
    assert [rules.owner("10.0.0.9", "aurelia.example", f"Bearer {token}") for token in (ALICE, BOB)] == ["alice", "bob"]
    assert rules.owner(None, "", f"bearer  {BOB} ") == "bob"
    assert ALICE not in repr(rules)


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {ALICE}", f"Bearer {ALICE}x", ALICE, "Bearer \xe4"]
)
def test_what_is_no_token_of_ours_lets_nobody_in(sent: str | None) -> None:
    rules = AccessRules.from_environment({"AURELIA_TOKENS": f"alice:{ALICE}"})
    with pytest.raises(AccessDenied, match="token"):
        rules.owner(**HERE, authorization=sent)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"AURELIA_TOKENS": "alice"}, "Token 1 cannot be used: write NAME:TOKEN"),
        ({"AURELIA_TOKENS": f"../x:{ALICE}"}, "NAME:TOKEN"),
        ({"AURELIA_TOKENS": f"alice:{ALICE},alice:{BOB}"}, "'alice' of token 2 is already used"),
        ({"AURELIA_TOKENS": f"studio:{ALICE}"}, "is already used"),
        ({"AURELIA_TOKENS": "alice:short"}, "token of alice is shorter than 16"),
        ({"AURELIA_TOKENS": f"alice:{ALICE},bob:{ALICE}"}, "same token"),
        ({"AURELIA_TOKENS_FILE": "/nowhere/tokens"}, "cannot be read"),
        ({"AURELIA_TOKENS_FILE": os.devnull}, "has no token"),
        ({"AURELIA_STUDIO": "perhaps"}, "AURELIA_STUDIO"),
        ({"AURELIA_ORIGINS": "*"}, "AURELIA_ORIGINS"),
        ({"AURELIA_CLIP_ORIGINS": "https://media.example/films"}, "AURELIA_CLIP_ORIGINS"),
    ],
)
def test_rules_that_cannot_be_understood_are_refused_without_showing_a_token(env: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as fault:
        AccessRules.from_environment(env)
    assert ALICE not in str(fault.value)
    assert "nowhere" not in str(fault.value)


@pytest.mark.parametrize(
    ("client", "host", "allowed"),
    [
        ("127.0.0.1", "localhost:2024", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]:2024", True),
        ("::ffff:127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "rebound.example:2024", False),
        ("127.0.0.1", "localhost.example", False),
        ("127.0.0.1", "", False),
        ("192.168.1.5", "localhost", False),
        (None, "localhost", False),
        ("testclient", "localhost", False),
    ],
)
def test_without_a_token_only_this_machine_comes_in(client: str | None, host: str, allowed: bool) -> None:
    rules = {LOCAL_OWNER: {}, STUDIO_OWNER: {"AURELIA_TOKENS": f"alice:{ALICE}", "AURELIA_STUDIO": "true"}}
    for name, env in rules.items():
        access = AccessRules.from_environment(env)
        if allowed:
            assert access.owner(client, host, None) == name
        else:
            with pytest.raises(AccessDenied):
                access.owner(client, host, None)


def test_unknown_keys_are_named_with_the_nearest_known_one() -> None:
    known = ("video", "question")
    check_keys("input", None, known)
    check_keys("input", {"video": "x"}, known)
    for sent, said in [
        ({"Vidoe": 1}, "did you mean 'video'"),
        ({"zzz": 1}, "known are video, question"),
        ("x", "JSON"),
    ]:
        with pytest.raises(InputError, match=said):
            check_keys("input", sent, known)


def test_what_langgraph_puts_beside_the_settings_is_let_through() -> None:
    check_settings({"threshold": 7, "thread_id": "x", "__context_provided__": True, "checkpoint_ns": ""}, ())
    check_settings(None, ())
    with pytest.raises(InputError, match="did you mean 'threshold'"):
        check_settings({"treshold": 7, "thread_id": "x"}, ())


def test_models_that_cost_are_served_when_the_operator_says_so() -> None:
    tokens = {"AURELIA_TOKENS": f"alice:{ALICE}"}
    assert AccessRules.from_environment(tokens).models == ("offline:*",)
    assert AccessRules.from_environment({**tokens, "AURELIA_MODELS": "openai:*, offline:*"}).models == (
        "openai:*",
        "offline:*",
    )
    assert AccessRules.from_environment({}).models == ()


def test_only_served_models_may_be_named() -> None:
    check_settings({"target": "compatible:small"}, ("offline:*", "compatible:small"))
    with pytest.raises(InputError, match="compatible:smaller"):
        check_settings({"target": "compatible:smaller"}, ("offline:*", "compatible:small"))


def test_parts_of_a_state_are_known() -> None:
    check_state({"score": 3, "iterations": []})
    check_state([{"score": 3}])
    with pytest.raises(InputError, match="'scores'|'score'"):
        check_state([{"score": 3}, {"scor": 3}])


def test_a_clip_is_its_givers_alone_wherever_it_is_named(library: ClipOwners, duet: Path) -> None:
    clip = given(library, duet.read_bytes())
    ref = {**clip.ref}
    deep = {"command": {"goto": [{"input": {"clip": ref}}]}}
    sound = {**library.store.admit(ref["id"], "audio")}
    assert sound["width"] is None
    for sent in ({"video": ref["id"]}, {"audio": ["x.wav", ref["id"]]}, {"clip": ref}, {"tracks": [sound]}, deep):
        check_clips(sent, "alice", library)
        with pytest.raises(ClipNotFound):
            check_clips(sent, "bob", library)
    for forged in ({**ref, "duration": 1e9}, {"id": ref["id"]}, {**ref, "id": f"../cache/{ref['id']}"}, "x", {}):
        with pytest.raises(ClipNotFound):
            check_clips({"clip": forged}, "alice", library)


def test_a_reference_that_was_made_up_leads_to_no_file(library: ClipOwners, duet: Path, tmp_path: Path) -> None:
    ref = given(library, duet.read_bytes()).ref
    (tmp_path / "home" / "audio.json").write_text("{}")
    with pytest.raises(MediaError, match="no id"):
        library.store.audio({**ref, "id": ".."})


def test_the_operators_own_clips_are_everybodys(library: ClipOwners, duet: Path) -> None:
    (library.store.settings.home / "media" / "duet.mp4").write_bytes(duet.read_bytes())
    clip = library.store.admit("duet.mp4")["id"]
    found = library.find(clip, "bob")
    assert found is not None
    assert (found.ref["name"], found.kind) == ("duet.mp4", "video")
    assert library.find("0" * 64, "bob") is None


def test_an_upload_leaves_one_copy_and_nothing_else(library: ClipOwners, duet: Path) -> None:
    home = library.store.settings.home
    clip = given(library, duet.read_bytes(), name="../my\nclip.mp4")
    again = given(library, duet.read_bytes(), owner="bob", name="")
    assert clip.ref["name"] == "my?clip.mp4"
    assert again.ref["name"] == f"clip-{clip.ref['id'][:12]}"
    assert [file.name for file in (home / "media-store").iterdir()] == [clip.ref["id"]]
    assert list((home / "inbox").iterdir()) == []


def test_uploads_that_a_dead_server_left_are_cleared_away(library: ClipOwners) -> None:
    with library.upload_folder() as folder:
        left = folder.parent / "clip-left"
        left.mkdir()
        os.utime(left, (0, os.stat(left).st_mtime - STALE_UPLOAD_SECONDS - 1))
        with library.upload_folder():
            assert not left.exists()
            assert folder.exists()


def test_the_operators_disk_is_not_filled(library: ClipOwners, duet: Path) -> None:
    assert not library.is_full()
    clip = given(library, duet.read_bytes()).ref
    small = Settings(home=library.store.settings.home, max_store_bytes=clip["bytes"])
    assert ClipOwners(ClipStore(small, copy=True)).is_full()


def test_a_sound_is_no_video_unless_it_is_said_so(library: ClipOwners, tmp_path: Path) -> None:
    content = tune(tmp_path / "tone.wav").read_bytes()
    with pytest.raises(MediaError, match=r"tone\.wav has no picture"):
        given(library, content, name="tone.wav", kind="video")
    assert given(library, content, name="tone.wav").kind == "audio"


def test_peaks_are_the_largest_of_each_stretch() -> None:
    samples = np.array([0.1, -0.5, 0.2, 0.0, 0.3, -0.3], np.float32)
    assert waveform_peaks(samples, 3).tolist() == pytest.approx([0.5, 0.2, 0.3])
    assert waveform_peaks(samples[:1], 4).sum() == pytest.approx(0.1)


def test_a_sheet_of_a_very_wide_silent_clip_stays_small(library: ClipOwners, tmp_path: Path) -> None:
    clip = given(library, film(tmp_path / "wide.mp4", size=(1920, 64), seconds=0.5).read_bytes())
    page = Image.open(io.BytesIO(render_contact_sheet(library.store, clip.ref)))
    assert page.width <= 4 * 408 + 16
    assert page.height < 200


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_limits_are_whole_megabytes(text: str) -> None:
    with pytest.raises(InputError, match="AURELIA_MAX_MEDIA_MB"):
        Settings.from_environment(local=False, environment={"AURELIA_MAX_MEDIA_MB": text})
    set_ = Settings.from_environment(
        local=False, environment={"AURELIA_MAX_MEDIA_MB": "5", "AURELIA_MAX_STORE_MB": "7"}
    )
    assert (set_.max_media_bytes, set_.max_store_bytes) == (5_000_000, 7_000_000)
    assert Settings.from_environment(local=False, environment={}).max_media_bytes == 2 * GIB
