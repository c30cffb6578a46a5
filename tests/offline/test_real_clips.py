"""What clips from a camera ask of the keyless profile: sound that goes on, slow change, minutes, short titles."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.witnesses import voice
from aurelia_core.witnesses.written import TextLine, WrittenWitness
from aurelia_offline.answering.witnessed import _sure_texts
from aurelia_offline.questions.question import parse_question
from aurelia_offline.questions.seconds import plain_seconds
from aurelia_offline.questions.witnessed import read_witnessed
from benchmarks.offline.schedules import RATE, MemoryStore
from benchmarks.offline.truthful import ask, make, plain, sound_track, tone
from tests.support.observed_clips import sound


def applause(seconds: float, levels: list[float]) -> np.ndarray:
    """Noise without a pause whose level follows a curve, dBFS."""
    count = round(seconds * RATE)
    curve = np.interp(np.arange(count), np.linspace(0, count, len(levels)), levels)
    return (np.random.default_rng(0).standard_normal(count) * 10 ** (curve / 20)).astype(np.float32)


def foggy(seconds: float, shift: float) -> np.ndarray:
    """A grey shape that drifts over a grey ground by some pixels a second."""
    images = plain(seconds, (150, 150, 150))
    for number in range(len(images)):
        at = 60 + int(shift * number / 12)
        images[number, 80:110, at : at + 60] = 132
    return images


def test_the_loudest_moment_and_the_halves_of_a_sound_that_goes_on() -> None:
    store = make(applause(12.0, [-40, -38, -36, -14, -30, -34, -36]), plain(12.0))
    assert 5.0 <= float(ask(store, "e1", "When is the loudest moment?").removeprefix("at ").split()[0]) <= 7.0
    grown = make(applause(12.0, [-45, -38, -30, -20, -12]), plain(12.0))
    assert ask(grown, "e2", "Does the sound get louder?") == "yes"
    assert ask(grown, "e2", "Is the second half louder than the first half?") == "yes"
    assert ask(grown, "e2", "Is the loudest moment in the first half?") == "no"
    even = make(applause(12.0, [-20, -20]), plain(12.0))
    assert ask(even, "e3", "When is the loudest moment?").startswith("unknown: several moments")
    assert ask(even, "e3", "Is the second half louder than the first half?").startswith("unknown")


def test_a_slow_movement_in_fog_is_not_called_nothing() -> None:
    moving = make(None, foggy(8.0, 9.0))
    assert ask(moving, "e4", "Does anything move?") == "yes"
    assert ask(moving, "e4", "Is the picture still?") == "no"
    still = make(None, foggy(8.0, 0.0))
    assert ask(still, "e5", "Does anything move?") == "no"
    dimmed = foggy(8.0, 0.0).astype(np.float32) * np.linspace(1.0, 0.8, 96)[:, None, None, None]
    assert ask(make(None, dimmed.astype(np.uint8)), "e6", "Does anything move?") == "no"


def test_the_side_that_moves_more() -> None:
    images = plain(6.0)
    for number in range(len(images)):
        images[number, 60:100, 200 + number : 240 + number] = (220, 20, 20)
    store = make(None, images)
    assert ask(store, "e7", "Which side moves more, left or right?") == "right"
    assert ask(store, "e7", "Is there more movement on the left than on the right?") == "no"
    assert ask(make(None, plain(6.0)), "e8", "On which side is there more movement?").startswith("unknown")


@pytest.mark.parametrize(
    ("question", "plainly"),
    [
        ("Is there a cut in the first minute?", "Is there a cut in the first 60 seconds?"),
        ("Does it move after half a minute?", "Does it move after 30 seconds?"),
        ("Is there a beep in the first half minute?", "Is there a beep in the first 30 seconds?"),
        ("Is it longer than one and a half minutes?", "Is it longer than 90 seconds?"),
        ("Is it longer than 2 minutes?", "Is it longer than 120 seconds?"),
        ("What happens at 1:05?", "What happens at 65 seconds?"),
        ("How many beats a minute are there?", "How many beats a minute are there?"),
        ("What is in the last second?", "What is in the last 1 second?"),
    ],
)
def test_minutes_are_read_as_seconds(question: str, plainly: str) -> None:
    assert plain_seconds(question) == plainly


def test_minutes_of_speech() -> None:
    read = read_witnessed("Does anyone speak in the first minute?")
    assert read is not None and read.span == (0.0, 60.0)


def test_which_one_it_is_comes_before_where_it_is() -> None:
    store = make(sound_track(8.0, [(1.0, tone(440, 0.3, -30)), (6.0, tone(440, 0.3, -12))]), plain(8.0))
    assert ask(store, "e9", "Is the loudest sound in the first half?") == "no"
    assert ask(store, "e9", "Is the second sound in the second half?") == "yes"


def test_the_beat_of_unlike_onsets_is_not_stated() -> None:
    alike = [sound(0.5 * at, 0.5 * at + 0.05, -20, "click") for at in range(12)]
    unlike = [sound(0.5 * at, 0.5 * at + 0.05, -12.0 - 14 * (at % 2), "click") for at in range(12)]
    for onsets, expected in ((alike, True), (unlike, False)):
        tempo = estimate_tempo(onsets)
        assert tempo is not None and tempo.alike == expected
    steady = make(sound_track(8.0, [(0.5 * (at + 1), tone(900, 0.1, -20)) for at in range(14)]), plain(8.0))
    assert ask(steady, "e10", "What is the tempo?") == "about 120 beats per minute"
    drums = [(0.25 * (at + 1), tone(900 if at % 2 else 300, 0.08, -12 - 16 * (at % 2))) for at in range(28)]
    assert ask(make(sound_track(8.0, drums), plain(8.0)), "e11", "What is the tempo?").startswith("unknown")


@pytest.mark.parametrize(
    ("chances", "clear", "doubtful"),
    [
        ([0.0] * 10 + [0.98] * 60 + [0.0] * 10, 1, 0),
        ([0.0] * 10 + [0.7] * 60 + [0.0] * 10, 0, 1),
        ([0.0] * 10 + [0.95] * 12 + [0.0] * 10, 0, 1),
        ([0.1] * 80, 0, 0),
    ],
)
def test_a_voice_is_stated_where_the_detector_is_sure(monkeypatch, chances, clear, doubtful) -> None:
    monkeypatch.setattr(voice, "voice_probabilities", lambda samples: np.array(chances))
    heard = voice.hear_voices(np.zeros(0, np.float32))
    assert (len(heard.clear), len(heard.doubtful)) == (clear, doubtful)


def test_a_low_rumble_is_a_sound() -> None:
    times = np.arange(round(6.0 * RATE)) / RATE
    store = make((0.02 * np.sin(2 * np.pi * 45 * times)).astype(np.float32), plain(6.0))
    assert ask(store, "e12", "Is there any sound?") == "yes"
    assert ask(store, "e12", "Is it silent?") == "no"


def test_a_title_of_two_seconds_in_a_busy_picture_is_read() -> None:
    if WrittenWitness().lacks():
        pytest.skip("rapidocr or onnxruntime is not installed")
    noise = np.random.default_rng(0)
    images = plain(20.0, (40, 90, 60))
    for image in images:
        left = int(noise.integers(0, 260))
        image[140:170, left : left + 50] = noise.integers(0, 256, 3)
    title = Image.new("RGB", (320, 100), (20, 20, 20))
    ImageDraw.Draw(title).text((60, 30), "CHAPTER 7", font=ImageFont.load_default(28), fill="white")
    images[150:174, :100] = np.asarray(title)
    store = MemoryStore(None, np.arange(len(images)) / 12, images, 20.0)
    assert "CHAPTER" in ask(store, "e13", "What does the title say?")


def test_the_reason_says_what_is_not_recognized() -> None:
    assert parse_question("Is there a dog?", []).reason == "the question speaks of 'dog': animals are not recognized"
    assert "speech" not in parse_question("Is it bright?", []).reason


def test_what_rings_on_is_not_counted_and_what_is_too_faint_is_silence() -> None:
    noise = np.random.default_rng(0).standard_normal(round(0.6 * RATE))
    shot = noise * np.interp(np.arange(len(noise)), [0, 2000, 2100, 6000, len(noise)], [0.3, 0.3, 0.06, 0.06, 0.01])
    seconds = np.zeros(round(8.0 * RATE))
    for at in (2.0, 4.0):
        seconds[round(at * RATE) :][: len(shot)] = shot
    seconds[round(6.5 * RATE) :][: len(noise)] = noise * 6e-4
    store = make(seconds.astype(np.float32), plain(8.0))
    assert not ask(store, "e14", "How many sounds are there?").startswith(("1", "3", "4", "5"))
    assert ask(store, "e14", "Is there silence at the end?") == "yes"
    assert ask(store, "e14", "Is there a sound in the last 2 seconds?") == "no"
    assert ask(store, "e14", "Is there silence at the beginning?") == "yes"
    assert ask(store, "e14", "When is the first sound?") == "2.0 s"


def test_an_almost_equal_word_and_a_word_with_a_hyphen() -> None:
    read = read_witnessed("When does the text X-TERMINATOR appear?")
    assert read is not None and (read.ask, read.quoted) == ("when", "X-TERMINATOR")
    if WrittenWitness().lacks():
        pytest.skip("rapidocr or onnxruntime is not installed")
    images = plain(6.0, (20, 20, 20))
    title = Image.fromarray(images[0])
    ImageDraw.Draw(title).text((30, 60), "PYRONATION 17", font=ImageFont.load_default(24), fill="white")
    for number in range(len(images)):
        images[number] = np.asarray(title)
        images[number, 130:160, 4 * number : 4 * number + 20] = (220, 20, 20)
    store = MemoryStore(None, np.arange(len(images)) / 12, images, 6.0)
    assert ask(store, "e15", "Does the word PYRONATION appear?") == "yes"
    assert ask(store, "e15", "Does the word PYROMATION appear?").startswith("unknown")
    assert ask(store, "e15", "When does the text appear?") == "from 0.0 s to 5.9 s"


def test_what_is_done_to_something_is_not_bent_into_what_is_heard() -> None:
    assert parse_question("What is being hit?", []).ask == "unknowable"


def test_what_may_be_a_cut_a_flash_or_a_fade_is_not_denied() -> None:
    noise = np.random.default_rng(0)
    room = np.broadcast_to(np.uint8(200), (180, 320, 3)).copy()
    images = np.stack([room] * 96)
    person = noise.integers(0, 120, (120, 110, 3)).astype(np.uint8)
    images[:48, 60:, 40:150] = person[:, :110]
    images[48:, 90:, 190:280] = person[:90, :90]
    views = make(None, images)
    assert ask(views, "e16", "How many cuts are there?") != "0"
    assert ask(views, "e16", "Is there a cut?") != "no"
    assert ask(views, "e16", "Is there a cut in the first 2 seconds?") == "no"
    sky = plain(6.0, (12, 10, 10))
    for at in range(6, 70, 9):
        sky[at : at + 4, 40:90, 100:180] = 240
    assert ask(make(None, sky), "e17", "Is there a flash?") != "no"
    closing = plain(6.0, (120, 140, 90))
    for at in range(30, 42):
        closing[at, :, : (at - 29) * 27] = 0
    closing[42:] = 0
    shut = make(None, closing)
    assert ask(shut, "e18", "Does the picture go black?") == "yes"
    assert ask(shut, "e18", "Does the picture fade to black?") != "no"


def test_several_readings_of_one_text_are_one_and_an_unsure_one_is_none() -> None:
    def line(text: str, score: float, start: float, readings: int = 1) -> TextLine:
        return TextLine(text, score, start, start + 1.0, 0.5, 0.5, 0.1, readings)

    shop = [line("FII", 0.9, 0.0), line("Pearl.", 0.97, 0.0), line("Pearl", 0.99, 1.0, 7), line("FIB", 0.84, 4.0)]
    assert _sure_texts(shop) == ["Pearl"]
    assert _sure_texts([line("0'04\"", 0.99, 0.0), line("0'05\"", 0.99, 1.0)]) == ["0'04\"", "0'05\""]


def test_a_loudest_moment_before_a_time_and_movement_with_its_middle_elsewhere() -> None:
    store = make(applause(12.0, [-40, -38, -14, -30, -34, -36]), plain(12.0))
    assert ask(store, "e19", "Is the loudest moment before 7 seconds?") == "yes"
    assert ask(store, "e19", "Is the loudest moment after 7 seconds?") == "no"
    images = plain(6.0)
    for number in range(len(images)):
        images[number, 60:120, 100 + 2 * number % 60 : 220] = (220, 20, 20)
    wide = make(None, images)
    assert ask(wide, "e20", "Does anything move on the left?") != "no"
    assert parse_question("Does the sound stop at any point?", []).ask == "unknowable"
