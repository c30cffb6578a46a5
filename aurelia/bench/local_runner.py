"""Who asks a run's questions: what a session needs of one, and the one that asks on this machine.

The other one, which hands questions to LangGraph servers, is `aurelia.bench.remote_runner`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from aurelia.bench.media import ClipAdmitter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.threads import RunThreads, is_checkpointer_error
from aurelia.run.ask import answer_question
from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.errors import AureliaError, StorageError
from aurelia_core.models.client import ModelClient
from aurelia_core.sanitize import sanitize_json
from aurelia_core.types import NO_USAGE
from graph.build import build_graph, build_zero_shot
from state.context import Context

StoreOutcome = Callable[[Outcome], Awaitable[None]]


class PendingAnswer(NamedTuple):
    """One answer that is wanted, and how often it was tried in vain."""

    record: str
    arm: Arm
    tries: int


class Executor(Protocol):
    """Asks one question after another, many at once.

    Attributes:
        at_once: questions that it can use at the same time.
    """

    at_once: int

    async def ask(self, record: Record, item: PendingAnswer, keep: StoreOutcome) -> None:
        """Asks, and hands the outcome to `keep`, which stores it; what it raises ends the session."""

    async def close(self) -> None:
        """Gives back what it holds."""


class LocalExecutor:
    """Asks with the graphs of this process, every call through the run's own ledger."""

    def __init__(
        self, context: Context, desk: ModelClient, ledger: RunLedger, at_once: int, threads: RunThreads | None = None
    ) -> None:
        """Asks nothing yet.

        Args:
            context: the settings of every question; the arms stand for `compare`.
            desk: models and clips.
            ledger: the run's.
            at_once: questions at the same time.
            threads: where each question is kept as a thread, or None.
        """
        self.at_once, self._threads = at_once, threads
        saver = threads.saver if threads else None
        self._context, self._desk, self._ledger = context.model_copy(update={"compare": False}), desk, ledger
        self._graphs = {
            "aurelia": build_graph(client=desk, checkpointer=saver),
            "zero_shot": build_zero_shot(desk, checkpointer=saver),
        }
        self._clips = ClipAdmitter(desk.store)

    async def ask(self, record: Record, item: PendingAnswer, keep: StoreOutcome) -> None:
        """As `Asker.ask`; a failure of any kind but our own disk's or the threads' is an outcome."""
        began = time.perf_counter()
        with self._ledger.account(f"{item.arm}/{record.id}") as account:
            try:
                media = await self._clips.media(record)
                question: Any = {"video": media.video, "audio": media.audio, **question_input(record)}
                graph = self._graphs[item.arm]
                told = trace_labels(record, item) | {"thread": self._thread(item)}
                result = await answer_question(question, self._context, client=self._desk, graph=graph, **told)
                known = answer_fields(result, record, item.arm)
            except StorageError:
                raise
            except AureliaError as fault:
                known = {"state": "failed", "error": str(fault), "usage": account.usage}
            except Exception as fault:
                if self._threads and is_checkpointer_error(fault):
                    raise
                said = sanitize_json(f"an unexpected {type(fault).__name__}: {fault}")
                known = {"state": "failed", "error": said, "usage": account.usage}
        await keep(make_outcome(item, self._context.rollout, began, known))

    def _thread(self, item: PendingAnswer) -> str | None:
        return self._threads.name(item.record, item.arm, self._context.rollout) if self._threads else None

    async def close(self) -> None:
        """Holds nothing."""


def question_input(record: Record) -> Any:
    """The words of a record's question, as the graph takes them."""
    return {"question": record.asked(), "choices": list(record.choices)}


def trace_labels(record: Record, item: PendingAnswer) -> Any:
    """What a question's trace is found by."""
    return {"tags": [record.task, item.arm], "metadata": {"question": record.id, "task": record.task}}


def make_outcome(item: PendingAnswer, rollout: int, began: float, known: dict[str, Any]) -> Outcome:
    """How a try ended.

    Args:
        item: what was asked.
        rollout: number of the repetition.
        began: when, by `time.perf_counter`.
        known: state and usage, and what else is not null.
    """
    told: dict[str, Any] = {"record": item.record, "arm": item.arm, "rollout": rollout, "tries": item.tries + 1}
    told |= {"answer": None, "choice": None, "result": None, "error": None, "usage": NO_USAGE}
    return Outcome(**{**told, "seconds": time.perf_counter() - began, "created": time.time(), **known})


def answer_fields(result: dict[str, Any], record: Record, arm: Arm) -> dict[str, Any]:
    """The fields of an outcome that follow from what the graph answered."""
    found = {"state": "answered", "usage": result["usage"], "seconds": result["seconds"]}
    if arm == "aurelia":
        return {**found, "answer": result["answer"], "choice": result["choice"], "result": result}
    said = result["zero_shot_answer"]
    named = extract_choice_text(said, record.choices) if record.choices else None
    kept = {name: result[name] for name in ("clip", "models", "warnings")}
    return {**found, "answer": said, "choice": named, "result": kept}
