"""What a kept thread did, read from its checkpoints: the tree that a trace shows, as plain data. No network, no model.

It shows the last question of the thread, along the line of checkpoints that leads to where the thread stands now.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from langgraph.types import PregelTask, StateSnapshot
from typing_extensions import TypedDict

from aurelia.run.threads import thread_config
from aurelia_core.errors import InputError
from aurelia_core.types import Role, Usage
from graph.build import AGENTS, AureliaGraph

_AGENTS = {agent.node: agent for agent in AGENTS}


class Node(TypedDict):
    """One run of one node.

    `seconds` are its calls' own, as the result counts them, where it has them; else the time until its checkpoint,
    which is null for a review, as a person's time is nobody's cost. `text` is what it said, `state` one of done,
    waiting (for a person), failed, due.
    """

    node: str
    attempt: int | None
    state: str
    seconds: float | None
    score: int | None
    text: str | None
    usage: Usage | None


class Told(TypedDict):
    """A thread's last question: what came of it, and its nodes in order; `elsewhere` counts checkpoints off the line.

    `stands` is done, waiting for a review, or stopped before (or failed in) the nodes named.
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
    nodes: list[Node]
    elsewhere: int


async def told(graph: AureliaGraph, thread: str) -> Told:
    """Reads a thread.

    Raises:
        InputError: there is no such thread.
    """
    states = [state async for state in graph.aget_state_history(thread_config(graph, thread))]
    if not states:
        raise InputError(f"There is no thread {thread!r} here: aurelia ask --thread {thread} keeps one.")
    line = _line(states)
    values: Any = line[-1].values
    return {
        "thread": thread,
        "stands": _stands(line[-1]),
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
        "nodes": [node for place, state in enumerate(line) for node in _nodes(state, _time(line, place + 1))],
        "elsewhere": len(states) - len(line),
    }


def _line(states: list[StateSnapshot]) -> list[StateSnapshot]:
    """From the newest checkpoint back to the question that it belongs to, in order of time."""
    by_id = {_id(state.config): state for state in states}
    line = [states[0]]
    while "__start__" not in line[-1].next and line[-1].parent_config:
        line.append(by_id[_id(line[-1].parent_config)])
    return line[::-1]


def _id(config: Any) -> str:
    return str(config["configurable"]["checkpoint_id"])


def _time(line: list[StateSnapshot], place: int) -> datetime | None:
    made = line[place].created_at if place < len(line) else None
    return datetime.fromisoformat(made) if made else None


def _stands(last: StateSnapshot) -> str:
    failed = [task.name for task in last.tasks if _fault(task)]
    if failed:
        return f"failed in {', '.join(failed)}"
    if last.interrupts:
        return "waiting for a review"
    return f"stopped before {', '.join(last.next)}" if last.next else "done"


def _nodes(state: StateSnapshot, ended: datetime | None) -> list[Node]:
    began = datetime.fromisoformat(state.created_at) if state.created_at else None
    took = (ended - began).total_seconds() if began and ended else None
    return [_node(task, state, took) for task in state.tasks if task.name != "__start__"]


def _node(task: PregelTask, state: StateSnapshot, took: float | None) -> Node:
    update: Mapping[str, Any] = task.result if isinstance(task.result, Mapping) else {}
    part = (update.get("iterations") or [{}])[0]
    own = part.get("seconds", update.get("seconds"))
    done = took is not None or bool(update)
    fault = _fault(task)
    waits = "failed" if fault else "waiting" if task.interrupts else "due"
    return {
        "node": task.name,
        "attempt": _attempt(task.name, state),
        "state": "done" if done else waits,
        "seconds": own if own is not None or task.name == "review" else took,
        "score": part.get("score", update.get("score")),
        "text": fault if fault and not done else _text(task.name, update, part),
        "usage": part.get("usage", update.get("usage")),
    }


def _fault(task: PregelTask) -> str | None:
    """Why a node failed; one that was stopped, by Ctrl-C or because another one failed, did not fail itself."""
    said = str(task.error) if task.error else ""
    return None if said.startswith("CancelledError") else said or None


def _attempt(node: str, state: StateSnapshot) -> int | None:
    made = len(state.values.get("iterations") or [])
    if node == "reasoning_generator":
        return made + 1
    in_attempt = node == "review" or (node in _AGENTS and _AGENTS[node].in_attempt)
    return made if in_attempt else None


def _text(node: str, update: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
    """The words of a node."""
    if part.get("error"):
        return str(part["error"])
    if node == "review":
        return _decided(update, part)
    agent = _AGENTS.get(node)
    return agent.text({**update, **part}) if agent else None


def _decided(update: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
    if update.get("edited"):
        return "edited"
    return f"try again: {part['feedback']}" if part else "accepted"
