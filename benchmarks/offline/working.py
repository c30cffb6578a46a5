"""What the wording of `working` does to the miniature: the same plans and clips, with other words in its row.

The miniature was trained to write the findings of the steps before its answer, in one wording. So it tells what an
unknown wording costs a small model, and not what a large model would gain from writing its working down.

`python -m benchmarks.offline.working DIR [QUESTIONS]`; an existing folder is resumed.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from aurelia.bench.records import read_records
from aurelia.bench.statistics import estimate_accuracy
from aurelia_offline.study.conditions import ConditionResult, GivenQuestion, ask_conditions
from aurelia_offline.study.loops import StudySettings, best_reasoning, run_loops
from aurelia_offline.world.benchmark import write_benchmark
from targets import Target, target_rows

_TARGET, _ROW = "transformers:mini", "mini"


def wordings() -> dict[str, Target]:
    """The row of the miniature with the words of other rows."""
    own, usual = target_rows()[_ROW], target_rows()["default"]
    silent = own.model_copy(update={"reasoning": usual.reasoning, "short": usual.short, "choice": usual.choice})
    return {"its own words": own, "silent": silent, "aloud": own.model_copy(update={"working": "aloud"})}


async def measure(out: Path, count: int) -> None:
    """Ask every question with every wording, and print the share of right answers and of replies with working."""
    study = StudySettings(out, count, _TARGET, concurrency=1)
    made = write_benchmark(out, count)
    house = study.house(made.media)
    records = [record for record in read_records(made.file) if record.choices and not record.history]
    runs = await run_loops(study, made.file, out / "loop.run", house, study.context())
    plans: dict[str, Any] = {name: best for name, found in runs.loops.items() if (best := best_reasoning(found))}
    asked = [GivenQuestion(record, plans[record.id]) for record in records if record.id in plans]
    for name, row in wordings().items():
        target_rows()[_ROW] = row
        found = await ask_conditions({name: asked}, _TARGET, house, out / "working.ledger", 1)
        sys.stdout.write(f"{line(name, found[name], asked)}\n")


def line(name: str, found: ConditionResult, asked: list[GivenQuestion]) -> str:
    """One wording: right answers with an interval, and how many replies hold more than the answer."""
    right = [found.values[given.record.id] for given in asked]
    share = estimate_accuracy(right, [str(given.record.video) for given in asked])
    worked = sum("\n" in (answer or "") for answer in found.answers.values())
    interval = f"{100 * share.low:.1f} to {100 * share.high:.1f}"
    return f"{name:<16}{100 * share.value:5.1f} % right ({interval}; {len(asked)} questions), {worked} with working"


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1]), int((sys.argv[2:] or ["100"])[0])))
