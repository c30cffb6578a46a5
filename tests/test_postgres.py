"""Threads in a real PostgreSQL, which the test starts for itself if the machine has one; else skipped, saying so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from postgres_stage import NoDatabase, started
from scripted import scripted, verdict

from aurelia.errors import AureliaError, InputError
from graph.history import told
from graph.keep import kept
from graph.run import ask
from state.context import make_context

pytest.importorskip("langgraph.checkpoint.postgres", reason="needs pip install -e '.[postgres]'")
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
    async with kept(database) as saver:
        with pytest.raises(InputError, match="waits for a person"):
            await ask(question, context, desk=first.desk, thread="one", keep=saver)

    async def accepts(pause: Any) -> Any:
        return {"action": "accept"}

    second = stage(scripted(), ledger=tmp_path / "another.sqlite")
    async with kept(database) as saver:
        result = await ask(question, context, desk=second.desk, thread="one", keep=saver, reviewer=accepts)
        seen = await told(second.graph(saver), "one")
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
        async with kept(url):
            pass
    for hidden in ("secret", "\n", "nowhere"):
        assert hidden not in str(caught.value)


async def test_a_database_that_goes_away_is_said_in_a_line(stage: Any, database: str) -> None:
    at = stage(scripted())
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    with pytest.raises(AureliaError, match="PostgreSQL database cannot be used: the connection is closed"):
        async with kept(database) as saver:
            await cast(Any, saver).conn.close()
            await ask(question, make_context(ROLES), desk=at.desk, thread="two", keep=saver)
