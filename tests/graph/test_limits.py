"""Limits of time and steps: a run ends in the best answer so far, and no node hangs."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from aurelia_core.errors import AureliaError, InputError, ModelError
from graph.compiled import MIN_RECURSION_LIMIT
from state.context import make_context
from tests.support.scripted import HANG, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")


async def run(at: Any, config: Any = None, **context: Any) -> Any:
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    return await at.graph().ainvoke(question, config, context=make_context({**ROLES, **context}))


@pytest.mark.parametrize("describer", ["error", "describe:scripted:one"])
async def test_every_limit_of_steps_ends_in_an_answer(stage: Any, describer: str) -> None:
    at = stage(scripted(evaluator=[verdict(4)]))
    made = {}
    for limit in range(MIN_RECURSION_LIMIT, 46):
        settings: Any = {"max_iterations": 10, "unsupported_modality": describer}
        result = await run(at, {"recursion_limit": limit}, **settings)
        assert (result["answer"], result["score"]) == ("with", 4)
        made[limit] = len(result["iterations"])
        assert result["stop_reason"] == ("max_iterations" if made[limit] == 10 else "recursion_limit")
    assert list(made.values()) == sorted(made.values())
    assert (made[MIN_RECURSION_LIMIT], made[25], made[45]) == (1, 5, 10)


async def test_the_default_loop_fits_into_25_steps_with_a_review(stage: Any) -> None:
    at = stage(scripted(evaluator=[verdict(4)]))
    graph, thread = at.graph(InMemorySaver()), {"configurable": {"thread_id": "one"}, "recursion_limit": 25}
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    paused = await graph.ainvoke(question, thread, context=make_context({**ROLES, "review": "reasoning"}))
    (pause,) = paused["__interrupt__"]
    assert (pause.value["attempts"], pause.value["stop_reason"]) == (5, "max_iterations")
    result = await graph.ainvoke(Command(resume={"action": "accept"}), thread)
    assert result["stop_reason"] == "max_iterations"


async def test_a_limit_that_is_too_small_is_refused_before_anything_is_paid(stage: Any) -> None:
    at = stage(scripted())
    with pytest.raises(InputError, match="recursion_limit of 7 is too small"):
        await run(at, {"recursion_limit": 7})
    assert not at.model.said


async def test_a_model_that_never_answers_costs_the_attempt_its_score_and_no_more(stage: Any) -> None:
    at = stage(scripted(summarizer=[HANG, {"caption": "A tone."}]))
    result = await run(at, node_seconds=1, max_iterations=2)
    first, second = result["iterations"]
    assert first["error"] == (
        "scripted:one gave no answer as summarizer within 1 s: raise node_seconds, or name another model."
    )
    assert (second["score"], result["answer"]) == (9, "with")


async def test_the_fallback_gets_the_other_half_of_the_time(stage: Any) -> None:
    at = stage(scripted(evaluator=[HANG, verdict(9)]))
    result = await run(at, node_seconds=2, evaluator_fallback="scripted:two")
    assert (result["score"], result["iterations"][0]["fallbacks"]) == (9, ["evaluator"])
    assert any("within 1 s" in warning for warning in result["warnings"])


async def test_a_target_that_never_answers_fails_by_name(stage: Any) -> None:
    with pytest.raises(ModelError, match="gave no answer as target within 1 s"):
        await run(stage(scripted(target=[HANG])), node_seconds=1, compare=False)


async def test_a_node_that_hangs_beside_its_model_is_ended_too(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    at = stage(scripted())
    monkeypatch.setattr("graph.build._GRACE_SECONDS", -1.5)
    monkeypatch.setattr(type(at.desk), "missing_modalities", lambda self, *arguments: ["sound"])

    async def hang(self: Any, request: Any) -> Any:
        await asyncio.sleep(3600)

    monkeypatch.setattr(type(at.desk), "complete", hang)
    with pytest.raises(AureliaError, match="The node describer did not end within 0.5 s"):
        await run(at, node_seconds=1, unsupported_modality="describe:scripted:one")
