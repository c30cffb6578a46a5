"""Which answers of a run are learned, and how they are written."""

from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile
from aurelia.train.examples import ExampleSelection, select_examples
from aurelia_core.errors import InputError
from tests.support.scripted import verdict
from tests.train.conftest import Runs, record

STEPS: list[dict[str, Any]] = [
    {"step": "Find the source.", "justification": "a tone at 1 s", "answer": "a bell", "modality": "audio"},
    {"step": "Find its place.", "justification": "", "answer": "left", "modality": "visual"},
]


def says(answer: str = "with", steps: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"steps": steps or STEPS, "answer": answer}


async def test_each_form_holds_what_its_name_says(runs: Runs) -> None:
    run = await runs.make("a", [record(0), record(1)], {"generator": [says()]})
    found = select_examples([run], ExampleSelection(forms=("answer", "plan", "use"), held_out=0))
    replies = {example.form: example.reply for example in found.train if example.id == "q0"}
    assert replies == {
        "answer": "Answer: with",
        "plan": "1. Find the source. a bell (a tone at 1 s)\n2. Find its place. left\nAnswer: with",
        "use": "1. a bell (a tone at 1 s)\n2. left\nAnswer: with",
    }


async def test_the_targets_own_working_can_be_learned_in_place_of_the_agents_findings(runs: Runs) -> None:
    script = {"generator": [says()], "target": ["1. bell 2. left\nAnswer: with", "with"]}
    run = await runs.make("a", [record(0), record(1)], script)
    found = select_examples([run], ExampleSelection(("plan", "use"), working="target", held_out=0))
    assert {example.form: example.reply for example in found.train} == {
        "plan": "1. Find the source.\n2. Find its place.\n1. bell 2. left\nAnswer: with",
        "use": "1. bell 2. left\nAnswer: with",
    }
    assert found.left_out == {"the target wrote no working": 1}


async def test_what_is_not_fit_to_be_learned_is_left_out_and_counted(runs: Runs) -> None:
    leak = [{**STEPS[0], "step": "Check that the answer is horn."}]
    script = {
        "generator": lambda fields, messages: {
            "What is heard (1)?": says("unknown"),
            "What is heard (2)?": says("horn", leak),
            "What is heard (3)?": says("horn"),
            "What is heard (6)?": says("neither"),
        }.get(fields["question"], says()),
        "summarizer": lambda fields, messages: {"caption": f"Of {fields['question']}"},
        "evaluator": lambda fields, messages: verdict(5 if "(4)" in fields["caption"] else 9),
    }
    lines = [record(number) for number in range(5)] + [record(5, split="test"), record(6), record(7, split="Test-mini")]
    for number in (3, 6):
        lines[number] = record(number, choices=["with", "horn"])
    run = await runs.make("a", lines, script, threshold=8)
    found = select_examples([run], ExampleSelection(right_only=True, held_out=0))
    assert [example.id for example in found.train] == ["q0"]
    assert found.left_out == {
        "without an answer": 1,
        "not right by a rule": 2,
        "scored too low": 1,
        "of a test split": 2,
        "none of the choices": 1,
    }
    kept = select_examples([run], ExampleSelection(min_score=1, keep_leaks=True, held_out=0))
    assert [example.id for example in kept.train] == ["q0", "q2", "q3", "q4"]
    strict = select_examples([run], ExampleSelection(min_score=1, held_out=0))
    assert strict.left_out["its steps leak the answer"] == 1


async def test_a_question_about_a_clip_is_learned_once_from_its_best_reasoning(runs: Runs, tmp_path: Path) -> None:
    low = await runs.make("low", [record(0), record(1)], {"generator": [says()], "evaluator": [verdict(8)]})
    high = await runs.make("high", [record(0)], {"generator": [says("better")], "evaluator": [verdict(10)]})
    found = select_examples([low, high], ExampleSelection(("answer",), held_out=0))
    assert {example.id: example.reply for example in found.train} == {"q0": "Answer: better", "q1": "Answer: with"}
    assert found.left_out == {"the same question about the same clip again": 1}


async def test_whole_clips_are_held_out_and_clips_of_a_test_file_are_never_learned(runs: Runs) -> None:
    run = await runs.make("a", [record(number) for number in range(8)], {"generator": [says()]})
    found = select_examples([run], ExampleSelection(held_out=0.25, seed=1))
    trained, apart = ({example.clip for example in part} for part in (found.train, found.held_out))
    assert len(apart) == 1 and len(trained) == 3 and not trained & apart
    assert len(found.train) == 6 and len(found.held_out) == 2
    again = select_examples([run], ExampleSelection(held_out=0.25, seed=1))
    assert again.digest == found.digest
    file = runs.folder / "a.jsonl"
    with pytest.raises(InputError, match="8 about a clip of a test file"):
        select_examples([run], ExampleSelection(test=(file,)))


async def test_too_little_to_learn_from_is_refused_with_the_remedy(runs: Runs) -> None:
    run = await runs.make("a", [record(0)], {"generator": [says()]})
    with pytest.raises(InputError, match="--held-out 0"):
        select_examples([run], ExampleSelection())
    with pytest.raises(InputError, match=r"\(1 scored too low\): lower --min-score.$"):
        select_examples([run], ExampleSelection(min_score=10))
    with pytest.raises(InputError, match=r"leave out --supported, or make the run with a critic of claims.$"):
        select_examples([run], ExampleSelection(supported=True))
    with pytest.raises(InputError, match="There is no form 'sleep': choose among answer, plan, use"):
        ExampleSelection(forms=("sleep",))  # type: ignore[arg-type]


def finding(verdict: str) -> dict[str, Any]:
    claim = {"text": "a bell rings", "kind": "sound", "modality": "audio", "window": None}
    return {"claim": claim, "verdict": verdict, "window": None, "witness": "made", "margin": None, "reason": "made"}


async def test_only_reasoning_whose_claims_hold_can_be_taken(runs: Runs) -> None:
    path = await runs.make("a", [record(number) for number in range(4)], {"generator": [says()]})
    verdicts = {"q0": ["supported", "cannot_tell"], "q1": ["supported", "contradicted"], "q2": ["cannot_tell"]}
    with RunFile.open(path) as run:
        for outcome in list(run.outcomes("aurelia")):
            assert outcome.result
            outcome.result["iterations"][0]["claims"] = [finding(one) for one in verdicts.get(outcome.record, [])]
            run.store_outcomes(outcome)
    found = select_examples([path], ExampleSelection(supported=True, held_out=0))
    assert [example.id for example in found.train] == ["q0"]
    assert found.left_out == {"a claim is contradicted": 1, "no claim was found to hold": 2}
    assert len(select_examples([path], ExampleSelection(held_out=0)).train) == 4
