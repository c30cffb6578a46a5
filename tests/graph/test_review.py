"""A person may step in: the pause between the loop and the target, through the real graph with a kept thread."""

from collections import Counter
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from aurelia.run.history import read_thread
from aurelia_core.errors import InputError
from nodes.review import MAX_EXTRA_ATTEMPTS, check_review_answer
from state.context import make_context
from tests.support.scripted import reasoning, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
CONFIG: Any = {"configurable": {"thread_id": "one"}}


class Run:
    """One question at a stage, paused and answered by a test."""

    def __init__(self, at: Any, **context: Any) -> None:
        self.model, self.graph = at.model, at.graph(InMemorySaver())
        self.context = make_context({**ROLES, "review": "reasoning", **context})
        self.question: Any = {"video": str(at.clip), "question": "What is heard?"}

    async def start(self) -> dict[str, Any]:
        return await self.go(self.question)

    async def answer(self, **decided: Any) -> dict[str, Any]:
        """Resumes without the settings: the thread has them."""
        return dict(await self.graph.ainvoke(Command(resume=decided), CONFIG))

    async def ran(self) -> Counter[str]:
        """How often each node ran: the ledger would hide a node that ran again."""
        return Counter(node["node"] for node in (await read_thread(self.graph, "one"))["nodes"])

    async def go(self, given: Any) -> dict[str, Any]:
        return dict(await self.graph.ainvoke(given, CONFIG, context=self.context))


def paused(output: dict[str, Any]) -> Any:
    (pause,) = output["__interrupt__"]
    return pause.value


async def test_accepting_is_as_if_nobody_had_looked_and_pays_for_nothing_twice(stage: Any) -> None:
    run = Run(stage(scripted(evaluator=[verdict(4), verdict(9)])))
    pause = paused(await run.start())
    assert (pause["best_iteration"], pause["score"], pause["stop_reason"]) == (2, 9, "threshold")
    assert (pause["reasoning"]["answer"], pause["caption"]) == ("r2 answer", "Caption of r2 answer.")
    assert pause["why_no_more"] is None
    before = dict(run.model.said)
    assert before == {"generator": 2, "summarizer": 2, "evaluator": 2, "feedback": 1, "target": 1}, (
        "zero-shot has answered while the person was looking"
    )
    result = await run.answer(action="accept")
    assert (result["answer"], result["zero_shot_answer"]) == ("with", "without")
    assert (result["score"], result["best_iteration"], result["warnings"]) == (9, 2, [])
    assert dict(run.model.said) == {**before, "target": 2}
    loop = {"prepare": 1, "reasoning_generator": 2, "summarizer": 2, "evaluator": 2, "feedback": 1}
    assert await run.ran() == {**loop, "review": 1, "zero_shot": 1, "target_model": 1}
    assert result["usage"]["calls"] == sum(run.model.said.values()) == 9
    assert result["usage"]["cost_usd"] == pytest.approx(0.09)


async def test_an_edited_reasoning_is_what_the_target_gets_and_it_has_no_score(stage: Any) -> None:
    run = Run(stage(scripted(evaluator=[verdict(9)])), inject="full", compare=False)
    await run.start()
    mine = reasoning("mine")
    result = await run.answer(action="edit", reasoning=mine)
    assert (result["best"], result["score"], result["best_iteration"]) == (mine, None, None)
    assert result["stop_reason"] == "threshold"
    assert [attempt["reasoning"]["answer"] for attempt in result["iterations"]] == ["r1 answer"]
    assert result["warnings"] == [
        "A person edited the reasoning of attempt 1 (9/10); what the target was given has no score."
    ]
    given = [fields["reasoning"] for role, fields, _ in run.model.heard if role == "target"]
    assert given == [mine]


async def test_sent_back_is_one_more_attempt_from_the_best_guided_by_the_person(stage: Any) -> None:
    scores = [verdict(6), verdict(3), verdict(5), verdict(9)]
    run = Run(stage(scripted(evaluator=scores)), max_iterations=2)
    assert paused(await run.start())["best_iteration"] == 1
    again = {"action": "again", "feedback": "Listen to the end.", "windows": [{"start": 1.0, "end": 99}]}
    pause = paused(await run.answer(**again))
    assert (pause["attempts"], pause["best_iteration"], pause["score"]) == (3, 1, 6)
    pause = paused(await run.answer(action="again", feedback="The high one."))
    assert (pause["attempts"], pause["best_iteration"], pause["stop_reason"]) == (4, 4, "threshold")
    result = await run.answer(action="accept")
    assert (result["answer"], result["score"], result["best_iteration"]) == ("with", 9, 4)
    assert [attempt["feedback"] for attempt in result["iterations"]] == [
        "Look again after 1.",
        "Listen to the end.",
        "The high one.",
        None,
    ]
    asked = [(fields, messages[-1].text) for role, fields, messages in run.model.heard if role == "generator"][2:]
    for fields, text in asked:
        assert (fields["reasoning"]["answer"], fields["score"]) == ("r1 answer", 6), "from what the person had seen"
        assert "Attempt 1, the best so far, scored 6 of 10:" in text
    assert asked[0][0]["guidance"] == "Listen to the end."
    assert asked[0][0]["looks"][2] == [{"start": 1.0, "end": pytest.approx(2.0, abs=0.1)}]
    assert "Guidance for this attempt:\n> The high one." in asked[1][1]
    assert [text for text in result["warnings"] if text.startswith("A person asked for attempt")] == [
        "A person asked for attempt 3: the feedback after attempt 2 is theirs.",
        "A person asked for attempt 4: the feedback after attempt 3 is theirs.",
    ]
    ran = await run.ran()
    assert (ran["zero_shot"], ran["feedback"], ran["review"], ran["evaluator"]) == (1, 1, 3, 4)
    assert result["usage"]["calls"] == sum(run.model.said.values())


