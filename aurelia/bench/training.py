"""Exports a run's reasoning as a training set, in the forms that trainers read, with a card that describes it.

The styles:

* `trl`: chat messages with typed content, as TRL and the chat templates of transformers read them.
* `swift`: text messages with `<video>`, `<image>` and `<audio>` in the question, and lists of the files (ms-swift).
* `llama-factory`: the same in LLaMA-Factory's names, with `dataset_info.json` beside the file.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aurelia.bench.answers import cleaned_answer
from aurelia.bench.export import atomic_output, write_jsonl
from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.tally import AnswerKey, JudgedAnswer, judge_run
from aurelia_core.errors import InputError
from aurelia_core.types import Reasoning
from prompts.render import choices_text

TrainingStyle = Literal["trl", "swift", "llama-factory"]
TRAINING_STYLES: tuple[TrainingStyle, ...] = ("trl", "swift", "llama-factory")
OF_A_TEST_SPLIT = "of a test split"
_TEST_SPLIT = "test"
"""How the name of a split for testing begins: test, testing, test-mini."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a training set is made.

    Attributes:
        least: Lowest score of an exported reasoning; None for the run's threshold.
        style: Form of an example.
        right_only: Leave out answers that are not right, captions too.
        media: Folder that stands before the names of the media; None leaves the names of the records.
    """

    least: int | None = None
    style: TrainingStyle = "trl"
    right_only: bool = False
    media: str | None = None


class TrainingSet(NamedTuple):
    """A written training set: its number of examples, and the number of answers left out by reason."""

    examples: int
    left_out: Counter[str]

    def __str__(self) -> str:
        """The numbers as a text."""
        text = f"{self.examples} examples"
        if self.left_out:
            text += f"; left out: {left_out_text(self.left_out)}"
        return text


def left_out_text(left_out: Counter[str]) -> str:
    """The reasons with their numbers, the most frequent first."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())


def is_of_test_split(record: Record) -> bool:
    """Whether nothing may be learned from a question: its data set holds it for testing."""
    return record.source.split.casefold().startswith(_TEST_SPLIT)


def export_training_set(run: Path, out: Path, options: TrainingOptions | None = None) -> TrainingSet:
    """Writes one example per line, and its card beside it (`OUT.card.md`).

    Left out are questions of a test split, reasoning with too low a score, failed questions, and answers that nothing
    could read, abstentions among them (`aurelia.bench.tally`).

    The assistant's text has the steps of the best reasoning with their findings, then one line "Answer: …", the
    target's cleaned answer with that reasoning. The other keys are `id`, `score` (1..10), `right` (null for a
    caption), `answers` (the reference), `generator` and `target` (models), and `licence` (of the annotation).

    Args:
        run: Run file.
        out: File to write.
        options: Style and selection.

    Raises:
        InputError: The run or the file cannot be used, or there is no such style.
    """
    chosen = options or TrainingOptions()
    if chosen.style not in TRAINING_STYLES:
        raise InputError(f"There is no style {chosen.style!r}: choose one of {', '.join(TRAINING_STYLES)}.")
    counts: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    with RunFile.open(run) as opened, atomic_output(out) as part:
        least = chosen.least
        if least is None:
            least = opened.meta["settings"]["threshold"]
        written = TrainingSet(write_jsonl(_examples(opened, least, chosen, counts, left_out), part), left_out)
    card = out.with_name(f"{out.name}.card.md")
    card.write_text(_card(run, out, chosen, least, written, counts), encoding="utf-8")
    if chosen.style == "llama-factory":
        info = out.with_name("dataset_info.json")
        info.write_text(json.dumps(_dataset_info(out), indent=2) + "\n", encoding="utf-8")
    return written


