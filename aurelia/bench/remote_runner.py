"""Hands a run's questions to LangGraph servers, each to the one with the least in hand.

A server that does not answer rests, from the beginning or later, and its questions go to the others; it may come back.
When none is left the session ends, and the same command goes on later. The servers keep the calls: a run's bill is what
their results state, so what a server spent on a question that it never answered is not on it.
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
from aurelia.bench.run_ledger import RunLedger
from aurelia.run.result import make_result
from aurelia_core.errors import AureliaError, MediaError, ModelError, SettingsError
from aurelia_core.media import ClipStore
from aurelia_core.types import MediaRef, add_usage
from state.context import Context

REST_SECONDS = 60.0
"""Seconds that a server is not asked after it did not answer, while another one is."""
NoticeCallback = Callable[[str], None]
"""Told in a line what a person should know of a server."""
RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between looking for a server again when none answers."""


class RemoteExecutor:
    """Asks through servers; each arm is the graph of its name there."""

    def __init__(
        self,
        servers: Sequence[RemoteServer],
        context: Context,
        store: ClipStore,
        ledger: RunLedger,
        traffic: RateLimiter,
        at_once: int,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        *,
        graphs: Sequence[str] = (),
        note: NoticeCallback = lambda text: None,
    ) -> None:
        """Asks nothing yet.

        Args:
            servers: at least one.
            context: the settings of every question; the arms stand for `compare`.
            store: the clips, which are uploaded from here.
            ledger: the run's, whose `spent` grows by what results state.
            traffic: each server has its own lane in it.
            at_once: questions at the same time, for each server.
            sleep: how to wait for servers.
            graphs: what a server must serve that could not be asked about it yet.
            note: told when such a server joins, or cannot.
        """
        self.at_once = at_once * len(servers)
        self._all, self._graphs, self._note = tuple(servers), graphs, note
        self._servers, self._store, self._ledger, self._traffic = list(servers), store, ledger, traffic
        self._clips, self._sleep, self._waking = ClipAdmitter(store), sleep, asyncio.Lock()
        self._joining = asyncio.Lock()
        self._rollout = context.rollout
        self._context = context.model_copy(update={"compare": False, "review": "none"}).model_dump(mode="json")

    async def ask(self, record: Record, item: PendingAnswer, keep: StoreOutcome) -> None:
        """As `Asker.ask`; seconds are those until the server had answered, its queue included."""
        began = time.perf_counter()
        try:
            media = await self._clips.media(record)
            await self._handed(record, item, media, keep)
        except (ModelError, MediaError, SettingsError) as fault:
            await keep(make_outcome(item, self._rollout, began, {"state": "failed", "error": str(fault)}))

    async def close(self) -> None:
        """Ends the connections."""
        await asyncio.gather(*(server.close() for server in self._all))

    async def _handed(self, record: Record, item: PendingAnswer, media: RecordMedia, keep: StoreOutcome) -> None:
        tries = 2 * len(self._servers)
        for left in reversed(range(tries)):
            server = await self._next()
            server.in_hand += 1
            try:
                # What is answered is stored before the lane is left, so that a run that is stopped waits for it.
                async with self._traffic.gate(f"{server.lane}:"):
                    await self._by(server, record, item, media, keep)
                return
            except ServerUnavailable:
                server.rests_until = asyncio.get_running_loop().time() + REST_SECONDS
                if not left:
                    raise
            finally:
                server.in_hand -= 1

    async def _by(
        self, server: RemoteServer, record: Record, item: PendingAnswer, media: RecordMedia, keep: StoreOutcome
    ) -> None:
        began = time.perf_counter()
        async with self._joining:
            if not server.ready:
                await self._joined(server)
        for clip, kind in [(media.video, "video"), *((name, "audio") for name in media.audio)]:
            reference: Any = {"id": clip}
            await server.hold(clip, kind, await asyncio.to_thread(self._file, reference))
        question = {"video": media.video, "audio": media.audio, **question_input(record)}
        output = await server.answer(item.arm, question, self._context, trace_labels(record, item))
        try:
            known = answer_fields(make_result(output, time.perf_counter() - began), record, item.arm)
        except (KeyError, TypeError):
            said = f"The server {server.name} answers in another form: let it run this version of Aurelia."
            raise ModelError(said) from None
        known["result"] = {**known["result"], "server": server.name}
        self._ledger.spent = add_usage(self._ledger.spent, known["usage"])
        await keep(make_outcome(item, self._rollout, began, known))

    async def _joined(self, server: RemoteServer) -> None:
        """Sees that a server that was not there at first can be used; one that cannot is never asked again.

        Raises:
            Gone: it still does not answer, or cannot be used.
        """
        if server not in self._awake():
            raise ServerUnavailable(f"The server {server.name} does not answer: see that it runs.")
        try:
            await server.check(self._graphs)
        except ServerUnavailable:
            raise
        except AureliaError as fault:
            if server in self._servers:
                self._servers.remove(server)
                self._note(f"The server {server.name} is left out: {fault}")
            raise ServerUnavailable(str(fault)) from None
        self._note(f"The server {server.name} answers now and gets questions too.")

    def _file(self, reference: MediaRef) -> Any:
        return self._store.verified_path(reference)

    async def _next(self) -> RemoteServer:
        """The server with the least in hand of those that do not rest, one after the other."""
        if not (awake := self._awake()):
            async with self._waking:
                awake = self._awake() or await self._woken()
        server = min(awake, key=lambda one: one.in_hand)
        self._servers.remove(server)
        self._servers.append(server)
        return server

    def _awake(self) -> list[RemoteServer]:
        now = asyncio.get_running_loop().time()
        return [server for server in self._servers if server.rests_until <= now]

    async def _woken(self) -> list[RemoteServer]:
        """The servers that answer again; without any the session ends."""
        for pause in RETRY_PAUSES:
            await self._sleep(pause)
            alive = await asyncio.gather(*(server.alive() for server in self._servers))
            if found := [server for server, well in zip(self._servers, alive, strict=True) if well]:
                for server in found:
                    server.rests_until = 0.0
                return found
        names = ", ".join(sorted(server.name for server in self._all))
        fault = ModelError(f"No server answers ({names}): start one, and the same command goes on.")
        self._traffic.refuse(fault)
        raise fault


