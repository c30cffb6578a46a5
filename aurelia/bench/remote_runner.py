"""The executor that sends a run's questions to one LangGraph server; LangGraph spreads them over its workers.

If the server does not answer, the session ends after some seconds; the same command resumes it later. The call ledger
is the server's, so a run's cost is what its results report; the cost of a question that the server never answered is
not included. `aurelia.bench.ray_models` spreads a run over machines without a server.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aurelia.bench.local_runner import (
    PendingAnswer,
    StoreOutcome,
    answer_fields,
    make_outcome,
    question_input,
    trace_labels,
)
from aurelia.bench.media import ClipAdmitter, RecordMedia
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.remote_client import RemoteServer, ServerUnavailable
from aurelia.bench.run_file import ARMS
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.run_plan import arm_context
from aurelia.run.result import make_result
from aurelia_core.errors import MediaError, ModelError, SettingsError
from aurelia_core.media import ClipStore
from aurelia_core.types import MediaRef, add_usage
from state.context import Context

TRIES = 3
"""How often one question is sent to a server that stops or answers that it is busy."""
RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between checks for a server that does not answer."""


class RemoteExecutor:
    """Asks through a server; each arm is the graph of the same name there."""

    def __init__(
        self,
        server: RemoteServer,
        context: Context,
        store: ClipStore,
        ledger: RunLedger,
        limiter: RateLimiter,
        concurrency: int,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        """Asks nothing yet.

        Args:
            server: The server; it was checked.
            context: Settings of every question, as each arm has them (`aurelia.bench.run_plan.arm_context`).
            store: The clips to upload.
            ledger: Call ledger of the run; its `total_usage` grows by the usage that results report.
            limiter: Limits the questions on the server.
            concurrency: Questions at the same time.
            sleep: Waits for the server.
        """
        self.concurrency = concurrency
        self._server = server
        self._store = store
        self._ledger = ledger
        self._limiter = limiter
        self.clips = ClipAdmitter(store)
        self._sleep = sleep
        self._waiting = asyncio.Lock()
        self._rollout = context.rollout
        asked = context.model_copy(update={"review": "none"})
        self._contexts = {arm: arm_context(asked, arm).model_dump(mode="json") for arm in ARMS}

    async def ask(self, record: Record, item: PendingAnswer, store: StoreOutcome) -> None:
        """Asks one question; its seconds include the server's queue."""
        began = time.perf_counter()
        try:
            media = await self.clips.admit(record)
            for tries_left in reversed(range(TRIES)):
                try:
                    # The answer is stored before the slot is released, so that a stopped run waits for it.
                    async with self._limiter.slot(f"{self._server.limiter_key}:"):
                        await self._ask_server(record, item, media, store)
                    return
                except ServerUnavailable:
                    if not tries_left:
                        raise
                    await self._wait_for_server()
        except (ModelError, MediaError, SettingsError) as fault:
            await store(make_outcome(item, self._rollout, began, {"state": "failed", "error": str(fault)}))

    async def close(self) -> None:
        """Closes the connection."""
        await self._server.close()

    async def _ask_server(self, record: Record, item: PendingAnswer, media: RecordMedia, store: StoreOutcome) -> None:
        began = time.perf_counter()
        for clip, kind in media.uses():
            reference: Any = {"id": clip}
            await self._server.ensure_clip(clip, kind, await asyncio.to_thread(self._file, reference))
        question = {**media.as_input(), **question_input(record)}
        output = await self._server.answer(item.arm, question, self._contexts[item.arm], trace_labels(record, item))
        try:
            fields = answer_fields(make_result(output, time.perf_counter() - began), record, item.arm)
        except (KeyError, TypeError):
            raise ModelError(
                f"The server {self._server.name} answers in another form: let it run this version of Aurelia."
            ) from None
        fields["result"] = {**fields["result"], "server": self._server.name}
        self._ledger.total_usage = add_usage(self._ledger.total_usage, fields["usage"])
        await store(make_outcome(item, self._rollout, began, fields))

    def _file(self, reference: MediaRef) -> Any:
        return self._store.verified_path(reference)

    async def _wait_for_server(self) -> None:
        """Waits until the server answers; if it does not, the session ends."""
        async with self._waiting:
            for pause in (0.0, *RETRY_PAUSES):
                if pause:
                    await self._sleep(pause)
                if await self._server.responds():
                    return
        fault = ModelError(f"The server {self._server.name} does not answer: start it, and run the same command.")
        self._limiter.report_fatal(fault)
        raise fault


async def connect_server(url: str, token: str | None, graphs: Sequence[str]) -> RemoteServer:
    """The server at `url`, checked.

    Args:
        url: Address of the server.
        token: Bearer token, or None.
        graphs: Graphs that it must have.

    Raises:
        AureliaError: The server cannot be used, or does not answer.
    """
    server = RemoteServer(url, token)
    try:
        await server.check(graphs)
    except BaseException:
        await server.close()
        raise
    return server
