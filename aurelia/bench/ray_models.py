"""`bench run --ray`: the models of a run on many GPUs and machines, as Ray actors (`aurelia.bench.ray_host`).

The graphs run in this process, which alone writes the run file; `RayChat` stands in for each model and sends its calls
to an actor. So resume, retries, rate limits, budgets and the bill need no second implementation, and a call whose actor
died is an ordinary transient failure that the call ledger sends to another actor. Calls about one clip prefer one
actor, which keeps the clip's frames and encodings. To run whole graphs in actors instead would take a remote ledger and
remote rate limits; a graph takes a few milliseconds a call (docs/ray.md).
"""

import asyncio
import hashlib
import logging
import math
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from aurelia.bench.ray_host import ClipsMissing, ModelHost, ModelTraits, RemoteClip, compared_versions
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_ledger import RunLedger
from aurelia_core.errors import AureliaError, InputError, ModelError
from aurelia_core.installation import install_command
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.models.call_ledger import CURRENT_CALL
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.registry import Provider, known_providers
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Sense, Window, is_media_reference

RUN_ID_KEY = "ray_run"
"""Key in the run file's metadata of the id under which the machines store the run's replies."""
PREFERENCE = 2
"""Calls that a clip's own actor may have in progress beyond the least busy one."""
RESTART_SECONDS = 60.0
"""Longest wait for an actor to be started again when none lives."""
UNREACHABLE_TRIES = 5
"""How often an actor that cannot be reached for a moment is asked for the same call."""
UNREACHABLE_SECONDS = 1.0
"""Wait before each of them."""
FORGET_SECONDS = 10.0
"""Longest wait at the end of a run for the machines to delete its replies."""
KEPT_CLIPS = 64
"""Clips whose content stays in Ray's object store, the latest ones."""


