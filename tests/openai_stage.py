"""The loopback OpenAI behind the real graph, as a fixture."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from wire_openai import KEY, WireOpenAI

from aurelia.media import ClipStore
from aurelia.models.desk import Desk
from aurelia.models.ledger import Ledger
from aurelia.settings import Settings
from graph.run import ask
from state.context import make_context

AGENTS = ("generator", "summarizer", "evaluator", "feedback", "target")


async def no_wait(seconds: float) -> None:
    """Retries at once."""


class Place(NamedTuple):
    """A server, a desk with a ledger that does not wait, and a clip."""

    server: WireOpenAI
    desk: Desk
    clip: Path
    ledger: Path

    async def ask(self, model: str = "openai:gpt-4o", **context: Any) -> dict[str, Any]:
        question: Any = {"video": context.pop("video", str(self.clip)), "question": "What is heard?"}
        question["audio"] = context.pop("audio", [])
        roles = dict.fromkeys(AGENTS, model)
        known = {**roles, "when_deaf": "evidence", "frames": 4, **context}
        return await ask(question, make_context(known), desk=self.desk)

    def tries(self) -> list[int]:
        with sqlite3.connect(self.ledger) as connection:
            rows = [row[0] for row in connection.execute("SELECT tries FROM calls ORDER BY created")]
        connection.close()
        return rows


@pytest.fixture
def place(
    settings: Settings, session_store: ClipStore, duet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:
    """Makes a Place with the replies given."""
    opened: list[Place] = []

    def make(**replies: Any) -> Place:
        server = WireOpenAI(**replies)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        path = tmp_path / "ledger.sqlite"
        desk = Desk(settings, store=session_store, ledger=Ledger(path, sleep=no_wait))
        opened.append(Place(server, desk, duet, path))
        return opened[-1]

    yield make
    for each in opened:
        each.desk.close()
        each.server.close()
