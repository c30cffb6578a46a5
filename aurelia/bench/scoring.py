"""The score of one answer: by a rule, else by a judge if there is one, else unparsed; never a guess.

Scoring is blind: neither the rules nor the judge see which arm an answer comes from. `aurelia.bench.score_run` scores a
whole run.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import create_model

import prompts
from aurelia.bench.caption_metrics import CAPTION_METRICS, compute_caption_scores
from aurelia.bench.records import Record
from aurelia_core.answers.cleaning import clean_reply
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
        value: 0 or 1 for "correct"; None if the answer is unparsed or the metric is undefined for it.
        how: Method that decided: a rule, the judge, or none.
        said: Name of the rule and what it read, the judge's reason, or why there is no value.
    """

    metric: str
    value: float | None
    how: ScoreMethod
    said: str

    @property
    def is_right(self) -> bool | None:
        """Whether the answer is right; None if it is unparsed."""
        if self.value is None:
            return None
        return self.value == 1


AnswerScorer = Callable[[Record, str], Awaitable[Sequence[MetricScore]]]
"""Scores an answer to a record."""


# Title and docstring are part of the schema that the judge gets, and so of the keys of stored replies: keep them.
class JudgeVerdict(ModelReply, title="Verdict"):
    """The judge's word on an open answer; null: it commits to nothing."""

    correct: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that decides where rules cannot; its calls go through the client's ledger, so each is paid once.

    Attributes:
        client: Client that asks the model.
        model_id: The model, `provider:model`.
        run: Name of the run that the calls are charged to.
    """

    client: ModelClient
    model_id: str
    run: str = "judge"

    async def choice(self, question: str, choices: Sequence[str], reply: str) -> tuple[int | None, str]:
        """The index of the choice that a reply means (None: none or several), and the reason.

        The judge does not see which choice is right.

        Raises:
            ModelError: The judge did not answer, or not in the required form.
        """
        letters = CHOICE_LETTERS[: len(choices)]
        fields: dict[str, Any] = {"choice": (Literal[(*letters, _NO_CHOICE)], ...), "reason": (str, "")}
        schema: type[Any] = create_model("ChoiceVerdict", __base__=ModelReply, **fields)
        text = prompts.fill_prompt("judge_choice", question=question, choices=choices_text(list(choices)), reply=reply)
        request = self._request(text, JudgeRequest(question=question, reply=reply, choices=list(choices)))
        verdict = (await self.client.complete_structured(request, schema)).value
        if verdict.choice == _NO_CHOICE:
            return None, verdict.reason
        return letters.index(verdict.choice), verdict.reason

    async def open(self, question: str, answers: Sequence[str], reply: str) -> JudgeVerdict:
        """Whether a reply agrees with a reference answer.

        Raises:
            ModelError: The judge did not answer, or not in the required form.
        """
        references = "\n".join(f"* {answer}" for answer in answers)
        text = prompts.fill_prompt("judge", question=question, references=references, reply=reply)
        request = self._request(text, JudgeRequest(question=question, reply=reply, answers=list(answers)))
        return (await self.client.complete_structured(request, JudgeVerdict)).value

    def _request(self, text: str, fields: JudgeRequest) -> Request:
        return Request(model_id=self.model_id, text=text, fields=fields, texts=PROMPT_TEXTS, run=self.run)


async def score_answer(record: Record, answer: str | None, *, judge: Judge | None = None) -> list[MetricScore]:
    """Scores one answer to one record; a caption has no score of its own (see `score_captions`).

    Args:
        record: The question with its reference answers.
        answer: The target's answer, or None.
        judge: Decides where the rules do not, or None.
    """
    score = score_by_rule(record, answer)
    if score is None:
        return []
    if score.value is not None or judge is None or not (answer and answer.strip()):
        return [score]
    try:
        if record.choices:
            return [await _choice_by_judge(record, answer, judge)]
        return [await _open_by_judge(record, answer, judge)]
    except ModelError as fault:
        return [MetricScore("correct", None, UNPARSED, f"The judge failed: {fault}")]


def score_by_rule(record: Record, answer: str | None) -> MetricScore | None:
    """Scores an answer by the rules alone; None for a caption, which other metrics score."""
    if record.task == CAPTIONING and not record.choices:
        return None
    if not (answer and answer.strip()):
        return MetricScore("correct", None, UNPARSED, "There is no answer.")
    if record.choices:
        return _choice_by_rule(record, answer)
    return _open_by_rule(record, answer)


class CaptionMarks(NamedTuple):
    """The scores of an arm's captions: of all together by metric, and of each by record id."""

    corpus: dict[str, float | None]
    each: dict[str, list[MetricScore]]


def score_captions(records: Sequence[Record], answers: Mapping[str, str]) -> CaptionMarks:
    """The caption metrics of one arm, for captioning records with an answer.

    Args:
        records: The records. CIDEr-D weighs words by the references of those with an answer.
        answers: The captions by record id; they are cleaned.

    Raises:
        InputError: The libraries are not installed.
    """
    references = {}
    for record in records:
        if record.task == CAPTIONING and record.id in answers:
            references[record.id] = record.answers
    if not references:
        return CaptionMarks({}, {})
    scores = compute_caption_scores({name: clean_reply(answers[name]) for name in references}, references)
    each = {
        name: [_caption_score(metric, scores.each[name][metric]) for metric in CAPTION_METRICS] for name in references
    }
    return CaptionMarks(dict(scores.corpus), each)


def _caption_score(metric: str, value: float | None) -> MetricScore:
    if value is None:
        return MetricScore(metric, None, UNPARSED, metric)
    return MetricScore(metric, value, "rule", metric)


def _choice_by_rule(record: Record, answer: str) -> MetricScore:
    found = extract_choice(answer, record.choices)
    if found.index is None:
        return MetricScore("correct", None, UNPARSED, "No rule reads a choice.")
    return MetricScore(
        "correct", float(found.index in record.correct_choices), "rule", f"{found.rule}: {record.choices[found.index]}"
    )


def _open_by_rule(record: Record, answer: str) -> MetricScore:
    found = match_open_answer(answer, record.answers, record.synonyms)
    if found.correct is None:
        return MetricScore("correct", None, UNPARSED, "No rule decides.")
    return MetricScore("correct", float(found.correct), "rule", found.rule)


async def _choice_by_judge(record: Record, answer: str, judge: Judge) -> MetricScore:
    index, reason = await judge.choice(record.full_question(), record.choices, answer)
    if index is None:
        return MetricScore("correct", None, UNPARSED, reason or "The judge reads no choice.")
    return MetricScore(
        "correct", float(index in record.correct_choices), "judge", f"{record.choices[index]}: {reason}".rstrip(": ")
    )


async def _open_by_judge(record: Record, answer: str, judge: Judge) -> MetricScore:
    references = [*record.answers, *(word for words in record.synonyms.values() for word in words)]
    verdict = await judge.open(record.full_question(), references, answer)
    if verdict.correct is None:
        return MetricScore("correct", None, UNPARSED, verdict.reason or "The judge does not decide.")
    return MetricScore("correct", float(verdict.correct), "judge", verdict.reason)
