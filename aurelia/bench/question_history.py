"""One question of a run file as the tree that a kept thread shows (`aurelia.run.history`). It reads; it asks nothing.

A run file knows what an attempt and its feedback took, not each of its nodes: the seconds and the bill of generator,
summarizer and evaluator together stand with the evaluator, which ends them; those of the other nodes are null.
"""

from functools import reduce
from pathlib import Path
from typing import Any

from aurelia.bench.derive import without_feedback
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.run.history import NodeTrace, ThreadTrace
from aurelia_core.errors import InputError
from aurelia_core.suggestions import suggest_name
from aurelia_core.types import add_usage
from graph.build import AGENTS
from state.schema import Attempt


def read_question_history(path: Path, record: str) -> ThreadTrace:
    """Reads a question's latest repetition, both arms.

    Args:
        path: the run file.
        record: the record's id.

    Raises:
        InputError: there is no such file or record, or nothing has come of it yet.
    """
    with RunFile.open(path) as run:
        ids = [one.id for one in run.records()]
        if record not in ids:
            near = suggest_name(record, ids) if len(ids) < 10_000 else "check its id"
            raise InputError(f"{path.name} holds no record {record!r}; {near}"[:300])
        asked = run.record(record)
        found = {outcome.arm: outcome for outcome in run.outcomes() if outcome.record == record}
    if not found:
        raise InputError(f"Record {record!r} of {path.name} has not been asked yet: bench run goes on with it.")
    aurelia, alone = found.get("aurelia"), found.get("zero_shot")
    result: dict[str, Any] = (aurelia and aurelia.result) or {}
    kept = result or (alone and alone.result) or {}
    failed = [f"{outcome.arm}: {outcome.error}" for outcome in found.values() if outcome.state == "failed"]
    return {
        "thread": f"{path.name} {record}",
        "stands": f"failed in {'; '.join(failed)}" if failed else "done",
        "question": asked.question,
        "choices": list(asked.choices),
        "clip": (kept.get("clip") or {}).get("id"),
        "models": kept.get("models") or {},
        "attempts": len(result.get("iterations") or []),
        "answer": aurelia.answer if aurelia else None,
        "choice": aurelia.choice if aurelia else None,
        "zero_shot_answer": alone.answer if alone else None,
        "score": result.get("score"),
        "best_iteration": result.get("best_iteration"),
        "stop_reason": result.get("stop_reason"),
        "usage": reduce(add_usage, (outcome.usage for outcome in found.values())),
        "warnings": kept.get("warnings") or [],
        "nodes": [
            *(node for attempt in result.get("iterations") or [] for node in _attempt_nodes(attempt)),
            *(_answer_node(outcome) for outcome in (aurelia, alone) if outcome),
        ],
        "elsewhere": 0,
    }


def _attempt_nodes(attempt: Attempt) -> list[NodeTrace]:
    nodes = []
    for agent in AGENTS:
        text = agent.text(attempt)
        if agent.in_attempt and (text or agent.node == "evaluator"):
            nodes.append(_make_node(agent.node, attempt["iteration"], text))
    for node in nodes:
        if node["node"] == "evaluator":
            bare = without_feedback(attempt)
            node["score"], node["seconds"], node["usage"] = bare["score"], bare["seconds"], bare["usage"]
        if node["node"] == "feedback":
            node["seconds"], node["usage"] = attempt.get("feedback_seconds"), attempt.get("feedback_usage")
    return nodes


def _answer_node(outcome: Outcome) -> NodeTrace:
    node = _make_node(
        "target_model" if outcome.arm == "aurelia" else "zero_shot", None, outcome.answer or outcome.error
    )
    node["state"] = "done" if outcome.state == "answered" else "failed"
    return node


def _make_node(name: str, attempt: int | None, text: str | None) -> NodeTrace:
    return {
        "node": name,
        "attempt": attempt,
        "state": "done",
        "seconds": None,
        "score": None,
        "text": text,
        "usage": None,
    }
