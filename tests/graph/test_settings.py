"""Whose settings a run has: those of its thread, and what it is given, field by field."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from aurelia_core.errors import InputError
from graph.build import AGENTS
from state.context import Context, make_context
from tests.support.scripted import reasoning, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
THREAD: Any = {"configurable": {"thread_id": "one"}}


class Thread:
    """A graph with the thread "one", asked once."""

    def __init__(self, at: Any, **settings: Any) -> None:
        self.at, self.settings = at, make_context({**ROLES, **settings})
        self.graph: Any = at.graph(InMemorySaver())

    async def ask(self) -> Any:
        question = {"video": str(self.at.clip), "question": "What is heard?"}
        return await self.graph.ainvoke(question, THREAD, context=self.settings)

    async def before(self, node: str, attempts: int = 1) -> Any:
        async for state in self.graph.aget_state_history(THREAD):
            if node in state.next and len(state.values.get("iterations") or []) == attempts:
                return state.config
        raise AssertionError(f"no checkpoint before {node}")


async def test_a_reviewers_edit_reaches_the_threads_own_target_without_its_settings_repeated(stage: Any) -> None:
    thread = Thread(stage(scripted()), review="reasoning", compare=False, inject="full")
    await thread.ask()
    edit = {"action": "edit", "reasoning": reasoning("mine")}
    result = await thread.graph.ainvoke(Command(resume=edit), THREAD)
    assert (result["answer"], result["best"]["answer"]) == ("with", "mine answer")
    assert (result["models"]["target"], result["zero_shot_answer"]) == ("scripted:one", None)
    given = [fields["reasoning"] for role, fields, _ in thread.at.model.heard if role == "target"]
    assert [one["answer"] for one in given] == ["mine answer"], "inject = full, as the thread began"


async def test_a_wrong_answer_is_refused_without_the_settings_too(stage: Any) -> None:
    thread = Thread(stage(scripted()), review="reasoning")
    await thread.ask()
    with pytest.raises(InputError, match="The run still waits"):
        await thread.graph.ainvoke(Command(resume={"action": "nonsense"}), THREAD)
    assert (await thread.graph.aget_state(THREAD)).next == ("review",)


async def test_what_is_given_overrides_field_by_field(stage: Any) -> None:
    thread = Thread(stage(scripted(evaluator=[verdict(4), verdict(6)])), threshold=6, compare=False, max_iterations=3)
    assert (await thread.ask())["best_iteration"] == 2
    fork = await thread.before("evaluator", 1)
    result = await thread.graph.ainvoke(None, fork, context={"threshold": 3, "max_iterations": 5})
    assert (result["score"], result["stop_reason"], result["zero_shot_answer"]) == (4, "threshold", None)
    state = await thread.graph.aget_state(THREAD)
    assert state.values["settings"] == {**ROLES, "threshold": 3, "compare": False}


async def test_a_default_that_is_given_counts_as_given(stage: Any) -> None:
    thread = Thread(stage(scripted(evaluator=[verdict(8)])), threshold=9, max_iterations=1, compare=False)
    await thread.ask()
    fork = await thread.before("evaluator", 1)
    assert (await thread.graph.ainvoke(None, fork))["stop_reason"] == "max_iterations"
    assert (await thread.graph.ainvoke(None, fork, context=Context(threshold=8)))["stop_reason"] == "threshold"


async def test_settings_that_a_run_was_given_in_the_middle_stay_with_the_thread(stage: Any) -> None:
    model = scripted(evaluator=[verdict(4), verdict(5)])
    thread = Thread(stage(model), max_iterations=2, compare=False)
    await thread.ask()
    fork = await thread.before("feedback", 1)
    await thread.graph.ainvoke(None, fork, context={"target": "scripted:two"}, interrupt_before=["summarizer"])
    result = await thread.graph.ainvoke(None, THREAD)
    assert result["models"]["target"] == "scripted:two"


async def test_going_back_to_before_the_first_node_keeps_the_settings(stage: Any) -> None:
    thread = Thread(stage(scripted()), compare=False, threshold=9)
    await thread.ask()
    start = await thread.before("prepare", 0)
    result = await thread.graph.ainvoke(None, start)
    assert (result["models"]["target"], result["zero_shot_answer"]) == ("scripted:one", None)


async def test_a_run_that_failed_in_its_first_node_goes_on_with_its_settings(stage: Any) -> None:
    thread = Thread(stage(scripted()), compare=False)
    moved = thread.at.clip.with_name("elsewhere.mp4")
    thread.at.clip.rename(moved)
    with pytest.raises(InputError):
        await thread.ask()
    moved.rename(thread.at.clip)
    result = await thread.graph.ainvoke(None, THREAD)
    assert (result["models"]["target"], result["zero_shot_answer"]) == ("scripted:one", None)


async def test_a_new_question_begins_with_what_it_is_given(stage: Any) -> None:
    thread = Thread(stage(scripted()), threshold=9, compare=False)
    await thread.ask()
    thread.settings = make_context(ROLES)
    assert (await thread.ask())["zero_shot_answer"] == "without"


async def test_a_setting_that_is_unknown_is_refused_before_anything_runs(stage: Any) -> None:
    thread = Thread(stage(scripted()))
    with pytest.raises(InputError, match="did you mean 'threshold'"):
        await thread.graph.ainvoke(None, THREAD, context={"treshold": 3})


def test_every_setting_names_the_nodes_that_read_it() -> None:
    nodes = {agent.node for agent in AGENTS} | {"review"}
    for name, field in Context.model_fields.items():
        extra: Any = field.json_schema_extra
        assert extra and extra["langgraph_nodes"] and set(extra["langgraph_nodes"]) <= nodes, name
