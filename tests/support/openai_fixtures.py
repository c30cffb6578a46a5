"""The loopback OpenAI, or a server of one's own, behind the real graph, as fixtures."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import make_context
from tests.support.openai_server import KEY, VARIABLES, Sent, WireOpenAI

AGENTS = ("generator", "summarizer", "evaluator", "feedback", "target")
SEEING = ("generator", "evaluator", "target")

WINDOW = {"start": 1.0, "end": 1.5}


async def no_wait(seconds: float) -> None:
    """Retries at once."""


class Place(NamedTuple):
    """A server, a desk with a ledger that does not wait, and a clip."""

    server: WireOpenAI
    desk: ModelClient
    clip: Path
    ledger: Path

    async def ask(self, model: str = "openai:gpt-4o", **context: Any) -> dict[str, Any]:
        question: Any = {"video": context.pop("video", str(self.clip)), "question": "What is heard?"}
        question["audio"] = context.pop("audio", [])
        roles = dict.fromkeys(AGENTS, model)
        known = {**roles, "unsupported_modality": "evidence", "frames": 4, **context}
        return await answer_question(question, make_context(known), client=self.desk)

    def tries(self) -> list[int]:
        with sqlite3.connect(self.ledger) as connection:
            rows = [row[0] for row in connection.execute("SELECT tries FROM calls ORDER BY created")]
        connection.close()
        return rows


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of OpenAI's or of a server of one's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(
    settings: Settings,
    session_store: ClipStore,
    duet: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clean_environment: None,
) -> Iterator[Any]:
    """Makes a Place with the replies given."""
    opened: list[Place] = []

    def make(**replies: Any) -> Place:
        server = WireOpenAI(**replies)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        path = tmp_path / "ledger.sqlite"
        desk = ModelClient(settings, store=session_store, ledger=CallLedger(path, sleep=no_wait))
        opened.append(Place(server, desk, duet, path))
        return opened[-1]

    yield make
    for each in opened:
        each.desk.close()
        each.server.close()


@pytest.fixture
def compatible(place: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a Place whose server is the operator's, without a key."""

    def make(media: str = "video+audio", **replies: Any) -> Place:
        made: Place = place(key=None, **replies)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
        monkeypatch.setenv("AURELIA_COMPATIBLE_URL", made.server.url)
        monkeypatch.setenv("AURELIA_COMPATIBLE_MEDIA", media)
        return made

    return make


def head(sent: Sent) -> str:
    """Everything up to and with what every role is told of the clip, as it went out."""
    at = next(n for n, part in enumerate(sent.parts) if part.get("text", "").startswith("About the clip: "))
    return json.dumps([sent.body["messages"][0], sent.parts[: at + 1]])
