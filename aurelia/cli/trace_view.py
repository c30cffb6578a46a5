"""Render a stored thread for the terminal: its outcome, then one line per node."""

from collections.abc import Mapping
from typing import Any

from aurelia.cli.text import cost_text, count_noun
from aurelia_core.sanitize import escape_invisible, shorten

TRACE_WIDTH = 110


def render_trace(trace: Mapping[str, Any]) -> str:
    """Render a thread as a tree; each line is cut at TRACE_WIDTH characters.

    Args:
        trace: a `ThreadTrace` (`aurelia.run.history`).
    """
    lines = _header(trace)
    lines += [f"├─ {_node(node)}" for node in trace["nodes"][:-1]]
    lines += [f"└─ {_node(node)}" for node in trace["nodes"][-1:]]
    lines += [f"Note: {warning}" for warning in trace["warnings"]]
    if trace["pruned"]:
        lines.append("Older checkpoints of this question were deleted: the nodes before these are not shown.")
    if trace["elsewhere"]:
        lines.append(f"{count_noun(trace['elsewhere'], 'more checkpoint')}: earlier questions, or forks.")
    return "\n".join(shorten(escape_invisible(line), TRACE_WIDTH) for line in lines)


def _header(trace: Mapping[str, Any]) -> list[str]:
    title = f"{trace['thread']}: {trace['question'] or 'no question yet'}"
    if trace["choices"]:
        title += f"  ({' | '.join(trace['choices'])})"
    if trace["clip"]:
        title += f"  [{trace['clip'][:12]}]"
    models = ", ".join(f"{model} ({', '.join(roles)})" for model, roles in _by_model(trace["models"]).items())
    return [title, f"  {_outcome(trace)}", f"  {models or 'no models yet'}; {_bill(trace['usage'])}"]


def _outcome(trace: Mapping[str, Any]) -> str:
    if trace["stands"] != "done":
        return f"{trace['stands']}, after {count_noun(trace['attempts'], 'attempt')}"
    best = "no scored reasoning"
    if trace["best_iteration"]:
        best = f"attempt {trace['best_iteration']}, {trace['score']}/10"
    outcome = f"answer: {trace['answer']} ({best}, stopped by {trace['stop_reason']})"
    if trace["zero_shot_answer"]:
        outcome += f"; zero-shot: {trace['zero_shot_answer']}"
    return outcome


def _by_model(models: Mapping[str, str]) -> dict[str, list[str]]:
    """The roles of each model."""
    by_model: dict[str, list[str]] = {}
    for role, model in models.items():
        by_model.setdefault(model, []).append(role)
    return by_model


def _bill(usage: Mapping[str, Any] | None) -> str:
    if not usage or not usage["calls"]:
        return "nothing paid"
    return f"{count_noun(usage['calls'], 'call')}, cost {cost_text(usage)}"


def _node(node: Mapping[str, Any]) -> str:
    name = node["node"]
    if node["attempt"]:
        name += f" {node['attempt']}"
    seconds = ""
    if node["seconds"] is not None:
        seconds = f"{node['seconds']:.1f} s"
    score = ""
    if node["score"] is not None and node["node"] == "evaluator":
        score = f"{node['score']}/10"
    text = " ".join((node["text"] or "").split())
    if node["state"] != "done":
        text = f"[{node['state']}] {text}"
    return f"{name:<22}{seconds:>8}  {score:>5}  {text}".rstrip()
