"""Threads in a real PostgreSQL, which the test starts for itself if the machine has one; else skipped, saying so."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.bench.threads import read_question_thread
from aurelia.run.ask import answer_question
from aurelia.run.checkpointers import open_checkpointer
from aurelia.run.history import read_thread
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from state.context import make_context
from tests.support.bench_runs import line, player, write_lines
from tests.support.postgres import NoDatabase, started
from tests.support.scripted import scripted, verdict
from tests.support.stage import no_wait

pytest.importorskip("langgraph.checkpoint.postgres", reason="needs pip install -e '.[postgres]'")
pytestmark = pytest.mark.database
ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new PostgreSQL that listens on a Unix socket alone."""
    try:
        with started() as url:
            yield url
    except NoDatabase as why:
        pytest.skip(str(why))


async def test_a_run_that_waits_goes_on_in_postgres(stage: Any, database: str, tmp_path: Path) -> None:
    first = stage(scripted(evaluator=[verdict(4), verdict(9)]))
    question: Any = {"video": str(first.clip), "question": "What is heard?"}
    context = make_context({**ROLES, "review": "reasoning"})
    async with open_checkpointer(database) as saver:
        with pytest.raises(InputError, match="waits for a person"):
            await answer_question(question, context, client=first.desk, thread="one", checkpointer=saver)

    async def accepts(pause: Any) -> Any:
        return {"action": "accept"}

    second = stage(scripted(), ledger=tmp_path / "another.sqlite")
    async with open_checkpointer(database) as saver:
        result = await answer_question(
            question, context, client=second.desk, thread="one", checkpointer=saver, reviewer=accepts
        )
        seen = await read_thread(second.graph(saver), "one")
    assert (result["answer"], result["zero_shot_answer"], result["score"]) == ("with", "without", 9)
    assert dict(second.model.said) == {"target": 1}
    assert result["usage"]["calls"] == 9
    assert (seen["stands"], seen["attempts"]) == ("done", 2)
    assert [node["node"] for node in seen["nodes"]].count("evaluator") == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@/x?host=/nowhere",
        "postgresql://user:secret@/x?nonsense=secret",
        "postgres://u:secret@[/x",
    ],
)
async def test_a_database_that_cannot_be_used_is_said_in_a_line_without_the_password(url: str) -> None:
    with pytest.raises(InputError, match="PostgreSQL database cannot be used: .") as caught:
        async with open_checkpointer(url):
            pass
    for hidden in ("secret", "\n", "nowhere"):
        assert hidden not in str(caught.value)


async def test_a_database_that_goes_away_is_said_in_a_line(stage: Any, database: str) -> None:
    at = stage(scripted())
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    with pytest.raises(AureliaError, match="PostgreSQL database cannot be used: the connection is closed"):
        async with open_checkpointer(database) as saver:
            await cast(Any, saver).conn.close()
            await answer_question(question, make_context(ROLES), client=at.desk, thread="two", checkpointer=saver)


async def benched(folder: Path, clip: Path, model: Any, where: str, on_event: Any = lambda event: None) -> list[Any]:
    """A benchmark of three questions, kept there; how each ended."""
    (folder / "media").mkdir(exist_ok=True)
    shutil.copy(clip, folder / "media" / "duet.mp4")
    file = write_lines(folder / "bench.jsonl", [line(number) for number in range(3)])
    settings = Settings(home=folder / "home", media_roots=(folder / "media",))
    providers = {"scripted": lambda name, store: model}
    house = RunResources(settings, None, providers, ClipStore(settings), no_wait, checkpoint=where)
    out = folder / "x.run"
    try:
        await run_bench(file, out, make_context(ROLES), Plan(concurrency=2), house, on_event=on_event)
    finally:
        with RunFile.open(out) as run:
            outcomes = list(run.outcomes())
    return outcomes


async def test_a_benchmarks_questions_go_on_in_postgres_from_the_node_that_failed(
    duet: Path, database: str, tmp_path: Path
) -> None:
    failed = await benched(tmp_path, duet, player(target=[ValueError("gone")]), database)
    assert {outcome.state for outcome in failed} == {"failed"}
    mended = player()
    outcomes = await benched(tmp_path, duet, mended, database)
    assert [(outcome.state, outcome.answer) for outcome in outcomes if outcome.arm == "aurelia"] == [
        ("answered", "with")
    ] * 3
    assert dict(mended.said) == {"target": 6}
    tree = await read_question_thread(tmp_path / "x.run", "q1", database)
    assert tree and (tree["stands"], tree["answer"], tree["elsewhere"]) == ("done", "with", 0)
    assert [node["node"] for node in tree["nodes"]].count("prepare") == 1


async def test_a_database_that_goes_away_ends_a_benchmark_and_fails_no_question(
    duet: Path, database: str, tmp_path: Path
) -> None:
    import psycopg

    def cut(event: dict[str, Any]) -> None:
        if event["event"] == "outcome":
            with psycopg.connect(database, autocommit=True) as other:
                others = "FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
                other.execute(f"SELECT pg_terminate_backend(pid) {others}")

    with pytest.raises(AureliaError, match="PostgreSQL database cannot be used"):
        await benched(tmp_path, duet, player(), database, cut)
    outcomes = await benched(tmp_path, duet, player(), database)
    assert [(outcome.state, outcome.tries) for outcome in outcomes] == [("answered", 1)] * 6
