"""Kept threads: going on with a run that was stopped, and forking from an attempt. It runs no node itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import id as ids
from langgraph.types import StateSnapshot

from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from graph.build import AureliaGraph
from nodes.prepare import check_question
from state.events import ResumeEvent
from state.schema import Input

MAX_THREAD_NAME = 200
Reviewer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Shown what a run pauses with, answers what a person decided (`nodes.review`)."""


def thread_config(graph: AureliaGraph, thread: str) -> RunnableConfig:
    """The config that names a thread.

    Raises:
        InputError: its name cannot be used, or nothing keeps the graph's threads.
    """
    if not thread.strip() or len(thread) > MAX_THREAD_NAME or not thread.isprintable():
        raise InputError(f"A thread's name is a text of 1 to {MAX_THREAD_NAME} letters: give it another.")
    if graph.checkpointer is None:
        raise InputError(f"Thread {thread!r} cannot be kept: give a checkpointer with it.")
    return {"configurable": {"thread_id": thread}}


async def find_stopped_run(
    graph: AureliaGraph, thread: str, question: Input, desk: ModelClient | None
) -> StateSnapshot | None:
    """The state that a thread was stopped in, if that was in the middle of this very question; else None.

    Args:
        graph: a graph with a checkpointer.
        thread: the thread's name.
        question: what is asked.
        desk: admits the media, so that they are compared by content, and known to who goes on (default: by name).

    Raises:
        InputError: the thread was stopped in the middle of another question, or this one cannot be used.
    """
    state = await graph.aget_state(thread_config(graph, thread))
    held: Any = state.values
    _advance_clock_past(state)
    if not state.next or state.next[0] in ("__start__", "prepare") or not held.get("run"):
        return None
    text, choices, audio = check_question(question)
    same = held["question"] == text and held["choices"] == choices
    if desk is None:
        same = same and (held["video"], held.get("audio") or []) == (question["video"], audio)
    else:
        clip = await asyncio.to_thread(desk.store.admit, question["video"])
        tracks = [await asyncio.to_thread(desk.store.admit, name, kind="audio") for name in audio]
        known = [one["id"] for one in (held["clip"], *held["tracks"])]
        same = same and known == [one["id"] for one in (clip, *tracks)]
    if not same:
        raise InputError(
            f"Thread {thread!r} was stopped in the middle of another question ({held['question'][:80]!r}):"
            " ask that one, of the same clip, to go on with it, or name another thread."
        )
    return state


def _advance_clock_past(state: StateSnapshot) -> None:
    """Sees to it that what is kept next stands behind this state, also where the clock has gone back since.

    A checkpoint's id is a time (UUID 6), and the latest id is where a thread stands.
    """
    if latest := (state.config.get("configurable") or {}).get("checkpoint_id"):
        value = UUID(latest).int
        time = (value >> 80) << 12 | value >> 64 & 0x0FFF
        clock: Any = ids
        clock._last_v6_timestamp = max(clock._last_v6_timestamp or 0, time)


def resumed_event(thread: str, state: StateSnapshot) -> ResumeEvent:
    """The event that a thread goes on."""
    done = len(state.values["iterations"])
    return {"event": "resumed", "thread": thread, "iterations": done, "next": list(state.next)}


async def config_before_verdict(graph: AureliaGraph, thread: str, attempt: int) -> RunnableConfig:
    """Where to fork a thread so that `attempt` is weighed anew: `graph.ainvoke(None, config, context=...)`.

    The router decides with the threshold of that context, and the target is that context's; all that came before is
    kept, and the evaluator's verdict is in the ledger already.

    Raises:
        InputError: the thread has no such attempt.
    """
    async for state in graph.aget_state_history(thread_config(graph, thread)):
        if "evaluator" in state.next and len(state.values["iterations"]) == attempt:
            return state.config
    raise InputError(f"Thread {thread!r} has no attempt {attempt} to fork from.")
