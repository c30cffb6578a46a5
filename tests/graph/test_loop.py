"""The loop as the paper defines it, through the real compiled graph, with a scripted chat model in every role."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from aurelia_core.errors import InputError, ModelError
from state.context import make_context
from tests.support.scripted import HANG, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")


def scores(result: dict[str, Any]) -> list[int | None]:
    return [attempt["score"] for attempt in result["iterations"]]


async def test_accepted_at_once(stage: Any) -> None:
    model = scripted(evaluator=[verdict(9)])
    result = await stage(model).ask()
    assert result["stop_reason"] == "threshold"
    assert (result["score"], result["best_iteration"], scores(result)) == (9, 1, [9])
    assert result["best"]["answer"] == "r1 answer"
    assert (result["answer"], result["zero_shot_answer"]) == ("with", "without")
    assert dict(model.said) == {"generator": 1, "summarizer": 1, "evaluator": 1, "target": 2}
    assert result["usage"]["calls"] == 5
    assert result["usage"]["input_tokens"] == 50
    assert result["usage"]["cost_usd"] == pytest.approx(0.05)
    assert result["warnings"] == []


async def test_accepted_on_the_third_attempt(stage: Any) -> None:
    model = scripted(evaluator=[verdict(3), verdict(5), verdict(8)])
    result = await stage(model).ask(threshold=8)
    assert (result["stop_reason"], result["best_iteration"], scores(result)) == ("threshold", 3, [3, 5, 8])
    assert [attempt["feedback"] for attempt in result["iterations"]] == [
        "Look again after 1.",
        "Look again after 2.",
        None,
    ]
    second = [fields for role, fields, _ in model.heard if role == "generator"][1]
    assert second["guidance"] == "Look again after 1."
    assert second["score"] == 3
    assert second["reasoning"]["answer"] == "r1 answer"


async def test_never_accepted_takes_the_best_not_the_last(stage: Any) -> None:
    model = scripted(evaluator=[verdict(4), verdict(7), verdict(2)])
    result = await stage(model).ask(max_iterations=3)
    assert (result["stop_reason"], result["score"], result["best_iteration"]) == ("max_iterations", 7, 2)
    assert result["best"]["answer"] == "r2 answer"
    assert model.said["feedback"] == 2


async def test_a_tie_goes_to_the_later(stage: Any) -> None:
    result = await stage(scripted(evaluator=[verdict(6), verdict(6), verdict(5)])).ask(max_iterations=3)
    assert (result["score"], result["best_iteration"]) == (6, 2)


@pytest.mark.parametrize(("threshold", "score", "attempts"), [(1, 1, 1), (10, 9, 2), (10, 10, 1)])
async def test_equality_with_the_threshold_accepts(stage: Any, threshold: int, score: int, attempts: int) -> None:
    result = await stage(scripted(evaluator=[verdict(score)])).ask(threshold=threshold, max_iterations=2)
    assert len(result["iterations"]) == attempts
    assert result["stop_reason"] == ("threshold" if score == threshold else "max_iterations")


async def test_one_iteration_is_one_attempt(stage: Any) -> None:
    model = scripted(evaluator=[verdict(2)])
    result = await stage(model).ask(max_iterations=1)
    assert (result["stop_reason"], len(result["iterations"]), model.said["feedback"]) == ("max_iterations", 1, 0)


async def test_an_unparsable_verdict_is_asked_again_once(stage: Any) -> None:
    model = scripted(evaluator=["It is rather good.", verdict(8)])
    result = await stage(model).ask()
    assert (scores(result), model.said["evaluator"]) == ([8], 2)
    again = model.heard[[role for role, _, _ in model.heard].index("evaluator") + 1][2]
    assert "holds no JSON object" in again[-1].text
    assert again[-2].text == "It is rather good."


async def test_a_verdict_that_stays_unparsable_is_unscored_and_never_a_default(stage: Any) -> None:
    model = scripted(evaluator=["Good.", "Very good.", verdict(5)])
    result = await stage(model).ask(max_iterations=2)
    assert scores(result) == [None, 5]
    assert result["best_iteration"] == 2
    assert "in two attempts" in result["iterations"][0]["error"]
    assert any(warning.startswith("Attempt 1 could not be scored") for warning in result["warnings"])


@pytest.mark.parametrize("role", ["generator", "summarizer", "evaluator"])
async def test_an_agent_that_keeps_failing_leaves_the_target_its_plain_answer(stage: Any, role: str) -> None:
    model = scripted(**{role: [ValueError("out of order")]})
    result = await stage(model).ask(max_iterations=2)
    assert (result["stop_reason"], result["score"], result["best"]) == ("no_valid_score", None, None)
    assert result["best_iteration"] is None
    assert scores(result) == [None, None]
    assert (result["answer"], result["zero_shot_answer"]) == ("without", "without")
    assert result["warnings"][-1] == "No attempt could be scored, so the target answered without reasoning."
    assert "out of order" in result["iterations"][1]["error"]


async def test_feedback_that_fails_costs_only_the_guidance(stage: Any) -> None:
    model = scripted(evaluator=[verdict(3), verdict(9)], feedback=[ValueError("no idea")])
    result = await stage(model).ask()
    assert (scores(result), result["iterations"][0]["feedback"]) == ([3, 9], None)
    assert any("no feedback on attempt 1" in warning for warning in result["warnings"])


async def test_a_zero_shot_failure_never_spoils_the_other_answer(stage: Any) -> None:
    result = await stage(scripted(zero_shot=[ValueError("gone")])).ask()
    assert (result["answer"], result["zero_shot_answer"]) == ("with", None)
    assert any("no zero-shot answer" in warning for warning in result["warnings"])


async def test_an_empty_zero_shot_reply_is_still_on_the_bill(stage: Any) -> None:
    result = await stage(scripted(zero_shot=[" "])).ask()
    assert (result["answer"], result["zero_shot_answer"], result["usage"]["calls"]) == ("with", None, 5)


async def test_a_target_that_fails_is_an_error_and_what_was_paid_stays_paid(stage: Any) -> None:
    broken = scripted(target=[ValueError("gone")])
    first = stage(broken)
    with pytest.raises(ModelError, match=r"scripted:one did not answer .*gone"):
        await first.ask(compare=False)
    mended = scripted()
    result = await stage(mended, ledger=first.desk.settings.ledger_file).ask(compare=False)
    assert result["answer"] == "with"
    assert dict(mended.said) == {"target": 1}
    assert result["usage"]["calls"] == 1


async def test_a_request_that_repeats_within_a_run_is_on_the_bill_once(stage: Any) -> None:
    model = scripted(evaluator=[verdict(3)], summarizer=[{"caption": "Always the same."}])
    result = await stage(model).ask(max_iterations=3)
    assert scores(result) == [3, 3, 3]
    assert result["usage"]["calls"] == sum(model.said.values())
    assert model.said["evaluator"] == 1


async def test_without_compare_there_is_no_zero_shot(stage: Any) -> None:
    model = scripted()
    result = await stage(model).ask(compare=False)
    assert (result["zero_shot_answer"], model.said["target"]) == (None, 1)


async def test_a_budget_ends_the_loop_with_the_best_so_far(stage: Any) -> None:
    model = scripted(evaluator=[verdict(4)])
    result = await stage(model).ask(max_tokens=50)
    assert (result["stop_reason"], len(result["iterations"]), result["score"]) == ("budget", 2, 4)
    result = await stage(scripted(evaluator=[verdict(4)])).ask(max_cost_usd=0.02, rollout=1)
    assert (result["stop_reason"], len(result["iterations"])) == ("budget", 1)


async def test_a_budget_that_cannot_be_kept_ends_the_loop_and_says_so(stage: Any) -> None:
    result = await stage(scripted(price=None, evaluator=[verdict(4)])).ask(max_cost_usd=5.0)
    assert (result["stop_reason"], len(result["iterations"])) == ("budget", 1)
    assert result["usage"]["cost_usd"] is None
    assert any("price of a call is not known" in warning for warning in result["warnings"])


async def test_who_sees_what(stage: Any) -> None:
    model = scripted(evaluator=[verdict(3), verdict(9)])
    await stage(model).ask()
    for role, fields, messages in model.heard:
        kinds = [block["type"] for block in messages[1].content]
        sees = role in ("generator", "evaluator", "target")
        assert kinds == (["clip", "text", "text"] if sees else ["text"]), role
        assert ("clip" in fields) == sees
        text = messages[-1].text
        assert ("What is heard?" in text) == (role != "evaluator")
        if role == "evaluator":
            assert not {"question", "reasoning", "choices"} & fields.keys()
            assert "Find r" not in text
    heads = {
        str(messages[0].content) + str(messages[1].content[:2])
        for role, _, messages in model.heard
        if role in ("generator", "evaluator", "target")
    }
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("mode", "seen", "hidden"),
    [
        ("steps", ["Find r1."], ["r1 found", "at 1 s", "r1 answer"]),
        ("steps+answers", ["Find r1.", "r1 found"], ["at 1 s", "r1 answer"]),
        ("full", ["Find r1.", "r1 found", "at 1 s", "r1 answer"], []),
    ],
)
async def test_inject_lets_through_what_it_says(stage: Any, mode: str, seen: list[str], hidden: list[str]) -> None:
    model = scripted()
    await stage(model).ask(inject=mode, compare=False)
    _, fields, messages = model.heard[-1]
    sent = messages[-1].text + str(fields["reasoning"])
    assert all(text in sent for text in seen)
    assert not any(text in sent for text in hidden)


async def test_windows_that_feedback_names_reach_the_next_look_inside_the_clip(stage: Any) -> None:
    windows = [
        {"start": -1.0, "end": 0.5},
        {"start": 1.5, "end": 99.0},
        {"start": 1.0, "end": 1.0},
        {"start": 5.0, "end": 6.0},
    ]
    model = scripted(evaluator=[verdict(3), verdict(9)], feedback=[{"feedback": "There.", "windows": windows}])
    await stage(model).ask()
    looks = [fields["looks"] for role, fields, _ in model.heard if role == "generator"]
    assert looks[0] == [[]]
    assert looks[1][0] == []
    assert [window["start"] for window in looks[1][1]] == [0.0, 1.5]
    assert looks[1][1][1]["end"] == pytest.approx(2.0, abs=0.1)


async def test_a_choice_is_named_or_null(stage: Any) -> None:
    two = ["a bell", "a drum"]
    assert (await stage(scripted(target=["B"])).ask(choices=two))["choice"] == "a drum"
    assert (await stage(scripted(target=["Hard to say."])).ask(choices=two, rollout=1))["choice"] is None


async def test_a_stop_and_a_resume_pay_for_nothing_twice(stage: Any) -> None:
    model = scripted(evaluator=[verdict(3), verdict(9)])
    set_up = stage(model)
    graph = set_up.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    context = make_context(ROLES)
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    await graph.ainvoke(question, config, context=context, interrupt_after=["evaluator"])
    assert dict(model.said) == {"generator": 1, "summarizer": 1, "evaluator": 1}
    result = await graph.ainvoke(None, config, context=context)
    assert result["answer"] == "with"
    assert dict(model.said) == {"generator": 2, "summarizer": 2, "evaluator": 2, "feedback": 1, "target": 2}
    assert result["usage"]["calls"] == 9


async def test_a_stop_in_the_middle_of_a_node_replays_its_paid_call(stage: Any) -> None:
    model = scripted(evaluator=["Fine.", HANG, verdict(8)])
    set_up = stage(model)
    graph = set_up.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    context = make_context(ROLES)
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    run = asyncio.create_task(graph.ainvoke(question, config, context=context))
    await model.hanging.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    result = await graph.ainvoke(None, config, context=context)
    assert result["score"] == 8
    assert (model.said["generator"], model.said["evaluator"]) == (1, 3)
    assert result["usage"]["calls"] == 6


async def test_a_second_question_on_the_thread_starts_anew(stage: Any) -> None:
    set_up = stage(scripted())
    graph = set_up.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    bills = []
    for text in ("What is heard?", "What is seen?"):
        question: Any = {"video": str(set_up.clip), "question": text}
        result = await graph.ainvoke(question, config, context=make_context(ROLES))
        assert len(result["iterations"]) == 1
        bills.append(result["usage"]["calls"])
    assert bills == [5, 4], "the evaluator has judged the same caption of the same clip before"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"question": "  "}, "The question is empty"),
        ({"choices": ["one"]}, "There are 1 choices"),
        ({"choices": ["one", "One"]}, "the same"),
        ({"choices": ["one", ""]}, "Choice 2 is empty"),
        ({"video": ""}, "name of the video is empty"),
    ],
)
async def test_a_question_that_cannot_be_used_is_said(stage: Any, bad: dict[str, Any], said: str) -> None:
    set_up = stage(scripted())
    question: Any = {"video": str(set_up.clip), "question": "What is heard?", **bad}
    with pytest.raises(InputError, match=said):
        await set_up.graph().ainvoke(question, context=make_context(ROLES))
    assert not set_up.model.said


async def test_an_unknown_provider_is_the_users_mistake(stage: Any) -> None:
    with pytest.raises(InputError, match="There is no model 'nowhere:x'"):
        await stage(scripted()).ask(generator="nowhere:x")


@pytest.mark.parametrize(
    "bad",
    [{"threshold": 0}, {"threshold": 11}, {"max_iterations": 11}, {"inject": "all"}, {"tau": 3}, {"target": "gpt"}],
)
def test_settings_out_of_bounds_are_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        make_context(bad)
