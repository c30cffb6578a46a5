"""Kept threads, through the real graph and real checkpointers: going on after a stop, forking, and what is refused."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from aurelia.run.ask import answer_question
from aurelia.run.checkpointers import open_checkpointer, plain_data_serializer
from aurelia.run.history import read_thread
from aurelia.run.threads import config_before_verdict
from aurelia_core.errors import InputError, ModelError
from graph.build import build_graph
from state.context import make_context
from tests.support.scripted import HANG, reasoning, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")


def question(at: Any, text: str = "What is heard?") -> Any:
    return {"video": str(at.clip), "question": text}


async def in_thread(at: Any, where: Path, *, text: str = "What is heard?", reviewer: Any = None, **context: Any) -> Any:
    """One question in thread "one", kept in a file that is opened anew, as another process would."""
    events: list[Any] = []
    async with open_checkpointer(where) as saver:
        settings = make_context({**ROLES, **context})
        result = await answer_question(
            question(at, text),
            settings,
            client=at.desk,
            thread="one",
            checkpointer=saver,
            reviewer=reviewer,
            on_event=events.append,
        )
    return result, events


async def test_a_stopped_run_goes_on_where_it_was_in_another_process(stage: Any, tmp_path: Path) -> None:
    where = tmp_path / "deep" / "threads.sqlite"
    first = stage(scripted(evaluator=[verdict(3), HANG]))
    run = asyncio.create_task(in_thread(first, where))
    await first.model.hanging.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    second = stage(scripted(evaluator=[verdict(9)]), ledger=tmp_path / "another.sqlite")
    result, events = await in_thread(second, where)
    assert (result["answer"], result["score"], len(result["iterations"])) == ("with", 9, 2)
    assert dict(second.model.said) == {"evaluator": 1, "target": 2}, "what was done is in the thread"
    assert result["usage"]["calls"] == 9
    assert events[0] == {"event": "resumed", "thread": "one", "iterations": 2, "next": ["evaluator"]}


async def test_a_target_that_failed_is_asked_again_and_nothing_else(stage: Any, tmp_path: Path) -> None:
    where = tmp_path / "threads.sqlite"
    with pytest.raises(ModelError):
        await in_thread(stage(scripted(target=[ValueError("gone")])), where, compare=False)
    mended = stage(scripted(), ledger=tmp_path / "another.sqlite")
    result, _ = await in_thread(mended, where, compare=False)
    assert (result["answer"], dict(mended.model.said)) == ("with", {"target": 1})


async def test_a_thread_stopped_before_its_first_attempt_ended_takes_another_question(
    stage: Any, tmp_path: Path
) -> None:
    where, at = tmp_path / "threads.sqlite", stage(scripted(evaluator=[HANG, verdict(9)]))
    run = asyncio.create_task(in_thread(at, where))
    await at.model.hanging.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    result, events = await in_thread(at, where, text="What is seen?")
    assert (events[0]["event"], result["score"], len(result["iterations"])) == ("clip", 9, 1)


async def test_a_finished_thread_starts_anew(stage: Any, tmp_path: Path) -> None:
    where, at = tmp_path / "threads.sqlite", stage(scripted())
    await in_thread(at, where)
    result, events = await in_thread(at, where, text="What is seen?")
    assert events[0]["event"] == "clip" and len(result["iterations"]) == 1


async def test_a_thread_that_was_stopped_in_another_question_says_so(stage: Any, tmp_path: Path) -> None:
    where, at = tmp_path / "threads.sqlite", stage(scripted(target=[ValueError("gone")]))
    with pytest.raises(ModelError):
        await in_thread(at, where)
    with pytest.raises(InputError, match="another question \\('What is heard\\?'\\)"):
        await in_thread(at, where, text="What is seen?")


async def test_a_review_is_asked_for_and_taken_up_again_in_another_process(stage: Any, tmp_path: Path) -> None:
    where, at = tmp_path / "threads.sqlite", stage(scripted())
    with pytest.raises(InputError, match="waits for a person's review in thread 'one'"):
        await in_thread(at, where, review="reasoning")
    asked: list[Any] = []

    async def reviewer(pause: Any) -> Any:
        asked.append(pause["best_iteration"])
        again = {"action": "again", "feedback": "Once more."}
        return again if len(asked) == 1 else {"action": "edit", "reasoning": reasoning("mine")}

    result, events = await in_thread(at, where, review="reasoning", reviewer=reviewer)
    assert (asked, result["best"]["answer"]) == ([1, 2], "mine answer")
    assert [event["event"] for event in events] == ["resumed", "review", "attempt", "review", "target"]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
async def test_a_threads_name_can_be_read(stage: Any, name: str) -> None:
    at = stage(scripted())
    with pytest.raises(InputError, match="thread's name"):
        await answer_question(
            question(at), make_context(ROLES), client=at.desk, thread=name, checkpointer=InMemorySaver()
        )


async def test_a_thread_without_a_checkpointer_is_refused(stage: Any) -> None:
    at = stage(scripted())
    with pytest.raises(InputError, match="Thread 'one' cannot be stored"):
        await answer_question(question(at), make_context(ROLES), client=at.desk, thread="one")
    with pytest.raises(InputError, match="a stored thread"):
        await at.ask(review="reasoning")


async def test_an_unknown_key_of_a_question_is_refused_with_the_nearest(stage: Any) -> None:
    at = stage(scripted())
    with pytest.raises(InputError, match="no 'choice': did you mean 'choices'"):
        await answer_question({**question(at), "choice": ["a", "b"]}, make_context(ROLES), client=at.desk)
    with pytest.raises(InputError, match="no 'zzz': there are video, question, audio, images, choices"):
        await answer_question({**question(at), "zzz": 1}, make_context(ROLES), client=at.desk)
    with pytest.raises(InputError, match="treshold: there is no such setting; did you mean 'threshold'"):
        make_context({"treshold": 3})
    assert not at.model.said


async def test_a_fork_with_another_threshold_reuses_all_that_came_before(stage: Any) -> None:
    at = stage(scripted(evaluator=[verdict(4), verdict(6), verdict(9)]))
    graph = at.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    await graph.ainvoke(question(at), config, context=make_context({**ROLES, "threshold": 9}))
    before = dict(at.model.said)
    assert before == {"generator": 3, "summarizer": 3, "evaluator": 3, "feedback": 2, "target": 2}
    fork = await config_before_verdict(graph, "one", 2)
    lower = await graph.ainvoke(None, fork, context=make_context({**ROLES, "threshold": 5}))
    assert (lower["stop_reason"], lower["score"], len(lower["iterations"])) == ("threshold", 6, 2)
    assert dict(at.model.said) == {**before, "target": 3}, "only the target had to answer, with the second reasoning"
    assert lower["best"]["answer"] == "r2 answer"
    higher = await graph.ainvoke(
        None, await config_before_verdict(graph, "one", 1), context=make_context({**ROLES, "threshold": 3})
    )
    assert (higher["score"], len(higher["iterations"])) == (4, 1)
    assert dict(at.model.said) == {**before, "target": 4}


async def test_a_fork_with_another_target_asks_that_target_and_nobody_else(stage: Any) -> None:
    at = stage(scripted(evaluator=[verdict(4), verdict(9)]))
    graph = at.graph(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    first = await graph.ainvoke(question(at), config, context=make_context(ROLES))
    before = dict(at.model.said)
    (fork,) = [state async for state in graph.aget_state_history(config) if "target_model" in state.next]
    other = make_context({**ROLES, "target": "scripted:two"})
    second = await graph.ainvoke(None, fork.config, context=other)
    assert dict(at.model.said) == {**before, "target": before["target"] + 2}
    assert (first["models"]["target"], second["models"]["target"]) == ("scripted:one", "scripted:two")
    assert (second["best"], second["iterations"]) == (first["best"], first["iterations"])
    seen = await read_thread(graph, "one")
    assert (seen["models"]["target"], seen["elsewhere"]) == ("scripted:two", 1)


async def test_a_thread_that_has_no_such_attempt_cannot_be_forked_there(stage: Any) -> None:
    with pytest.raises(InputError, match="no attempt 7"):
        await config_before_verdict(stage(scripted()).graph(InMemorySaver()), "one", 7)


class Planted(BaseModel):
    """Something that does harm when it is made."""

    def model_post_init(self, context: Any) -> None:
        MADE.append("made")


MADE: list[str] = []


async def test_an_object_planted_in_a_threads_file_is_not_made(stage: Any, tmp_path: Path) -> None:
    where = tmp_path / "threads.sqlite"
    config: Any = {"configurable": {"thread_id": "one"}}
    await in_thread(stage(scripted()), where)
    with closing(sqlite3.connect(where)) as database, database:
        query = "SELECT rowid, type, checkpoint FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1"
        row, kind, packed = database.execute(query).fetchone()
        checkpoint = plain_data_serializer().loads_typed((kind, packed))
        checkpoint["channel_values"]["answer"] = Planted()
        kind, packed = JsonPlusSerializer().dumps_typed(checkpoint)
        database.execute("UPDATE checkpoints SET type = ?, checkpoint = ? WHERE rowid = ?", (kind, packed, row))
    MADE.clear()
    async with open_checkpointer(where) as saver:
        found: Any = await saver.aget(config)
        assert found["channel_values"]["question"] == "What is heard?"
        assert not isinstance(found["channel_values"]["answer"], Planted) and not MADE
    JsonPlusSerializer().loads_typed((kind, packed))
    assert MADE, "a serializer that allows all would have made it"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://user:secret@host/x", "a SQLite file or at a postgresql:// URL"),
        ("{folder}", "cannot be stored in"),
        ("{file}", "file is not a database"),
    ],
)
async def test_a_place_that_keeps_nothing_is_said_without_a_folder_or_a_key(
    tmp_path: Path, where: str, said: str
) -> None:
    (tmp_path / "file").write_text("no database, but long enough to be taken for one" * 99)
    named = where.format(folder=tmp_path, file=tmp_path / "file")
    with pytest.raises(InputError, match=said) as caught:
        async with open_checkpointer(named):
            pass
    assert "secret" not in str(caught.value) and str(tmp_path) not in str(caught.value)


async def test_a_history_that_is_read_half_way_locks_no_thread(stage: Any, tmp_path: Path) -> None:
    where, at = tmp_path / "threads.sqlite", stage(scripted())
    async with open_checkpointer(where) as saver:
        for name in ("one", "two"):
            await answer_question(question(at), make_context(ROLES), client=at.desk, thread=name, checkpointer=saver)
            graph = build_graph(client=at.desk, checkpointer=saver)
            config: Any = {"configurable": {"thread_id": "one"}}
            history = graph.aget_state_history(config)
            newest = await anext(history)
        assert newest.values["answer"] == "with"
        await history.aclose()


async def test_a_thread_is_written_from_synchronous_code(stage: Any) -> None:
    at = stage(scripted())
    graph = build_graph(client=at.desk, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    await graph.ainvoke(question(at), config, context=make_context(ROLES))
    written = await asyncio.to_thread(graph.update_state, config, {"question": "What is seen?"}, "prepare")
    state = await graph.aget_state(written)
    assert (state.values["question"], state.next) == ("What is seen?", ("reasoning_generator",))
