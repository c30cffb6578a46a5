"""The score of one answer: a rule first, then a judge if there is one, else unparsed. Never a guess.

It asks no target and stores nothing; which arm an answer is from it does not know, and so neither does the judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import create_model

import prompts
from aurelia.bench.caption_metrics import CAPTION_METRICS, compute_caption_scores
from aurelia.bench.records import Record
from aurelia_core.answers.multiple_choice import CHOICE_LETTERS, UNPARSED, extract_choice
from aurelia_core.answers.open_answer import match_open_answer
from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient, Request
from aurelia_core.models.replies import ModelReply
from aurelia_core.models.requests import JudgeRequest
from prompts.render import PROMPT_TEXTS, choices_text

_NO_CHOICE = "none"
CAPTIONING = "av-captioning"

ScoreMethod = Literal["rule", "judge", "unparsed"]


@dataclass(frozen=True, slots=True)
class MetricScore:
    """One metric of one answer.

    Attributes:
        metric: "correct", or a caption metric.
        value: 0 or 1 for "correct"; None when the answer is unparsed, or the metric is not defined for it.
        how: what decided: a rule, the judge, or nothing.
        said: the rule's name and what it read, the judge's reason, or why there is nothing.
    """

    metric: str
    value: float | None
    how: ScoreMethod
    said: str

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None when that cannot be told."""
        return None if self.value is None else self.value == 1


class JudgeVerdict(ModelReply):
    """The judge's word on an open answer; null: it commits to nothing."""

    correct: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that decides what rules cannot; its calls go through the desk's ledger, so each is paid for once.

    Attributes:
        desk: where it is asked.
        spec: the model, `provider:model`.
        run: names the run that pays.
    """

    desk: ModelClient
    spec: str
    run: str = "judge"

    async def choice(self, question: str, choices: Sequence[str], reply: str) -> tuple[int | None, str]:
        """Which choice a reply means (None: none of them, or several), and why; it is not told the right one.

        Raises:
            ModelError: the judge did not answer, or not in the form asked for.
        """
        letters = CHOICE_LETTERS[: len(choices)]
        fields: dict[str, Any] = {"choice": (Literal[(*letters, _NO_CHOICE)], ...), "reason": (str, "")}
        schema: type[Any] = create_model("ChoiceVerdict", __base__=ModelReply, **fields)
        text = prompts.fill_prompt("judge_choice", question=question, choices=choices_text(list(choices)), reply=reply)
        verdict = (
            await self.desk.complete_structured(
                self._request(text, JudgeRequest(question=question, reply=reply, choices=list(choices))), schema
            )
        ).value
        return (None if verdict.choice == _NO_CHOICE else letters.index(verdict.choice)), verdict.reason

    async def open(self, question: str, answers: Sequence[str], reply: str) -> JudgeVerdict:
        """Whether a reply agrees with a reference answer.

        Raises:
            ModelError: the judge did not answer, or not in the form asked for.
        """
        references = "\n".join(f"* {answer}" for answer in answers)
        text = prompts.fill_prompt("judge", question=question, references=references, reply=reply)
        request = self._request(text, JudgeRequest(question=question, reply=reply, answers=list(answers)))
        return (await self.desk.complete_structured(request, JudgeVerdict)).value

    def _request(self, text: str, fields: JudgeRequest) -> Request:
        return Request(model_id=self.spec, text=text, fields=fields, texts=PROMPT_TEXTS, run=self.run)


async def score_answer(record: Record, answer: str | None, *, judge: Judge | None = None) -> list[MetricScore]:
    """Scores one answer to one record; a caption has no marks of its own (see `score_captions`).

    Args:
        record: the question with its reference answers.
        answer: what the target said; None when it said nothing.
        judge: decides what the rules leave open.
    """
    mark = score_by_rule(record, answer)
    if mark is None:
        return []
    if mark.value is not None or judge is None or not (answer and answer.strip()):
        return [mark]
    try:
        return [await (_choice_by_judge if record.choices else _open_by_judge)(record, answer, judge)]
    except ModelError as fault:
        return [MetricScore("correct", None, UNPARSED, f"The judge failed: {fault}")]


def score_by_rule(record: Record, answer: str | None) -> MetricScore | None:
    """What the rules alone say of an answer; None for a caption, which is scored by other metrics."""
    if record.task == CAPTIONING and not record.choices:
        return None
    if not (answer and answer.strip()):
        return MetricScore("correct", None, UNPARSED, "There is no answer.")
    return _choice_by_rule(record, answer) if record.choices else _open_by_rule(record, answer)


def score_captions(records: Sequence[Record], answers: Mapping[str, str]) -> dict[str, list[MetricScore]]:
    """The caption metrics of one arm by record id; records of other tasks and without an answer are left out.

    Args:
        records: the records; CIDEr-D weighs words by the references of those that have an answer.
        answers: the captions by record id.

    Raises:
        InputError: the libraries are not installed.
    """
    asked = {record.id: record for record in records if record.task == CAPTIONING and record.id in answers}
    if not asked:
        return {}
    scores = compute_caption_scores(
        {name: answers[name] for name in asked}, {name: record.answers for name, record in asked.items()}
    )
    return {
        name: [
            MetricScore(
                metric, scores.each[name][metric], "rule" if scores.each[name][metric] is not None else UNPARSED, metric
            )
            for metric in CAPTION_METRICS
        ]
        for name in asked
    }


def _choice_by_rule(record: Record, answer: str) -> MetricScore:
    found = extract_choice(answer, record.choices)
    if found.index is None:
        return MetricScore("correct", None, UNPARSED, "No rule reads a choice.")
    return MetricScore(
        "correct", float(found.index in record.right), "rule", f"{found.rule}: {record.choices[found.index]}"
    )


def _open_by_rule(record: Record, answer: str) -> MetricScore:
    found = match_open_answer(answer, record.answers, record.synonyms)
    if found.correct is None:
        return MetricScore("correct", None, UNPARSED, "No rule decides.")
    return MetricScore("correct", float(found.correct), "rule", found.rule)


async def _choice_by_judge(record: Record, answer: str, judge: Judge) -> MetricScore:
    index, reason = await judge.choice(record.asked(), record.choices, answer)
    if index is None:
        return MetricScore("correct", None, UNPARSED, reason or "The judge reads no choice.")
    return MetricScore(
        "correct", float(index in record.right), "judge", f"{record.choices[index]}: {reason}".rstrip(": ")
    )


async def _open_by_judge(record: Record, answer: str, judge: Judge) -> MetricScore:
    references = [*record.answers, *(word for words in record.synonyms.values() for word in words)]
    verdict = await judge.open(record.asked(), references, answer)
    if verdict.correct is None:
        return MetricScore("correct", None, UNPARSED, verdict.reason or "The judge does not decide.")
    return MetricScore("correct", float(verdict.correct), "judge", verdict.reason)
