"""Resume the interrupted run of a thread, and find the checkpoint to fork from. No node runs here."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import Media
from graph.compiled import AureliaGraph
from nodes.prepare import admit_media, check_question
from state.events import ResumeEvent
from state.schema import Input

MAX_THREAD_NAME = 200
MAX_CLOCK_WAIT_SECONDS = 5.0
"""Longest wait for a clock that was set back, in seconds."""
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
        InputError: the thread was interrupted in another question after an attempt, this question cannot be used, or
            the clock was set back.
    """
    state = await graph.aget_state(thread_config(graph, thread))
    held: Any = state.values
    await _wait_for_clock(thread, state)
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
    ended = [attempt for attempt in held["iterations"] if attempt["score"] is not None or attempt["error"]]
    if not same and not ended:
        # Nothing is lost if another question takes the thread: the replies so far are in the ledger.
        return None
    if not same:
        raise InputError(
            f"Thread {thread!r} was interrupted in another question ({held['question'][:80]!r}):"
            " ask that question about the same clip to resume it, or name another thread."
        )
    return state


async def _wait_for_clock(thread: str, state: StateSnapshot) -> None:
    """Wait until the clock is later than this state: LangGraph takes the checkpoint of the latest time for the newest.

    Raises:
        InputError: the clock was set back by more than `MAX_CLOCK_WAIT_SECONDS`.
    """
    if state.created_at is None:
        return
    behind = datetime.fromisoformat(state.created_at).timestamp() - time.time_ns() / 1e9
    if behind > MAX_CLOCK_WAIT_SECONDS:
        raise InputError(
            f"The clock of this machine is {behind:.0f} s behind the last step of thread {thread!r}: set it right, or"
            " name another thread."
        )
    await asyncio.sleep(max(0.0, behind))


def resumed_event(thread: str, state: StateSnapshot) -> ResumeEvent:
    """The event that the run of a thread is resumed."""
    done = len(state.values["iterations"])
    return {"event": "resumed", "thread": thread, "iterations": done, "next": list(state.next)}


async def config_before_verdict(graph: AureliaGraph, thread: str, attempt: int) -> RunnableConfig:
    """The config to fork a thread before the evaluation of `attempt`: `graph.ainvoke(None, config, context=...)`.

    The settings of the thread apply, and those that the context gives explicitly override them. Earlier attempts stay,
    and the evaluator's verdict is already in the ledger, so that it costs nothing.

    Raises:
        InputError: the thread has no such attempt.
    """
    async for state in graph.aget_state_history(thread_config(graph, thread)):
        if "evaluator" in state.next and len(state.values["iterations"]) == attempt:
            return state.config
    raise InputError(f"Thread {thread!r} has no attempt {attempt} to fork from.")
