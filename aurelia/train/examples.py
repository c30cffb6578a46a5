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
from aurelia.bench.records import Record, read_records
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.scoring import score_by_rule
from aurelia.bench.training import OF_A_TEST_SPLIT, is_of_test_split, left_out_text, numbered_steps
from aurelia_core.answers.answer_leaks import find_answer_leaks
from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.errors import InputError
from aurelia_core.types import Reasoning

TrainingForm = Literal["answer", "plan", "use"]
TRAINING_FORMS: tuple[TrainingForm, ...] = get_args(TrainingForm)
Working = Literal["agents", "target"]
_ANSWER = "Answer:"
_NO_ANSWER = "without an answer"
_NO_CHOICE = "none of the choices"
_NOT_RIGHT = "not right by a rule"
_TOO_LOW = "scored too low"
_LEAKING = "its steps leak the answer"
_UNCHECKED = "no claim was found to hold"
_REMEDIES = {
    OF_A_TEST_SPLIT: "give a run over training questions (bench import --split train)",
    "about a clip of a test file": "give a run over other clips than those of --test",
    "without a reasoning": "give a run with the arm aurelia",
    _TOO_LOW: "lower --min-score",
    _UNCHECKED: "leave out --supported, or make the run with a critic of claims",
    "a claim is contradicted": "leave out --supported",
    _NO_ANSWER: "give a run whose agents answer",
    _NO_CHOICE: "give a run whose agents answer with a choice",
    _NOT_RIGHT: "leave out --right-only",
    _LEAKING: "give --keep-leaks",
    "the target wrote no working": "give --working agents",
}


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
                key = (result["clip"]["id"], "\n".join([record.full_question(), *record.choices]))
                if key in found:
                    left_out["the same question about the same clip again"] += 1
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
    result = outcome.result or {}
    best = result.get("best")
    if is_of_test_split(record):
        return OF_A_TEST_SPLIT
    if record.clip_name in tested:
        return "about a clip of a test file"
    if not best or not best["steps"] or not result.get("clip"):
        return "without a reasoning"
    if (result["score"] or 0) < least:
        return _TOO_LOW
    if selection.supported and (reason := _unsupported(result)):
        return reason
    if reason := _unfit_answer(record, _label(outcome, selection), right_only=selection.right_only):
        return reason
    steps = [step["step"] for step in best["steps"]]
    if not selection.keep_leaks and find_answer_leaks(steps, record.choices, best["answer"]):
        return _LEAKING
    if selection.working == "target" and _ANSWER not in (raw_answer(outcome) or ""):
        return "the target wrote no working"
    return None


def _unfit_answer(record: Record, answer: str, *, right_only: bool) -> str | None:
    """Why an answer is not learned; None if it is."""
    if not answer or answer.casefold() == UNKNOWN:
        return _NO_ANSWER
    score = score_by_rule(record, answer)
    if record.choices and score and score.is_right is None:
        return _NO_CHOICE
    if right_only and not (score and score.is_right):
        return _NOT_RIGHT
    return None


def _unsupported(result: dict[str, Any]) -> str | None:
    """Why the claims of the best attempt do not bear its reasoning; None if they do."""
    attempt = result["iterations"][(result["best_iteration"] or 1) - 1]
    verdicts = [finding["verdict"] for finding in attempt.get("claims") or ()]
    if "contradicted" in verdicts:
        return "a claim is contradicted"
    if "supported" not in verdicts:
        return _UNCHECKED
    return None


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
        remedies = [_REMEDIES[reason] for reason, _ in left_out.most_common()]
        raise InputError(
            f"The runs hold nothing to learn from ({left_out_text(left_out) or 'no answers of the arm aurelia'}):"
            f" {', or '.join(remedies) or 'answer questions with bench run first'}."
        )
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


def _place(clip: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{clip}".encode()).hexdigest()
