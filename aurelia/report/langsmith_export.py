"""Exports a run to LangSmith: a data set of its questions, and one experiment per arm with answers and scores.

Answers and scores come from the run file; no model is asked. Without a client the same evaluation runs on this machine
and nothing is sent.
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

from aurelia.bench.answers import changed_raw_answer, cleaned_answer
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore
from aurelia.bench.tally import CORRECT_METRIC, ArmCount, count_judged, judge_run
from aurelia_core.errors import AureliaError

_EXAMPLE_NAMESPACE = uuid.UUID("6f1d4b86-0f0e-4f0f-9b8e-3a1f6c1e7a55")
_BATCH = 200
_FLUSH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """The experiment of one arm: name, number of examples, counts of answers, and the mean of each score."""

    name: str
    arm: Arm
    rollout: int
    examples: int
    count: ArmCount
    scores: Mapping[str, float]


def export_experiments(run: RunFile, client: Client | None) -> list[Experiment]:
    """Creates the data set if it is missing, and an experiment for every arm and rollout.

    Args:
        run: A scored run.
        client: LangSmith client; None sends nothing.

    Raises:
        AureliaError: LangSmith refused the run, or cannot be reached.
    """
    records = list(run.records())
    dataset = f"aurelia-{str(run.meta.get('records_sha256'))[:12]}"
    examples = [_make_example(record, dataset) for record in records]
    scores: dict[tuple[str, str, int], list[StoredScore]] = {}
    for score in run.scores():
        if score.metric != CORRECT_METRIC:
            scores.setdefault((score.record, score.arm, score.rollout), []).append(score)
    judged = dict(judge_run(run))
    for key, one in judged.items():
        if one.correct is not None:
            scores.setdefault(key, []).insert(0, one.correct)
    arms: dict[tuple[Arm, int], dict[str, Outcome]] = {}
    for outcome in run.outcomes():
        arms.setdefault((outcome.arm, outcome.rollout), {})[outcome.record] = outcome
    with _langsmith_errors():
        if client is not None:
            examples = _ensure_dataset(client, dataset, examples)
        made = [
            _make_experiment(
                run,
                client,
                examples,
                (arm, rollout, count_judged(one for key, one in judged.items() if key[1:] == (arm, rollout))),
                outcomes,
                scores,
            )
            for (arm, rollout), outcomes in sorted(arms.items(), reverse=True)
        ]
        if client is not None:
            client.flush(_FLUSH_SECONDS)
        return made


def _make_example(record: Record, dataset: str) -> Example:
    """A record as an example; its id depends only on the data set and the record, so that it is created once."""
    return Example(
        id=uuid.uuid5(_EXAMPLE_NAMESPACE, f"{dataset}/{record.id}"),
        dataset_id=uuid.uuid5(_EXAMPLE_NAMESPACE, dataset),
        inputs={
            "record": record.id,
            "question": record.full_question(),
            "choices": record.choices,
            "video": record.clip_name,
        },
        outputs={"answers": record.answers},
        metadata={"column": record.column, "category": record.category, "dataset": record.source.dataset},
        created_at=datetime.now(UTC),
    )


def _ensure_dataset(client: Client, name: str, examples: list[Example]) -> list[Example]:
    """Creates the data set and its missing examples; returns all examples with the data set's id."""
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
    counted: tuple[Arm, int, ArmCount],
    outcomes: Mapping[str, Outcome],
    stored_scores: Mapping[tuple[str, str, int], list[StoredScore]],
) -> Experiment:
    arm, rollout, count = counted
    sums: dict[str, list[float]] = {}

    def scores(run: Any, example: Any) -> dict[str, Any]:
        record = example.inputs["record"]
        found = [_score_feedback(score) for score in stored_scores.get((record, arm, rollout), ())]
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
    name = f"{arm}-{run.path.stem}"
    if client:
        name = result.experiment_name
    return Experiment(name, arm, rollout, len(asked), count, means)


def _stored_answers(outcomes: Mapping[str, Outcome]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function that LangSmith evaluates: it looks up the stored answer."""

    def stored_answer(inputs: dict[str, Any]) -> dict[str, Any]:
        outcome = outcomes[inputs["record"]]
        loop = outcome.result or {}
        return {
            "answer": cleaned_answer(outcome),
            "raw_answer": changed_raw_answer(outcome),
            "choice": outcome.choice,
            "error": outcome.error,
            "score": loop.get("score"),
            "iterations": len(loop.get("iterations") or []),
            "cost_usd": outcome.usage["cost_usd"],
        }

    return stored_answer


def _score_feedback(score: StoredScore) -> dict[str, Any]:
    comment = score.how
    if score.said:
        comment = f"{score.how}: {score.said}"
    value = score.value
    if score.metric == CORRECT_METRIC and value is None:
        # As in the report: an answer that nothing can read is not right.
        value = 0.0
    return {"key": score.metric, "score": value, "comment": comment}


@contextlib.contextmanager
def _langsmith_errors() -> Iterator[None]:
    """Turns LangSmith's errors into this project's errors; its prints go to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except LangSmithError as fault:
        reason = " ".join(str(fault).split())[:300]
        raise AureliaError(f"LangSmith refused the run ({reason}): check LANGSMITH_API_KEY and try again.") from None