async def connect_servers(
    urls: Sequence[str], token: str | None, graphs: Sequence[str], note: NoticeCallback = lambda text: None
) -> list[RemoteServer]:
    """The servers, once those that answer let us in and serve the graphs; the others rest.

    Args:
        urls: of the servers; one that is named twice counts once.
        token: for all of them, or None.
        graphs: those that will be asked.
        note: told of each server that does not answer, while another one does.

    Raises:
        AureliaError: a server that answers cannot be used, or none answers.
    """
    servers: dict[str, RemoteServer] = {}
    for url in urls:
        server = RemoteServer(url, token)
        if server.name in servers:
            await server.close()
        else:
            servers[server.name] = server
    try:
        await _check_servers(list(servers.values()), graphs, note)
    except BaseException:
        await asyncio.gather(*(server.close() for server in servers.values()))
        raise
    return list(servers.values())


async def _check_servers(servers: list[RemoteServer], graphs: Sequence[str], note: NoticeCallback) -> None:
    found = await asyncio.gather(*(server.check(graphs) for server in servers), return_exceptions=True)
    faults = [fault for fault in found if fault is not None]
    if refused := [fault for fault in faults if not isinstance(fault, ServerUnavailable)]:
        raise refused[0]
    if len(faults) == len(servers):
        if len(faults) == 1:
            raise faults[0]
        names = ", ".join(sorted(server.name for server in servers))
        raise ModelError(f"None of the servers answers ({names}): start one, and see that the addresses are right.")
    until = asyncio.get_running_loop().time() + REST_SECONDS
    for server, fault in zip(servers, found, strict=True):
        if fault is not None:
            server.rests_until = until
            note(f"{str(fault).removesuffix(': see that it runs.').rstrip('.')}. The others are asked meanwhile.")
