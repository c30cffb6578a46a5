"""A person writes a kept thread's state, as Studio does to fork: the thread goes on by its own settings."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from aurelia_core.errors import InputError
from state.context import make_context
from tests.support.langgraph_server import needs_server, serving
from tests.support.scripted import reasoning, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
THREAD: Any = {"configurable": {"thread_id": "one"}}


class Edited:
    """A graph whose thread "one" has run once."""

    def __init__(self, at: Any, **context: Any) -> None:
        self.at, self.context = at, make_context({**ROLES, **context})
        self.graph: Any = at.graph(InMemorySaver())

    async def run(self, config: Any = None, **context: Any) -> Any:
        question = {"video": str(self.at.clip), "question": "What is heard?"}
        return await self.graph.ainvoke(
            None if config else question, config or THREAD, context=self.context.model_copy(update=context)
        )

    async def before(self, node: str, attempts: int) -> Any:
        async for state in self.graph.aget_state_history(THREAD):
            if node in state.next and len(state.values["iterations"]) == attempts:
                return state
        raise AssertionError(f"no checkpoint before {node} with {attempts} attempts")

    async def next(self, config: Any) -> Any:
        return (await self.graph.aget_state(config)).next


@pytest.mark.parametrize(
    ("chosen", "score", "goes"),
    [
        ({"threshold": 8}, 9, {"target_model", "zero_shot"}),
        ({"threshold": 10}, 9, {"feedback"}),
        ({"threshold": 8, "compare": False}, 8, {"target_model"}),
        ({"threshold": 8, "review": "reasoning"}, 8, {"review", "zero_shot"}),
        ({"threshold": 8, "max_iterations": 1}, 2, {"target_model", "zero_shot"}),
    ],
)
async def test_a_verdict_that_a_person_writes_is_weighed_by_the_threads_own_settings(
    stage: Any, chosen: Any, score: int, goes: set[str]
) -> None:
    edited = Edited(stage(scripted(evaluator=[verdict(4)])), **{"max_iterations": 2, **chosen})
    await edited.run()
    state = await edited.before("evaluator", 1)
    fork = await edited.graph.aupdate_state(
        state.config, {"iterations": [{"iteration": 1, "score": score}]}, as_node="evaluator"
    )
    assert set(await edited.next(fork)) == goes


async def test_a_fork_goes_on_from_what_was_written_and_repeats_nothing(stage: Any) -> None:
    edited = Edited(stage(scripted(evaluator=[verdict(4)])), max_iterations=3, threshold=8)
    await edited.run()
    said = dict(edited.at.model.said)
    state = await edited.before("evaluator", 2)
    better = [{"iteration": 2, "score": 8, "reasoning": reasoning("mine")}]
    fork = await edited.graph.aupdate_state(state.config, {"iterations": better}, as_node="evaluator")
    result = await edited.run(fork)
    assert (result["score"], result["stop_reason"], result["best"]["answer"]) == (8, "threshold", "mine answer")
    assert dict(edited.at.model.said) == {**said, "target": said["target"] + 1}


async def test_a_whole_attempt_that_is_written_back_is_not_billed_twice(stage: Any) -> None:
    edited = Edited(stage(scripted(evaluator=[verdict(4)])), max_iterations=2)
    await edited.run()
    state = await edited.before("feedback", 1)
    held = state.values["iterations"]
    changed = [{**held[0], "score": 9}]
    fork = await edited.graph.aupdate_state(state.config, {"iterations": changed}, as_node="evaluator")
    written = (await edited.graph.aget_state(fork)).values
    assert written["iterations"] == changed
    assert "target_model" in await edited.next(fork)


async def test_a_question_is_reworded_after_prepare_and_a_describer_is_still_asked(stage: Any) -> None:
    model = scripted(describer=["a tone"])
    edited = Edited(stage(model), unsupported_modality="describe:scripted:one")
    await edited.run()
    state = await edited.before("describer", 0)
    fork = await edited.graph.aupdate_state(state.config, {"question": "What is seen?"}, as_node="prepare")
    assert await edited.next(fork) == ("describer",)
    await edited.run(fork)
    assert [fields["question"] for role, fields, _ in model.heard if role == "generator"][-1] == "What is seen?"


async def test_settings_of_a_later_run_of_the_thread_decide(stage: Any) -> None:
    edited = Edited(stage(scripted(evaluator=[verdict(4), verdict(5)])), max_iterations=2, threshold=9)
    await edited.run()
    state = await edited.before("evaluator", 1)
    await edited.run(state.config, threshold=3)
    (state,) = [one async for one in edited.graph.aget_state_history(THREAD, limit=1)]
    fork = await edited.graph.aupdate_state(
        state.config, {"iterations": [{"iteration": 1, "score": 3}]}, as_node="evaluator"
    )
    assert "target_model" in await edited.next(fork)


async def test_a_thread_that_was_asked_nothing_says_so(stage: Any) -> None:
    graph = stage(scripted()).graph(InMemorySaver())
    with pytest.raises(InputError, match="has no question yet"):
        await graph.aupdate_state(THREAD, {"question": "What?"}, as_node="prepare")


def over_http(test: Any) -> Any:
    for mark in needs_server:
        test = mark(test)
    return test


@pytest.mark.slow
@over_http
async def test_studio_forks_a_served_thread_at_any_node(tmp_path: Path, duet: Path) -> None:
    from langgraph_sdk import get_client

    (tmp_path / "media").mkdir()
    shutil.copy(duet, tmp_path / "media" / "duet.mp4")
    asked = {"video": "duet.mp4", "question": "How many sounds are heard?", "choices": ["one", "two", "three"]}
    settings: Any = {"threshold": 10, "max_iterations": 1, "compare": False}
    with serving(tmp_path) as url:
        async with get_client(url=url) as client:
            thread = (await client.threads.create())["thread_id"]
            await client.runs.wait(thread, "aurelia", input=asked, context=settings)
            history: Any = await client.threads.get_history(thread, limit=50)
            for node in ("prepare", "reasoning_generator", "summarizer", "evaluator", "target_model"):
                (before,) = [state for state in history if state["next"] == [node]]
                (after,) = [state for state in history if state["parent_checkpoint"] == before["checkpoint"]]
                (task,) = before["tasks"]
                written = await client.threads.update_state(
                    thread, task["result"], as_node=node, checkpoint=before["checkpoint"]
                )
                state: Any = await client.threads.get_state(thread, checkpoint=written["checkpoint"])
                assert (node, state["next"]) == (node, after["next"])
                assert state["values"] == after["values"]
            evaluator: Any = next(state for state in history if state["next"] == ["evaluator"])
            better: Any = {"iterations": [{"iteration": 1, "score": 10, "critique": "I looked."}]}
            await client.threads.update_state(thread, better, as_node="evaluator", checkpoint=evaluator["checkpoint"])
            result: Any = await client.runs.wait(thread, "aurelia", input=None)
            assert (result["choice"], result["score"], result["stop_reason"]) == ("two", 10, "threshold")