@dataclass(frozen=True)
class RayPlan:
    """How a run uses Ray.

    Attributes:
        address: Address of a cluster; `auto` for the one that runs already; `local` starts one for this run.
        workers: Number of actors.
        gpus_per_worker: Share of a GPU for each actor, 0 or more.
        cpus_per_worker: CPUs reserved for each actor, 0 or more.
    """

    address: str = "local"
    workers: int = 2
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InputError: A number is out of bounds.
        """
        if self.workers < 1:
            raise InputError(f"--workers {self.workers} cannot be used: write 1 or more.")
        if self.gpus_per_worker < 0 or self.cpus_per_worker < 0:
            raise InputError("--gpus-per-worker and --cpus-per-worker cannot be negative.")


@dataclass(slots=True)
class _Worker:
    """One actor, the number of its calls in progress, and the wait for its restart if it died."""

    number: int
    actor: Any
    active_calls: int = 0
    restart: "asyncio.Task[None] | None" = None


class RayPool:
    """The actors of one run. Close it at the end."""

    def __init__(self, plan: RayPlan, settings: Settings, store: ClipStore, providers: Mapping[str, Provider]) -> None:
        """Connects to Ray, or starts it, and starts the actors.

        Args:
            plan: How many actors, and where.
            settings: Settings of the actors.
            store: The clips of the run, on this machine.
            providers: Further providers by name, for the actors.

        Raises:
            InputError: Ray is not installed, does not answer, has too little room, or a machine has other versions.
        """
        self._ray = _import_ray()
        self._store = store
        self._providers = dict(providers)
        self._run_id = ""
        self._contents: dict[str, Any] = {}
        self._workers: list[_Worker] = []
        self._started = not self._ray.is_initialized()
        if self._started:
            self._connect(plan)
        try:
            self._check_room(plan)
            options = {"num_gpus": plan.gpus_per_worker, "num_cpus": plan.cpus_per_worker, "max_restarts": -1}
            actor_class = self._ray.remote(ModelHost).options(**options, scheduling_strategy="SPREAD")
            self._workers = [
                _Worker(number, actor_class.remote(settings, self._providers, number)) for number in range(plan.workers)
            ]
            self._compare_versions()
        except BaseException:
            self.close()
            raise

    def _connect(self, plan: RayPlan) -> None:
        options: dict[str, Any] = {"address": plan.address}
        if plan.address == "local":
            # Actors that reserve more CPUs than the machine has would wait for ever.
            options |= {"include_dashboard": False, "num_cpus": _logical_cpus(plan)}
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            self._ray.init(**options, log_to_driver=False, configure_logging=False)
        except Exception as fault:
            # Ray raises bare exceptions where its own processes do not start in time.
            if plan.address == "local":
                raise AureliaError(f"Ray did not start on this machine ({fault}): run the command again.") from fault
            raise InputError(
                f"No Ray cluster answers at {plan.address} ({fault}): start one with ray start --head,"
                " or use --ray local."
            ) from None

    def _check_room(self, plan: RayPlan) -> None:
        room = self._ray.cluster_resources()
        for name, wanted in (("GPU", plan.gpus_per_worker), ("CPU", plan.cpus_per_worker)):
            available = room.get(name, 0.0)
            if wanted * plan.workers > available:
                raise InputError(
                    f"{plan.workers} workers with {wanted:g} {name} each do not fit into the {available:g} {name} of"
                    f" the Ray cluster: use fewer --workers, or a smaller --{name.lower()}s-per-worker."
                )

    def _compare_versions(self) -> None:
        own = compared_versions()
        try:
            all_found = self._ray.get([worker.actor.versions.remote() for worker in self._workers])
        except self._ray.exceptions.RayError as fault:
            raise InputError(
                f"The Ray workers did not start ({type(fault).__name__}): install the same version of this project"
                " and its extras on all machines."
            ) from fault
        for worker, found in zip(self._workers, all_found, strict=True):
            for name in sorted(own.keys() | found.keys()):
                if own.get(name) != found.get(name):
                    raise InputError(
                        f"Ray worker {worker.number} has {name} {found.get(name)}, this machine has {own.get(name)}:"
                        " install the same version on all machines."
                    )

    def providers(self) -> dict[str, Provider]:
        """Every known provider, each making models that run in the actors."""

        def remote(provider: str) -> Provider:
            def make(name: str, store: ClipStore) -> BaseChatModel:
                model_id = f"{provider}:{name}"
                traits: ModelTraits = self.ask("traits", model_id)
                return RayChat(model_id=model_id, traits=traits, pool=self)

            return make

        return {name: remote(name) for name in (*known_providers(), *self._providers)}

    async def attach_to(self, run: RunFile, ledger: RunLedger) -> None:
        """Copies replies that an interrupted session paid for, and did not store, into the run file."""
        self._run_id = run.meta.get(RUN_ID_KEY) or uuid.uuid4().hex
        run.store_meta(RUN_ID_KEY, self._run_id)
        machines = await self._ask_together("machine", self._workers)
        one_each = dict(zip(machines, self._workers, strict=True))
        for rows in await self._ask_together("paid_calls", one_each.values(), self._run_id):
            await ledger.run_in_writer_thread(ledger.import_calls, rows)

    async def _ask_together(self, method: str, workers: Iterable[_Worker], *arguments: Any) -> list[Any]:
        asked = [getattr(worker.actor, method).remote(*arguments) for worker in workers]
        with _ray_errors(self._ray):
            return await asyncio.gather(*asked)

    async def close_run(self) -> None:
        """Deletes the replies on the machines, which the run file holds, and stops the actors."""
        if self._run_id:
            forgotten = [worker.actor.forget.remote(self._run_id) for worker in self._alive()]
            # An actor whose machine is lost never answers.
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*forgotten, return_exceptions=True), FORGET_SECONDS)
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Stops the actors, and Ray if this pool started it."""
        for worker in self._workers:
            if worker.restart:
                worker.restart.cancel()
            self._ray.kill(worker.actor)
        if self._started:
            self._ray.shutdown()

    def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """The result of a method that costs nothing, from the first actor that lives; waits a while for a restart.

        Raises:
            AureliaError: The method failed, or no actor came back to life.
        """
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            for worker in sorted(self._alive(), key=lambda worker: worker.active_calls):
                try:
                    with _ray_errors(self._ray):
                        return self._ray.get(getattr(worker.actor, method).remote(*arguments, **named))
                except ModelError as fault:
                    if not self._has_died(fault) or time.monotonic() > deadline:
                        raise
            time.sleep(1)

    def _alive(self) -> "list[_Worker]":
        return [worker for worker in self._workers if worker.restart is None] or self._workers

    def _has_died(self, fault: ModelError) -> bool:
        return isinstance(fault.__cause__, self._ray.exceptions.RayActorError)

    def least_busy(self, clip: str) -> "_Worker":
        """The actor for a call: the clip's own one unless another has clearly less to do.

        Args:
            clip: Id of the clip; "" without one.
        """
        alive = self._alive()
        preferred = min(alive, key=lambda worker: _place(clip, worker.number))
        idlest = min(alive, key=lambda worker: (worker.active_calls, _place(clip, worker.number)))
        if clip and preferred.active_calls < idlest.active_calls + PREFERENCE:
            return preferred
        return idlest

    async def answer(self, call: Mapping[str, Any], messages: Sequence[BaseMessage]) -> AIMessage:
        """Makes one call in an actor.

        Raises:
            ModelError: The model failed, or its actor died (transient).
        """
        parts = [(message.content, message.additional_kwargs) for message in messages]
        refs = {ref["id"]: ref for ref in _references(parts)}
        clips = [RemoteClip(ref, str(await asyncio.to_thread(self._store.verified_path, ref))) for ref in refs.values()]
        worker = self.least_busy(next(iter(refs), ""))
        worker.active_calls += 1
        try:
            return await self._answer(worker, call, messages, clips)
        except ModelError as fault:
            if self._has_died(fault) and worker.restart is None:
                worker.restart = asyncio.create_task(self._wait_for_restart(worker))
            raise
        finally:
            worker.active_calls -= 1

    async def _wait_for_restart(self, worker: _Worker) -> None:
        """Leaves calls to the other actors until Ray has started this one again."""
        with suppress(self._ray.exceptions.RayError):
            await worker.actor.versions.options(max_task_retries=-1).remote()
        worker.restart = None

    async def _answer(
        self, worker: _Worker, call: Mapping[str, Any], messages: Sequence[BaseMessage], clips: list[RemoteClip]
    ) -> AIMessage:
        arguments = self._run_id, call, messages, clips
        reply: AIMessage
        for _ in range(UNREACHABLE_TRIES):
            try:
                reply = await self._call(worker.actor.answer.remote(*arguments))
                return reply
            except ClipsMissing as fault:
                for clip in clips:
                    if clip.ref["id"] in fault.args[0]:
                        await self._call(worker.actor.receive.remote(clip.ref, await self._content(clip)))
            except ModelError as fault:
                # The actor lives: its ledger knows whether this call is made already, another actor would pay again.
                if not isinstance(fault.__cause__, self._ray.exceptions.ActorUnavailableError):
                    raise
                await asyncio.sleep(UNREACHABLE_SECONDS)
        reply = await self._call(worker.actor.answer.remote(*arguments))
        return reply

    async def _call(self, reference: Any) -> Any:
        """The result of an actor's method; if the caller is cancelled, so is the method."""
        with _ray_errors(self._ray):
            try:
                return await reference
            except asyncio.CancelledError:
                self._ray.cancel(reference)
                raise

    async def _content(self, clip: RemoteClip) -> Any:
        """The clip's content in Ray's object store."""
        name = clip.ref["id"]
        if name not in self._contents:
            while len(self._contents) >= KEPT_CLIPS:
                del self._contents[next(iter(self._contents))]
            content = await asyncio.to_thread(Path(clip.path).read_bytes)
            self._contents[name] = self._ray.put(content)
        return self._contents[name]


