"""Exports a run's answers as a table (JSONL, CSV or Parquet), and its status.

A file is written completely or not at all. Nothing is asked or scored: the table has the scores of the run file.
`aurelia.bench.training` exports the reasoning.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from aurelia.bench.answers import RAW_ANSWER, changed_raw_answer, cleaned_answer
from aurelia.bench.run_file import RunFile
from aurelia.bench.tally import ARM_COUNTS, PLANNED_ANSWERS, count_run, counts_as_dict, judge_run
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

ExportFormat = Literal["jsonl", "csv", "parquet"]
EXPORT_COLUMNS: dict[str, type] = {
    "record": str, "column": str, "task": str, "category": str, "video": str, "question": str, "choices": list,
    "answers": list, "arm": str, "rollout": int, "state": str, "answer": str, "raw_answer": str, "choice": str,
    "error": str, "verdict": str, "tries": int, "score": int, "best_iteration": int, "stop_reason": str,
    "attempts": int, "reasoning": dict, "leaks": list, "marks": dict, "calls": int, "input_tokens": int,
    "cached_tokens": int, "output_tokens": int, "media_uploads": int, "cost_usd": float, "seconds": float,
}  # fmt: skip
"""The columns of a table.

`answer` is cleaned, `raw_answer` is the reply (null: the same). `verdict` says how the answer counts
(`aurelia.bench.tally`): right, wrong, part, unparsed, captioned or failed. `reasoning` is that of the best attempt.
`leaks` lists where its steps reveal the answer (empty: nowhere, null: not checked). `marks` are scores by metric. The
others are as in the run.
"""
_BATCH = 500
_FORMULA = re.compile(r"(?!([+-]?\d+([.,]\d+)?)?\Z)[=+\-@\t\r\n]")
"""Start of a text that a spreadsheet would take for a formula; plain numbers do not match."""


def export_table(run: Path, out: Path, form: ExportFormat | None = None) -> int:
    """Writes one row per outcome with the columns of `EXPORT_COLUMNS`; returns the number of rows.

    Args:
        run: Run file.
        out: File to write.
        form: Format; by default the suffix of `out`. CSV is for spreadsheets: a text that they would take for a formula
            is preceded by '. The other formats contain every text unchanged.

    Raises:
        InputError: The run or the file cannot be used, the format is unknown, or its package is missing.
    """
    writers: dict[str, Callable[[Iterator[dict[str, Any]], Path], int]] = {
        "jsonl": write_jsonl,
        "csv": _write_csv,
        "parquet": _write_parquet,
    }
    form_of = form or out.suffix.removeprefix(".")
    if form_of not in writers:
        raise InputError(f"{out.name} has no known format: name it .jsonl, .csv or .parquet, or give --format.")
    with RunFile.open(run) as opened, atomic_output(out) as part:
        return writers[form_of](_table_rows(opened), part)


def run_status(run: Path) -> dict[str, Any]:
    """The status of a run.

    Returns:
        run, questions (in the run file), limit (null: none) and left_out (without media) of the latest session,
        planned (answers of the run: those it holds and those to be made, in all arms and rollouts), answered, failed,
        captions, scored, unparsed, right and accuracy (by arm, as `aurelia.bench.tally` counts), left (planned answers
        that are not made yet; what failed is among them), seconds_left (at the pace so far; null: not known), calls,
        tokens, cost_usd (null: not known), seconds (of work), models, servers (answers by server; the cost of a
        question that a server never answered is not included), reported (versions that providers reported to this
        machine).
    """
    with RunFile.open(run) as opened:
        counts = counts_as_dict(count_run(opened))
        meta = opened.meta
        questions = opened.count_records()
        planned = meta.get(PLANNED_ANSWERS) or questions * len(counts)
        answered = sum(count["answered"] for count in counts.values())
        seconds = opened.worked_seconds()
        left = max(0, planned - answered)
        seconds_left: float | None = None
        if answered:
            seconds_left = round(seconds / answered * left, 1)
        usage = opened.usage()
        return {
            "run": run.name,
            "questions": questions,
            "limit": meta.get("limit"),
            "left_out": meta.get("left_out") or 0,
            "planned": planned,
            **{name: {arm: count[name] for arm, count in counts.items()} for name in ARM_COUNTS},
            "left": left,
            "seconds_left": seconds_left,
            "calls": usage["calls"],
            "tokens": usage["input_tokens"] + usage["output_tokens"],
            "cost_usd": usage["cost_usd"],
            "seconds": round(seconds, 1),
            "models": meta["models"],
            "servers": opened.answers_by_server(),
            "reported": opened.reported_versions(),
        }


def _table_rows(run: RunFile) -> Iterator[dict[str, Any]]:
    scores: dict[tuple[str, str, int], dict[str, float | None]] = {}
    for score in run.scores():
        scores.setdefault((score.record, score.arm, score.rollout), {})[score.metric] = score.value
    judged = dict(judge_run(run))
    for outcome in run.outcomes():
        record = run.record(outcome.record)
        result = outcome.result or {}
        attempts: int | None = None
        if result.get("iterations"):
            attempts = len(result["iterations"])
        key = (outcome.record, outcome.arm, outcome.rollout)
        known = {
            **record.model_dump(),
            "task": record.task,
            **{name: result.get(name) for name in ("score", "best_iteration", "stop_reason", "leaks")},
            "reasoning": result.get("best"),
            "attempts": attempts,
            **outcome.usage,
            **{name: getattr(outcome, name) for name in ("record", "arm", "rollout", "state", "choice")},
            "answer": cleaned_answer(outcome),
            RAW_ANSWER: changed_raw_answer(outcome),
            "verdict": judged[key].verdict,
            **{name: getattr(outcome, name) for name in ("error", "tries", "seconds")},
            "marks": scores.get(key),
        }
        yield {name: known[name] for name in EXPORT_COLUMNS}


def write_jsonl(rows: Iterator[dict[str, Any]], part: Path) -> int:
    """Writes one JSON object per line; returns the number of lines."""
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_csv(rows: Iterator[dict[str, Any]], part: Path) -> int:
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(EXPORT_COLUMNS))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {name: _spreadsheet_text(value) for name, value in _nested_as_json(row, (list, dict)).items()}
            )
            count += 1
    return count


def _spreadsheet_text(value: Any) -> Any:
    """The cell as text that a spreadsheet shows and does not calculate."""
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value


def _write_parquet(rows: Iterator[dict[str, Any]], part: Path) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"Parquet needs pyarrow: {install_command('bench')}, or choose jsonl or csv.") from None
    kinds = {str: arrow.string(), dict: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    kinds[list] = arrow.list_(arrow.string())
    schema = arrow.schema([(name, kinds[kind]) for name, kind in EXPORT_COLUMNS.items()])
    count = 0
    with parquet.ParquetWriter(part, schema) as writer:
        while batch := [_nested_as_json(row, (dict,)) for row in islice(rows, _BATCH)]:
            writer.write_table(arrow.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _nested_as_json(row: dict[str, Any], nested: tuple[type, ...]) -> dict[str, Any]:
    """The row with values of the types `nested` as JSON text."""
    flat = dict(row)
    for name, value in row.items():
        if isinstance(value, nested):
            flat[name] = json.dumps(value, ensure_ascii=False)
    return flat


@contextmanager
def atomic_output(out: Path) -> Iterator[Path]:
    """A temporary file beside `out`, which replaces `out` at the end."""
    part = out.with_name(f"{out.name}.part")
    try:
        yield part
        part.replace(out)
    except OSError as fault:
        raise InputError(f"{out.name} cannot be written: {fault.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
