"""Resume the interrupted run of a thread, and find the checkpoint to fork from. No node runs here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import id as ids
from langgraph.types import StateSnapshot

from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import Media
from graph.build import AureliaGraph
from nodes.prepare import admit_media, check_question
from state.events import ResumeEvent
from state.schema import Input

MAX_THREAD_NAME = 200
Reviewer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Receives what a run pauses with, and returns the person's decision (`nodes.review`)."""


def thread_config(graph: AureliaGraph, thread: str) -> RunnableConfig:
    """The config that names a thread.

    Raises:
        InputError: the name cannot be used, or the graph has no checkpointer.
    """
    if not thread.strip() or len(thread) > MAX_THREAD_NAME or not thread.isprintable():
        raise InputError(f"A thread's name has 1 to {MAX_THREAD_NAME} printable characters: give another name.")
    if graph.checkpointer is None:
        raise InputError(f"Thread {thread!r} cannot be stored: give a checkpointer with it.")
    return {"configurable": {"thread_id": thread}}


async def find_stopped_run(
    graph: AureliaGraph, thread: str, question: Input, client: ModelClient | None
) -> StateSnapshot | None:
    """The state in which the run of this question was interrupted; None if the thread has no unfinished run.

    Args:
        graph: a graph with a checkpointer.
        thread: the thread's name.
        question: the question.
        client: admits the media, which are then compared by content (default: compared by name).

    Raises:
        InputError: the thread was interrupted in another question, or this question cannot be used.
    """
    state = await graph.aget_state(thread_config(graph, thread))
    held: Any = state.values
    _advance_clock_past(state)
    if not state.next or state.next[0] in ("__start__", "prepare") or not held.get("run"):
        return None
    asked = check_question(question)
    same = held["question"] == asked.question and held["choices"] == asked.choices
    if client is None:
        names = (held.get("video"), held.get("images") or [], held.get("audio") or [])
        same = same and names == (question.get("video"), asked.images, asked.audio)
    else:
        known = Media(held["clip"], held.get("pictures") or [], held["tracks"])
        found = await asyncio.to_thread(admit_media, client.store, *asked.media)
        same = same and [one["id"] for one in known.refs] == [one["id"] for one in found.refs]
    if not same:
        raise InputError(
            f"Thread {thread!r} was interrupted in another question ({held['question'][:80]!r}):"
            " ask that question about the same clip to resume it, or name another thread."
        )
    return state


def _advance_clock_past(state: StateSnapshot) -> None:
    """Make the next checkpoint's id greater than this state's, even if the clock was set back since.

    A checkpoint's id is a time (UUID 6), and LangGraph takes the greatest id for the newest checkpoint.
    """
    if latest := (state.config.get("configurable") or {}).get("checkpoint_id"):
        value = UUID(latest).int
        time = (value >> 80) << 12 | value >> 64 & 0x0FFF
        clock: Any = ids
        clock._last_v6_timestamp = max(clock._last_v6_timestamp or 0, time)


def resumed_event(thread: str, state: StateSnapshot) -> ResumeEvent:
    """The event that the run of a thread is resumed."""
    done = len(state.values["iterations"])
    return {"event": "resumed", "thread": thread, "iterations": done, "next": list(state.next)}


async def config_before_verdict(graph: AureliaGraph, thread: str, attempt: int) -> RunnableConfig:
    """The config to fork a thread before the evaluation of `attempt`: `graph.ainvoke(None, config, context=...)`.

    The new context's threshold and target then apply. Earlier attempts stay, and the evaluator's verdict is already in
    the ledger, so that it costs nothing.

    Raises:
        InputError: the thread has no such attempt.
    """
    async for state in graph.aget_state_history(thread_config(graph, thread)):
        if "evaluator" in state.next and len(state.values["iterations"]) == attempt:
            return state.config
    raise InputError(f"Thread {thread!r} has no attempt {attempt} to fork from.")
