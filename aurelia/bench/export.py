"""A run's answers as a table (JSONL, CSV or Parquet), its reasoning as a training set, and how far it is.

It reads a run file and writes one file, whole or not at all. It asks and scores nothing: scores that are not in the
run file are not in the table either.
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
"""The columns of a table. `reasoning` is the best attempt's; `leaks` what its steps say of the answer (empty: nothing,
null: not looked for); `marks` are scores by metric; the rest as in the run."""
_BATCH = 500
_FORMULA = re.compile(r"(?!([+-]?\d+([.,]\d+)?)?\Z)[=+\-@\t\r\n]")
"""How a text begins that a spreadsheet would calculate; plain numbers do not count."""


def export_table(run: Path, out: Path, form: ExportFormat | None = None) -> int:
    """Writes one row for each outcome, with the columns of `FIELDS`, and says how many.

    Args:
        run: the run file.
        out: the file to write.
        form: its form; by default what its name ends with. CSV is for spreadsheets: a text that they would take for a
            formula gets a ' before it there. The other two hold every text as it was said.

    Raises:
        InputError: the run or the file cannot be used, or the form is unknown or lacks its package.
    """
    writers: dict[str, Callable[[Iterator[dict[str, Any]], Path], int]] = {
        "jsonl": _write_jsonl,
        "csv": _write_csv,
        "parquet": _write_parquet,
    }
    form_of = form or out.suffix.removeprefix(".")
    if form_of not in writers:
        raise InputError(f"{out.name} has no known form: name it .jsonl, .csv or .parquet, or give --format.")
    with RunFile.open(run) as opened, _atomic_output(out) as part:
        return writers[form_of](_table_rows(opened), part)


def export_training_set(run: Path, out: Path, least: int | None = None) -> int:
    """Writes the reasoning as a training set in chat form, one JSON object a line, and says how many.

    Each has `messages`: the user's, whose content holds `{"type": "video", "video": NAME}`, separate sound tracks as
    `{"type": "audio", "audio": NAME}` and the question with its choices as `{"type": "text", "text": …}`; and the
    assistant's, the steps of the best reasoning with what each found, then "Answer: …", the target's answer with that
    reasoning. Beside them: `id`, `score` (1..10), `right` (by exact match, null where that cannot tell), `answers`
    (the reference), `generator` and `target` (models), `licence` (of the annotation). Names are as in the records.

    Args:
        run: the run file.
        out: the file to write.
        least: lowest score of a reasoning that is taken (default: the run's threshold).

    Raises:
        InputError: the run or the file cannot be used.
    """
    with RunFile.open(run) as opened, _atomic_output(out) as part:
        score = opened.meta["settings"]["threshold"] if least is None else least
        found = (
            _training_example(opened.record(one.record), one, score)
            for one in opened.outcomes("aurelia", state="answered")
        )
        return _write_jsonl((example for example in found if example), part)


def run_status(run: Path) -> dict[str, Any]:
    """How far a run is.

    Returns:
        run, questions (in the file), answered and failed (by arm), calls, tokens, cost_usd (null: not known), seconds
        (of work), models, servers (answers by server; what they spent on a question that they never answered is not in
        the bill), reported (versions that providers named to this machine).
    """
    with RunFile.open(run) as opened:
        counts: dict[str, dict[str, int]] = {"answered": {}, "failed": {}}
        for one in opened.standings():
            counts[one.state][one.arm] = counts[one.state].get(one.arm, 0) + 1
        meta, bill = opened.meta, opened.bill()
        return {
            "run": run.name,
            "questions": sum(1 for _ in opened.records()),
            **counts,
            "calls": bill["calls"],
            "tokens": bill["input_tokens"] + bill["output_tokens"],
            "cost_usd": bill["cost_usd"],
            "seconds": round(opened.seconds(), 1),
            "models": meta["models"],
            "servers": opened.servers(),
            "reported": opened.reported(),
        }


def _table_rows(run: RunFile) -> Iterator[dict[str, Any]]:
    marks: dict[tuple[str, str, int], dict[str, float | None]] = {}
    for mark in run.marks():
        marks.setdefault((mark.record, mark.arm, mark.rollout), {})[mark.metric] = mark.value
    for outcome in run.outcomes():
        record, result = run.record(outcome.record), outcome.result or {}
        known = {
            **record.model_dump(),
            "task": record.task,
            **{name: result.get(name) for name in ("score", "best_iteration", "stop_reason", "leaks")},
            "reasoning": result.get("best"),
            "attempts": len(result["iterations"]) if result.get("iterations") else None,
            **outcome.usage,
            **{name: getattr(outcome, name) for name in ("record", "arm", "rollout", "state", "answer", "choice")},
            **{name: getattr(outcome, name) for name in ("error", "tries", "seconds")},
            "marks": marks.get((outcome.record, outcome.arm, outcome.rollout)),
        }
        yield {name: known[name] for name in EXPORT_COLUMNS}


def _training_example(record: Record, outcome: Outcome, least: int) -> dict[str, Any] | None:
    result = outcome.result or {}
    if not result.get("best") or (result["score"] or 0) < least or outcome.answer is None:
        return None
    asked = f"{record.asked()}\n{choices_text(record.choices)}".rstrip()
    content = [{"type": "video", "video": record.video}]
    content += [{"type": "audio", "audio": name} for name in record.audio]
    content += [{"type": "text", "text": asked}]
    said = f"{_numbered_steps(result['best'])}\nAnswer: {outcome.answer}"
    return {
        "id": record.id,
        "messages": [
            {"role": "user", "content": content},
            {"role": "assistant", "content": [{"type": "text", "text": said}]},
        ],
        "score": result["score"],
        "right": mark.right if (mark := score_by_rule(record, outcome.answer)) else None,
        "answers": record.answers,
        "generator": result["models"]["generator"],
        "target": result["models"]["target"],
        "licence": record.licence,
    }


def _numbered_steps(best: Reasoning) -> str:
    lines = []
    for number, step in enumerate(best["steps"], 1):
        found = " ".join(filter(None, (step["answer"], step["justification"] and f"({step['justification']})")))
        lines.append(f"{number}. {step['step']}" + (f" {found}" if found else ""))
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
    """The cell, so that a spreadsheet shows a text and calculates nothing."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _write_parquet(rows: Iterator[dict[str, Any]], part: Path) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow: pip install -e '.[bench]', or choose jsonl or csv.") from None
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
    """The row with nested values as JSON text, as far as its form cannot hold them."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, nested) else value
        for name, value in row.items()
    }


@contextmanager
def _atomic_output(out: Path) -> Iterator[Path]:
    """A file beside `out` to be written, which takes its place at the end."""
    part = out.with_name(f"{out.name}.part")
    try:
        yield part
        part.replace(out)
    except OSError as fault:
        raise InputError(f"{out.name} cannot be written: {fault.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
