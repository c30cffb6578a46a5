"""Steps that hand the answer over are noticed, recorded in the result, and counted where gains are reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench import export
from aurelia.report.build import build_report
from aurelia_core.answers.answer_leaks import find_answer_leaks
from tests.support.bench_records import made_run
from tests.support.scripted import scripted

PAIR = ["the violin", "the trumpet"]


@pytest.mark.parametrize(
    ("step", "choices", "answer", "found"),
    [
        ("Compare the violin with the trumpet.", PAIR, "the trumpet", []),
        ("Find out which of them starts first.", PAIR, "the trumpet", []),
        ("Hear that a TRUMPET starts first.", PAIR, "the trumpet", ["the trumpet"]),
        ("Follow the violin's bow.", PAIR, "the trumpet", ["the violin"]),
        ("Is it violin or trumpet? The trumpet.", PAIR, "B", ["the trumpet"]),
        ("So option A holds.", PAIR, "the violin", ["the violin"]),
        ("Look at the left and the right side.", ["left", "right"], "left", []),
        ("A hot dog is seen.", ["a dog", "a hot dog"], "a dog", ["a hot dog"]),
        ("There is no sound at the start.", ["yes", "no"], "no", []),
        ("Count the strikes: two.", [], "2", ["2"]),
        ("Count the strikes.", [], "2", []),
        ("Whether it is unknown.", [], "unknown", []),
        ("The drummer with the red hat plays.", PAIR, "the drummer with the red hat", ["the drummer with the red hat"]),
    ],
)
def test_a_step_leaks_when_it_prefers_an_answer(step: str, choices: list[str], answer: str, found: list[str]) -> None:
    assert find_answer_leaks(["Listen to the whole clip.", step], choices, answer) == found


def telling(step: str) -> Any:
    one = {"step": step, "justification": "it is heard", "answer": "a bell", "modality": "audio"}
    return lambda fields, messages: {"steps": [one], "answer": "a bell"}


@pytest.mark.parametrize(
    ("step", "inject", "found"),
    [
        ("Notice the bell.", "steps", ["a bell"]),
        ("Find what rings.", "steps", []),
        ("Notice the bell.", "full", None),
    ],
)
async def test_a_leak_stands_in_the_result(stage: Any, step: str, inject: str, found: list[str] | None) -> None:
    result = await stage(scripted(generator=telling(step))).ask(choices=["a bell", "a drum"], inject=inject)
    assert result["leaks"] == found
    assert [line for line in result["warnings"] if line.startswith("A leak:")] == (
        ["A leak: the steps that the target was given already say 'a bell'."] if found else []
    )


async def test_without_reasoning_nothing_is_looked_for(stage: Any) -> None:
    assert (await stage(scripted(generator=[ValueError("gone")])).ask(max_iterations=1))["leaks"] is None


def leaking(number: int, parts: dict[str, Any]) -> None:
    parts["result"]["leaks"] = ["a bell"] if number % 4 == 0 else []


def test_the_report_shows_the_gain_without_them_and_the_table_names_them(tmp_path: Path) -> None:
    run = made_run(tmp_path / "some.run", 30, change=leaking)
    text = build_report([run], tmp_path / "out").markdown.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| all")]
    assert [row.split("|")[1].strip() for row in rows if "leak" in row or "whose steps" in row] == [
        "all but 8 whose steps name the answer"
    ]
    export.export_table(run, tmp_path / "x.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert sum(bool(row["leaks"]) for row in kept) == 8
    assert {row["leaks"] is None for row in kept if row["arm"] == "zero_shot"} == {True}


def test_a_run_without_leaks_is_reported_as_before(tmp_path: Path) -> None:
    text = build_report([made_run(tmp_path / "some.run", 10)], tmp_path / "out").markdown.read_text()
    assert "whose steps name" not in text


def test_a_letter_after_a_noun_is_a_name_and_no_article() -> None:
    choices = ["Sound A", "Sound B"]
    assert (
        find_answer_leaks(
            ["Find out what can be heard: the times of the sounds, and a sound that is loud."], choices, "Sound A"
        )
        == []
    )
    assert find_answer_leaks(["Sound A holds two sounds."], choices, "Sound A") == ["Sound A"]
    assert find_answer_leaks(["Compare the length of Sound A with that of Sound B."], choices, "Sound A") == []
