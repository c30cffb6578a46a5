"""The executor that sends a run's questions to LangGraph servers, each to the least busy server.

A server that does not answer gets no question for a while; the others get its questions, and it may return. If no
server answers, the session ends; the same command resumes it later. The call ledgers are those of the servers, so a
run's cost is what their results report; the cost of a question that a server never answered is not included.
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
from aurelia_core.errors import AureliaError, MediaError, ModelError, SettingsError
from aurelia_core.media import ClipStore
from aurelia_core.types import MediaRef, add_usage
from state.context import Context

REST_SECONDS = 60.0
"""Seconds without questions for a server that did not answer, while another one answers."""
NoticeCallback = Callable[[str], None]
"""Called with one line that the user should know about a server."""
RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between checks for a server when none answers."""


class RemoteExecutor:
    """Asks through servers; each arm is the graph of the same name there."""

    def __init__(
        self,
        servers: Sequence[RemoteServer],
        context: Context,
        store: ClipStore,
        ledger: RunLedger,
        limiter: RateLimiter,
        concurrency: int,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        *,
        graphs: Sequence[str] = (),
        on_notice: NoticeCallback = lambda text: None,
    ) -> None:
        """Asks nothing yet.

        Args:
            servers: At least one server.
            context: Settings of every question, as each arm has them (`aurelia.bench.run_plan.arm_context`).
            store: The clips to upload.
            ledger: Call ledger of the run; its `total_usage` grows by the usage that results report.
            limiter: Limits the questions on each server.
            concurrency: Questions at the same time on each server.
            sleep: Waits for servers.
            graphs: Graphs that a server which was not checked yet must have.
            on_notice: Called when such a server joins or cannot be used.
        """
        self.concurrency = concurrency * len(servers)
        self._all_servers = tuple(servers)
        self._servers = list(servers)
        self._graphs = graphs
        self._on_notice = on_notice
        self._store = store
        self._ledger = ledger
        self._limiter = limiter
        self.clips = ClipAdmitter(store)
        self._sleep = sleep
        self._waiting = asyncio.Lock()
        self._joining = asyncio.Lock()
        self._rollout = context.rollout
        asked = context.model_copy(update={"review": "none"})
        self._contexts = {arm: arm_context(asked, arm).model_dump(mode="json") for arm in ARMS}

    async def ask(self, record: Record, item: PendingAnswer, store: StoreOutcome) -> None:
        """Asks one question; its seconds include the server's queue."""
        began = time.perf_counter()
        try:
            media = await self.clips.admit(record)
            await self._assign(record, item, media, store)
        except (ModelError, MediaError, SettingsError) as fault:
            await store(make_outcome(item, self._rollout, began, {"state": "failed", "error": str(fault)}))

    async def close(self) -> None:
        """Closes the connections."""
        await asyncio.gather(*(server.close() for server in self._all_servers))

    async def _assign(self, record: Record, item: PendingAnswer, media: RecordMedia, store: StoreOutcome) -> None:
        tries = 2 * len(self._servers)
        for tries_left in reversed(range(tries)):
            server = await self._choose_server()
            server.active_questions += 1
            try:
                # The answer is stored before the slot is released, so that a stopped run waits for it.
                async with self._limiter.slot(f"{server.limiter_key}:"):
                    await self._ask_server(server, record, item, media, store)
                return
            except ServerUnavailable:
                server.unavailable_until = asyncio.get_running_loop().time() + REST_SECONDS
                if not tries_left:
                    raise
            finally:
                server.active_questions -= 1

    async def _ask_server(
        self, server: RemoteServer, record: Record, item: PendingAnswer, media: RecordMedia, store: StoreOutcome
    ) -> None:
        began = time.perf_counter()
        async with self._joining:
            if not server.ready:
                await self._join(server)
        for clip, kind in media.uses():
            reference: Any = {"id": clip}
            await server.ensure_clip(clip, kind, await asyncio.to_thread(self._file, reference))
        question = {**media.as_input(), **question_input(record)}
        output = await server.answer(item.arm, question, self._contexts[item.arm], trace_labels(record, item))
        try:
            fields = answer_fields(make_result(output, time.perf_counter() - began), record, item.arm)
        except (KeyError, TypeError):
            raise ModelError(
                f"The server {server.name} answers in another form: let it run this version of Aurelia."
            ) from None
        fields["result"] = {**fields["result"], "server": server.name}
        self._ledger.total_usage = add_usage(self._ledger.total_usage, fields["usage"])
        await store(make_outcome(item, self._rollout, began, fields))

    async def _join(self, server: RemoteServer) -> None:
        """Checks a server that did not answer at the start; one that cannot be used gets no questions in this session.

        Raises:
            ServerUnavailable: It still does not answer, or cannot be used.
        """
        if server not in self._available():
            raise ServerUnavailable(f"The server {server.name} does not answer: check that it runs.")
        try:
            await server.check(self._graphs)
        except ServerUnavailable:
            raise
        except AureliaError as fault:
            if server in self._servers:
                self._servers.remove(server)
                self._on_notice(f"The server {server.name} is left out: {fault}")
            raise ServerUnavailable(str(fault)) from None
        self._on_notice(f"The server {server.name} answers now and gets questions too.")

    def _file(self, reference: MediaRef) -> Any:
        return self._store.verified_path(reference)

    async def _choose_server(self) -> RemoteServer:
        """The least busy of the available servers; equally busy ones take turns."""
        available = self._available()
        if not available:
            async with self._waiting:
                available = self._available() or await self._wait_for_any()
        server = min(available, key=lambda one: one.active_questions)
        self._servers.remove(server)
        self._servers.append(server)
        return server

    def _available(self) -> list[RemoteServer]:
        now = asyncio.get_running_loop().time()
        return [server for server in self._servers if server.unavailable_until <= now]

    async def _wait_for_any(self) -> list[RemoteServer]:
        """The servers that answer again; if none does, the session ends."""
        for pause in RETRY_PAUSES:
            await self._sleep(pause)
            responses = await asyncio.gather(*(server.responds() for server in self._servers))
            responding = [server for server, responds in zip(self._servers, responses, strict=True) if responds]
            for server in responding:
                server.unavailable_until = 0.0
            if responding:
                return responding
        fault = ModelError(f"No server answers ({_names(self._all_servers)}): start one, and run the same command.")
        self._limiter.report_fatal(fault)
        raise fault


