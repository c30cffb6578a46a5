"""Read what a stored thread did from its checkpoints: the tree of a trace as plain data, without network or model.

The trace covers the last question of the thread: the chain of checkpoints that ends at the thread's newest one.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from itertools import zip_longest
from typing import Any

from langgraph.types import PregelTask, StateSnapshot
from typing_extensions import TypedDict

from aurelia.run.threads import thread_config
from aurelia_core.errors import InputError
from aurelia_core.types import NO_USAGE, Role, Usage, add_usage
from graph.build import AGENTS
from graph.compiled import AureliaGraph
from state.attempts import current_round

_AGENTS = {agent.node: agent for agent in AGENTS}


class NodeTrace(TypedDict):
    """One run of one node.

    `seconds` is the duration of its model calls, as the result counts it; without calls, the time until its checkpoint;
    null for a review, whose time is a person's. `text` is what the node produced, in words. `state` is one of done,
    waiting (for a person), failed, due.
    """

    node: str
    attempt: int | None
    state: str
    seconds: float | None
    score: int | None
    text: str | None
    usage: Usage | None


class ThreadTrace(TypedDict):
    """The last question of a thread: its outcome, and its nodes in order.

    `stands` is the status: done, waiting for a review, or stopped before (or failed in) the nodes that it names.
    `elsewhere` counts the checkpoints of earlier questions and of forks. `pruned`: the first checkpoints of the
    question were deleted, so `nodes` begins in its middle; the outcome is complete.
    """

    thread: str
    stands: str
    question: str | None
    choices: list[str]
    clip: str | None
    models: dict[Role, str]
    attempts: int
    answer: str | None
    choice: str | None
    zero_shot_answer: str | None
    score: int | None
    best_iteration: int | None
    stop_reason: str | None
    usage: Usage | None
    warnings: list[str]
    nodes: list[NodeTrace]
    elsewhere: int
    pruned: bool


async def read_thread(graph: AureliaGraph, thread: str) -> ThreadTrace:
    """Read the trace of a thread.

    Raises:
        InputError: there is no such thread.
    """
    states = [state async for state in graph.aget_state_history(thread_config(graph, thread))]
    if not states:
        raise InputError(f"There is no thread {thread!r} here: aurelia ask --thread {thread} stores one.")
    line = _checkpoint_line(states)
    nodes: list[NodeTrace] = []
    for state, later in zip_longest(line, line[1:]):
        nodes += _node_traces(state, later)
    values: Any = line[-1].values
    return {
        "thread": thread,
        "stands": _status(line[-1]),
        "question": values.get("question"),
        "choices": values.get("choices") or [],
        "clip": (values.get("clip") or {}).get("id"),
        "models": values.get("models") or {},
        "attempts": len(values.get("iterations") or []),
        "answer": values.get("answer"),
        "choice": values.get("choice"),
        "zero_shot_answer": values.get("zero_shot_answer"),
        "score": values.get("score"),
        "best_iteration": values.get("best_iteration"),
        "stop_reason": values.get("stop_reason"),
        "usage": values.get("usage"),
        "warnings": values.get("warnings") or [],
        "nodes": nodes,
        "elsewhere": len(states) - len(line),
        "pruned": _is_pruned(line),
    }


def _checkpoint_line(states: list[StateSnapshot]) -> list[StateSnapshot]:
    """The checkpoints from the start of the last question, as far as they are left, to the newest one, in order."""
    by_id = {_checkpoint_id(state.config): state for state in states}
    line = [states[0]]
    while "__start__" not in line[-1].next and line[-1].parent_config:
        parent = by_id.get(_checkpoint_id(line[-1].parent_config))
        if parent is None:
            break
        line.append(parent)
    return line[::-1]


def _is_pruned(line: list[StateSnapshot]) -> bool:
    """Whether checkpoints before these were deleted: the first one names a parent that is not there."""
    return "__start__" not in line[0].next and line[0].parent_config is not None


def _checkpoint_id(config: Any) -> str:
    return str(config["configurable"]["checkpoint_id"])


def _status(last: StateSnapshot) -> str:
    failed = [task.name for task in last.tasks if _task_error(task)]
    if failed:
        return f"failed in {', '.join(failed)}"
    if last.interrupts:
        return "waiting for a review"
    if last.next:
        return f"stopped before {', '.join(last.next)}"
    return "done"


def _node_traces(state: StateSnapshot, later: StateSnapshot | None) -> list[NodeTrace]:
    """The nodes that ran between two checkpoints; `later` None: those that did not end."""
    took = None
    if later is not None and state.created_at and later.created_at:
        took = (datetime.fromisoformat(later.created_at) - datetime.fromisoformat(state.created_at)).total_seconds()
    return [_node_trace(task, state, took) for task in state.tasks if task.name != "__start__"]


def _node_trace(task: PregelTask, state: StateSnapshot, took: float | None) -> NodeTrace:
    update: Mapping[str, Any] = {}
    if isinstance(task.result, Mapping):
        update = task.result
    parts = update.get("iterations") or [{}]
    part = _one_part(parts)
    done = took is not None or bool(update)
    text = "; ".join(filter(None, (_text(task.name, update, one) for one in parts))) or None
    if not done:
        text = _task_error(task) or text
    seconds = part.get("seconds", update.get("seconds"))
    if seconds is None and task.name != "review":
        seconds = took
    return {
        "node": task.name,
        "attempt": _attempt(task.name, state),
        "state": _task_state(task, done),
        "seconds": seconds,
        "score": part.get("score", update.get("score")),
        "text": text,
        "usage": part.get("usage", update.get("usage")),
    }


def _one_part(parts: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a node said of its attempts as one: of candidates the longest time, the best score and the whole cost."""
    if len(parts) == 1:
        return parts[0]
    scores = [part["score"] for part in parts if part.get("score") is not None]
    return {
        "seconds": max(part.get("seconds", 0.0) for part in parts),
        "usage": reduce(add_usage, (part.get("usage", NO_USAGE) for part in parts)),
        **({"score": max(scores)} if scores else {}),
    }


def _task_state(task: PregelTask, done: bool) -> str:
    if done:
        return "done"
    if _task_error(task):
        return "failed"
    if task.interrupts:
        return "waiting"
    return "due"


def _task_error(task: PregelTask) -> str | None:
    """Why a node failed; None for one that was cancelled, by Ctrl-C or because another node failed."""
    message = str(task.error or "")
    if message.startswith("CancelledError"):
        return None
    return message or None


def _attempt(node: str, state: StateSnapshot) -> int | None:
    made = len(state.values.get("iterations") or [])
    if node == "reasoning_generator":
        return made + 1
    if node == "review":
        return made
    if node in _AGENTS and _AGENTS[node].in_attempt:
        return made - len(current_round(state.values.get("iterations") or [])) + 1 if made else made
    return None


def _text(node: str, update: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
    """The words of a node."""
    if part.get("error"):
        return str(part["error"])
    if node == "review":
        return _review_text(update, part)
    if node not in _AGENTS:
        return None
    return _AGENTS[node].text({**update, **part})


def _review_text(update: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
    if update.get("edited"):
        return "edited"
    if part:
        return f"try again: {part['feedback']}"
    return "accepted"