def _examples(
    run: RunFile, least: int, options: TrainingOptions, counts: Counter[str], left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    judged: dict[AnswerKey, JudgedAnswer] = dict(judge_run(run))
    for outcome in run.outcomes("aurelia"):
        record = run.record(outcome.record)
        one = judged[outcome.record, outcome.arm, outcome.rollout]
        if reason := _refusal(record, outcome, one, least, options):
            left_out[reason] += 1
            continue
        example = _example(record, outcome, one, options)
        counts[f"licence {record.licence}"] += 1
        counts[f"right: {example['right']}"] += 1
        counts[f"data set {record.source.dataset}"] += 1
        counts[f"generator {example['generator']}"] += 1
        yield example


def _refusal(
    record: Record, outcome: Outcome, judged: JudgedAnswer, least: int, options: TrainingOptions
) -> str | None:
    """Why an answer is no example; None if it is one."""
    result = outcome.result or {}
    reason = None
    if is_of_test_split(record):
        reason = OF_A_TEST_SPLIT
    elif judged.verdict == "failed":
        reason = "failed"
    elif not result.get("best"):
        reason = "without a reasoning"
    elif (result["score"] or 0) < least:
        reason = f"with reasoning scored below {least}"
    elif not cleaned_answer(outcome) or judged.verdict == "unparsed":
        reason = "that abstain or cannot be read"
    elif options.right_only and judged.verdict != "right":
        reason = "not right"
    return reason


def _example(record: Record, outcome: Outcome, judged: JudgedAnswer, options: TrainingOptions) -> dict[str, Any]:
    result = outcome.result or {}
    answer = cleaned_answer(outcome)
    right: bool | None = None
    if judged.value is not None:
        right = judged.verdict == "right"
    question = f"{record.full_question()}\n{choices_text(record.choices)}".rstrip()
    said = f"{numbered_steps(result['best'])}\nAnswer: {answer}"
    return {
        "id": record.id,
        **_messages(record, _sounds(record, result), question, said, options),
        "score": result["score"],
        "right": right,
        "answers": record.answers,
        "generator": result["models"]["generator"],
        "target": result["models"]["target"],
        "licence": record.licence,
    }


def _sounds(record: Record, result: dict[str, Any]) -> list[str]:
    """The sounds of an example: the record's, else the clip's own, which trainers read only where it is named."""
    if record.audio or not record.video:
        return record.audio
    if (result.get("clip") or {}).get("audio_seconds"):
        return [record.video]
    return []


def _messages(record: Record, sounds: list[str], question: str, said: str, options: TrainingOptions) -> dict[str, Any]:
    """The conversation and its media in the form of the style."""
    videos = [_media_name(name, options) for name in filter(None, [record.video])]
    images = [_media_name(name, options) for name in record.images]
    audio = [_media_name(name, options) for name in sounds]
    if options.style == "trl":
        content = [{"type": "video", "video": name} for name in videos]
        content += [{"type": "image", "image": name} for name in images]
        content += [{"type": "audio", "audio": name} for name in audio]
        content += [{"type": "text", "text": question}]
        answer = [{"type": "text", "text": said}]
        # TRL hands the media of the content to the processor only where a row has the key `images`.
        return {
            "messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}],
            "images": [],
        }
    places = "<video>" * len(videos) + "<image>" * len(images) + "<audio>" * len(audio)
    messages = [{"role": "user", "content": f"{places}{question}"}, {"role": "assistant", "content": said}]
    media = {"videos": videos, "images": images, "audios": audio}
    # LLaMA-Factory wants every column in every row.
    return {
        "messages": messages,
        **{name: some for name, some in media.items() if some or options.style == "llama-factory"},
    }


def _media_name(name: str, options: TrainingOptions) -> str:
    if options.media is None:
        return name
    return f"{options.media.rstrip('/')}/{name}"


def numbered_steps(best: Reasoning) -> str:
    """The steps with their findings, one numbered line each."""
    lines = []
    for number, step in enumerate(best["steps"], 1):
        parts = [f"{number}. {step['step']}"]
        if step["answer"]:
            parts.append(step["answer"])
        if step["justification"]:
            parts.append(f"({step['justification']})")
        lines.append(" ".join(parts))
    return "\n".join(lines)


def _dataset_info(out: Path) -> dict[str, Any]:
    """The entry of a file for LLaMA-Factory's `dataset_info.json`."""
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    columns = {"messages": "messages", "videos": "videos", "images": "images", "audios": "audios"}
    return {out.stem: {"file_name": out.name, "formatting": "sharegpt", "columns": columns, "tags": tags}}


def _card(
    run: Path, out: Path, options: TrainingOptions, least: int, written: TrainingSet, counts: Counter[str]
) -> str:
    """What the training set is, where it comes from, and what to know before training on it."""
    answers = "all answers"
    if options.right_only:
        answers = "right answers only"
    lines = [
        f"# {out.name}",
        "",
        f"{written.examples} examples of reasoning about clips, made by `aurelia bench export` from {run.name}.",
        f"Style: {options.style}. Selection: reasoning scored {least} or more by the evaluator, {answers};",
        "no question of a test split, no answer that abstains or cannot be read.",
        f"Answers left out: {left_out_text(written.left_out) or 'none'}.",
        "",
        "The reasoning was written by models and was not checked by people; the score is a model's. The clips are not",
        "part of this file. Each example names the licence of its annotation; the clips have licences of their own.",
        "",
        "| | examples |",
        "|---|---|",
    ]
    lines += [f"| {name} | {number} |" for name, number in sorted(counts.items())]
    return "\n".join([*lines, ""])
