"""What Gemini cannot carry is refused before anything is uploaded or paid for, with what to do instead."""

from pathlib import Path
from typing import Any

import pytest

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.google.content import MAX_FILE_BYTES, check_request_size, gemini_capability
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.registry import known_providers, make_model
from aurelia_core.types import MediaRef
from tests.support.google_fixtures import SPEC
from tests.support.google_server import Gemini
from tests.support.requests import compose_messages

pytestmark = pytest.mark.enable_socket


def model(store: ClipStore, spec: str = SPEC) -> Any:
    return make_model(spec, store, known_providers())


def fields(clip: MediaRef, *tracks: MediaRef, **changes: Any) -> dict[str, Any]:
    changed: Any = {**clip, **changes}
    return {"role": "target", "clip": changed, "tracks": list(tracks)}


@pytest.fixture
def clip(session_store: ClipStore, duet: Path) -> MediaRef:
    return session_store.admit(duet)


def test_an_ordinary_clip_is_taken(gemini: Gemini, session_store: ClipStore, clip: MediaRef) -> None:
    model(session_store).check_clip(MediaRequest.parse(fields(clip)), sees_clip=True)
    model(session_store).check_clip(MediaRequest.parse(fields(clip, clip, clip)), sees_clip=True)
    assert not gemini.calls


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bytes": MAX_FILE_BYTES + 1}, r"takes files of 2 GB, and 'duet.mp4' has 2\.00 GB"),
        ({"audio_seconds": 40_000.0}, "takes 34200 s of sound in one request, and this one has 40000 s"),
        ({"audio_seconds": 33_000.0}, "takes 1048576 tokens, and this clip has about"),
    ],
)
def test_what_is_too_much_is_said_with_its_limit(
    gemini: Gemini, session_store: ClipStore, clip: MediaRef, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        model(session_store).check_clip(MediaRequest.parse(fields(clip, **changes)), sees_clip=True)
    model(session_store).check_clip(MediaRequest.parse(fields(clip, **changes)), sees_clip=False)
    assert not gemini.calls


def tokens(store: ClipStore, asked: dict[str, Any], decoding: Any = None, windows: Any = (), spec: str = SPEC) -> int:
    found: int = model(store, spec).clip_tokens(MediaRequest.parse(asked), decoding or {}, windows)
    return found


def test_tokens_are_counted_by_generation_resolution_rate_and_window(
    gemini: Gemini, session_store: ClipStore, clip: MediaRef
) -> None:
    asked = fields(clip)
    new = "google_genai:gemini-3.8-flash"
    # Two seconds at eight frames a second, and the sound.
    assert tokens(session_store, asked) == 16 * 256 + 2 * 32
    assert tokens(session_store, asked, spec=new) == 16 * 70 + 2 * 25
    assert tokens(session_store, asked, {"media_resolution": "high", "fps": 1.0}, spec=new) == 2 * 280 + 2 * 25
    half: Any = [{"start": 0.0, "end": 0.5}]
    assert tokens(session_store, asked, {}, half, new) == (16 + 12) * 70 + 63
    # Separate sounds replace the clip's own.
    assert tokens(session_store, fields(clip, clip, clip), spec=new) == 16 * 70 + 2 * 2 * 25
    assert not gemini.calls


def test_frames_that_no_context_holds_are_refused_with_the_settings_that_lower_them(
    gemini: Gemini, session_store: ClipStore, clip: MediaRef
) -> None:
    media = MediaRequest.parse(fields(clip, duration=3600.0, audio_seconds=3600.0))
    desk = ModelClient(session_store.settings, store=session_store)
    desk.check_decoding("target", SPEC, {}, media)
    with pytest.raises(InputError, match=r"about 22\d{6}: give a shorter clip, or lower frames, decoding.ROLE.fps"):
        desk.check_decoding("target", SPEC, {"fps": 24.0}, media)
    desk.check_decoding("target", SPEC, {"fps": 24.0, "media_resolution": "low"}, fits(media))
    desk.check_decoding("summarizer", SPEC, {}, media)
    assert not gemini.calls


def fits(media: MediaRequest) -> MediaRequest:
    clip: Any = {**media.clip, "duration": 600.0, "audio_seconds": 600.0}
    return MediaRequest.parse({**media.fields(), "clip": clip})


async def test_a_run_whose_frames_fill_the_context_ends_before_anything_is_sent(
    gemini: Gemini, play: Any, duet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = gemini_capability("gemini-2.5-flash").model_copy(update={"context": 5000})
    monkeypatch.setattr("aurelia_core.models.google.chat.gemini_capability", lambda name: narrow)
    with pytest.raises(InputError, match="takes 5000 tokens, and this clip has about"):
        await play(duet, decoding={"evaluator": {"fps": 24.0}})
    assert not gemini.asked


def test_the_sound_of_all_tracks_counts(gemini: Gemini, session_store: ClipStore, clip: MediaRef) -> None:
    long: Any = {**clip, "audio_seconds": 12_000.0}
    model(session_store).check_clip(MediaRequest.parse(fields(clip, long)), sees_clip=True)
    with pytest.raises(InputError, match="fewer sound tracks"):
        model(session_store).check_clip(MediaRequest.parse(fields(clip, long, long, long)), sees_clip=True)


def test_a_large_picture_whose_sound_is_replaced_goes_as_frames(
    gemini: Gemini, session_store: ClipStore, clip: MediaRef
) -> None:
    model(session_store).check_clip(MediaRequest.parse(fields(clip, clip, bytes=MAX_FILE_BYTES + 1)), sees_clip=True)
    with pytest.raises(InputError, match="takes files"):
        model(session_store).check_clip(
            MediaRequest.parse(fields(clip, {**clip, "bytes": MAX_FILE_BYTES + 1})), sees_clip=True
        )


async def test_the_run_ends_before_anything_is_sent(
    gemini: Gemini, play: Any, duet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurelia_core.models.google.content.MAX_FILE_BYTES", 1000)
    with pytest.raises(InputError, match="takes files"):
        await play(duet)
    assert not gemini.calls and not gemini.asked


def test_a_request_that_weighs_too_much_is_refused() -> None:
    row = gemini_capability("gemini-2.5-flash")
    blocks = [{"type": "media", "data": bytes(8_000_000)}] * 2
    with pytest.raises(InputError, match="takes requests of 20 MB, and this clip makes one of 21 MB"):
        check_request_size(SPEC, row, blocks)
    check_request_size(SPEC, row, blocks[:1])


async def test_it_is_weighed_before_it_is_sent(
    gemini: Gemini, session_store: ClipStore, clip: MediaRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = gemini_capability("gemini-2.5-flash").model_copy(update={"request_mb": 0.001})
    monkeypatch.setattr("aurelia_core.models.google.chat.gemini_capability", lambda name: narrow)
    with pytest.raises(InputError, match="fewer sound tracks, fewer frames or a shorter clip"):
        await model(session_store).ainvoke(compose_messages("What is heard?", fields(clip), sees_clip=True))
    assert gemini.calls["generate"] == 0


@pytest.mark.parametrize("name", ["gemini-2.5-flash-image", "gemini-2.5-pro-preview-tts", "gemini-embedding-001"])
def test_models_that_answer_no_questions_are_refused_by_name(
    gemini: Gemini, session_store: ClipStore, name: str
) -> None:
    with pytest.raises(InputError, match="does not answer questions about clips"):
        model(session_store, f"google_genai:{name}")


@pytest.mark.parametrize("name", ["models/gemini-2.5-flash", "tunedModels/mine-1", "gemma-3-27b-it", "learnlm-2"])
def test_models_of_other_names_are_not(gemini: Gemini, session_store: ClipStore, name: str) -> None:
    assert model(session_store, f"google_genai:{name}")
