"""Runs a benchmark: checks records, media, settings and models before any call is paid, then asks the open questions.

An existing run is resumed. Its run file belongs to one process at a time and is resumed only with the same settings.
`aurelia.bench.session` asks the questions.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from aurelia.bench import run_plan as plans
from aurelia.bench.forecast import forecast_media, forecast_text
from aurelia.bench.local_runner import Executor, LocalExecutor
from aurelia.bench.media import find_missing_media
from aurelia.bench.preflight import check_capabilities
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.ray_models import RayPlan, RayPool
from aurelia.bench.records import Record
from aurelia.bench.remote_runner import RemoteExecutor, connect_server
from aurelia.bench.run_file import lock_run_file
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
_T = TypeVar("_T")


@dataclass(frozen=True)
class RunResources:
    """What a run uses of this machine.

    Attributes:
        settings: Settings of the operator.
        media: Folder of the media; with it, no file outside it is read.
        providers: Additional model providers by name.
        store: Clip store to use (default: that of the settings' home).
        sleep: Waits between two tries of a call.
        server: URL of a LangGraph server of this project that answers the questions instead of this process, or None.
        token: Bearer token for this server, or None.
        checkpoint: SQLite file or PostgreSQL URL that saves every question as a thread, or None.
        ray: The Ray actors that hold the models, or None: this process does.
    """

    settings: Settings
    media: Path | None = None
    providers: Mapping[str, Provider] = field(default_factory=dict)
    store: ClipStore | None = None
    sleep: Callable[[float], Any] = asyncio.sleep
    server: str | None = None
    token: str | None = field(default=None, repr=False)
    checkpoint: str | None = field(default=None, repr=False)
    ray: RayPlan | None = None

    def __post_init__(self) -> None:
        """Checks that the values fit together.

        Raises:
            InputError: A server is given together with a checkpoint or Ray.
        """
        if self.checkpoint and self.server:
            raise InputError(
                "--checkpoint saves questions asked on this machine and cannot be used with --server: leave one out."
            )
        if self.ray and self.server:
            raise InputError("--ray and --server both say where the questions are answered: leave one out.")

    def clip_store(self) -> ClipStore:
        """The clip store that reads the media.

        Raises:
            InputError: The media folder does not exist.
        """
        if self.store is not None:
            return self.store
        if self.media is None:
            return ClipStore(self.settings, copy=not self.settings.allow_any_file)
        if not self.media.is_dir():
            raise InputError(f"There is no media folder {self.media.name!r}: check its path.")
        own = self.settings
        limits = replace(own, media_roots=(self.media,), allow_any_file=False, any_weights_folder=own.allow_any_file)
        return ClipStore(limits)


async def run_bench(
    file: Path,
    out: Path,
    context: Context,
    plan: Plan,
    resources: RunResources,
    *,
    on_event: EventCallback = lambda event: None,
    interrupted: asyncio.Event | None = None,
) -> dict[str, Any]:
    """Asks the open questions of a benchmark.

    Args:
        file: Benchmark records (JSONL).
        out: Run file; an existing run is resumed.
        context: Settings of every question; its rollout numbers the repetition.
        plan: How the run is carried out.
        resources: What the run uses of this machine.
        on_event: Called with each event (note, start, outcome, stopping, end), a plain dict.
        interrupted: Set it to stop: no further call starts, running calls are finished and stored.

    Returns:
        The end event: counts by arm, open answers, cost, seconds, and what stopped the run (null: nothing).

    Raises:
        InputError: The records, media, settings or the run file cannot be used, or a provider refuses the key. Stored
            answers are kept.
    """
    records = plans.read_planned_records(file, plan)
    store = resources.clip_store()
    stop = interrupted or asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(lock_run_file(out))
        threads = await stack.enter_async_context(open_run_threads(resources.checkpoint))
        selected, left_out = await asyncio.to_thread(_select_with_media, records, plan, store, file.name)
        limiter = RateLimiter(plan.concurrency, plan.rpm, on_refused=stop.set)
        ledger = RunLedger(out, limiter, sleep=resources.sleep)
        pool: RayPool | None = None
        providers = resources.providers
        if resources.ray:
            pool = await asyncio.to_thread(RayPool, resources.ray, resources.settings, store, providers)
            stack.push_async_callback(pool.close_run)
            providers = pool.providers()
        client = ModelClient(resources.settings, providers=providers, store=store, ledger=ledger)
        executor = await _make_executor(context, plan, resources, client, ledger, limiter, threads, selected)
        stack.push_async_callback(executor.close)
        media: str | None = None
        if resources.media:
            media = resources.media.name
        run = stack.enter_context(plans.open_or_create_run(out, records, context, plan, media))
        stack.push_async_callback(ledger.run_in_writer_thread, ledger.close)
        if pool:
            await pool.attach_to(run, ledger)
        ledger.total_usage = run.usage()
        executor.clips.expect(run.clip_contents())
        if threads:
            threads.attach_to(run)
        if not resources.server:
            forecast = await asyncio.to_thread(forecast_media, selected, context, plan, client)
            if forecast:
                on_event({"event": "note", "text": forecast_text(forecast)})
        session = Session(run, context, plan, executor, ledger, limiter, on_event)
        return await session.run(selected, left_out, stop)


def run_interruptibly(work: Callable[[asyncio.Event], Coroutine[Any, Any, _T]]) -> _T:
    """Runs work with Ctrl-C in two steps: SIGINT or SIGTERM sets the event it gets, a second one cancels the work.

    Raises:
        KeyboardInterrupt: The work was cancelled.
    """

    async def main() -> _T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        stop = asyncio.Event()

        def interrupt() -> None:
            if stop.is_set() and task is not None:
                task.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        return await work(stop)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _make_executor(
    context: Context,
    plan: Plan,
    resources: RunResources,
    client: ModelClient,
    ledger: RunLedger,
    limiter: RateLimiter,
    threads: RunThreads | None,
    records: Sequence[Record],
) -> Executor:
    """Makes the executor and checks all that would make every question fail."""
    if context.review != "none":
        raise InputError('A benchmark cannot wait for a reviewer: remove review = "reasoning" from the profile.')
    if not resources.server:
        await asyncio.to_thread(_check_models, client, context, plan)
        await asyncio.to_thread(check_capabilities, records, context, plan, client)
        return LocalExecutor(context, client, ledger, plan.concurrency, threads)
    if plan.rpm:
        raise InputError("--rpm limits calls made from this machine and cannot be used with --server: leave it out.")
    server = await connect_server(resources.server, resources.token, plan.arms)
    return RemoteExecutor(server, context, client.store, ledger, limiter, plan.concurrency, resources.sleep)


def _select_with_media(records: Sequence[Record], plan: Plan, store: ClipStore, name: str) -> tuple[list[Record], int]:
    """The records to ask about, and the number left out because their media are missing."""
    wanted = list(records)
    if not plan.require_media:
        wanted = wanted[: plan.limit]
    missing = find_missing_media(wanted, store)
    available = [record for record in wanted if not missing.keys() & set(record.media_names)]
    left_out = len(wanted) - len(available)
    if missing and not plan.require_media:
        reasons = list(missing.values())[:_MAX_NAMED]
        if len(missing) > _MAX_NAMED:
            reasons.append("…")
        raise InputError(
            f"{len(missing)} of the media of {name} cannot be used ({'; '.join(reasons)}): name their folder with"
            f" --media, or leave {left_out} of {len(wanted)} questions out with --require-media."
        )
    if not available:
        raise InputError(f"No question of {name} has its media here: name their folder with --media.")
    return available[: plan.limit], left_out


def _check_models(client: ModelClient, context: Context, plan: Plan) -> None:
    model_ids = plans.all_planned_models(context, plan)
    for model_id in model_ids:
        client.model(model_id)
    providers = {model_id.partition(":")[0] for model_id in model_ids}
    if unknown := sorted(set(plan.rpm) - providers):
        raise InputError(
            f"--rpm names {unknown[0]!r}, which this run does not ask: use {', '.join(sorted(providers))}."
        )
