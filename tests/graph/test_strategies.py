"""The strategies beside the loop, through the real graph: what each asks, stores, refuses and goes on with."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from aurelia.run.draw import render_mermaid
from aurelia.run.result import all_attempts_failed
from aurelia_core.errors import InputError
from aurelia_core.media.sampling import pick_frames
from nodes.strategies import read_steps
from state.context import make_context
from tests.support.scripted import HANG, Said, reasoning, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
THREE: dict[str, Any] = {"strategy": "best_of_n", "candidates": 3}
VOTE: dict[str, Any] = {"strategy": "vote", "candidates": 3, "compare": False}


def shift_of(fields: dict[str, Any]) -> float:
    return round(fields.get("frame_shift", 0.0), 3)


def by_shift(fields: dict[str, Any], messages: list[BaseMessage]) -> Said:
    return reasoning(f"s{shift_of(fields)}")


def judged(scores: dict[float, int]) -> Callable[[dict[str, Any], list[BaseMessage]], Said]:
    return lambda fields, messages: next(
        verdict(score) for shift, score in scores.items() if f"s{shift} " in fields["caption"]
    )


SCORES = judged({0.0: 4, 0.333: 9, 0.667: 6})


async def test_best_of_three_injects_the_best_of_three_looks(stage: Any) -> None:
    model = scripted(generator=by_shift, evaluator=SCORES)
    result = await stage(model).ask(**THREE)
    attempts = result["iterations"]
    assert [(one["iteration"], one["candidate"], one["score"]) for one in attempts] == [(1, 1, 4), (2, 2, 9), (3, 3, 6)]
    assert (result["best_iteration"], result["score"], result["best"]["answer"]) == (2, 9, "s0.333 answer")
    assert (result["stop_reason"], result["answer"], result["warnings"]) == ("threshold", "with", [])
    assert dict(model.said) == {"generator": 3, "summarizer": 3, "evaluator": 3, "target": 2}
    assert result["usage"]["calls"] == 11
    assert sum(one["usage"]["calls"] for one in attempts) == 9
    asked = [fields for role, fields, _ in model.heard if role == "generator"]
    assert [(shift_of(fields), fields["iteration"], fields["reasoning"]) for fields in asked] == [
        (0.0, 1, None), (0.333, 1, None), (0.667, 1, None)
    ]  # fmt: skip
    assert {shift_of(fields) for role, fields, _ in model.heard if role in ("evaluator", "target")} == {0.0}


async def test_a_round_below_the_threshold_is_one_round_all_the_same(stage: Any) -> None:
    result = await stage(scripted(generator=by_shift, evaluator=[verdict(3)])).ask(**THREE, compare=False)
    assert (result["stop_reason"], result["score"], len(result["iterations"])) == ("one_round", 3, 3)


async def test_the_first_candidate_is_the_single_attempt_and_is_not_paid_again(stage: Any) -> None:
    model = scripted(generator=by_shift, evaluator=SCORES)
    first = stage(model)
    await first.ask(max_iterations=1, compare=False)
    assert model.said["generator"] == 1
    await first.ask(**THREE, compare=False)
    assert (model.said["generator"], model.said["evaluator"]) == (3, 3)


async def test_one_candidate_may_fail(stage: Any) -> None:
    def fails_once(fields: dict[str, Any], messages: list[BaseMessage]) -> Said:
        return ValueError("out of order") if shift_of(fields) == 0.333 else by_shift(fields, messages)

    result = await stage(scripted(generator=fails_once, evaluator=SCORES)).ask(**THREE, compare=False)
    assert [one["score"] for one in result["iterations"]] == [4, None, 6]
    assert "out of order" in result["iterations"][1]["error"]
    assert (result["best_iteration"], result["answer"]) == (3, "with")
    assert any(warning.startswith("Attempt 2 could not be scored") for warning in result["warnings"])


async def test_candidates_that_do_not_differ_are_said(stage: Any) -> None:
    result = await stage(scripted(generator=[reasoning("same")])).ask(**THREE, compare=False)
    assert any("All 3 candidates have the same reasoning" in warning for warning in result["warnings"])


async def test_candidates_are_under_way_at_the_same_time(stage: Any) -> None:
    model = scripted(generator=[HANG])
    run = asyncio.create_task(stage(model).ask(**THREE))
    await model.hanging.wait()
    await asyncio.sleep(0.05)
    assert model.said["generator"] == 3
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_stop_in_the_middle_of_a_round_repeats_no_paid_call(stage: Any) -> None:
    broken = True

    def sometimes(fields: dict[str, Any], messages: list[BaseMessage]) -> Said:
        return HANG if broken and shift_of(fields) == 0.667 else by_shift(fields, messages)

    model = scripted(generator=sometimes, evaluator=SCORES)
    set_up = stage(model)
    graph = set_up.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    context = make_context({**ROLES, **THREE, "compare": False})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    run = asyncio.create_task(graph.ainvoke(question, config, context=context))
    await model.hanging.wait()
    await asyncio.sleep(0.1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert model.said["generator"] == 3
    broken = False
    result = await graph.ainvoke(None, config, context=context)
    assert (model.said["generator"], result["best_iteration"]) == (4, 2)
    assert result["usage"]["calls"] == 10


async def test_a_person_reviews_the_best_candidate_and_asks_for_one_more(stage: Any) -> None:
    model = scripted(generator=by_shift, evaluator=SCORES)
    set_up = stage(model)
    graph = set_up.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    context = make_context({**ROLES, **THREE, "compare": False, "review": "reasoning"})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    paused = (await graph.ainvoke(question, config, context=context))["__interrupt__"][0].value
    assert (paused["best_iteration"], paused["attempts"], paused["why_no_more"]) == (2, 3, None)
    again = Command(resume={"action": "again", "feedback": "Listen at the end.", "windows": []})
    assert (await graph.ainvoke(again, config))["__interrupt__"][0].value["attempts"] == 4
    result = await graph.ainvoke(Command(resume={"action": "accept"}), config)
    fourth = result["iterations"][3]
    assert (fourth["iteration"], "candidate" in fourth, fourth["score"]) == (4, False, 4)
    last = [fields for role, fields, _ in model.heard if role == "generator"][-1]
    assert (last["guidance"], last["iteration"], last["reasoning"]["answer"]) == (
        "Listen at the end.", 4, "s0.333 answer"
    )  # fmt: skip


@pytest.mark.parametrize("price", [0.01, None])
async def test_a_vote_gives_the_choice_of_the_majority(stage: Any, price: float | None) -> None:
    said = {0.0: "A", 0.333: "B. a drum", 0.667: "It is a drum."}
    model = scripted(price, target=lambda fields, messages: said[shift_of(fields)])
    result = await stage(model).ask(**VOTE, choices=["a bell", "a drum"])
    assert (result["answer"], result["choice"]) == ("a drum", "a drum")
    assert [(one["candidate"], one["reply"]) for one in result["iterations"]] == list(enumerate(said.values(), 1))
    assert dict(model.said) == {"target": 3}
    assert result["usage"]["calls"] == 3
    assert (result["stop_reason"], result["best"], result["best_iteration"], result["warnings"]) == (
        "one_round", None, None, []
    )  # fmt: skip
    assert result["models"] == {"target": "scripted:one"}
    assert not all_attempts_failed(result)


async def test_a_tied_vote_takes_the_earlier_answer_and_says_so(stage: Any) -> None:
    said = {0.0: "No idea.", 0.333: "B", 0.667: "A"}
    model = scripted(target=lambda fields, messages: said[shift_of(fields)])
    result = await stage(model).ask(**VOTE, choices=["a bell", "a drum"])
    assert result["choice"] == "a drum"
    assert any("2 answers have 1 votes each" in warning for warning in result["warnings"])


async def test_open_answers_without_a_majority_are_chosen_by_their_consistency(stage: Any) -> None:
    said = {0.0: "a bell", 0.333: "a small drum", 0.667: "The drum, small."}
    model = scripted(target=lambda fields, messages: said[shift_of(fields)], summarizer=["2"])
    result = await stage(model).ask(**VOTE)
    assert (result["answer"], result["usage"]["calls"]) == ("a small drum", 4)
    assert "2. a small drum" in model.heard[-1][2][-1].text
    unclear = scripted(target=lambda fields, messages: said[shift_of(fields)], summarizer=["Hard to say."])
    result = await stage(unclear).ask(**VOTE, rollout=1)
    assert result["answer"] == "a bell"
    assert any("named none of them" in warning for warning in result["warnings"])


async def test_equal_open_answers_are_counted_without_another_call(stage: Any) -> None:
    said = {0.0: "a bell", 0.333: "A drum.", 0.667: "drum"}
    model = scripted(target=lambda fields, messages: said[shift_of(fields)])
    result = await stage(model).ask(**VOTE)
    assert (result["answer"], dict(model.said)) == ("A drum.", {"target": 3})


async def test_the_target_answers_with_steps_of_its_own(stage: Any) -> None:
    def plans(fields: dict[str, Any], messages: list[BaseMessage]) -> Said:
        if fields.get("task") == "steps":
            return "1. Find the first sound.\n2) Compare it.\n\n"
        return "with" if fields["reasoning"] else "without"

    model = scripted(target=plans)
    result = await stage(model).ask(strategy="own_steps")
    assert (result["answer"], result["zero_shot_answer"]) == ("with", "without")
    assert [step["step"] for step in result["best"]["steps"]] == ["Find the first sound.", "Compare it."]
    assert (result["best_iteration"], result["score"], result["stop_reason"]) == (1, None, "one_round")
    assert dict(model.said) == {"target": 3}
    assert "Compare it." in model.heard[1][2][-1].text + model.heard[2][2][-1].text


async def test_a_target_that_writes_no_steps_answers_without(stage: Any) -> None:
    model = scripted(target=lambda fields, messages: ValueError("no") if fields.get("task") else "plain")
    result = await stage(model).ask(strategy="own_steps", compare=False)
    assert (result["answer"], result["best"]) == ("plain", None)
    assert any("no steps of its own" in warning for warning in result["warnings"])


def test_steps_are_read_from_a_list() -> None:
    steps = read_steps("Step 1: Look.\n- Listen.\n* 3 bells are compared.\n")["steps"]
    assert [step["step"] for step in steps] == ["Look.", "Listen.", "3 bells are compared."]


async def test_a_script_of_the_clip_is_all_that_the_target_gets(stage: Any) -> None:
    model = scripted(describer=["0.20-0.70 s, heard: a tone."], target=["a tone"])
    settings = {"strategy": "script", "unsupported_modality": "describe:scripted:one"}
    result = await stage(model).ask(**settings, compare=False)
    assert (result["answer"], result["iterations"][0]["caption"]) == ("a tone", "0.20-0.70 s, heard: a tone.")
    assert dict(model.said) == {"describer": 1, "target": 1}
    role, fields, messages = model.heard[-1]
    assert (role, "clip" in fields) == ("target", False)
    assert [block["type"] for block in messages[1].content] == ["text"]
    assert "> 0.20-0.70 s, heard: a tone." in messages[1].text
    assert "What is heard?" in messages[1].text


@pytest.mark.parametrize(("guide", "score", "words"), [("score", 3, "scored 3 of 10"), ("none", None, "Review it")])
async def test_the_critics_words_can_be_left_out(stage: Any, guide: str, score: int | None, words: str) -> None:
    model = scripted(evaluator=[verdict(3), verdict(9)])
    result = await stage(model).ask(guide=guide, compare=False)
    assert len(result["iterations"]) == 2
    assert model.said["feedback"] == 0
    assert "feedback" not in result["models"]
    second = [(fields, messages) for role, fields, messages in model.heard if role == "generator"][1]
    assert (second[0]["score"], second[0]["guidance"]) == (score, None)
    assert second[0]["reasoning"]["answer"] == "r1 answer"
    assert words in second[1][-1].text
    assert ("of 10" in second[1][-1].text) == (guide == "score")


async def test_patience_ends_a_loop_that_gains_nothing(stage: Any) -> None:
    result = await stage(scripted(evaluator=[verdict(4), verdict(5), verdict(5), verdict(3)])).ask(patience=2)
    assert (result["stop_reason"], len(result["iterations"]), result["best_iteration"]) == ("patience", 4, 3)


async def test_a_budget_in_calls_ends_the_loop(stage: Any) -> None:
    result = await stage(scripted(evaluator=[verdict(4)])).ask(max_calls=5)
    assert (result["stop_reason"], len(result["iterations"])) == ("budget", 2)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"strategy": "best_of_n"}, "set candidates to 2..16"),
        ({"strategy": "vote"}, "set candidates to 2..16"),
        ({"candidates": 3}, 'set it to 1, or strategy to "best_of_n" or "vote"'),
        ({"strategy": "own_steps", "candidates": 2}, "one attempt at a time"),
        ({**THREE, "guide": "none"}, "guide belongs to the loop"),
        ({**THREE, "patience": 1}, "patience belongs to the loop"),
        ({"plan_tokens": 10}, "plan_tokens belongs to"),
        ({"strategy": "script"}, "needs a describer"),
        ({**VOTE, "review": "reasoning"}, "no reasoning to review"),
        ({**THREE, "max_calls": 8}, "makes 9 calls, and max_calls is 8"),
        ({**THREE, "spread": "temperature", "decoding": {"generator": {"temperature": 0}}}, "above 0"),
        ({**THREE, "spread": "temperature"}, "does not take temperature"),
        ({**THREE, "frames": 24}, "24 frames are all frames of the grid of this clip of 2.00 s"),
        ({**ROLES, "rollout": 2, **dict.fromkeys(ROLES, "offline:measure")}, "Rollout 2 would repeat rollout 0"),
    ],
)
async def test_combinations_that_mean_nothing_are_refused_before_a_call(
    stage: Any, chosen: dict[str, Any], said: str
) -> None:
    set_up = stage(scripted())
    graph = set_up.graph(InMemorySaver())
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    config: Any = {"configurable": {"thread_id": "one"}}
    with pytest.raises(InputError) as fault:
        await graph.ainvoke(question, config, context=make_context({**ROLES, **chosen}))
    assert said in str(fault.value)
    assert not set_up.model.said


async def test_frames_cannot_be_spread_where_there_is_no_video(stage: Any, duet: Any, tmp_path: Any) -> None:
    import wave

    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\1" * 8000)
    set_up = stage(scripted())
    question: Any = {"audio": [str(tmp_path / "tone.wav")], "question": "What is heard?"}
    with pytest.raises(InputError, match="is shown no video here"):
        await set_up.graph().ainvoke(question, context=make_context({**ROLES, **THREE}))


@pytest.mark.parametrize("values", [THREE, VOTE, {"strategy": "own_steps"}, {"guide": "none"}])
def test_the_drawing_stays_the_papers(stage: Any, values: dict[str, Any]) -> None:
    del values
    drawn = render_mermaid()
    for edge in ("reasoning_generator --> summarizer", "summarizer --> evaluator", "feedback --> reasoning_generator"):
        assert edge in drawn
    assert "candidate" not in drawn


def test_shifted_grids_share_no_frame_and_stay_inside() -> None:
    times = np.arange(0, 10, 1 / 12)
    picked = [pick_frames(times, [(0.0, 10.0)], 8, number / 3) for number in range(3)]
    assert [len(one) for one in picked] == [8, 8, 8]
    assert not set(picked[0]) & set(picked[1]) and not set(picked[1]) & set(picked[2])
    assert np.array_equal(picked[0], pick_frames(times, [(0.0, 10.0)], 8))
