"""Training examples from run files: selected, without duplicates, and split by clip.

A question of a test split, or about a clip of a given test file, is never an example. The label is what the run's best
reasoning says, not the reference answer.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from aurelia.bench.answers import cleaned_answer, raw_answer
from aurelia.bench.learnable import REMEDIES, SAME_AGAIN, question_key, why_left_out
from aurelia.bench.records import Record, read_records
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.training import numbered_steps
from aurelia_core.errors import InputError
from aurelia_core.types import Reasoning

TrainingForm = Literal["answer", "plan", "use"]
TRAINING_FORMS: tuple[TrainingForm, ...] = get_args(TrainingForm)
Working = Literal["agents", "target"]
_ANSWER = "Answer:"
_NO_WORKING = "the target wrote no working"


@dataclass(frozen=True, slots=True)
class ExampleSelection:
    """Which answers of the runs become examples, and in which forms.

    Attributes:
        forms: answer: question to answer; plan: question to steps with their findings and answer; use: question with
            the steps given to findings and answer. Several forms: every question in each.
        min_score: lowest score of the reasoning, 1..10; None: the threshold of its run.
        right_only: leave out answers that are wrong, or that no rule decides.
        supported: take only reasoning whose claims were checked (setting `critic`): some hold, none is contradicted.
        keep_leaks: also take reasoning whose steps give the answer away.
        working: whose findings are learned: those of the agents, or the target's own reply under the injected steps.
        held_out: share of the clips for evaluation, 0 to below 1.
        test: benchmark files about whose clips nothing is learned.
        seed: seed of the split.
    """

    forms: tuple[TrainingForm, ...] = ("plan",)
    min_score: int | None = None
    right_only: bool = False
    supported: bool = False
    keep_leaks: bool = False
    working: Working = "agents"
    held_out: float = 0.1
    test: tuple[Path, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value cannot be used.
        """
        unknown = [form for form in self.forms if form not in TRAINING_FORMS]
        if unknown or not self.forms:
            given = ", ".join(map(repr, unknown)) or "given"
            raise InputError(f"There is no form {given}: choose among {', '.join(TRAINING_FORMS)}.")
        if not 0 <= self.held_out < 1:
            raise InputError(f"The held-out share {self.held_out} cannot be used: give 0 to below 1.")


class TrainingExample(NamedTuple):
    """One example.

    Attributes:
        id: id of the record.
        clip: id (SHA-256) of the clip.
        record: the question.
        reasoning: the best reasoning of the run.
        form: the form.
        reply: the text to learn.
        score: score of the reasoning.
        run: name of the run file.
    """

    id: str
    clip: str
    record: Record
    reasoning: Reasoning
    form: TrainingForm
    reply: str
    score: int
    run: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of clip, question and reply."""
        text = "\0".join([self.clip, self.record.to_json_line(), self.form, self.reply])
        return hashlib.sha256(text.encode()).hexdigest()


class ExampleSet(NamedTuple):
    """The examples, those held out for evaluation, and the number of answers left out by reason."""

    train: list[TrainingExample]
    held_out: list[TrainingExample]
    left_out: Counter[str]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all examples in order."""
        parts = [example.digest for part in (self.train, self.held_out) for example in part]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def select_examples(runs: Sequence[Path], selection: ExampleSelection) -> ExampleSet:
    """The examples of the runs.

    Raises:
        InputError: a run or a test file cannot be used, or too little is left; the message says why.
    """
    left_out: Counter[str] = Counter()
    tested = {record.clip_name for file in selection.test for record in read_records(file)}
    found: dict[tuple[str, str], tuple[Record, dict[str, Any], str, str, str]] = {}
    for path in runs:
        with RunFile.open(path) as run:
            least = selection.min_score
            if least is None:
                least = run.meta["settings"]["threshold"]
            for record, outcome in _answered(run):
                reason = _refusal(record, outcome, least, tested, selection)
                if reason:
                    left_out[reason] += 1
                    continue
                result = outcome.result or {}
                key = question_key(record, outcome)
                if key in found:
                    left_out[SAME_AGAIN] += 1
                    if result["score"] <= found[key][1]["score"]:
                        continue
                found[key] = (record, result, _label(outcome, selection), raw_answer(outcome) or "", path.name)
    examples = [example for value in found.values() for example in _examples(*value, selection)]
    return _split(examples, left_out, selection)


