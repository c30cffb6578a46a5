"""The miniature as a learned critic of captions of the mini world: as one look at the whole, or claim by claim.

The same weights play both. `holistic` asks what happens, turn by turn, and scores the share of turns in which that
agrees with the caption. As a witness of claims it is asked one short question a claim ("At which spot is the bell?"),
with steps of its own, which is what it was trained to do well; a second question checks an answer against the claim.
The captions name the turns ("bell at one, then …"): `TurnsSummarizer` writes them.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from aurelia_core.claims import Claim
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.code_models import code_reply
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.messages import compose_messages
from aurelia_core.models.registry import known_providers, make_model
from aurelia_core.models.requests import (
    ClaimCheckRequest,
    ClaimsRequest,
    EvaluatorRequest,
    RoleRequest,
    SummarizerRequest,
    TargetRequest,
    request_of,
)
from aurelia_core.types import Window, content_key
from aurelia_offline.training.checkpoint import OWN_STEPS_REQUEST
from aurelia_offline.training.examples import read_final_answer
from aurelia_offline.world.stage import Referent, StageQuestion, question_text, stage_names
from aurelia_offline.world.stage_chain import ODD_FINDINGS, answer_options
from prompts.render import PROMPT_TEXTS, render_target_prompt
from targets import find_target

MINIATURE = "transformers:mini"
_SILENT, _NOWHERE = "nothing", "nowhere"


class StudyChat(BaseChatModel):
    """Answers requests of the study with JSON, at no cost."""

    @property
    def _llm_type(self) -> str:
        return "study"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        return code_reply(self.reply(request_of(messages)))

    @abstractmethod
    def reply(self, request: RoleRequest) -> dict[str, Any]:
        """The reply to a request."""


class TurnsSummarizer(StudyChat):
    """A caption of the turns: the answer of the reasoning to "What happens, turn by turn?"."""

    @property
    def _llm_type(self) -> str:
        return "turns"

    def reply(self, request: RoleRequest) -> dict[str, Any]:
        """The caption of a summarizer's request."""
        if not isinstance(request, SummarizerRequest) or not request.reasoning:
            raise ModelError("turns:caption writes captions of a reasoning, and nothing else.")
        return {"caption": request.reasoning["answer"] or "The reasoning names no turn."}


class MiniatureCritic(StudyChat):
    """The miniature as evaluator and as witness.

    Attributes:
        store: the clip store with the media.
    """

    store: Any
    _target: BaseChatModel = PrivateAttr()
    _answers: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Loads the miniature's processor; its weights at the first question."""
        self._target = make_model(MINIATURE, self.store, known_providers())

    @property
    def _llm_type(self) -> str:
        return "miniature"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": MINIATURE, "asks": 5}

    def reply(self, request: RoleRequest) -> dict[str, Any]:
        """A score, the claims of a caption, or the checks of claims."""
        if isinstance(request, ClaimsRequest):
            return {"claims": turn_claims(request.caption)}
        if isinstance(request, ClaimCheckRequest) and request.media:
            # It was trained on sound and picture together, and knows no sound alone.
            media = replace(request.media, only=None)
            checks = [ask_about_claim(claim, lambda asked: self._ask(media, asked)) for claim in request.claims]
            return {"checks": [{"number": number, **check} for number, check in enumerate(checks, 1)]}
        if isinstance(request, EvaluatorRequest) and request.media:
            return compare_turns(request.caption, self._ask(request.media, StageQuestion("caption")))
        raise ModelError("The miniature as critic answers evaluators' requests about a clip alone.")

    def _ask(self, media: MediaRequest, asked: StageQuestion) -> str:
        """The miniature's answer to a question, with steps of its own except for a caption."""
        question = question_text(asked)
        key = (content_key(media.clip), question)
        if key not in self._answers:
            choices = answer_options(asked)
            if asked.kind != "caption":
                question = f"{question} {OWN_STEPS_REQUEST}"
            fields = TargetRequest(media=media, question=question, choices=choices)
            text = render_target_prompt(find_target(MINIATURE), question, choices, None)
            reply = self._target.invoke(compose_messages(text, fields, PROMPT_TEXTS))
            self._answers[key] = read_final_answer(reply.text)
        return self._answers[key]


def turn_claims(caption: str) -> list[Claim]:
    """Two claims for each turn of a caption: which instrument sounds, and where; in the order of the turns."""
    names, claims = stage_names(), list[Claim]()
    turns = _turns(caption)
    for number, (instrument, spot) in enumerate(turns):
        window: Window = {"start": float(number), "end": number + 1.0}
        turn = names.turns[number] if number < len(names.turns) else str(number + 1)
        if instrument == _SILENT:
            text = f"No instrument sounds in the {turn} turn."
            before, after = (_nearest(turns, number, step) for step in (-1, 1))
            claims.append(
                {"text": text, "kind": "sound", "modality": "audio", "window": window, "negated": True,
                 "subject": before, "other": after}
            )  # fmt: skip
        else:
            text = f"The {turn} instrument is the {instrument}."
            claims.append(
                {"text": text, "kind": "order", "modality": "audio", "window": window, "subject": turn,
                 "value": instrument}
            )  # fmt: skip
        if spot == _NOWHERE:
            text = f"Nothing moves in the {turn} turn."
            claims.append({"text": text, "kind": "action", "modality": "visual", "window": window, "negated": True})
        elif instrument != _SILENT:
            text = f"The {instrument} is at spot {spot}."
            claims.append(
                {"text": text, "kind": "source", "modality": "both", "window": window, "subject": instrument,
                 "value": spot}
            )  # fmt: skip
    return claims


