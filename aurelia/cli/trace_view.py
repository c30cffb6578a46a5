"""Render a stored thread for the terminal: its outcome, then one line per node."""

from collections.abc import Mapping
from typing import Any

from aurelia_core.sanitize import escape_invisible

TRACE_WIDTH = 110


def render_trace(told: Mapping[str, Any]) -> str:
    """A thread as a tree, each line cut at WIDTH letters.

    Args:
        told: what `aurelia.run.history` says of it.
    """
    nodes = told["nodes"]
    marks = ["├─"] * (len(nodes) - 1) + ["└─"] if nodes else []
    shown = [*_header(told), *(f"{mark} {_node(node)}" for mark, node in zip(marks, nodes, strict=True))]
    shown += [f"Note: {warning}" for warning in told["warnings"]]
    if told["elsewhere"]:
        shown.append(f"{told['elsewhere']} checkpoints more: earlier questions, or forks.")
    return "\n".join(_cut(escape_invisible(line)) for line in shown)


def _header(told: Mapping[str, Any]) -> list[str]:
    clip = f"  [{told['clip'][:12]}]" if told["clip"] else ""
    choices = f"  ({' | '.join(told['choices'])})" if told["choices"] else ""
    models = ", ".join(f"{spec} ({', '.join(roles)})" for spec, roles in _by_model(told["models"]).items())
    return [
        f"{told['thread']}: {told['question'] or 'no question yet'}{choices}{clip}",
        f"  {_outcome(told)}",
        f"  {models or 'no models yet'}; {_bill(told['usage'])}",
    ]


def _outcome(told: Mapping[str, Any]) -> str:
    if told["stands"] != "done":
        return f"{told['stands']}, after {_count(told['attempts'], 'attempt')}"
    best = f"attempt {told['best_iteration']}, {told['score']}/10" if told["best_iteration"] else "no scored reasoning"
    beside = f"; zero-shot: {told['zero_shot_answer']}" if told["zero_shot_answer"] else ""
    return f"answer: {told['answer']} ({best}, stopped by {told['stop_reason']}){beside}"


def _by_model(models: Mapping[str, str]) -> dict[str, list[str]]:
    by_model: dict[str, list[str]] = {}
    for role, spec in models.items():
        by_model.setdefault(spec, []).append(role)
    return by_model


def _bill(usage: Mapping[str, Any] | None) -> str:
    if not usage or not usage["calls"]:
        return "nothing paid"
    cost = "unknown" if usage["cost_usd"] is None else f"${usage['cost_usd']:.4f}"
    return f"{_count(usage['calls'], 'call')}, cost {cost}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _node(node: Mapping[str, Any]) -> str:
    name = f"{node['node']} {node['attempt']}" if node["attempt"] else node["node"]
    seconds = "" if node["seconds"] is None else f"{node['seconds']:.1f} s"
    score = "" if node["score"] is None or node["node"] != "evaluator" else f"{node['score']}/10"
    said = " ".join((node["text"] or "").split())
    state = "" if node["state"] == "done" else f"[{node['state']}] "
    return f"{name:<22}{seconds:>8}  {score:>5}  {state}{said}".rstrip()


def _cut(line: str) -> str:
    return line if len(line) <= TRACE_WIDTH else f"{line[: TRACE_WIDTH - 1]}…"
