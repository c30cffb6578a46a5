"""Runs a benchmark: checks records, media, settings and models before anything is paid, then asks what is left to ask.

A run goes on where it was. Its file is claimed for one process at a time, and only gone on with under the same
settings. Asking itself is `aurelia.bench.session`'s.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aurelia.bench import run_plan as plans
from aurelia.bench.claim import lock_run_file
from aurelia.bench.local_runner import Executor, LocalExecutor
from aurelia.bench.media import find_missing_media
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.remote_runner import RemoteExecutor, connect_servers
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.run_plan import Plan
from aurelia.bench.session import EventCallback, Session
from aurelia.bench.threads import RunThreads, open_run_threads
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from state.context import Context

_MAX_NAMED = 5


@dataclass(frozen=True)
class RunResources:
    """What a run uses of this machine.

    Attributes:
        settings: the operator's settings.
        media: the folder of the media; nothing outside it is read then.
        providers: further model providers by name.
        store: the clips to use (default: those in the settings' home).
        sleep: how to wait between two tries of a call.
        servers: URLs of LangGraph servers of this project that answer the questions instead of this process.
        token: what lets us in there, or None.
        checkpoint: where every question is kept as a thread, a SQLite file or a PostgreSQL URL; None: nowhere.
    """

    settings: Settings
    media: Path | None = None
    providers: Mapping[str, Provider] = field(default_factory=dict)
    store: ClipStore | None = None
    sleep: Callable[[float], Any] = asyncio.sleep
    servers: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    checkpoint: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuses what cannot go together.

        Raises:
            InputError: threads are to be kept here of what servers answer.
        """
        if self.checkpoint and self.servers:
            said = "--checkpoint keeps what is asked on this machine, so it cannot be with --server: leave it out."
            raise InputError(said)

    def clips(self) -> ClipStore:
        """The clip store, which reads media in their place.

        Raises:
            InputError: there is no such media folder.
        """
        if self.store is not None:
            return self.store
        if self.media is None:
            return ClipStore(self.settings, copy=not self.settings.allow_any_file)
        if not self.media.is_dir():
            raise InputError(f"There is no media folder {self.media.name!r}: check its path.")
        return ClipStore(replace(self.settings, media_roots=(self.media,), allow_any_file=False))


async def run_bench(
    file: Path,
    out: Path,
    context: Context,
    plan: Plan,
    house: RunResources,
    *,
    tell: EventCallback = lambda event: None,
    interrupted: asyncio.Event | None = None,
) -> dict[str, Any]:
    """Asks what is left to ask of a benchmark.

    Args:
        file: the benchmark records (JSONL).
        out: the run file; one that exists is gone on with.
        context: the settings of every question; its rollout numbers the repetition.
        plan: how the run is carried out.
        house: what it uses of this machine.
        tell: called with each event (note, start, outcome, end), a plain dict.
        interrupted: set it to stop: no further call is made, those under way are waited for and stored.

    Returns:
        The end event: counts by arm, what is left, the bill, the seconds, and what it was stopped by (null: nothing).

    Raises:
        InputError: the records, media, settings or the run file cannot be used, or a provider refuses the key; what is
            stored is kept.
    """
    records, store = plans.read_planned_records(file, plan), house.clips()
    async with AsyncExitStack() as held:
        held.enter_context(lock_run_file(out))
        threads = await held.enter_async_context(open_run_threads(house.checkpoint))
        asked, left_out = await asyncio.to_thread(_select_with_media, records, plan, store, file.name)
        media = house.media.name if house.media else None
        stop = interrupted or asyncio.Event()
        traffic = RateLimiter(plan.concurrency, plan.rpm, on_refused=stop.set)
        ledger = RunLedger(out, traffic, sleep=house.sleep)
        asker = await _make_executor(context, plan, house, store, ledger, traffic, threads, tell)
        held.push_async_callback(asker.close)
        run = held.enter_context(plans.open_or_create_run(out, records, context, plan, media))
        held.push_async_callback(ledger.run_in_writer_thread, ledger.close)
        ledger.spent = run.bill()
        if threads:
            threads.belong(run)
        session = Session(run, context.rollout, plan, asker, ledger, traffic, tell)
        return await session.carry_out(asked, left_out, stop)


async def _make_executor(
    context: Context,
    plan: Plan,
    house: RunResources,
    store: ClipStore,
    ledger: RunLedger,
    traffic: RateLimiter,
    threads: RunThreads | None,
    tell: EventCallback,
) -> Executor:
    """Who asks, with all that would refuse every question looked into."""
    if context.review != "none":
        raise InputError('A benchmark waits for nobody: take review = "reasoning" out of the profile.')
    if not house.servers:
        desk = ModelClient(house.settings, providers=house.providers, store=store, ledger=ledger)
        await asyncio.to_thread(_check_models, desk, context, plan)
        return LocalExecutor(context, desk, ledger, plan.concurrency, threads)
    if plan.rpm:
        raise InputError("--rpm is kept where models are asked, so it cannot be with --server: leave it out.")

    def note(text: str) -> None:
        tell({"event": "note", "text": text})

    servers = await connect_servers(house.servers, house.token, plan.arms, note)
    at_once, sleep = plan.concurrency, house.sleep
    return RemoteExecutor(servers, context, store, ledger, traffic, at_once, sleep, graphs=plan.arms, note=note)


def _select_with_media(records: Sequence[Record], plan: Plan, store: ClipStore, name: str) -> tuple[list[Record], int]:
    """The records to ask about, and how many were left out for want of their media."""
    wanted = list(records if plan.require_media else records[: plan.limit])
    gone = find_missing_media(wanted, store)
    there = [record for record in wanted if not gone.keys() & {record.video, *record.audio}]
    if gone and not plan.require_media:
        named = "; ".join([*list(gone.values())[:_MAX_NAMED], *(["…"] if len(gone) > _MAX_NAMED else [])])
        without = len(wanted) - len(there)
        raise InputError(
            f"{len(gone)} of the media of {name} cannot be used ({named}): name their folder with --media, or leave"
            f" {without} of {len(wanted)} questions out with --require-media."
        )
    if not there:
        raise InputError(f"No question of {name} has its media here: name their folder with --media.")
    return there[: plan.limit], len(wanted) - len(there)


def _check_models(desk: ModelClient, context: Context, plan: Plan) -> None:
    specs = plans.all_planned_models(context, plan)
    for spec in specs:
        desk.model(spec)
    providers = {spec.partition(":")[0] for spec in specs}
    if strange := sorted(set(plan.rpm) - providers):
        raise InputError(
            f"--rpm names {strange[0]!r}, which this run does not ask: use {', '.join(sorted(providers))}."
        )
