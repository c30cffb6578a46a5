"""The adapters once more as a user meets them: mp4 files, graph, runner and `transformers:mini+ADAPTER`.

The loop runs once, with the measuring agents; its reasoning is then injected into every adapter. Seconds and tokens of
these answers are the price of each way.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aurelia.bench.costs import costs_by_role
from aurelia.bench.records import Record, read_records, write_records
from aurelia.bench.runner import RunResources
from aurelia_offline.learning.cells import CellStore
from aurelia_offline.study.conditions import GivenQuestion, ask_conditions, value_answer
from aurelia_offline.study.loops import StudySettings, best_reasoning, run_loops
from aurelia_offline.world.benchmark import write_benchmark

if TYPE_CHECKING:
    from aurelia_offline.learning.study import LearningStudy

ZERO_SHOT, INJECTED = "zero-shot", "injected r*"
_RESULT = "graph.json"
_OTHER_KINDS = ("odd", "caption")


class GraphRow(NamedTuple):
    """One way through the graph.

    Attributes:
        right: share of right answers, 0..1.
        seconds: processor seconds of this process for an answer, decoding in child processes not counted; an injected
            row includes the loop that made the reasoning.
        prompt, reply: tokens that the target reads and writes for an answer.
    """

    right: float
    seconds: float
    prompt: float
    reply: float


class GraphCheck(NamedTuple):
    """The rows by name, and the number of questions."""

    rows: dict[str, GraphRow]
    questions: int


async def run_graph_check(study: "LearningStudy", store: CellStore) -> GraphCheck:
    """Ask base and adapters of the first seed through the graph; a stored result is not measured again."""
    file = study.out / _RESULT
    if file.is_file():
        found = json.loads(file.read_text("utf-8"))
        return GraphCheck({name: GraphRow(*row) for name, row in found["rows"].items()}, found["questions"])
    folder = study.out / "graph"
    # Captions and what is odd are left out: a tenth more questions are drawn for them.
    made = write_benchmark(folder, round(study.graph * 1.12) + 1, progress=study.progress)
    records = [record for record in read_records(made.file) if record.kinds[0] not in _OTHER_KINDS][: study.graph]
    write_records(records, folder / "asked.jsonl")
    loop = StudySettings(folder, len(records), "transformers:mini", concurrency=1, progress=study.progress)
    house = loop.house(made.media)
    rows = {
        ZERO_SHOT: (await _run_arm(loop, house, records, "zero_shot"))[0],
    }
    rows[INJECTED], plans = await _run_arm(loop, house, records, "aurelia")
    for name, target in _targets(study, store):
        for way in ("alone", "injected"):
            study.progress(f"graph: {name}, {way}")
            given = [GivenQuestion(record, plans.get(record.id) if way == "injected" else None) for record in records]
            rows[f"{name}, {way}"] = await _ask(target, given, house, folder / f"{name}-{way}.ledger")
    file.write_text(json.dumps({"questions": len(records), "rows": rows}), encoding="utf-8")
    return GraphCheck(rows, len(records))


def _targets(study: "LearningStudy", store: CellStore) -> list[tuple[str, str]]:
    """Name and model of every adapter of the first seed that is trained."""
    from aurelia_offline.learning.study import FORMS

    keys = {"+".join(forms): study.main_keys(forms)[0] for forms in FORMS}
    return [
        (name, f"transformers:mini+{store.adapter(key).resolve()}") for name, key in keys.items() if store.find(key)
    ]


async def _run_arm(
    loop: StudySettings, house: RunResources, records: list[Record], arm: str
) -> tuple[GraphRow, dict[str, Any]]:
    """One arm of the benchmark runner with the frozen target, and the reasoning of each question."""
    loop.progress(f"graph: {arm}")
    out, began = loop.out / f"{arm}.run", time.process_time()
    runs = await run_loops(loop, loop.out / "asked.jsonl", out, house, loop.context(), arm)
    seconds = (time.process_time() - began) / len(records)
    found = runs.loops if arm == "aurelia" else runs.zero_shot
    right = [value_answer(record, found[record.id].answer) for record in records]
    plans = {name: best for name, one in runs.loops.items() if (best := best_reasoning(one))}
    return GraphRow(float(np.mean(right)), seconds, *_target_tokens(out, len(records))), plans


async def _ask(target: str, given: list[GivenQuestion], house: RunResources, ledger: Path) -> GraphRow:
    began = time.process_time()
    result = (await ask_conditions({"asked": given}, target, house, ledger, 1))["asked"]
    seconds = (time.process_time() - began) / len(given)
    return GraphRow(float(np.mean(list(result.values.values()))), seconds, *_target_tokens(ledger, len(given)))


def _target_tokens(ledger: Path, count: int) -> tuple[float, float]:
    """Tokens that the target reads and writes for one question."""
    costs = [cost for cost in costs_by_role(ledger) if cost.role == "target"]
    return sum(cost.input_tokens for cost in costs) / count, sum(cost.output_tokens for cost in costs) / count
