"""Executors ask a run's questions: their interface, and the one that asks on this machine.

`aurelia.bench.remote_runner` has the other one, which sends the questions to LangGraph servers.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver

from aurelia.bench.answers import RAW_ANSWER, clean_target_reply
from aurelia.bench.media import ClipAdmitter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.run_plan import arm_context
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
    """One answer still to be made, and the number of tries so far."""

    record: str
    arm: Arm
    tries: int


class Executor(Protocol):
    """Asks questions, many at the same time.

    Attributes:
        concurrency: Questions that it can work on at the same time.
        clips: Admits the clips of the questions.
    """

    concurrency: int
    clips: ClipAdmitter

    async def ask(self, record: Record, item: PendingAnswer, store: StoreOutcome) -> None:
        """Asks one question and passes its outcome to `store`; an exception ends the session."""

    async def close(self) -> None:
        """Releases its resources."""


class LocalExecutor:
    """Asks with the graphs of this process; every call goes through the run's own ledger."""

    def __init__(
        self,
        context: Context,
        client: ModelClient,
        ledger: RunLedger,
        concurrency: int,
        threads: RunThreads | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            context: Settings of every question, as each arm has them (`aurelia.bench.run_plan.arm_context`).
            client: Models and clips.
            ledger: Call ledger of the run.
            concurrency: Questions at the same time.
            threads: Saves each question as a thread, or None.
        """
        self.concurrency = concurrency
        self._threads = threads
        self._context = context
        self._client = client
        self._ledger = ledger
        saver: BaseCheckpointSaver[Any] | None = None
        if threads:
            saver = threads.saver
        self._graphs = {
            "aurelia": build_graph(client=client, checkpointer=saver),
            "zero_shot": build_zero_shot(client, checkpointer=saver),
        }
        self.clips = ClipAdmitter(client.store)

    async def ask(self, record: Record, item: PendingAnswer, store: StoreOutcome) -> None:
        """Asks one question; every failure is an outcome, except those of this machine's disk and of the threads."""
        began = time.perf_counter()
        with self._ledger.account(f"{item.arm}/{record.id}") as account:
            try:
                media = await self.clips.admit(record)
                question: Any = {**media.as_input(), **question_input(record)}
                options = trace_labels(record, item) | {"thread": self._thread(item)}
                result = await answer_question(
                    question,
                    arm_context(self._context, item.arm),
                    client=self._client,
                    graph=self._graphs[item.arm],
                    **options,
                )
                fields = answer_fields(result, record, item.arm)
            except StorageError:
                raise
            except AureliaError as fault:
                fields = {"state": "failed", "error": str(fault), "usage": account.usage}
            except Exception as fault:
                if self._threads and is_checkpointer_error(fault):
                    raise
                error = sanitize_json(f"an unexpected {type(fault).__name__}: {fault}")
                fields = {"state": "failed", "error": error, "usage": account.usage}
        await store(make_outcome(item, self._context.rollout, began, fields))

    def _thread(self, item: PendingAnswer) -> str | None:
        if self._threads is None:
            return None
        return self._threads.name(item.record, item.arm, self._context.rollout)

    async def close(self) -> None:
        """Does nothing: it holds no resources."""


def question_input(record: Record) -> Any:
    """The text of a record's question as input of the graph."""
    return {"question": record.full_question(), "choices": list(record.choices)}


def trace_labels(record: Record, item: PendingAnswer) -> Any:
    """Tags and metadata that a question's trace is found by."""
    return {"tags": [record.task, item.arm], "metadata": {"question": record.id, "task": record.task}}


def make_outcome(item: PendingAnswer, rollout: int, began: float, fields: dict[str, Any]) -> Outcome:
    """The outcome of a try.

    Args:
        item: The answer that was to be made.
        rollout: Number of the repetition.
        began: Start of the try, by `time.perf_counter`.
        fields: Its state and usage, and the other fields that are not null.
    """
    values: dict[str, Any] = {
        "record": item.record,
        "arm": item.arm,
        "rollout": rollout,
        "tries": item.tries + 1,
        "answer": None,
        "choice": None,
        "result": None,
        "error": None,
        "usage": NO_USAGE,
        "seconds": time.perf_counter() - began,
        "created": time.time(),
    }
    return Outcome(**{**values, **fields})


def answer_fields(result: dict[str, Any], record: Record, arm: Arm) -> dict[str, Any]:
    """The fields of an outcome that follow from the graph's result: the answer cleaned, beside it the raw one."""
    stored = result
    reply = result["reply"]
    if arm == "zero_shot":
        stored = {name: result[name] for name in ("clip", "models", "warnings")}
        reply = result["zero_shot_reply"]
    answer = clean_target_reply(reply, stored)
    if answer != reply:
        stored = {RAW_ANSWER: reply, **stored}
    choice: str | None = None
    if record.choices:
        choice = extract_choice_text(answer, record.choices)
    return {
        "state": "answered",
        "usage": result["usage"],
        "seconds": result["seconds"],
        "answer": answer,
        "choice": choice,
        "result": stored,
    }
