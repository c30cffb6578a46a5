"""A clip whose sound goes on after its picture: windows reach its end, and each sense takes its part of them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import WeightsFamily
from aurelia_core.models.local.content import RequestConverter
from aurelia_core.models.local.processor import ModelSenses
from aurelia_core.models.requests import parse_request
from aurelia_core.types import Media, MediaRef, windows_before
from nodes.requests import clamp_windows
from prompts.render import PromptTexts
from tests.providers.test_google import parts
from tests.support import clips
from tests.support.google_server import Gemini
from tests.support.openai_server_rules import sound
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket
LATE = {"start": 2.5, "end": 3.5}
ACROSS = {"start": 1.5, "end": 9.0}
FEEDBACK = [{"feedback": "Listen again.", "windows": [LATE, ACROSS]}]


@pytest.fixture(scope="session")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of picture, four seconds of sound."""
    made: Path = clips.film(tmp_path_factory.mktemp("late") / "long sound.mp4", seconds=2.0, sound_seconds=4.0)
    return made


@pytest.fixture
def ref(session_store: ClipStore, long_sound: Path) -> MediaRef:
    return session_store.admit(long_sound)


def test_windows_are_cut_by_the_longer_of_picture_and_sound(ref: MediaRef) -> None:
    assert (Media(ref, [], []).seconds, round(Media(ref, [], []).longest_seconds, 1)) == (2.0, 4.0)
    wanted: Any = [type("W", (), window) for window in (LATE, ACROSS)]
    end = Media(ref, [], []).longest_seconds
    assert clamp_windows(wanted, end) == [LATE, {"start": 1.5, "end": pytest.approx(4.0, abs=0.03)}]
    silent: Any = {**ref, "has_audio": False, "audio_seconds": None}
    assert Media(silent, [], []).longest_seconds == 2.0
    assert Media(silent, [], [{**ref, "audio_seconds": 7.5}]).longest_seconds == 7.5
    still: Any = {**silent, "duration": 0.0, "fps": None}
    assert Media(still, [], []).longest_seconds == 0.0
    assert windows_before([LATE, ACROSS], 2.0) == [{"start": 1.5, "end": 2.0}]  # type: ignore[list-item]


@pytest.mark.parametrize("media", ["images+input_audio", "images"])
async def test_a_window_after_the_picture_is_heard_and_not_seen(compatible: Any, long_sound: Path, media: str) -> None:
    set_up = compatible(media, evaluator=[verdict(3), verdict(9)], feedback=FEEDBACK)
    result = await set_up.ask("compatible:omni", video=str(long_sound))
    assert set_up.server.refused == [] and result["score"] == 9
    assert result["iterations"][0]["windows"][0] == LATE
    look = set_up.server.by("generator")[1]
    # Four frames of the whole clip; of the two windows only the second one has a picture.
    assert len(look.of("image_url")) == 4 + 2
    if media == "images":
        return
    lengths = [len(sound_of(part)) / 16_000 for part in look.of("input_audio")]
    assert lengths == [pytest.approx(seconds, abs=0.05) for seconds in (4.0, 1.0, 2.5)]


def sound_of(part: Any) -> Any:
    return np.frombuffer(sound(base64.b64decode(part["data"]))[1], "<i2")


async def test_gemini_gets_the_window_of_the_whole_file(gemini: Gemini, play: Any, long_sound: Path) -> None:
    gemini.script["feedback"] = FEEDBACK * 5
    await play(long_sound, max_iterations=2)
    second = [parts(body) for role, body in gemini.asked if role == "generator"][1]
    looks = [part["videoMetadata"] for part in second if "fileData" in part]
    assert [(look["startOffset"], look["endOffset"]) for look in looks][0] == ("2.500s", "3.500s")
    assert looks[1]["startOffset"] == "1.500s" and float(looks[1]["endOffset"][:-1]) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("in_video", [True, False])
def test_local_weights_hear_the_window(session_store: ClipStore, ref: MediaRef, in_video: bool) -> None:
    senses = ModelSenses("video", True, in_video, 16_000, None, WeightsFamily(sees="video"))
    converter = RequestConverter(session_store, "transformers:x", senses)
    request = parse_request({"role": "generator", "clip": ref, "looks": [[], [LATE]], "iteration": 2})
    look = converter._closer_look(request.media, [LATE], PromptTexts())  # type: ignore[attr-defined, list-item]
    if in_video:
        (video,) = look.videos
        assert len(video.images) >= 1 and len(video.sound) / 16_000 == pytest.approx(1.0, abs=0.05)
        assert np.abs(video.sound).max() > 0.05
    else:
        assert look.videos == [] and look.images == []
        (heard,) = look.sounds
        assert len(heard) / 16_000 == pytest.approx(1.0, abs=0.05)
