"""The compiled graph: whose settings a run has, its limit of steps, and calls from synchronous code.

Settings belong to the thread: a run that continues one (without input, or with a Command: a resume, a fork, time
travel) goes on with the thread's settings, and what it is given overrides them field by field. They are read from the
state, or from the metadata of a checkpoint that is older than its question's first node.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, NoReturn, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from aurelia_core.background_loop import run_sync
from aurelia_core.errors import InputError
from prompts import check_prompts
from state.context import Context, changed_settings, continued_settings, make_context
from state.schema import Input, Output, State

SETTINGS_KEY = "aurelia_settings"
"""Key of a run's settings (JSON) in the metadata of its checkpoints."""
LAST_STEPS = 2
"""Steps after the loop: the review and the target."""
MIN_RECURSION_LIMIT = 8
"""Steps of the shortest complete run: prepare, describer, one attempt, review, target, and one to notice the end."""
_REVIEW_NEEDS_THREAD = (
    "A run with a review pauses, so it needs a stored thread: give a checkpointer and a thread's name."
)


class AureliaGraph(CompiledStateGraph[State, Context, Input, Output]):
    """The compiled graph. Its nodes are asynchronous; `invoke` runs them on an event loop of its own thread."""

    @classmethod
    def of(cls, graph: CompiledStateGraph[State, Context, Input, Output]) -> "AureliaGraph":
        """Turn what `StateGraph.compile` made into this class."""
        graph.__class__ = cls
        return cast("AureliaGraph", graph)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Run the graph as `ainvoke` does, from synchronous code."""
        return run_sync(self.ainvoke(*args, **kwargs))

    def bulk_update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Write a thread's state as `abulk_update_state` does; `update_state` comes through here."""
        return run_sync(self.abulk_update_state(*args, **kwargs))

    def stream(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: the graph streams asynchronously.

        Raises:
            InputError: always; it names the calls to use instead.
        """
        raise InputError(
            "This graph streams asynchronously: use graph.astream(...), or graph.invoke(...) for the result."
        )

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, *, context: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        """Run the graph and stream it as LangGraph does; every other way to run it comes through here.

        Args:
            input: a question; or None or a Command, to continue the thread that `config` names.
            config: LangGraph's config.
            context: the settings of the run, as `Context` or as a mapping. For a thread that is continued only the
                fields that are given explicitly count.
            options: further arguments of LangGraph's `astream`.

        Raises:
            InputError: a setting or an edited prompt cannot be used, a review is wanted without a stored thread, or the
                limit of steps is too small for an answer.
            AureliaError: a node did not end within its time limit (`graph.build`).
        """
        run_config: RunnableConfig = {**(config or {})}
        _check_steps(run_config)
        settings = _as_context(context)
        if input is None or isinstance(input, Command):
            settings = await self._continued(settings, run_config)
        if settings.review != "none" and self.checkpointer is None:
            raise InputError(_REVIEW_NEEDS_THREAD)
        check_prompts(settings.edited_prompts())
        run_config["metadata"] = {**(run_config.get("metadata") or {}), **_settings_metadata(settings)}
        stream: Any = super().astream(input, run_config, context=settings, **options)
        async with aclosing(stream):
            async for part in stream:
                yield part

    async def _continued(self, given: Context, config: RunnableConfig) -> Context:
        """The thread's settings, overridden by what is given.

        Raises:
            InputError: a stored setting cannot be used any more.
        """
        if not isinstance(self.checkpointer, BaseCheckpointSaver):
            return given
        held = await self.aget_state(config)
        return continued_settings(stored_settings(held), self.given_again(given, config, held.metadata or {}))

    def given_again(self, given: Context, config: RunnableConfig, stored: Mapping[str, Any]) -> Context:
        """What a run that continues a thread is given anew: here everything that is set explicitly.

        Args:
            given: the settings that the run came with.
            config: the run's config.
            stored: the metadata of the checkpoint that the run continues.
        """
        return given


def stored_settings(held: StateSnapshot) -> dict[str, Any]:
    """The settings of the thread at a checkpoint: those that differ from the defaults."""
    values: Mapping[str, Any] = held.values
    before_question = not values.get("run") or bool({"prepare", "__start__"} & set(held.next))
    metadata: Mapping[str, Any] = held.metadata or {}
    if before_question and SETTINGS_KEY in metadata:
        found: dict[str, Any] = json.loads(metadata[SETTINGS_KEY])
        return found
    return dict(values.get("settings") or {})


def _as_context(given: Any) -> Context:
    if isinstance(given, Context):
        return given
    return make_context(dict(given or {}))


def _settings_metadata(settings: Context) -> dict[str, str]:
    changed = changed_settings(settings)
    return {SETTINGS_KEY: json.dumps(changed)} if changed else {}


def _check_steps(config: RunnableConfig) -> None:
    limit = config.get("recursion_limit")
    if limit is not None and limit < MIN_RECURSION_LIMIT:
        raise InputError(
            f"The recursion_limit of {limit} is too small for an answer: give at least {MIN_RECURSION_LIMIT}."
        )
