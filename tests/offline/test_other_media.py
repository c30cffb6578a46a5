"""The offline agents on sounds and still pictures: what they measure, and what they say they cannot know."""

import json
from pathlib import Path
from typing import Any

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.requests import FeedbackRequest
from aurelia_core.settings import Settings
from aurelia_core.signals.look import merge_observations, observe_clip
from aurelia_offline.agents.feedback import advise
from state.context import Context
from tests.cli.test_cli import aurelia
from tests.support.other_media import write_picture, write_sound

RED, BLUE = (220, 20, 20), (30, 60, 220)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> ModelClient:
    return ModelClient(Settings(home=tmp_path_factory.mktemp("home"), allow_any_file=True))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("media")
    made = [
        write_sound(folder / "two.wav", [(0.5, 1.2, 440, 0.5), (2.0, 3.0, 880, 0.1)], seconds=4.0),
        *(write_sound(folder / f"{name}.flac", [(0.3, 1.5, pitch, loud)]) for name, pitch, loud in TONES),
        write_picture(folder / "blue.png", BLUE, spot=RED),
        write_picture(folder / "red.jpg", RED),
    ]
    return {path.stem: str(path) for path in made}


TONES = [("a", 220, 0.1), ("b", 330, 0.5), ("c", 880, 0.2), ("d", 440, 0.3)]
FOUR = ["Sound A", "Sound B", "Sound C", "Sound D"]
SOUND = "there is only sound, and no picture"
STILL = "a still picture shows no movement"


@pytest.mark.parametrize(
    ("names", "question", "choices", "answer"),
    [
        ("two", "How many sounds are heard?", [], "2"),
        ("two", "Is the first sound higher than the second?", [], "no"),
        ("two", "Which is louder, the first or the second sound?", ["the first", "the second"], "the first"),
        ("two", "Does the pitch rise or fall?", ["rises", "falls"], "rises"),
        ("two", "How many shapes move?", [], f"unknown: {SOUND}"),
        ("two", "Does anything move?", ["yes", "no"], "unknown"),
        ("two", "What colour is the background?", [], f"unknown: {SOUND}"),
        ("blue", "What colour is the background?", [], "blue"),
        ("blue", "What colour is the shape?", [], "red"),
        ("blue", "What colours are shown?", [], "blue and red"),
        ("blue", "What is the dominant colour?", [], "blue"),
        ("blue", "What is the dominant colour?", ["red", "blue"], "blue"),
        ("red", "What colours can be seen in the picture?", [], "red"),
        ("blue", "How many shapes move?", [], f"unknown: {STILL}"),
        ("blue", "Are there cuts?", [], f"unknown: {STILL}"),
        ("blue", "How long is the clip?", [], "unknown: a still picture has no length"),
        ("blue", "Is it silent?", [], "yes"),
        ("blue red", "What colour is the background?", [], "unknown: there are 2 pictures"),
        ("blue two", "How many sounds are heard?", [], "2"),
        ("blue two", "What colour is the background?", [], "blue"),
        ("a b c d", "Which sound has the highest pitch?", FOUR, "Sound C"),
        ("a b c d", "Which sound is the loudest?", FOUR, "Sound B"),
        ("a b", "Is the first sound louder than the second?", [], "no"),
        ("a b c d", "How many sounds are heard?", [], "unknown: there are 4 separate sounds"),
    ],
)
async def test_what_is_there_is_measured_and_the_rest_is_unknown(
    desk: ModelClient, media: dict[str, str], names: str, question: str, choices: list[str], answer: str
) -> None:
    files = [media[name] for name in names.split()]
    asked: Any = {"question": question, "choices": choices}
    asked["images"] = [file for file in files if file.endswith((".png", ".jpg"))]
    asked["audio"] = [file for file in files if file.endswith((".wav", ".flac"))]
    result = await answer_question(asked, Context(max_iterations=2), client=desk)
    said = result["answer"]
    if result["why_unknown"]:
        said += f": {result['why_unknown']}"
    assert said.startswith(answer)
    assert "There are no cuts" not in result["iterations"][0]["caption"]
    assert "Nothing moves" not in result["iterations"][0]["caption"]
    assert "inf s" not in str(result)


