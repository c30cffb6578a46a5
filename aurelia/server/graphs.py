"""The graphs that a LangGraph server loads (`langgraph.json`), with the form that Studio draws.

Beside the graph itself: edited prompts, profiles and target rows are read anew at each run; `profile` takes effect; a
run cannot use a model that is not served here, whatever its thread has stored; the published schemas suggest what can
be entered here and now (clips of the sender, models that can run, the text of each prompt).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph_sdk.runtime import ServerRuntime

import prompts
import targets
from aurelia import profiles
from aurelia.server.clip_owners import ClipOwners
from aurelia.server.models import runnable_models
from aurelia.server.tokens import access_rules
from aurelia.server.validation import GIVEN_KEY, check_models
from aurelia_core.models.client import ModelClient
from graph.build import build_graph, build_zero_shot
from graph.compiled import AureliaGraph
from graph.tracing import configure_tracing
from state.context import EDITABLE_PROMPTS, ROLES, Context, make_context

_ZERO_SHOT_NODES = {"prepare", "describer", "zero_shot"}
_NOT_ZERO_SHOT = {"compare"}
_suggested: ContextVar[Mapping[str, list[str]] | None] = ContextVar("suggested", default=None)


class ServedGraph(AureliaGraph):
    """The graph as a server runs it."""

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, *, context: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        """Run the graph with texts that are read anew, and with the settings of a profile that is named.

        Raises:
            InputError: a setting cannot be used; see `AureliaGraph.astream` for more.
        """
        await asyncio.to_thread(_reload_texts)
        settings = context if isinstance(context, Context) else make_context(dict(context or {}))
        settings = await asyncio.to_thread(profiles.with_profile, settings)
        check_models(settings, access_rules().models)
        async for part in super().astream(input, config, context=settings, **options):
            yield part

    async def _continued(self, given: Context, config: RunnableConfig) -> Context:
        settings = await super()._continued(given, config)
        # A person may have written the stored settings, and the operator may have changed the list of models.
        check_models(settings, access_rules().models)
        return settings

    def given_again(self, given: Context, config: RunnableConfig, stored: Mapping[str, Any]) -> Context:
        """Without the settings of the assistant, if the thread already runs with that assistant."""
        metadata = config.get("metadata") or {}
        named = metadata.get(GIVEN_KEY)
        if named is None or metadata.get("assistant_id") != stored.get("assistant_id"):
            return given
        return make_context(given.model_dump(include=given.model_fields_set & _with_profile_fields(named, given)))

    def get_input_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """The form of a question, with the sender's clips as examples."""
        schema = super().get_input_jsonschema(config)
        suggested = _suggested.get() or {}
        for name in ("video", "audio"):
            if examples := suggested.get(name):
                field = schema["properties"][name]
                field.get("items", field)["examples"] = examples
        return schema

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """The form of the settings: only those that the graph reads, with examples of what can be entered here."""
        schema = super().get_context_jsonschema() or {"properties": {}}
        fields = {name: dict(field) for name, field in schema["properties"].items() if self._reads(name, field)}
        suggested = _suggested.get() or {}
        for name, field in fields.items():
            kind = "model" if name.removesuffix("_fallback") in ROLES else name
            if examples := suggested.get(kind):
                field["examples"] = examples
        return {**schema, "properties": fields}

    def _reads(self, name: str, field: Mapping[str, Any]) -> bool:
        if self.name != "zero_shot":
            return True
        return name not in _NOT_ZERO_SHOT and bool(_ZERO_SHOT_NODES & set(field.get("langgraph_nodes", ())))


def _with_profile_fields(named: list[str], given: Context) -> set[str]:
    """The fields that a request gave: those that it names, and those of the profile that it names."""
    if "profile" in named and given.profile in profiles.profile_names():
        return {*named, *profiles.read_profile(given.profile)}
    return set(named)


def _reload_texts() -> None:
    """Reads prompts and target rows anew, in a thread: the event loop must not wait for a disk."""
    prompts.reload_prompts()
    targets.reload_target_rows()
    for name in prompts.PROMPT_NAMES:
        prompts.load_prompt(name)
    targets.target_rows()


def _suggestions(owner: str) -> dict[str, list[str]]:
    """What can be entered here: clips of an owner, models that can run, profiles, and the text of each prompt."""
    _reload_texts()
    clips = ClipOwners(client.store).usable_clips(owner)
    texts = {f"{name}_prompt": [prompts.load_prompt(name)] for name in EDITABLE_PROMPTS}
    names = {kind: [clip["video"] for clip in clips if clip["kind"] == kind] for kind in ("video", "audio")}
    return {**texts, **names, "model": runnable_models(access_rules().models), "profile": profiles.profile_names()}


async def _for_caller(graph: ServedGraph, runtime: ServerRuntime[Context]) -> ServedGraph:
    if runtime.access_context == "assistants.read" and runtime.user is not None:
        _suggested.set(await asyncio.to_thread(_suggestions, runtime.user.identity))
    return graph


configure_tracing()
client = ModelClient()
_graph = cast(ServedGraph, ServedGraph.of(build_graph(client=client)))
_zero_shot = cast(ServedGraph, ServedGraph.of(build_zero_shot(client)))


async def aurelia(runtime: ServerRuntime[Context]) -> ServedGraph:
    """The graph, for one request."""
    return await _for_caller(_graph, runtime)


async def zero_shot(runtime: ServerRuntime[Context]) -> ServedGraph:
    """The target alone, for one request."""
    return await _for_caller(_zero_shot, runtime)
