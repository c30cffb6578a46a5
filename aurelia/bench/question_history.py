"""One question of a run file in the form of a saved thread's trace (`aurelia.run.history`).

A run file has the seconds and the cost of an attempt and of its feedback, not of each node. Those of generator,
summarizer and evaluator together are shown at the evaluator, the last of them; those of the other nodes are null.
"""

from functools import reduce
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import without_feedback
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.run.history import NodeTrace, ThreadTrace
from aurelia_core.errors import InputError
from aurelia_core.suggestions import suggest_name
from aurelia_core.types import add_usage
from graph.build import AGENTS
from state.schema import Attempt


def read_question_history(path: Path, record: str) -> ThreadTrace:
    """Reads a question's latest repetition in both arms.

    Args:
        path: Run file.
        record: Id of the record.

    Raises:
        InputError: There is no such file or record, or the question has no outcome yet.
    """
    with RunFile.open(path) as run:
        ids = [one.id for one in run.records()]
        if record not in ids:
            remedy = "check its id"
            if len(ids) < 10_000:
                remedy = suggest_name(record, ids)
            raise InputError(f"{path.name} holds no record {record!r}; {remedy}"[:300])
        question = run.record(record)
        found = {outcome.arm: outcome for outcome in run.outcomes() if outcome.record == record}
    if not found:
        raise InputError(f"Record {record!r} of {path.name} has no outcome yet: resume the run with bench run.")
    aurelia = found.get("aurelia")
    zero_shot = found.get("zero_shot")
    loop: dict[str, Any] = (aurelia and aurelia.result) or {}
    result = loop or (zero_shot and zero_shot.result) or {}
    attempts: list[Attempt] = loop.get("iterations") or []
    nodes = [node for attempt in attempts for node in _attempt_nodes(attempt)]
    nodes += [_answer_node(outcome) for outcome in (aurelia, zero_shot) if outcome]
    answer: str | None = None
    choice: str | None = None
    zero_shot_answer: str | None = None
    if aurelia:
        answer = aurelia.answer
        choice = aurelia.choice
    if zero_shot:
        zero_shot_answer = zero_shot.answer
    failures = [f"{outcome.arm}: {outcome.error}" for outcome in found.values() if outcome.state == "failed"]
    status = "done"
    if failures:
        status = f"failed in {'; '.join(failures)}"
    return {
        "thread": f"{path.name} {record}",
        "stands": status,
        "question": question.question,
        "choices": list(question.choices),
        "clip": (result.get("clip") or {}).get("id"),
        "models": result.get("models") or {},
        "attempts": len(attempts),
        "answer": answer,
        "choice": choice,
        "zero_shot_answer": zero_shot_answer,
        "score": loop.get("score"),
        "best_iteration": loop.get("best_iteration"),
        "stop_reason": loop.get("stop_reason"),
        "usage": reduce(add_usage, (outcome.usage for outcome in found.values())),
        "warnings": result.get("warnings") or [],
        "nodes": nodes,
        "elsewhere": 0,
        "pruned": False,
    }


def _attempt_nodes(attempt: Attempt) -> list[NodeTrace]:
    nodes = []
    for agent in AGENTS:
        text = agent.text(attempt)
        if agent.in_attempt and (text or agent.node == "evaluator"):
            nodes.append(_make_node(agent.node, attempt["iteration"], text))
    for node in nodes:
        if node["node"] == "evaluator":
            own = without_feedback(attempt)
            node["score"] = own["score"]
            node["seconds"] = own["seconds"]
            node["usage"] = own["usage"]
        if node["node"] == "feedback":
            node["seconds"] = attempt.get("feedback_seconds")
            node["usage"] = attempt.get("feedback_usage")
    return nodes


def _answer_node(outcome: Outcome) -> NodeTrace:
    name = "zero_shot"
    if outcome.arm == "aurelia":
        name = "target_model"
    node = _make_node(name, None, outcome.answer or outcome.error)
    if outcome.state == "failed":
        node["state"] = "failed"
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