async def test_sounds_of_equal_length_are_called_equal_and_by_their_name(
    desk: ModelClient, media: dict[str, str]
) -> None:
    asked: Any = {"question": "Which sound is the longest?", "choices": FOUR[:2], "audio": [media["a"], media["c"]]}
    result = await answer_question(asked, Context(max_iterations=1), client=desk)
    assert result["answer"] == "unknown"
    caption = result["iterations"][0]["caption"]
    assert "Sound A holds one sound" in caption and "Track" not in caption
    assert result["leaks"] == []


def test_an_observation_of_a_picture_is_still_and_one_of_a_sound_has_no_picture(
    session_store: ClipStore, media: dict[str, str]
) -> None:
    picture, sound = session_store.admit(media["blue"]), session_store.admit(media["two"], kind="audio")
    seen = observe_clip(session_store, picture, sound, [], 16, 48000)
    assert (seen.still, seen.duration, len(seen.sounds), seen.motions, seen.cuts) == (True, 4.0, 2, (), ())
    closer = observe_clip(session_store, picture, sound, [{"start": 1.0, "end": 2.5}], 16, 48000)
    merged = merge_observations([seen, closer])
    assert merged.still and {colour.name: colour.background for colour in merged.colours} == {
        "blue": True,
        "red": False,
    }
    heard = observe_clip(session_store, sound, None, [], 16, 48000)
    assert (heard.video_spans, heard.frame_gap, heard.colours) == ((), float("inf"), ())
    alone = observe_clip(session_store, picture, None, [], 16, 48000)
    assert (alone.duration, alone.has_audio, alone.video_spans) == (0.0, False, ((0.0, 1.0),))


def test_nothing_more_can_be_looked_at_in_a_picture() -> None:
    assert advise(FeedbackRequest(duration=0.0))["windows"] == []


@pytest.mark.parametrize(
    ("words", "line", "answer"),
    [
        (["two", "How many sounds are heard?"], "sound of 4.00 s", "2"),
        (["blue", "What colour is the background?"], "1 image (160x120), no sound", "blue"),
        (["blue", "red", "two", "How many sounds are heard?"], "2 images (160x120, 160x120), 1 sound", "2"),
    ],
)
def test_files_and_a_question_are_enough_on_the_command_line(
    tmp_path: Path, media: dict[str, str], words: list[str], line: str, answer: str
) -> None:
    ended = aurelia(tmp_path, "ask", *(media.get(word, word) for word in words), "--no-compare")
    assert (ended.returncode, ended.stdout.strip()) == (0, answer)
    assert line in ended.stderr


def test_options_name_the_same_media(tmp_path: Path, media: dict[str, str]) -> None:
    question = ["--question", "How many sounds are heard?", "--no-compare", "--json"]
    ended = aurelia(tmp_path, "ask", "--image", media["blue"], "--audio", media["two"], *question)
    found = json.loads(ended.stdout)
    assert (found["answer"], found["clip"]["duration"], found["clip"]["width"]) == ("2", 0.0, 160)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask"], "There is no question"),
        (["ask", "What?"], "There is no clip: name a video, a sound or an image"),
        (["ask", "{two}", "{duet}", "{duet}", "What?"], "A question is about one video, and these are 2: duet.mp4"),
        (["ask", "--image", "{two}", "What?"], "two.wav is not a still picture"),
        (["ask", "--audio", "{blue}", "What?"], "blue.png has no sound track"),
    ],
)
def test_what_the_command_line_refuses(
    tmp_path: Path, media: dict[str, str], duet: Path, words: list[str], said: str
) -> None:
    ended = aurelia(tmp_path, *(word.format(duet=duet, **media) for word in words))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
