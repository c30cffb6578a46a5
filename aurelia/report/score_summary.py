"""The scores of a run as one short table, with the reasons where a metric has no value."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from aurelia.bench.further_scores import JAVA_METRICS
from aurelia.bench.run_file import ARMS, Arm, RunFile, StoredScore
from aurelia.bench.tally import CORRECT_METRIC, judge_run
from aurelia.report.tables import ARM_NAMES, NO_VALUE, ReportTable, TableLine, format_number

_REASONS_SHOWN = 3
_CAPTIONS = "the run has no answer to a captioning record"
_NOT_APPLICABLE = {
    **dict.fromkeys((*JAVA_METRICS, "caption-judge", "caption-critic"), _CAPTIONS),
    "factual-consistency": "needs records with reference reasoning, the arm aurelia, and a run with a critic of claims",
    "core-inference": "needs records with reference reasoning, and the arm aurelia",
}


def score_summary(path: Path, asked: Sequence[str] = ()) -> ReportTable:
    """The mean of every metric by arm.

    Args:
        path: A scored run file.
        asked: Metrics that were asked for; one that applies to no answer says what it needs.
    """
    rows: list[TableLine] = []
    with RunFile.open(path) as run:
        correct = [one.correct for _, one in judge_run(run) if one.correct is not None]
        others = [score for score in run.scores() if score.metric != CORRECT_METRIC]
    scores = [*correct, *others]
    metrics = dict.fromkeys([*(score.metric for score in scores), *asked])
    for metric in metrics:
        found = [score for score in scores if score.metric == metric]
        rows += [_line(metric, arm, found) for arm in ARMS if any(score.arm == arm for score in found)]
        if not found:
            reason = f"applies to no answer: {_NOT_APPLICABLE[metric]}"
            rows.append(TableLine([metric, NO_VALUE, "0", NO_VALUE, "0", reason]))
    heads = ["metric", "arm", "n", "mean", "without a value", "why"]
    notes = ["correct: an answer without a value is unparsed and counts as not right. Other means: of the values."]
    return ReportTable(f"Scores of {path.name}", heads, rows, notes, "words")


def _line(metric: str, arm: Arm, scores: Iterable[StoredScore]) -> TableLine:
    of_arm = [score for score in scores if score.arm == arm]
    values = [score.value for score in of_arm if score.value is not None]
    lacking = [score for score in of_arm if score.value is None]
    if metric == CORRECT_METRIC:
        values += [0.0] * len(lacking)
    mean: float | None = None
    if values:
        mean = sum(values) / len(values)
    reasons = Counter(score.said or "no reason" for score in lacking).most_common()
    why = "; ".join(f"{count}: {said}" for said, count in reasons[:_REASONS_SHOWN])
    if len(reasons) > _REASONS_SHOWN:
        why += "; …"
    return TableLine([metric, ARM_NAMES[arm], str(len(values)), format_number(mean, 3), str(len(lacking)), why])