class RayChat(ClipModel, BaseChatModel):
    """A model that runs in the actors of a pool.

    Attributes:
        model_id: The model, `provider:model`.
        traits: What an actor said of it.
        pool: The pool.
    """

    model_id: str
    traits: ModelTraits
    pool: Any = Field(exclude=True, repr=False)

    @property
    def _llm_type(self) -> str:
        return self.traits.llm_type

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return self.traits.identifying_params

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The decoding settings that the model takes."""
        return self.traits.decoding_settings

    @property
    def context_tokens(self) -> int | None:
        """The largest input of the model, tokens; None: unknown."""
        return self.traits.context_tokens

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept."""
        self._ask("check_clip", media, sees_clip=sees_clip)

    def shifts_frames(self, media: MediaRequest) -> bool:
        """Whether a shift of the frames changes what the model is shown."""
        return bool(self._ask("shifts_frames", media))

    def repeats_itself(self, decoding: Mapping[str, Any]) -> bool:
        """Whether the model gives the same reply to the same request."""
        return bool(self._ask("repeats_itself", decoding))

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        missing: list[Sense] = self._ask("missing_modalities", media)
        return missing

    def clip_tokens(
        self, media: MediaRequest, decoding: Mapping[str, Any], windows: Sequence[Window] = ()
    ) -> int | None:
        """About how many input tokens the clip costs in one request; None: unknown."""
        tokens: int | None = self._ask("clip_tokens", media, decoding, windows)
        return tokens

    def check_credentials(self) -> None:
        """Ask the provider whether key and model name are valid, from the machine of an actor."""
        self._ask("check_credentials")

    def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self.pool.ask("ask", self.model_id, method, *arguments, **named)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = CURRENT_CALL.get()
        described = {"model_id": call.model_id, "role": call.role, "run": call.run, "rollout": call.rollout}
        message = await self.pool.answer(described, messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("A model of a Ray actor is only called asynchronously, by the call ledger.")


def _references(value: Any) -> Iterator[MediaRef]:
    """Every media reference in plain data."""
    if is_media_reference(value):
        yield value
    elif isinstance(value, dict):
        yield from _references(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(part)


@contextmanager
def _ray_errors(ray: Any) -> Iterator[None]:
    """Turns Ray's errors into this project's errors.

    Raises:
        AureliaError: The error of the actor's method itself.
        ModelError: The actor or its machine died; the call may succeed with another actor.
    """
    try:
        yield
    except ray.exceptions.RayTaskError as fault:
        raise fault.cause from None
    except ray.exceptions.RayError as fault:
        raise ModelError(
            f"A Ray worker did not end its call ({type(fault).__name__}): Ray starts it again.", transient=True
        ) from fault


def _place(clip: str, number: int) -> bytes:
    """The order of the actors for a clip, the same in every session (rendezvous hashing)."""
    return hashlib.sha256(f"{clip}/{number}".encode()).digest()


def _import_ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError(f"--ray needs the package ray: {install_command('ray')}") from None
    return ray


def _logical_cpus(plan: RayPlan) -> int:
    return max(os.cpu_count() or 1, math.ceil(plan.workers * plan.cpus_per_worker) + 1)
