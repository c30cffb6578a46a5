"""Run files made up for the report: any number of questions with outcomes, scores and calls, without asking a model."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aurelia.bench.records import COLUMNS, DialogueTurn, Record, RecordSource
from aurelia.bench.run_file import Outcome, RunFile, StoredScore
from aurelia_core.types import NO_USAGE, Usage
from state.schema import new_attempt

WORDS = ["the", "drum", "left", "struck", "while", "second", "cello", "answers", "softly", "behind", "singer", "red"]
CATEGORIES = ["Musical Performances", "Dynamic Scene", "Compositional", "Meme and Humor", "Language"]
Change = Callable[[int, dict[str, Any]], None]


def sentence(dice: random.Random, words: int) -> str:
    return " ".join(dice.choice(WORDS) for _ in range(words))


def usage(calls: int) -> Usage:
    return {
        **NO_USAGE,
        "calls": calls,
        "input_tokens": 900 * calls,
        "output_tokens": 80 * calls,
        "cost_usd": 0.002 * calls,
    }


def made_record(number: int, dice: random.Random, video: str = "") -> dict[str, Any]:
    column = list(COLUMNS)[number % 7]
    choices = [sentence(dice, 3) + f" {letter}" for letter in "abcd"] if number % 2 else []
    return {
        "id": f"made:{number}",
        "column": column,
        "category": CATEGORIES[number % len(CATEGORIES)],
        "video": video or f"clips/{number // 3}.mp4",
        "question": f"Question {number}: {sentence(dice, 12)}?",
        "choices": choices,
        "answers": [choices[number % 4]] if choices else [sentence(dice, 2)],
        "history": [DialogueTurn(question="What is heard before?", answer="A bell.").model_dump()]
        if number % 9 == 0
        else [],
        "source": RecordSource(dataset="made", split="test", item=str(number), row=number).model_dump(),
        "licence": "CC0-1.0",
    }


def made_result(record: dict[str, Any], dice: random.Random, attempts: int) -> dict[str, Any]:
    iterations = []
    for number in range(1, attempts + 1):
        steps = [
            {
                "step": sentence(dice, 14),
                "justification": sentence(dice, 16),
                "answer": sentence(dice, 10),
                "modality": dice.choice(["audio", "visual", "both", "knowledge"]),
            }
            for _ in range(4)
        ]
        window = {"start": round(dice.uniform(0, 1), 2), "end": round(dice.uniform(1.1, 2), 2)}
        last = number == attempts
        iterations.append(
            {
                **new_attempt(number),
                "score": None if dice.random() < 0.02 else dice.randint(2, 10),
                "caption": sentence(dice, 60),
                "reasoning": {"steps": steps, "answer": sentence(dice, 4)},
                "critique": sentence(dice, 40),
                "doubts": [window],
                "feedback": None if last else sentence(dice, 35),
                "windows": [] if last else [window],
                "seconds": dice.uniform(2, 9),
                "usage": usage(3 if last else 4),
            }
        )
    scored = [(attempt["score"], attempt["iteration"]) for attempt in iterations if attempt["score"] is not None]
    score, best = max(scored) if scored else (None, None)
    return {
        "answer": record["answers"][0] if dice.random() < 0.6 else sentence(dice, 3),
        "iterations": iterations,
        "best": iterations[best - 1]["reasoning"] if best else None,
        "best_iteration": best,
        "score": score,
        "stop_reason": "threshold" if (score or 0) >= 8 else "max_iterations" if best else "no_valid_score",
        "warnings": ["The first look was coarse."] if dice.random() < 0.1 else [],
        "clip": {"duration": 2.0},
        "seconds": 20.0,
    }


def with_choices_and_claims(number: int, parts: dict[str, Any]) -> None:
    """Gives a question a kind, its scores a choice that was read, and every attempt three claims."""
    record = parts["record"]
    record["kinds"] = [["Audio", "Counting"][number % 2]]
    if record["choices"]:
        parts["said"] = f"letter: {record['choices'][number * 7 % 4]}"
    verdicts = ["supported", "supported", "supported"]
    if number % 3 == 0:
        verdicts[1] = "contradicted"
    if number % 5 == 0:
        verdicts[2] = "cannot_tell"
    for attempt in parts["result"]["iterations"]:
        attempt["claims"] = [
            {
                "claim": {"text": f"Claim {at} of {number}.", "kind": kind, "modality": "audio", "window": None},
                "verdict": verdict,
                "window": {"start": 0.5, "end": 1.5},
                "witness": "made:witness",
                "margin": 0.25,
                "reason": "A bell is heard.",
            }
            for at, (kind, verdict) in enumerate(zip(("sound", "order", "colour"), verdicts, strict=True))
        ]


def made_run(
    path: Path, questions: int, *, video: str = "", seed: int = 0, attempts: int = 3, change: Change | None = None
) -> Path:
    """A run file with that many made-up questions; `change` may alter the parts of each."""
    dice = random.Random(seed)
    records, outcomes, marks = [], [], []
    for number in range(questions):
        record = made_record(number, dice, video)
        parts: dict[str, Any] = {"record": record, "result": made_result(record, dice, attempts), "zero": "a guess"}
        parts |= {"said": "It is so.", "how": "rule", "failed": number % 41 == 7}
        parts["values"] = [float(dice.random() < 0.4), None if number % 29 == 3 else float(dice.random() < 0.6)]
        if change:
            change(number, parts)
        record, result = Record.model_validate(parts["record"]), parts["result"]
        records.append(record)
        zero = {"models": {"target": "made:target"}, "warnings": []}
        outcomes.append(
            Outcome(record.id, "zero_shot", 0, "answered", parts["zero"], None, zero, None, 1, 4.0, usage(1), 1.0)
        )
        state: Any = "failed" if parts["failed"] else "answered"
        answer, error = (None, "made:target did not answer.") if parts["failed"] else (result["answer"], None)
        kept = None if parts["failed"] else result
        outcomes.append(Outcome(record.id, "aurelia", 0, state, answer, None, kept, error, 1, 22.0, usage(12), 1.0))
        for arm, value in zip(("zero_shot", "aurelia"), parts["values"], strict=False):
            if not (arm == "aurelia" and parts["failed"]):
                arm_name: Any = arm
                how = parts["how"] if value is not None else "unparsed"
                marks.append(StoredScore(record.id, arm_name, 0, "correct", value, how, parts["said"]))
    meta = {
        "settings": {
            "threshold": 8,
            "max_iterations": attempts,
            "inject": "steps",
            "arms": ["zero_shot", "aurelia"],
        },
        "models": {"generator": "made:agent", "target": "made:target"},
        "prompts": {"generator": "0" * 64},
        "versions": {"aurelia": "0.1.0"},
        "records_sha256": "0" * 64,
        "media": "clips",
    }
    with RunFile.create(path, records, meta) as run:
        run.store_outcomes(*outcomes)
        run.store_scores(marks)
    return path
