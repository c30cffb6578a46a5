"""Import, status, resume and report of 1,000, 10,000 and 100,000 questions: seconds, peak memory, and how they grow.

Each step runs in a process of its own, so that its peak memory is its own. The ratio is the growth of the processor
time per question from one size to the next, ten times larger one: 1.0 is linear, 10 quadratic. Other work on the
machine lengthens the seconds and hardly the processor time. Sizes may be named:
`python -m benchmarks.growth 1000 10000`.
"""

import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aurelia.bench.export import run_status
from aurelia.bench.importers.run import ImportOptions, import_records
from aurelia.bench.records import write_records
from aurelia.bench.run_file import Outcome, StoredScore
from aurelia.bench.run_plan import Plan, open_or_create_run, read_planned_records
from aurelia.bench.runner import RunResources, run_bench
from aurelia.report.build import build_report
from aurelia_core.settings import Settings
from state.context import ROLES, Context, make_context
from tests.support.bench_records import WORDS, made_result, usage
from tests.support.scripted import scripted

SIZES = (1_000, 10_000, 100_000)
ATTEMPTS = 2
PART = 1_000
QUESTIONS_A_CLIP = 3
MP4_HEAD = b"\0\0\0\x18ftypisom\0\0\0\0isommp42"
Step = Callable[[Path], None]


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Prints one line a step and size."""
    before: dict[str, float] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write_rows(folder, size)
            for step in STEPS:
                seconds, cpu, peak = _apart(step, folder)
                if step == "make":
                    continue
                each = 1e6 * cpu / size
                growth = ""
                if step in before:
                    growth = f", {each / before[step]:.2f} times the size before (1 is linear)"
                before[step] = each
                shown = f"{seconds:8.2f} s, {cpu:7.2f} s CPU {each:6.0f} us each{growth}; {peak:.0f} MB"
                print(f"growth: {step:7} {size:7} questions {shown}", flush=True)


def _apart(step: str, folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds (its children's included) and peak memory (MB) of a step in a process of its own."""
    result = folder / f"{step}.seconds"
    command = [sys.executable, "-m", "benchmarks.growth", step, str(folder), str(result)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, cpu, peak = map(float, result.read_text().split())
    return seconds, cpu, peak


def _measure(step: Step, folder: Path, result: Path) -> None:
    began, before = time.perf_counter(), os.times()
    step(folder)
    seconds, after = time.perf_counter() - began, os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    result.write_text(f"{seconds} {cpu} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}")
    # Ends at once: idle worker processes of libraries are not waited for.
    os._exit(0)


def _write_rows(folder: Path, size: int) -> None:
    """A table of questions, three about each clip, and a file for every clip (none is decoded)."""
    media = folder / "media"
    media.mkdir()
    for clip in range(-(-size // QUESTIONS_A_CLIP)):
        (media / f"{clip}.mp4").write_bytes(MP4_HEAD)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(size):
            row: dict[str, Any] = {
                "key": f"q{number}",
                "text": f"What is heard in part {number}?",
                "right": WORDS[number * 7 % 4],
            }
            row |= {"options": WORDS[:4], "clip": f"{number // QUESTIONS_A_CLIP}.mp4", "topic": f"topic {number % 17}"}
            file.write(f"{json.dumps(row)}\n")


def _import(folder: Path) -> None:
    from aurelia.bench.importers.table import TableMapping

    names = ("id=key", "question=text", "answer=right", "choices=options", "video=clip", "category=topic")
    options = ImportOptions("table", folder / "media", mapping=TableMapping.parse(names))
    write_records(import_records(folder / "rows.jsonl", options).records, folder / "records.jsonl")


def _context() -> Context:
    return make_context({role: "scripted:one" for role in ROLES})


def _make_run(folder: Path) -> None:
    """A finished and scored run about the imported records, stored in parts."""
    records = read_planned_records(folder / "records.jsonl", Plan())
    dice = random.Random(0)
    with open_or_create_run(folder / "made.run", records, _context(), Plan(), "media") as run:
        for start in range(0, len(records), PART):
            outcomes: list[Outcome] = []
            scores: list[StoredScore] = []
            for record in records[start : start + PART]:
                plain = record.model_dump()
                result = made_result(plain, dice, ATTEMPTS)
                for arm, answer in (("zero_shot", dice.choice(record.choices)), ("aurelia", result["answer"])):
                    arm_name: Any = arm
                    stored = result if arm == "aurelia" else None
                    outcomes.append(
                        Outcome(record.id, arm_name, 0, "answered", answer, None, stored, None, 1, 2.0, usage(1), 1.0)
                    )
                    right = float(answer in record.answers)
                    scores.append(StoredScore(record.id, arm_name, 0, "correct", right, "rule", f"text: {answer}"))
            run.store_outcomes(*outcomes)
            run.store_scores(scores)


def _status(folder: Path) -> None:
    run_status(folder / "made.run")


def _resume(folder: Path) -> None:
    """Resumes the finished run: everything that comes before the first question."""
    resources = RunResources(
        Settings.from_environment(local=True, environment={"AURELIA_HOME": str(folder / "home")}),
        folder / "media",
        {"scripted": lambda name, store: scripted(0.01)},
    )
    end = asyncio.run(run_bench(folder / "records.jsonl", folder / "made.run", _context(), Plan(), resources))
    if end["left"]:
        raise RuntimeError(f"{end['left']} answers of the finished run are open.")


def _report(folder: Path) -> None:
    build_report([folder / "made.run"], folder / "report")


STEPS: dict[str, Step] = {
    "import": _import,
    "make": _make_run,
    "status": _status,
    "resume": _resume,
    "report": _report,
}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in STEPS:
        _measure(STEPS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