def _answered(run: RunFile) -> Iterator[tuple[Record, Outcome]]:
    for outcome in run.outcomes("aurelia", state="answered"):
        yield run.record(outcome.record), outcome


def _refusal(record: Record, outcome: Outcome, least: int, tested: set[str], selection: ExampleSelection) -> str | None:
    """Why an answer is no example; None if it is one."""
    reason = why_left_out(
        record, outcome, _label(outcome, selection), least, right_only=selection.right_only,
        supported=selection.supported, keep_leaks=selection.keep_leaks, tested=tested,
    )  # fmt: skip
    if reason is None and selection.working == "target" and _ANSWER not in (raw_answer(outcome) or ""):
        return _NO_WORKING
    return reason


def _label(outcome: Outcome, selection: ExampleSelection) -> str:
    if selection.working == "target":
        return cleaned_answer(outcome) or ""
    return str(((outcome.result or {}).get("best") or {}).get("answer") or "").strip()


def _examples(
    record: Record, result: dict[str, Any], label: str, raw: str, run: str, selection: ExampleSelection
) -> Iterable[TrainingExample]:
    best: Reasoning = result["best"]
    for form in selection.forms:
        reply = f"{_ANSWER} {label}"
        if form != "answer" and selection.working == "target":
            reply = raw
            if form == "plan":
                plan = "\n".join(f"{number}. {step['step']}" for number, step in enumerate(best["steps"], 1))
                reply = f"{plan}\n{raw}"
        elif form == "plan":
            reply = f"{numbered_steps(best)}\n{reply}"
        elif form == "use":
            reply = f"{_findings(best)}\n{reply}"
        yield TrainingExample(record.id, result["clip"]["id"], record, best, form, reply, result["score"], run)


def _findings(best: Reasoning) -> str:
    """The findings with their cues, one numbered line each."""
    lines = []
    for number, step in enumerate(best["steps"], 1):
        cue = f" ({step['justification']})" if step["justification"] else ""
        lines.append(f"{number}. {step['answer']}{cue}")
    return "\n".join(lines)


def _split(examples: list[TrainingExample], left_out: Counter[str], selection: ExampleSelection) -> ExampleSet:
    """The examples with whole clips held out."""
    if not examples:
        raise InputError(f"The runs hold nothing to learn from {_remedies(left_out)}.")
    clips = sorted({example.clip for example in examples}, key=lambda clip: _place(clip, selection.seed))
    count = 0
    if selection.held_out:
        count = max(1, round(selection.held_out * len(clips)))
    if count >= len(clips):
        raise InputError(
            f"The examples are about {len(clips)} clip(s), too few to hold some out: give more runs, or --held-out 0."
        )
    apart = set(clips[:count])
    return ExampleSet(
        [example for example in examples if example.clip not in apart],
        [example for example in examples if example.clip in apart],
        left_out,
    )


def _remedies(left_out: Counter[str]) -> str:
    """Why everything was left out, and what helps against the reasons that there are."""
    if not left_out:
        return "(no answers of the arm aurelia): make them with bench run --arms aurelia"
    reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.most_common())
    known = {**REMEDIES, _NO_WORKING: "leave out --working target"}
    helps = dict.fromkeys(known[reason] for reason, _ in left_out.most_common() if reason in known)
    return f"({reasons}): {'; '.join(helps)}"


def _place(clip: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{clip}".encode()).hexdigest()