async def connect_servers(
    urls: Sequence[str], token: str | None, graphs: Sequence[str], on_notice: NoticeCallback = lambda text: None
) -> list[RemoteServer]:
    """Checks the servers. Those that do not answer get no question for a while, if at least one server answers.

    Args:
        urls: Addresses of the servers; duplicates count once.
        token: Bearer token for all of them, or None.
        graphs: Graphs that they must have.
        on_notice: Called for each server that does not answer, if another one does.

    Raises:
        AureliaError: A server that answers cannot be used, or none answers.
    """
    servers: dict[str, RemoteServer] = {}
    for url in urls:
        server = RemoteServer(url, token)
        if server.name in servers:
            await server.close()
        else:
            servers[server.name] = server
    try:
        await _check_servers(list(servers.values()), graphs, on_notice)
    except BaseException:
        await asyncio.gather(*(server.close() for server in servers.values()))
        raise
    return list(servers.values())


async def _check_servers(servers: list[RemoteServer], graphs: Sequence[str], on_notice: NoticeCallback) -> None:
    results = await asyncio.gather(*(server.check(graphs) for server in servers), return_exceptions=True)
    faults = [fault for fault in results if fault is not None]
    for fault in faults:
        if not isinstance(fault, ServerUnavailable):
            raise fault
    if len(faults) == len(servers):
        if len(faults) == 1:
            raise faults[0]
        raise ModelError(
            f"None of the servers answers ({_names(servers)}): start one, and check that the addresses are right."
        )
    until = asyncio.get_running_loop().time() + REST_SECONDS
    for server, result in zip(servers, results, strict=True):
        if result is not None:
            server.unavailable_until = until
            reason = str(result).removesuffix(": check that it runs.").rstrip(".")
            on_notice(f"{reason}. The other servers get its questions meanwhile.")


def _names(servers: Sequence[RemoteServer]) -> str:
    return ", ".join(sorted(server.name for server in servers))
