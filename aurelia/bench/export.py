"""Exports a run's answers as a table (JSONL, CSV or Parquet), its reasoning as a training set, and its status.

A file is written completely or not at all. Nothing is asked or scored: the table has the scores of the run file.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.scoring import score_by_rule
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from aurelia_core.types import Reasoning
from prompts.render import choices_text

ExportFormat = Literal["jsonl", "csv", "parquet"]
EXPORT_COLUMNS: dict[str, type] = {
    "record": str, "column": str, "task": str, "category": str, "video": str, "question": str, "choices": list,
    "answers": list, "arm": str, "rollout": int, "state": str, "answer": str, "choice": str, "error": str,
    "tries": int, "score": int, "best_iteration": int, "stop_reason": str, "attempts": int, "reasoning": dict,
    "leaks": list, "marks": dict, "calls": int, "input_tokens": int, "cached_tokens": int, "output_tokens": int,
    "media_uploads": int, "cost_usd": float, "seconds": float,
}  # fmt: skip
"""The columns of a table.

`reasoning` is that of the best attempt. `leaks` lists where its steps reveal the answer (empty: nowhere, null: not
checked). `marks` are scores by metric. The others are as in the run.
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
        "jsonl": _write_jsonl,
        "csv": _write_csv,
        "parquet": _write_parquet,
    }
    form_of = form or out.suffix.removeprefix(".")
    if form_of not in writers:
        raise InputError(f"{out.name} has no known format: name it .jsonl, .csv or .parquet, or give --format.")
    with RunFile.open(run) as opened, _atomic_output(out) as part:
        return writers[form_of](_table_rows(opened), part)


def export_training_set(run: Path, out: Path, least: int | None = None) -> int:
    """Writes the reasoning as a training set in chat form, one JSON object per line; returns the number of examples.

    Each example has two `messages`. The user's content has `{"type": "video", "video": NAME}`, still pictures as
    `{"type": "image", "image": NAME}`, separate sounds as `{"type": "audio", "audio": NAME}`, and the question with its
    choices as `{"type": "text", "text": …}`. The assistant's text has the steps of the best reasoning with their
    findings, then "Answer: …", the target's answer with that reasoning. The other keys are `id`, `score` (1..10),
    `right` (by rule, null if no rule decides), `answers` (the reference), `generator` and `target` (models), and
    `licence` (of the annotation). Names are as in the records.

    Args:
        run: Run file.
        out: File to write.
        least: Lowest score of an exported reasoning (default: the run's threshold).

    Raises:
        InputError: The run or the file cannot be used.
    """
    with RunFile.open(run) as opened, _atomic_output(out) as part:
        if least is None:
            least = opened.meta["settings"]["threshold"]
        return _write_jsonl(_training_examples(opened, least), part)


def run_status(run: Path) -> dict[str, Any]:
    """The status of a run.

    Returns:
        run, questions (in the file), answered and failed (by arm), calls, tokens, cost_usd (null: not known), seconds
        (of work), models, servers (answers by server; the cost of a question that a server never answered is not
        included), reported (versions that providers reported to this machine).
    """
    with RunFile.open(run) as opened:
        counts: dict[str, dict[str, int]] = {"answered": {}, "failed": {}}
        for one in opened.outcome_summaries():
            counts[one.state][one.arm] = counts[one.state].get(one.arm, 0) + 1
        usage = opened.usage()
        return {
            "run": run.name,
            "questions": sum(1 for _ in opened.records()),
            **counts,
            "calls": usage["calls"],
            "tokens": usage["input_tokens"] + usage["output_tokens"],
            "cost_usd": usage["cost_usd"],
            "seconds": round(opened.worked_seconds(), 1),
            "models": opened.meta["models"],
            "servers": opened.answers_by_server(),
            "reported": opened.reported_versions(),
        }


def _table_rows(run: RunFile) -> Iterator[dict[str, Any]]:
    scores: dict[tuple[str, str, int], dict[str, float | None]] = {}
    for score in run.scores():
        scores.setdefault((score.record, score.arm, score.rollout), {})[score.metric] = score.value
    for outcome in run.outcomes():
        record = run.record(outcome.record)
        result = outcome.result or {}
        attempts: int | None = None
        if result.get("iterations"):
            attempts = len(result["iterations"])
        known = {
            **record.model_dump(),
            "task": record.task,
            **{name: result.get(name) for name in ("score", "best_iteration", "stop_reason", "leaks")},
            "reasoning": result.get("best"),
            "attempts": attempts,
            **outcome.usage,
            **{name: getattr(outcome, name) for name in ("record", "arm", "rollout", "state", "answer", "choice")},
            **{name: getattr(outcome, name) for name in ("error", "tries", "seconds")},
            "marks": scores.get((outcome.record, outcome.arm, outcome.rollout)),
        }
        yield {name: known[name] for name in EXPORT_COLUMNS}


def _training_examples(run: RunFile, least: int) -> Iterator[dict[str, Any]]:
    for outcome in run.outcomes("aurelia", state="answered"):
        if example := _training_example(run.record(outcome.record), outcome, least):
            yield example


def _training_example(record: Record, outcome: Outcome, least: int) -> dict[str, Any] | None:
    result = outcome.result or {}
    if not result.get("best") or (result["score"] or 0) < least or outcome.answer is None:
        return None
    asked = f"{record.full_question()}\n{choices_text(record.choices)}".rstrip()
    content = [{"type": "video", "video": name} for name in filter(None, [record.video])]
    content += [{"type": "image", "image": name} for name in record.images]
    content += [{"type": "audio", "audio": name} for name in record.audio]
    content += [{"type": "text", "text": asked}]
    text = f"{_numbered_steps(result['best'])}\nAnswer: {outcome.answer}"
    right: bool | None = None
    if score := score_by_rule(record, outcome.answer):
        right = score.is_right
    return {
        "id": record.id,
        "messages": [
            {"role": "user", "content": content},
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
        ],
        "score": result["score"],
        "right": right,
        "answers": record.answers,
        "generator": result["models"]["generator"],
        "target": result["models"]["target"],
        "licence": record.licence,
    }


def _numbered_steps(best: Reasoning) -> str:
    lines = []
    for number, step in enumerate(best["steps"], 1):
        parts = [f"{number}. {step['step']}"]
        if step["answer"]:
            parts.append(step["answer"])
        if step["justification"]:
            parts.append(f"({step['justification']})")
        lines.append(" ".join(parts))
    return "\n".join(lines)


def _write_jsonl(rows: Iterator[dict[str, Any]], part: Path) -> int:
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
def _atomic_output(out: Path) -> Iterator[Path]:
    """A temporary file beside `out`, which replaces `out` at the end."""
    part = out.with_name(f"{out.name}.part")
    try:
        yield part
        part.replace(out)
    except OSError as fault:
        raise InputError(f"{out.name} cannot be written: {fault.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