async def test_another_attempt_can_be_had_so_often_and_then_it_is_said_why_not(stage: Any) -> None:
    run = Run(stage(scripted(evaluator=[verdict(2)])), max_iterations=1, compare=False)
    pause = paused(await run.start())
    for _ in range(MAX_EXTRA_ATTEMPTS):
        assert pause["why_no_more"] is None
        pause = paused(await run.answer(action="again", feedback="Once more."))
    assert "4 attempts have been made" in pause["why_no_more"]
    with pytest.raises(InputError, match="no other attempt, because 4 attempts have been made"):
        await run.answer(action="again", feedback="Once more.")
    result = await run.answer(action="accept")
    assert (len(result["iterations"]), result["stop_reason"]) == (4, "max_iterations")


async def test_a_budget_that_is_used_up_buys_no_other_attempt(stage: Any) -> None:
    run = Run(stage(scripted(evaluator=[verdict(2)])), max_tokens=40)
    assert paused(await run.start())["why_no_more"] == "the question's budget is used up"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"action": "agree"}, "accept"),
        ({"feedback": "x"}, "action"),
        ({"action": "edit"}, "edit.reasoning: Field required"),
        ({"action": "edit", "reasoning": {"steps": [], "answer": "x"}}, "edit.reasoning.steps"),
        ({"action": "edit", "reasoning": {"steps": [{"step": " "}]}}, "must not be empty"),
        ({"action": "again", "feedback": " "}, "again.feedback: must not be empty"),
        ({"action": "again", "feedback": "x", "windows": [{"start": 1}]}, r"again.windows.0.end"),
        ({"action": "accept", "score": 10}, "accept.score"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_said_and_the_pause_stays(
    stage: Any, bad: dict[str, Any], said: str
) -> None:
    run = Run(stage(scripted()))
    pause = paused(await run.start())
    with pytest.raises(InputError, match=said):
        check_review_answer(bad, pause)
    before = dict(run.model.said)
    for _ in range(2):
        with pytest.raises(InputError, match=said):
            await run.answer(**bad)
        state = await run.graph.aget_state(CONFIG)
        assert state.next == ("review",)
        assert [one.value for one in state.interrupts] == [pause]
    assert dict(run.model.said) == before
    assert (await run.answer(action="accept"))["answer"] == "with"


async def test_a_pause_outlives_its_process_and_can_be_looked_at_again(stage: Any) -> None:
    run = Run(stage(scripted()))
    pause = paused(await run.start())
    assert paused(await run.go(None)) == pause
    run.context = run.context.model_copy(update={"review": "none"})
    assert (await run.go(None))["answer"] == "with", "who wants no review any more accepts"


async def test_without_any_reasoning_a_person_may_write_one(stage: Any) -> None:
    run = Run(stage(scripted(generator=[ValueError("gone")])), max_iterations=1, compare=False)
    pause = paused(await run.start())
    assert (pause["reasoning"], pause["best_iteration"], pause["stop_reason"]) == (None, None, "no_valid_score")
    paused(await run.answer(action="again", feedback="Only listen."))
    assert "Only listen." in run.model.heard[-1][2][-1].text
    result = await run.answer(action="edit", reasoning=reasoning("mine"))
    assert (result["answer"], result["score"], result["best"]["answer"]) == ("with", None, "mine answer")
    assert (
        "A person wrote the reasoning, as no attempt could be scored; what the target was given has no score."
        in (result["warnings"])
    )


async def test_a_review_needs_a_thread_that_is_kept(stage: Any) -> None:
    at = stage(scripted())
    with pytest.raises(InputError, match="a stored thread"):
        await at.graph().ainvoke(
            {"video": str(at.clip), "question": "What is heard?"},
            context=make_context({**ROLES, "review": "reasoning"}),
        )
    assert not at.model.said


async def test_a_new_question_on_the_thread_forgets_what_a_person_did(stage: Any) -> None:
    run = Run(stage(scripted()))
    await run.start()
    await run.answer(action="edit", reasoning=reasoning("mine"))
    run.question["question"] = "What is seen?"
    assert paused(await run.start())["reasoning"]["answer"] == "r1 answer"
    assert (await run.answer(action="accept"))["best_iteration"] == 1
