"""A run as a LangSmith data set with one experiment an arm: every example with the answer given and its scores.

The answers and scores are those of the run file; nothing is asked or scored here. Without a client the same evaluation
runs on this machine and nothing is sent.
"""

import contextlib
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langsmith import Client, evaluate
from langsmith.schemas import Example
from langsmith.utils import LangSmithError, LangSmithNotFoundError

from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore
from aurelia_core.errors import AureliaError

_EXAMPLE_NAMESPACE = uuid.UUID("6f1d4b86-0f0e-4f0f-9b8e-3a1f6c1e7a55")
_BATCH = 200
_FLUSH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """One arm's experiment: its name, how many examples it holds, and the mean of each score that could be told."""

    name: str
    arm: Arm
    rollout: int
    examples: int
    scores: Mapping[str, float]


def export_experiments(run: RunFile, client: Client | None) -> list[Experiment]:
    """Makes the data set where it is not there yet, and an experiment of every arm and rollout.

    Args:
        run: the run, scored.
        client: a LangSmith client; None keeps everything here.

    Raises:
        AureliaError: LangSmith refused, or cannot be reached.
    """
    records = list(run.records())
    dataset = f"aurelia-{str(run.meta.get('records_sha256'))[:12]}"
    examples = [_make_example(record, dataset) for record in records]
    marks: dict[tuple[str, str, int], list[StoredScore]] = {}
    for mark in run.marks():
        marks.setdefault((mark.record, mark.arm, mark.rollout), []).append(mark)
    arms: dict[tuple[Arm, int], dict[str, Outcome]] = {}
    for outcome in run.outcomes():
        arms.setdefault((outcome.arm, outcome.rollout), {})[outcome.record] = outcome
    with _langsmith_errors():
        if client is not None:
            examples = _ensure_dataset(client, dataset, examples)
        made = [
            _make_experiment(run, client, examples, arm, rollout, outcomes, marks)
            for (arm, rollout), outcomes in sorted(arms.items(), reverse=True)
        ]
        if client is not None:
            client.flush(_FLUSH_SECONDS)
        return made


def _make_example(record: Record, dataset: str) -> Example:
    """A record as an example whose id follows from the data set and the record, so that it is made once."""
    return Example(
        id=uuid.uuid5(_EXAMPLE_NAMESPACE, f"{dataset}/{record.id}"),
        dataset_id=uuid.uuid5(_EXAMPLE_NAMESPACE, dataset),
        inputs={"record": record.id, "question": record.asked(), "choices": record.choices, "video": record.video},
        outputs={"answers": record.answers},
        metadata={"column": record.column, "category": record.category, "dataset": record.source.dataset},
        created_at=datetime.now(UTC),
    )


def _ensure_dataset(client: Client, name: str, examples: list[Example]) -> list[Example]:
    """Makes the data set with its examples, of which it leaves alone those that are there; gives them as they stand."""
    try:
        found = client.read_dataset(dataset_name=name)
    except LangSmithNotFoundError:
        found = client.create_dataset(name, description="Questions of an AURELIA benchmark run.")
    known = {example.id for example in client.list_examples(dataset_id=found.id)}
    lacking = [example for example in examples if example.id not in known]
    for start in range(0, len(lacking), _BATCH):
        made: list[Any] = [
            {"id": one.id, "inputs": one.inputs, "reference_outputs": one.outputs, "metadata": one.metadata}
            for one in lacking[start : start + _BATCH]
        ]
        client.create_examples(dataset_id=found.id, examples=made)
    return [example.model_copy(update={"dataset_id": found.id}) for example in examples]


def _make_experiment(
    run: RunFile,
    client: Client | None,
    examples: list[Example],
    arm: Arm,
    rollout: int,
    outcomes: Mapping[str, Outcome],
    marks: Mapping[tuple[str, str, int], list[StoredScore]],
) -> Experiment:
    sums: dict[str, list[float]] = {}

    def scores(run: Any, example: Any) -> dict[str, Any]:
        record = example.inputs["record"]
        found = [_score_feedback(mark) for mark in marks.get((record, arm, rollout), ())]
        for one in found:
            if one["score"] is not None:
                sums.setdefault(one["key"], []).append(one["score"])
        return {"results": [*found, {"key": "failed", "score": float(outcomes[record].state == "failed")}]}

    asked = [example for example in examples if (example.inputs or {})["record"] in outcomes]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*upload_results.*beta")
        result = evaluate(
            _stored_answers(outcomes),
            data=asked,
            evaluators=[scores],
            experiment_prefix=f"{arm}-{run.path.stem}",
            metadata={"arm": arm, "rollout": rollout, "models": run.meta.get("models"), "run": run.path.stem},
            client=client or Client(api_url="http://127.0.0.1:9", api_key="none", auto_batch_tracing=False),
            max_concurrency=0,
            upload_results=client is not None,
        )
    means = {name: sum(values) / len(values) for name, values in sums.items()}
    name = result.experiment_name if client else f"{arm}-{run.path.stem}"
    return Experiment(name, arm, rollout, len(asked), means)


def _stored_answers(outcomes: Mapping[str, Outcome]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What stands in for the system under test: it looks the stored answer up."""

    def stored_answer(inputs: dict[str, Any]) -> dict[str, Any]:
        outcome = outcomes[inputs["record"]]
        loop = outcome.result or {}
        return {
            "answer": outcome.answer,
            "choice": outcome.choice,
            "error": outcome.error,
            "score": loop.get("score"),
            "iterations": len(loop.get("iterations") or []),
            "cost_usd": outcome.usage["cost_usd"],
        }

    return stored_answer


def _score_feedback(mark: StoredScore) -> dict[str, Any]:
    said = f"{mark.how}: {mark.said}" if mark.said else mark.how
    return {"key": mark.metric, "score": mark.value, "comment": said}


@contextlib.contextmanager
def _langsmith_errors() -> Iterator[None]:
    """LangSmith's faults as ours; what it prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except LangSmithError as fault:
        said = " ".join(str(fault).split())[:300]
        raise AureliaError(f"LangSmith did not take the run ({said}): check LANGSMITH_API_KEY and try again.") from None
