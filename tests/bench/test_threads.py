"""`bench run --checkpoint`: every question is a thread beside the run file, and goes on in its middle."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.bench.threads import question_thread_name, read_question_thread, run_tag
from aurelia.run.checkpointers import open_checkpointer
from aurelia_core.errors import AureliaError, InputError
from graph.build import build_graph
from state.context import ROLES, make_context
from tests.support.bench_runs import Bench, line, player, write_lines
from tests.support.scripted import HANG, reasoning, scripted, verdict
from tests.support.stage import no_wait


class Kept(Bench):
    """A bench whose questions are kept as threads."""

    @property
    def where(self) -> str:
        return str(self.folder / "threads.sqlite")

    async def keep(
        self, lines: Sequence[dict[str, Any]], where: str | None = None, model: Any = None, **more: Any
    ) -> Any:
        file, chosen = write_lines(self.folder / "bench.jsonl", lines), model or self.model
        providers = {"scripted": lambda name, store: chosen}
        server = more.pop("server", None)
        resources = RunResources(
            self.settings, None, providers, self.store, no_wait, server=server, checkpoint=where or self.where
        )
        context = make_context(dict.fromkeys(ROLES, "scripted:one"))
        return await run_bench(file, self.out, context, more.pop("plan", Plan()), resources, **more)

    def threads(self, *records: str) -> list[str]:
        with RunFile.open(self.out) as run:
            return [
                question_thread_name(run_tag(run), record, arm, 0)
                for record in records
                for arm in ("aurelia", "zero_shot")
            ]  # type: ignore[arg-type]

    async def began(self, name: str) -> int:
        """How often a question was put into the thread."""
        async with open_checkpointer(self.where) as saver:
            config: Any = {"configurable": {"thread_id": name}}
            states = [state async for state in build_graph(checkpointer=saver).aget_state_history(config)]
        return sum((state.metadata or {})["source"] == "input" for state in states)


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Kept:
    return Kept.with_copy(duet, tmp_path, player())


async def test_every_question_is_a_thread_that_reads_node_by_node(place: Kept) -> None:
    model = player(generator=[reasoning("first"), reasoning("second")], evaluator=[verdict(4), verdict(9)])
    end = await place.keep([line(1)], model=model)
    assert (end["left"], end["arms"]["aurelia"]["answered"]) == (0, 1)
    tree = await read_question_thread(place.out, "q1", place.where)
    assert tree is not None
    loop = ["reasoning_generator", "summarizer", "evaluator"]
    assert [node["node"] for node in tree["nodes"]] == ["prepare", *loop, "feedback", *loop, "target_model"]
    assert (tree["stands"], tree["answer"], tree["score"], tree["thread"]) == (
        "done",
        "with",
        9,
        place.threads("q1")[0],
    )
    assert [node["seconds"] is not None for node in tree["nodes"]] == [True] * 9
    assert await read_question_thread(place.out, "q2", place.where) is None
    place.out.rename(place.folder / "moved.run")
    assert (await read_question_thread(place.folder / "moved.run", "q1", place.where) or {})["answer"] == "with"


async def test_a_question_that_was_stopped_goes_on_in_its_middle(place: Kept) -> None:
    first = scripted(evaluator=[verdict(3), HANG])
    run = asyncio.create_task(place.keep([line(1)], model=first, plan=Plan(arms=("aurelia",))))
    await first.hanging.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    before = await read_question_thread(place.out, "q1", place.where)
    assert before and (before["stands"], before["attempts"]) == ("stopped before evaluator", 2)
    second = scripted(evaluator=[verdict(9)])
    await place.keep([line(1)], model=second, plan=Plan(arms=("aurelia",)))
    (found,) = place.outcomes()
    assert (found.answer, found.usage["calls"], (found.result or {})["score"]) == ("with", 8, 9)
    assert dict(second.said) == {"evaluator": 1, "target": 1}
    assert await place.began(place.threads("q1")[0]) == 1


async def test_a_question_that_failed_is_tried_again_from_the_node_that_failed(place: Kept) -> None:
    await place.keep([line(1), line(2)], model=player(target=[ValueError("gone")]))
    assert {outcome.state for outcome in place.outcomes()} == {"failed"}
    end = await place.keep([line(1), line(2)])
    assert {outcome.state for outcome in place.outcomes()} == {"answered"} and end["left"] == 0
    assert dict(place.model.said) == {"target": 4}
    assert [await place.began(name) for name in place.threads("q1", "q2")] == [1] * 4


async def test_a_new_run_of_the_same_questions_has_threads_of_its_own(place: Kept) -> None:
    await place.keep([line(1)])
    before = place.threads("q1")
    place.out.unlink()
    await place.keep([line(1)])
    assert not set(before) & set(place.threads("q1"))


def test_the_name_of_a_thread_can_be_used_however_long_the_questions_id_is() -> None:
    names = {question_thread_name("bench-0123456789ab", "q" * 199 + end, "aurelia", 0) for end in "ab"}
    assert len(names) == 2 and all(len(name) <= 200 for name in names)


@pytest.mark.parametrize(
    ("where", "said"), [("mysql://user:secret@host/x", "postgresql:// URL"), ("{folder}", "cannot be stored in")]
)
async def test_a_place_that_keeps_nothing_ends_the_run_before_it_begins(place: Kept, where: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        await place.keep([line(1)], where=where.format(folder=place.folder))
    assert "secret" not in str(caught.value) and not place.out.exists() and not place.model.said


async def test_a_server_keeps_threads_of_its_own(place: Kept) -> None:
    with pytest.raises(InputError, match="--checkpoint .* cannot be used with --server"):
        await place.keep([line(1)], server="http://127.0.0.1:9")


async def test_a_file_of_threads_that_breaks_ends_the_run_and_fails_no_question(place: Kept) -> None:
    def spoil(event: dict[str, Any]) -> None:
        if event["event"] == "outcome":
            with closing(sqlite3.connect(place.where)) as database, database:
                database.execute("DROP TABLE IF EXISTS writes")

    with pytest.raises(AureliaError, match=r"The threads file 'threads\.sqlite' cannot be used"):
        await place.keep([line(number) for number in range(4)], plan=Plan(concurrency=1), on_event=spoil)
    outcomes = place.outcomes()
    assert 0 < len(outcomes) < 8 and {outcome.state for outcome in outcomes} == {"answered"}


def test_the_command_line_keeps_threads_and_shows_them(place: Kept) -> None:
    file = write_lines(place.folder / "bench.jsonl", [line(1, question="How many sounds are heard?", answers=["2"])])

    def aurelia(*arguments: str) -> Any:
        command = [sys.executable, "-m", "aurelia", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    named = ["--out", str(place.out), "--media", str(place.media), "--checkpoint", place.where]
    ended = aurelia("bench", "run", str(file), *named)
    assert (ended.returncode, "1 answered" in ended.stderr) == (0, True), ended.stderr
    shown = json.loads(aurelia("trace", str(place.out), "q1", "--checkpoint", place.where, "--json").stdout)
    assert (shown["thread"], shown["stands"]) == (place.threads("q1")[0], "done")
    same = json.loads(aurelia("trace", shown["thread"], "--checkpoint", place.where, "--json").stdout)
    assert same == shown
    elsewhere = aurelia("trace", str(place.out), "q1", "--checkpoint", str(place.folder / "other.sqlite"))
    assert (elsewhere.returncode, "No thread of question 'q1'" in elsewhere.stderr) == (2, True)
    assert not (place.folder / "other.sqlite").exists()
