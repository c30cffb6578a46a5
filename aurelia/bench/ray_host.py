"""One Ray actor: the models of a run on one machine or GPU, with their clips and the calls that were paid there.

It plays no agent: the graphs run in the process of `bench run`, so that retries, rate limits, budgets and the bill are
those of any run, and only model calls travel. A reply is stored in a file of this machine before it is sent; if the
run's process is killed in between, the next one copies the reply into its run file (`paid_calls`).
"""

import asyncio
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage

import prompts
from aurelia.bench.run_plan import installed_versions
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.guard import display_name
from aurelia_core.models.base import as_clip_model
from aurelia_core.models.call_ledger import CallLedger, LedgerRow, ModelCall
from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef

COMPARED_VERSIONS = ("aurelia", "python", "transformers", "torch", "numpy", "librosa", "av")
"""Versions that may change a reply: they must be the same on every machine of a run."""
ONE_TRY = 1
"""The ledger of the run's own process makes further tries, perhaps with another actor."""


class RemoteClip(NamedTuple):
    """A clip of a call: its reference, and its path on the machine of the run's process."""

    ref: MediaRef
    path: str


class ModelTraits(NamedTuple):
    """What the run's process must know of a model without loading it."""

    identifying_params: dict[str, Any]
    llm_type: str
    decoding_settings: frozenset[str]
    context_tokens: int | None


class ClipsMissing(Exception):
    """This machine has no file of some clips; `args[0]` holds their ids."""


class ModelHost:
    """The actor's class; Ray makes one instance in a process of its own."""

    def __init__(self, settings: Settings, providers: Mapping[str, Provider], number: int) -> None:
        """Loads nothing.

        Args:
            settings: Settings of the run's process; its home folder must be usable on this machine too.
            providers: Further providers by name.
            number: Number of this actor, from 0.
        """
        # The run's process has checked every clip that it names here.
        settings = replace(settings, allow_any_file=True)
        self._folder = settings.home / "ray"
        self._name = f"{socket.gethostname()}-{number}"
        self._client = ModelClient(settings, providers=providers, store=ClipStore(settings))
        self._ledgers: dict[str, CallLedger] = {}
        self._admitted: set[str] = set()

    async def versions(self) -> dict[str, str]:
        """Versions of packages and hashes of texts, to be compared with those of the run's process."""
        return compared_versions()

    async def machine(self) -> str:
        """The name of this machine, whose actors share a folder of paid replies."""
        return socket.gethostname()

    async def traits(self, model_id: str) -> ModelTraits:
        """Makes a model and describes it.

        Raises:
            AureliaError: The model cannot be used on this machine.
        """
        return await asyncio.to_thread(self._traits, model_id)

    def _traits(self, model_id: str) -> ModelTraits:
        model = self._client.model(model_id)
        adapter = as_clip_model(model)
        return ModelTraits(
            dict(model._identifying_params),
            model._llm_type,
            adapter.decoding_settings,
            adapter.context_tokens,
        )

    async def ask(self, model_id: str, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls a method of `aurelia_core.models.base.ClipModel` on a model of this machine."""

        def run() -> Any:
            return getattr(as_clip_model(self._client.model(model_id)), method)(*arguments, **named)

        return await asyncio.to_thread(run)

    async def answer(
        self, run: str, call: Any, messages: Sequence[AnyMessage], clips: Sequence[RemoteClip]
    ) -> AIMessage:
        """Makes one call.

        Args:
            run: Id of the run whose calls are stored together.
            call: `model_id`, `role`, `run` and `rollout` of `aurelia_core.models.call_ledger.ModelCall`.
            messages: The messages.
            clips: Every clip that they refer to.

        Returns:
            The reply.

        Raises:
            ClipsMissing: The run's process must send these clips first.
            AureliaError: The model failed.
        """
        await asyncio.to_thread(self._admit, clips)
        model = await asyncio.to_thread(self._client.model, call["model_id"])
        reply = await self._ledger(run).call(ModelCall(model=model, messages=list(messages), **call))
        return reply.message

    def _admit(self, clips: Sequence[RemoteClip]) -> None:
        missing = []
        for clip in clips:
            if clip.ref["id"] in self._admitted:
                continue
            paths = [Path(clip.path), self._copy_path(clip.ref)]
            if not any(self._admit_file(path, clip.ref) for path in paths if path.is_file()):
                missing.append(clip.ref["id"])
        if missing:
            raise ClipsMissing(missing)

    def _admit_file(self, path: Path, ref: MediaRef) -> bool:
        kind: Any = "video"
        if ref["width"] is None:
            kind = "audio"
        same = self._client.store.admit(path, kind, ref.get("audio_track"))["id"] == ref["id"]
        if same:
            self._admitted.add(ref["id"])
        return same

    async def receive(self, ref: MediaRef, content: bytes) -> None:
        """Stores a clip that this machine lacks; it comes through Ray's object store, once for each machine.

        Raises:
            MediaError: The content is not that of the reference.
        """
        await asyncio.to_thread(self._receive, ref, content)

    def _receive(self, ref: MediaRef, content: bytes) -> None:
        path = self._copy_path(ref)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{self._name}.part")
        partial.write_bytes(content)
        os.replace(partial, path)
        if not self._admit_file(path, ref):
            raise MediaError(f"{display_name(ref['name'])} arrived changed on {self._name}: run the command again")

    def _copy_path(self, ref: MediaRef) -> Path:
        return self._folder / "clips" / ref["id"] / f"clip{Path(ref['name']).suffix}"

    def _ledger(self, run: str) -> CallLedger:
        if run not in self._ledgers:
            # One file for all actors of a machine: what one stored before it died, another finds.
            path = self._folder / run / f"{socket.gethostname()}.sqlite"
            self._ledgers[run] = CallLedger(path, max_tries=ONE_TRY)
        return self._ledgers[run]

    async def paid_calls(self, run: str) -> list[LedgerRow]:
        """The replies of a run that were stored on this machine, by any actor."""
        return await asyncio.to_thread(self._paid_calls, run)

    def _paid_calls(self, run: str) -> list[LedgerRow]:
        found = []
        for path in sorted((self._folder / run).glob("*.sqlite")):
            ledger = CallLedger(path)
            found += ledger.export_calls()
            ledger.close()
        return found

    async def forget(self, run: str) -> None:
        """Deletes the stored replies of a run, which its run file holds by now."""
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()
        await asyncio.to_thread(shutil.rmtree, self._folder / run, ignore_errors=True)


def compared_versions() -> dict[str, str]:
    """Versions of packages that may change a reply, and hashes of the texts that models read."""
    found = installed_versions()
    hashes = {f"prompt {name}": value for name, value in prompts.prompt_hashes().items()}
    return {name: found[name] for name in COMPARED_VERSIONS if name in found} | hashes
