"""The offline roles through the chat model on a rendered clip, and summarizer, feedback and target by themselves."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from aurelia_core.errors import ModelError
from aurelia_core.media import ClipStore
from aurelia_core.recent_cache import RecentCache
from aurelia_core.settings import Settings
from aurelia_core.signals.observation import DetectedSound, Observation
from aurelia_core.types import MediaRef, Reasoning, Window
from aurelia_offline.agents import chat as offline
from aurelia_offline.agents.chat import MeasuringChat, fingerprint
from aurelia_offline.agents.inventory import merge_windows
from aurelia_offline.agents.target import plan_windows
from aurelia_offline.world.scene import Scene, write_scene
from benchmarks.offline.questions import is_right, report, score
from tests.support.offline_roles import advise, answer_as_target, generate_reasoning, summarize_reasoning

SCENE: dict[str, Any] = {
    "seconds": 4.0,
    "fps": 24,
    "width": 320,
    "height": 240,
    "background": "black",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.2, "y": 0.5, "size": 0.25, "moves": [[0.5, 1.1]]},
        {"colour": "green", "shape": "square", "x": 0.8, "y": 0.5, "size": 0.25, "moves": [[2.0, 2.6]]},
    ],
    "sounds": [
        {"start": 0.5, "end": 1.1, "voice": "tone", "pitch": 440.0, "level": -26.0},
        {"start": 2.0, "end": 2.6, "voice": "tone", "pitch": 700.0, "level": -14.0},
    ],
    "cuts": [],
    "flashes": [],
}
QUESTION = "What colour moves while the loudest sound is heard?"
CHOICES = ["A. red", "B. green", "C. blue"]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> tuple[MeasuringChat, MediaRef]:
    folder = tmp_path_factory.mktemp("offline")
    write_scene(Scene.model_validate(SCENE), folder / "duet.mp4")
    store = ClipStore(Settings(home=folder / "home", allow_any_file=True))
    return MeasuringChat(store=store), store.admit(str(folder / "duet.mp4"), kind="video")


def request(role: str, clip: MediaRef | None, **fields: Any) -> HumanMessage:
    base: dict[str, Any] = {
        "role": role,
        "question": QUESTION,
        "choices": CHOICES,
        "clip": clip,
        "tracks": [],
        "duration": clip["duration"] if clip else 4.0,
        "has_audio": True,
        "looks": [[]],
        "frames": 16,
        "samples": 48000,
        "iteration": 1,
        "reasoning": None,
        "caption": None,
        "score": None,
        "critique": None,
        "doubts": [],
    }
    return HumanMessage("a prompt that is not read", additional_kwargs={"request": base | fields})


def test_generator_summarizer_and_target_agree_with_the_clip(chat: tuple[MeasuringChat, MediaRef]) -> None:
    model, clip = chat
    reply = model.invoke([request("generator", clip)])
    reasoning: Reasoning = json.loads(reply.text)
    assert reasoning["answer"] == "B. green"
    assert reply.usage_metadata == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}

    caption = json.loads(model.invoke([request("summarizer", None, reasoning=reasoning)]).text)["caption"]
    assert "Two sounds are heard" in caption
    assert "green shape moves at the right" in caption
    assert "The background is black." in caption

    steps = [{**step, "justification": "", "answer": ""} for step in reasoning["steps"]]
    plan = {"steps": steps, "answer": ""}
    assert model.invoke([request("target", clip, reasoning=plan)]).text == "B. green"


def test_a_second_look_says_what_changed(chat: tuple[MeasuringChat, MediaRef]) -> None:
    model, clip = chat
    looks: list[list[Window]] = [[], [Window(start=1.8, end=2.8)]]
    reasoning: Reasoning = json.loads(model.invoke([request("generator", clip, looks=looks, iteration=2)]).text)
    assert "Attempt 2 looked again between 1.8 s and 2.8 s" in reasoning["steps"][0]["justification"]
    assert reasoning["answer"] == "B. green"


def test_a_separate_track_replaces_the_sound_of_the_clip(chat: tuple[MeasuringChat, MediaRef], tmp_path: Path) -> None:
    model, clip = chat
    import wave

    path = tmp_path / "still.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(b"\0\0" * 16000 * 4)
    track = model.store.admit(str(path), kind="audio")
    asked = request("generator", clip, tracks=[track], question="How many sounds are heard?", choices=["0", "1", "2"])
    assert json.loads(model.invoke([asked]).text)["answer"] == "0"


def test_the_same_look_is_taken_once_for_all_models(
    chat: tuple[MeasuringChat, MediaRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, clip = chat
    monkeypatch.setattr(offline, "_recent_looks", RecentCache(8))

    class Counting:
        def __init__(self, store: Any) -> None:
            self.store, self.calls = store, 0

        def frames(self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = 180, **more: Any) -> Any:
            self.calls += 1
            return self.store.frames(ref, windows, count, height)

        def audio(self, ref: MediaRef, windows: Sequence[Window], rate: int = 16000) -> Any:
            return self.store.audio(ref, windows, rate)

    counting = Counting(model.store)
    for role in ("generator", "target", "generator"):
        MeasuringChat(store=counting).invoke([request(role, clip)])
    assert counting.calls == 1


def test_a_message_without_a_request_is_refused(chat: tuple[MeasuringChat, MediaRef]) -> None:
    model, clip = chat
    with pytest.raises(ModelError, match="answers only requests"):
        model.invoke("What colour moves?")
    with pytest.raises(ModelError, match="no role named 'poet'"):
        model.invoke([request("poet", clip)])


def test_replies_are_bound_to_the_measuring_code(chat: tuple[MeasuringChat, MediaRef]) -> None:
    assert chat[0]._identifying_params["measuring_code"] == fingerprint()
    assert len(fingerprint()) == 64
    assert chat[0]._llm_type == "offline"


def test_a_caption_can_be_made_of_anothers_reasoning() -> None:
    steps = [
        {"step": "Hear", "justification": "x", "answer": "a loud tone is heard at 1.0 s", "modality": "audio"},
        {"step": "Know", "justification": "x", "answer": "Bells are made of bronze sound", "modality": "knowledge"},
        {"step": "See", "justification": "x", "answer": "A red shape moves at the left.", "modality": "visual"},
        {"step": "So", "justification": "x", "answer": "yes", "modality": "both"},
    ]
    caption = summarize_reasoning({"reasoning": {"steps": steps, "answer": "yes"}})["caption"]
    assert caption == "A loud tone is heard at 1.0 s. A red shape moves at the left."


def test_a_reasoning_of_bare_verdicts_is_told_by_its_cues() -> None:
    step = {"step": "Count", "justification": "beeps are heard at 1.0 s and 2.0 s", "answer": "2", "modality": "audio"}
    assert (
        summarize_reasoning({"reasoning": {"steps": [step], "answer": "2"}})["caption"]
        == "Beeps are heard at 1.0 s and 2.0 s."
    )
    assert "nothing" in summarize_reasoning({"reasoning": {"steps": [], "answer": "2"}})["caption"]


def test_feedback_bounds_the_doubts_and_leaves_the_rest_to_the_next_attempt() -> None:
    doubts = [{"start": a, "end": a + 1.0} for a in (1.0, 5.0, 9.0, 13.0)]
    fields = {"duration": 30.0, "samples": 48000, "doubts": doubts, "critique": "A noise is missing.", "looks": [[]]}
    first = advise(fields)
    assert [w["start"] for w in first["windows"]] == [0.9, 4.9, 8.9]
    assert sum(w["end"] - w["start"] for w in first["windows"]) <= 3.05
    assert "A noise is missing." in first["feedback"]
    second = advise({**fields, "looks": [[], first["windows"]]})
    assert second["windows"][0]["start"] == first["windows"][-1]["end"]
    assert second["windows"][-1]["end"] == 14.1
    third = advise({**fields, "looks": [[], first["windows"], second["windows"]]})
    assert third["windows"] == [{"start": 0.0, "end": 3.0}]
    assert "has been looked at closely" in third["feedback"]


def test_feedback_without_doubts_moves_on_to_what_no_look_covered() -> None:
    first = advise({"duration": 9.0, "samples": 48000, "doubts": [], "looks": [[]]})
    second = advise({"duration": 9.0, "samples": 48000, "doubts": [], "looks": [[], first["windows"]]})
    assert first["windows"] == [{"start": 0.0, "end": 3.0}]
    assert second["windows"] == [{"start": 3.0, "end": 6.0}]


def test_feedback_sends_an_open_question_where_its_answer_lies() -> None:
    step = {"step": "x", "justification": "no look lay wholly between 0.0 s and 2.5 s", "answer": "unknown"}
    reasoning = {"steps": [{**step, "modality": "visual"}], "answer": "unknown"}
    advice = advise({"duration": 5.0, "samples": 48000, "doubts": [], "reasoning": reasoning})
    assert advice["windows"] == [{"start": 0.0, "end": 2.5}]


def test_feedback_tells_a_contradiction_that_names_no_time() -> None:
    claim = {"text": "8 sounds are heard", "kind": "sound_count", "modality": "audio", "window": None}
    finding = {"claim": claim, "verdict": "contradicted", "window": None, "witness": "x", "margin": -1.0, "reason": ""}
    fields = {"duration": 9.0, "samples": 48000, "looks": [[]], "claims": [finding], "critique": "There are nine."}
    advice = advise(fields)
    assert advice["windows"] == [{"start": 0.0, "end": 3.0}]
    assert "names no time" in advice["feedback"] and "There are nine." in advice["feedback"]


def test_an_answer_that_names_something_unknown_leaves_no_question_open() -> None:
    step = {"step": "x", "justification": "A tone from 0.0 s to 2.5 s.", "answer": "unknown at the left, then a bell"}
    reasoning = {"steps": [{**step, "modality": "audio"}], "answer": step["answer"]}
    doubts = [{"start": 3.0, "end": 4.0}]
    advice = advise({"duration": 5.0, "samples": 48000, "doubts": doubts, "reasoning": reasoning})
    assert advice["windows"] == [{"start": 2.9, "end": 4.1}]


def quiet(duration: float = 6.0, sounds: tuple[DetectedSound, ...] = ()) -> Observation:
    whole = ((0.0, duration),)
    silences = () if sounds else whole
    return Observation(duration, True, whole, whole, 0.1, 16000, sounds, silences, (), (), (), (), None, None)


def test_the_target_spends_its_one_look_in_the_stretches_of_the_plan() -> None:
    asked: list[list[Window]] = []

    def observe(windows: list[Window]) -> Observation:
        asked.append(windows)
        return quiet()

    step = "Listen again between 1.0 s and 1.6 s and between 4.0 s and 9.9 s."
    reasoning = {"steps": [{"step": step, "justification": "", "answer": "", "modality": "audio"}], "answer": ""}
    fields = {"question": "How many sounds are heard?", "choices": ["0", "1"], "duration": 6.0, "reasoning": reasoning}
    assert answer_as_target(fields, observe) == "0"
    assert answer_as_target({**fields, "reasoning": None}, observe) == "0"
    assert asked == [[{"start": 1.0, "end": 1.6}, {"start": 4.0, "end": 6.0}], []]


def test_the_target_reads_a_stated_answer_only_where_its_own_look_leaves_the_question_open() -> None:
    reasoning = {"steps": [], "answer": "two"}
    open_question = {"question": "Which sound is loudest?", "choices": [], "duration": 6.0, "reasoning": reasoning}
    assert answer_as_target(open_question, lambda _: quiet()) == "two (as the reasoning states)"
    assert answer_as_target({**open_question, "choices": ["one", "two"]}, lambda _: quiet()) == "two"
    assert answer_as_target({**open_question, "choices": ["one", "three"]}, lambda _: quiet()) == "unknown"


def test_windows_are_joined_until_few_are_left() -> None:
    windows = [Window(start=float(at), end=at + 0.5) for at in range(0, 20, 2)]
    left = merge_windows(windows, 19.0, most=4)
    assert len(left) == 4
    assert left[0]["start"] == 0.0 and left[-1]["end"] == 18.5
    assert merge_windows([Window(start=5.0, end=4.0)], 19.0) == []
    assert plan_windows(None, 5.0) == []


def test_no_sound_and_no_motion_are_told_as_such() -> None:
    reasoning = generate_reasoning({"question": "Is anything heard?", "choices": ["yes", "no"]}, quiet())
    assert reasoning["answer"] == "no"
    assert reasoning["steps"][0]["answer"] == "No sound is heard."
    assert reasoning["steps"][1]["answer"] == "Nothing moves in the picture. There are no cuts."


def test_the_benchmark_scores_whole_words_and_whole_choices(tmp_path: Path) -> None:
    assert is_right("about 440 Hz", ["440"], [])
    assert not is_right("about 1440 Hz", ["440"], [])
    assert not is_right("the left", ["left"], ["left", "right"])
    record = {"id": 1, "scene": "duet", "intent": "count", "question": "How many sounds?", "answers": ["2", "two"]}
    wrong = record | {"id": 2, "answers": ["7"]}
    outcomes = score([record, wrong], {"duet": SCENE}, tmp_path)
    assert [outcome.right for outcome in outcomes] == [True, False]
    assert "1 of 2 right" in report(outcomes)
    assert "accepted ['7']; got '2'" in report(outcomes)


def test_candidate_tracks_are_told_apart_in_what_is_heard() -> None:
    beep = DetectedSound(1.0, 1.5, -20.0, "tone", 440.0, True, 0.01, 0.1, 440.0, 0.9)
    later = DetectedSound(3.0, 3.5, -20.0, "tone", 440.0, True, 0.01, 0.1, 440.0, 0.9)
    one = replace(quiet(sounds=(beep,)), silences=((0.0, 0.9), (1.6, 6.0)))
    two = replace(quiet(sounds=(beep, later)), silences=((0.0, 0.9), (1.6, 2.9), (3.6, 6.0)))
    tracks = [("A", one), ("B", two)]
    fields = {"question": "Which track fits?", "choices": ["A", "B"], "looks": [[]], "duration": 6.0}
    heard = generate_reasoning(fields, tracks[0][1], tracks=tracks)["steps"][0]
    assert heard["answer"] == "Track A holds one sound. Track B holds two sounds."
    assert "dBFS" not in heard["justification"]
