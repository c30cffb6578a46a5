"""A run's answers are scored once, by rule, then by a judge where one is named; captions all together."""

from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.bench.runner import RunResources
from aurelia.bench.score_run import score_run_file
from aurelia.report.rows import read_report_rows
from tests.support.bench_records import made_run
from tests.support.scripted import scripted
from tests.support.stage import no_wait

ANSWERS = ["B", "perhaps so", "A bird sings while a drum plays."]


def unscored(number: int, parts: dict[str, Any]) -> None:
    """A choice that a rule reads, an open answer that none can decide, and a caption."""
    kind, record = number % 3, parts["record"]
    record |= {"column": ["avsd", "avsd", "av-captioning"][kind], "history": []}
    record |= {"choices": ["a bell", "a drum"] if kind == 0 else []}
    record |= {"answers": [["a drum"], ["a violin"], ["A bird is singing and a drum plays."]][kind]}
    parts |= {"zero": ANSWERS[kind], "failed": False, "values": []}
    parts["result"] |= {"answer": ANSWERS[kind]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "made.run", 6, change=unscored)


def told(path: Path) -> dict[tuple[str, str], dict[str, tuple[float | None, str]]]:
    found: dict[tuple[str, str], dict[str, tuple[float | None, str]]] = {}
    with RunFile.open(path) as opened:
        for mark in opened.scores():
            found.setdefault((mark.record, mark.arm), {})[mark.metric] = (mark.value, mark.how)
    return found


async def test_rules_score_what_they_can_and_once(run: Path) -> None:
    assert await score_run_file(run) == 12
    found = told(run)
    assert found["made:0", "aurelia"] == {"correct": (1.0, "rule")}
    assert found["made:1", "zero_shot"] == {"correct": (None, "unparsed")}
    assert found["made:2", "aurelia"].keys() == {"bleu4", "rouge_l", "meteor", "cider"}
    assert await score_run_file(run) == 0
    with RunFile.open(run) as opened:
        verdicts = [row.case.answers["aurelia"].verdict for row in read_report_rows(opened)]
    assert verdicts == ["right", "unparsed", "captioned"] * 2


async def test_a_judge_is_asked_only_where_no_rule_decides_and_paid_once(run: Path, settings: Any) -> None:
    model = scripted(judge=lambda fields, messages: {"correct": True, "reason": "It means the violin."})
    resources = RunResources(settings, providers={"scripted": lambda name, store: model}, sleep=no_wait)
    await score_run_file(run)
    assert await score_run_file(run, resources=resources, judge="scripted:one") == 4
    assert told(run)["made:1", "aurelia"] == {"correct": (1.0, "judge")}
    asked = [fields for role, fields, _ in model.heard if role == "judge"]
    assert {fields["reply"] for fields in asked} == {"perhaps so"}
    assert not any("arm" in fields or "aurelia" in str(fields).lower() for fields in asked)
    assert await score_run_file(run, resources=resources, judge="scripted:one") == 0
    with RunFile.open(run) as opened:
        assert opened.usage()["calls"] == len(asked)
