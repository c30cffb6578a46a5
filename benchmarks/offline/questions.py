"""Scores the offline generator on questions about rendered scenes: accuracy per intent, and all failures.

The looks are so fine that frames and samples do not limit the generator. The score therefore measures understanding and
measurement, not the budget. Run:
`python -m benchmarks.offline.questions SCENES.json QUESTIONS.jsonl`.
"""

import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import HumanMessage

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.world.scene import Scene, write_scene

_LOOK_SECONDS = 2.5
_FRAMES, _SAMPLES = 64, 48000


class Outcome(NamedTuple):
    """One question with its answer, and whether the answer is correct."""

    question: dict[str, Any]
    answer: str
    right: bool


def plain(text: str) -> str:
    """Lower case, without punctuation, single spaces."""
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower().replace("'", "")).split())


def is_right(answer: str, answers: Iterable[str], choices: Sequence[str]) -> bool:
    """Whether the reply contains an accepted answer as whole words; with choices, whether it is an accepted choice."""
    said = plain(answer)
    accepted = [plain(each) for each in answers]
    if choices:
        return said in accepted
    return any(re.search(rf"\b{re.escape(each)}\b", said) for each in accepted if each)


def fine_looks(duration: float) -> list[list[Window]]:
    """Looks that cover the clip in parts, each short enough for the full sample rate."""
    looks, start = [], 0.0
    while start < duration - 0.05:
        looks.append([Window(start=round(start, 2), end=round(min(duration, start + _LOOK_SECONDS), 2))])
        start += _LOOK_SECONDS - 0.5
    return looks


def ask(chat: MeasuringChat, clip: MediaRef, question: str, choices: Sequence[str]) -> dict[str, Any]:
    """The generator's reasoning for one question, at full resolution."""
    fields = {
        "role": "generator",
        "question": question,
        "choices": list(choices),
        "clip": clip,
        "tracks": [],
        "duration": clip["duration"],
        "has_audio": clip["has_audio"],
        "looks": fine_looks(clip["duration"]),
        "frames": _FRAMES,
        "samples": _SAMPLES,
        "iteration": 1,
    }
    message = HumanMessage(question, additional_kwargs={"request": fields})
    reasoning: dict[str, Any] = json.loads(chat.invoke([message]).text)
    return reasoning


def score(questions: Iterable[dict[str, Any]], scenes: dict[str, Any], folder: Path) -> list[Outcome]:
    """Render the scenes and ask every question.

    Args:
        questions: records with scene, question, answers and possibly choices and intent.
        scenes: scene descriptions by name.
        folder: the folder for the clips and the decoding cache.
    """
    store = ClipStore(Settings(home=folder / "home", allow_any_file=True))
    chat = MeasuringChat(store=store)
    clips: dict[str, MediaRef] = {}
    outcomes = []
    for record in questions:
        name = record["scene"]
        if name not in clips:
            path = folder / f"{name}.mp4"
            write_scene(Scene.model_validate(scenes[name]), path)
            clips[name] = store.admit(str(path), kind="video")
        choices = record.get("choices") or []
        answer = ask(chat, clips[name], record["question"], choices)["answer"]
        outcomes.append(Outcome(record, answer, is_right(answer, record["answers"], choices)))
    return outcomes


def report(outcomes: Sequence[Outcome]) -> str:
    """The accuracy, overall and per intent, and every failure with its answer."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[str(outcome.question.get("intent") or "other")].append(outcome)
    right = sum(outcome.right for outcome in outcomes)
    open_ = sum(not outcome.right and outcome.answer.startswith("unknown") for outcome in outcomes)
    lines = [
        f"questions    {right} of {len(outcomes)} right ({right / max(1, len(outcomes)):.1%}),"
        f" {open_} answered unknown, {len(outcomes) - right - open_} wrong; always unknown would be right in"
        f" {sum('unknown' in outcome.question['answers'] for outcome in outcomes)}",
        "",
    ]
    for intent, group in sorted(groups.items()):
        lines.append(f"{intent:24} {sum(outcome.right for outcome in group):4} of {len(group)}")
    lines += ["", "Failures:"]
    for outcome in outcomes:
        if not outcome.right:
            record = outcome.question
            lines.append(f"- {record.get('id', '?')} [{record.get('intent')}] {record['scene']}: {record['question']}")
            lines.append(
                f"  choices {record.get('choices') or '-'}; accepted {record['answers']}; got {outcome.answer!r}"
            )
    return "\n".join(lines)


def _scenes(path: Path) -> dict[str, Any]:
    """Scenes by name, from an object by name or a list of objects with an id or name."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(data, dict):
        return data
    return {str(each.get("id", each.get("name"))): each.get("scene", each) for each in data}


def main(scenes: str, questions: str) -> list[Outcome]:
    """Score a JSONL file of questions about a JSON file of scenes, and print the report."""
    records = [json.loads(line) for line in Path(questions).read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = score(records, _scenes(Path(scenes)), Path(folder))
    print(report(outcomes))
    return outcomes


if __name__ == "__main__":
    main(*sys.argv[1:3])
