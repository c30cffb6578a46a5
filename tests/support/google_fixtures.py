"""The loopback Gemini behind the real graph, as fixtures: the server, clips small and big, a question asked."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import make_context
from tests.support.google_server import KEY, MODEL, Gemini

SPEC = f"google_genai:{MODEL}"
Ask = Any


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gemini]:
    for name in ("GEMINI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = Gemini()
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("AURELIA_GOOGLE_URL", server.url)
    yield server
    server.close()


@pytest.fixture(scope="session")
def big(duet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The duet with a `free` box of 10 MB behind it."""
    path = tmp_path_factory.mktemp("big") / "ein großer.mp4"
    path.write_bytes(duet.read_bytes() + struct.pack(">I4s", 10_000_000, b"free") + bytes(10_000_000 - 8))
    return path


@pytest.fixture(scope="session")
def small(duet: Path) -> bytes:
    """The content of the duet, which is small enough to travel inside a request."""
    return duet.read_bytes()


@pytest.fixture
def play(gemini: Gemini, settings: Settings, session_store: ClipStore) -> Iterator[Ask]:
    """Asks one question through the graph with Gemini in every role; each call is a process of its own."""
    desks: list[ModelClient] = []
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def make() -> ModelClient:
        desk = ModelClient(settings, store=session_store, ledger=CallLedger(settings.ledger_file, sleep=sleep))
        desks.append(desk)
        fast(desk.model(SPEC))
        return desk

    async def run(clip: Path, audio: list[str] | None = None, **context: Any) -> dict[str, Any]:
        desk = make()
        roles = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), SPEC)
        question: Any = {"video": str(clip), "question": "What is heard?", "audio": audio or []}
        return await answer_question(question, make_context({**roles, "max_iterations": 5, **context}), client=desk)

    run.waits = waits  # type: ignore[attr-defined]
    run.desks = desks  # type: ignore[attr-defined]
    run.desk = make  # type: ignore[attr-defined]
    kept = session_store.settings.home / "google_files.sqlite"
    kept.unlink(missing_ok=True)
    yield run
    assert not kept.exists() or KEY.encode() not in kept.read_bytes()
    for desk in desks:
        desk.ledger.close()


def fast(model: Any) -> Any:
    model._uploads.sleep = lambda seconds: None
    return model