def _nearest(turns: list[tuple[str, str]], number: int, step: int) -> str:
    """The instrument of the next turn in a direction that has one; "" without."""
    following = turns[number + 1 :] if step > 0 else turns[:number][::-1]
    return next((instrument for instrument, _ in following if instrument != _SILENT), "")


def ask_about_claim(claim: Claim, ask: Callable[[StageQuestion], str]) -> dict[str, Any]:
    """The check of one claim by short questions; "cannot_tell" for what no short question decides.

    A claim is contradicted only if no answer bears it out: a second question asks it the other way round.

    Args:
        claim: a claim of `turn_claims`.
        ask: gives the miniature's answer to a question.
    """
    answers, unread = list[str](), False
    for question, wanted in _questions_of(claim):
        answer = ask(question).strip()
        answers.append(f"{question_text(question)} {answer}")
        if answer.casefold() == wanted.casefold():
            verdict = "cannot_tell" if len(answers) > 1 else "supported"
            return {"verdict": verdict, "window": claim["window"], "reason": " ".join(answers)}
        unread = unread or answer not in answer_options(question)
    if not answers:
        return {"verdict": "cannot_tell", "reason": "no short question decides it"}
    # An answer that is none of the choices says nothing.
    verdict = "cannot_tell" if unread else "contradicted"
    return {"verdict": verdict, "window": claim["window"], "reason": " ".join(answers)}


def _questions_of(claim: Claim) -> list[tuple[StageQuestion, str]]:
    """The questions that decide a claim, each with the answer that supports it."""
    names = stage_names()
    if claim.get("negated") and claim["kind"] == "sound":
        return _questions_of_silence(claim.get("subject", ""), claim.get("other", ""))
    if claim.get("negated"):
        return [(StageQuestion("odd"), ODD_FINDINGS["still"])]
    if claim["kind"] == "source":
        instrument, spot = claim["subject"], claim["value"]
        return [
            (StageQuestion("spot", Referent(instrument)), spot),
            (StageQuestion("instrument", Referent(spot)), instrument),
        ]
    if claim["kind"] != "order" or claim.get("subject") not in names.turns:
        return []
    turn, instrument = names.turns.index(claim["subject"]), claim["value"]
    referents = (Referent("first"), Referent("first", ("after",)), Referent("last", ("before",)), Referent("last"))
    return [
        (StageQuestion("instrument", referents[turn]), instrument),
        (StageQuestion("before", Referent(instrument)), names.counts[turn]),
    ]


def _questions_of_silence(before: str, after: str) -> list[tuple[StageQuestion, str]]:
    """Where a turn is silent, the instruments before and after it follow each other; "": there is none."""
    if before and after:
        return [
            (StageQuestion("instrument", Referent(before, ("after",))), after),
            (StageQuestion("instrument", Referent(after, ("before",))), before),
        ]
    if after:
        return [
            (StageQuestion("instrument", Referent("first")), after),
            (StageQuestion("before", Referent(after)), "0"),
        ]
    if before:
        return [
            (StageQuestion("instrument", Referent("last")), before),
            (StageQuestion("after", Referent(before)), "0"),
        ]
    return []


def compare_turns(caption: str, own: str) -> dict[str, Any]:
    """The verdict on a caption from the miniature's own: 1 + 9 times the share of turns that agree."""
    told, seen = _turns(caption), _turns(own)
    if not told or not seen:
        return {"score": None, "justification": "The caption names no turns."}
    agree = [one == other for one, other in zip(told, seen, strict=False)]
    share = sum(agree) / max(len(told), len(seen))
    windows = [{"start": float(number), "end": number + 1.0} for number, same in enumerate(agree) if not same]
    return {"score": 1 + int(9 * share), "justification": f"What happens is: {own}.", "windows": windows}


def _turns(caption: str) -> list[tuple[str, str]]:
    """Instrument and spot of each turn that a caption names; [] for another caption."""
    found = []
    for part in caption.strip().rstrip(".").split(", then "):
        instrument, at, spot = part.strip().partition(" at ")
        if not at:
            return []
        found.append((instrument, spot))
    return found


def make_miniature_critic(name: str, store: Any) -> MiniatureCritic:
    """The model `miniature:critic`.

    Raises:
        InputError: the name is not `critic`, the only model, or the miniature cannot be loaded.
    """
    if name != "critic":
        raise InputError(f"There is no miniature:{name}. The only model is miniature:critic.")
    return MiniatureCritic(store=store)


def make_turns_summarizer(name: str, store: Any) -> TurnsSummarizer:
    """The model `turns:caption`.

    Raises:
        InputError: the name is not `caption`, the only model.
    """
    del store
    if name != "caption":
        raise InputError(f"There is no turns:{name}. The only model is turns:caption.")
    return TurnsSummarizer()
