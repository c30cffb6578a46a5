"""The measuring chat model: plays generator, summarizer, evaluator, feedback and target by measuring the clip.

It reads the fields of the request that a message carries as data, not the text of the prompt. It has no weights. A
message without a request is refused.
"""

import string
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.errors import AureliaError, InputError, InternalError, ModelError
from aurelia_core.models.base import ClipModel
from aurelia_core.models.code_models import code_fingerprint, code_reply
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import (
    ArbiterRequest,
    ClaimCheckRequest,
    ClaimsRequest,
    ClipRequest,
    EvaluatorRequest,
    FeedbackRequest,
    GeneratorRequest,
    RoleRequest,
    SummarizerRequest,
    TargetRequest,
    parse_request,
)
from aurelia_core.models.tools import recent_view
from aurelia_core.recent_cache import RecentCache
from aurelia_core.signals.observation import Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_core.types import MediaRef, Window, content_key
from aurelia_offline.agents.feedback import advise
from aurelia_offline.agents.generator import generate_reasoning
from aurelia_offline.agents.summarizer import summarize_reasoning
from aurelia_offline.agents.target import answer_as_target
from aurelia_offline.answering.witnessed import Witnessed, answer_from_witnesses
from aurelia_offline.questions.witnessed import read_witnessed

_MAX_REMEMBERED_LOOKS = 64
_MAX_REMEMBERED_CLIPS = 16
_MEASURING_PACKAGES = (
    "aurelia_core.signals",
    "aurelia_core.witnesses",
    "aurelia_offline.agents",
    "aurelia_offline.answering",
    "aurelia_offline.critic",
    "aurelia_offline.questions",
    "aurelia_offline.world",
)


def fingerprint() -> str:
    """SHA-256 (hex) of the measuring code and its word lists; stored replies are valid only for the same code."""
    return code_fingerprint(*_MEASURING_PACKAGES)


_recent_clips: RecentCache[WholeClip] = RecentCache(_MAX_REMEMBERED_CLIPS)
"""A cache of the latest whole clips, by clip and track."""
_recent_looks: RecentCache[Observation] = RecentCache(_MAX_REMEMBERED_LOOKS)
"""A cache of the latest looks, by clip, track, windows and budget."""


class MeasuringChat(ClipModel, BaseChatModel):
    """Plays all roles offline by measurement.

    Attributes:
        store: the `aurelia_core.media` ClipStore with the clips of the requests.
    """

    store: Any

    def repeats_itself(self, decoding: Mapping[str, Any]) -> bool:
        """Always: it measures."""
        return True

    @property
    def _llm_type(self) -> str:
        return "offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "offline", "measuring_code": fingerprint()}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        fields = messages[-1].additional_kwargs.get("request") if messages else None
        if not isinstance(fields, Mapping) or "role" not in fields:
            raise ModelError(
                "the offline model answers only requests of this project's agents (generator, summarizer, evaluator, "
                "feedback, target), which carry their fields as data; for conversation choose a provider's model"
            )
        try:
            reply = self._reply(parse_request(fields))
        except AureliaError:
            raise
        except Exception as fault:
            raise InternalError.of(fault, f"The offline {fields['role']}") from fault
        if reply is None:
            raise ModelError(f"the offline model plays no role named '{fields['role']}'")
        return code_reply(reply, "offline")

    def _reply(self, request: RoleRequest) -> Any:
        match request:
            case GeneratorRequest():
                return self._reason(request)
            case SummarizerRequest():
                return summarize_reasoning(request)
            case EvaluatorRequest():
                from aurelia_offline.critic.evaluate import evaluate_caption

                return evaluate_caption(request, self.store)
            case ClaimsRequest():
                from aurelia_offline.critic.claim_witness import read_claims

                return read_claims(request)
            case ClaimCheckRequest():
                from aurelia_offline.critic.claim_witness import check_claims

                return check_claims(request, self.store)
            case ArbiterRequest():
                return self._arbitrate(request)
            case FeedbackRequest():
                return advise(request)
            case TargetRequest():
                return self._answer(request)
        return None

    def why_unanswerable(self, question: str, choices: list[str]) -> str | None:
        """Why measuring cannot answer a question about any clip; None if it may. Nothing is measured."""
        from aurelia_offline.questions.question import parse_question
        from aurelia_offline.world.stage import parse_stage_question

        if parse_stage_question(question) is not None or read_witnessed(question) is not None:
            return None
        query = parse_question(question, choices)
        if query.ask != "unknowable":
            return None
        return query.reason

    def _reason(self, request: GeneratorRequest) -> Any:
        media, samples = _media_of(request), request.samples
        looks = [list(windows) for windows in request.looks]
        before = None
        if len(looks) > 1:
            before = self.observe(media, looks[:-1], samples)
        tracks = self.observe_candidates(media, looks, samples)
        seen = tracks[0][1] if tracks else self.observe(media, looks, samples)
        pieces = [self.observe(media, [windows], samples) for windows in looks]
        whole = partial(self.observe_whole, media)
        witnessed = None if tracks else self._witnessed(request.question, list(request.choices), media)
        return generate_reasoning(
            request, seen, tracks=tracks, before=before, pieces=pieces, whole=whole, witnessed=witnessed
        )

    def _answer(self, request: TargetRequest) -> str:
        media, samples = _media_of(request), request.samples
        return answer_as_target(
            request,
            lambda windows: self.observe(media, [windows], samples),
            lambda windows: self.observe_candidates(media, [windows], samples),
            partial(self.observe_whole, media),
            self._witnessed(request.question, list(request.choices), media),
        )

    def _witnessed(self, question: str, choices: list[str], media: MediaRequest) -> Witnessed | None:
        """The answer of a witness to a question about speech or text; None for all others, and for candidate tracks."""
        posed = read_witnessed(question)
        if posed is None or len(media.tracks) > 1:
            return None
        return answer_from_witnesses(posed, choices, recent_view(self.store, media))

    def _arbitrate(self, request: ArbiterRequest) -> dict[str, Any]:
        """The answer that its own measurement gives; null if it gives neither, or both."""
        asked = GeneratorRequest(
            media=request.media,
            duration=request.duration,
            has_audio=request.has_audio,
            question=request.question,
            choices=request.choices,
            samples=request.samples,
        )
        choices = list(request.choices)
        own = str(self._reason(asked)["answer"])
        said = [extract_choice_text(one, choices) or one for one in request.answers]
        agreeing = [number for number, one in enumerate(said, 1) if one.strip().casefold() == own.strip().casefold()]
        chosen = agreeing[0] if len(agreeing) == 1 else None
        return {"reason": f"measuring answers {own!r}", "answer": chosen}

    def observe_whole(self, media: MediaRequest) -> WholeClip:
        """Every frame and the whole band, with the clip's own sound or the one track that replaces it."""
        from aurelia_core.signals.whole_clip import observe_whole_clip

        clip, track = _measured(media, next(iter(media.tracks), None))
        measure = partial(observe_whole_clip, self.store, clip, track)
        return _recent_clips.get((content_key(clip), content_key(track) if track else ""), measure)

    def observe(self, media: MediaRequest, looks: list[list[Window]], samples: int) -> Observation:
        """The merged looks, with the clip's own sound or the one track that replaces it."""
        return self._look(media, looks, next(iter(media.tracks), None), samples)

    def observe_candidates(
        self, media: MediaRequest, looks: list[list[Window]], samples: int
    ) -> list[tuple[str, Observation]] | None:
        """The merged looks with each candidate track, by its letter; None without candidates."""
        if len(media.tracks) < 2:
            return None
        named = zip(string.ascii_uppercase, media.tracks, strict=False)
        return [(letter, self._look(media, looks, track, samples)) for letter, track in named]

    def _look(
        self, media: MediaRequest, looks: list[list[Window]], track: MediaRef | None, samples: int
    ) -> Observation:
        from aurelia_core.signals.look import merge_observations, observe_clip

        frames, shift = media.frame_count, media.frame_shift
        clip, track = _measured(media, track)
        pictures = len([ref for ref in (media.clip, *media.pictures) if ref["width"] is not None])
        # Candidate tracks share the sample budget.
        share = samples // max(1, len(media.tracks))
        seen = []
        for windows in looks:
            spans = tuple((float(window["start"]), float(window["end"])) for window in windows)
            look = partial(observe_clip, self.store, clip, track, windows, frames, share, shift)
            seen.append(
                _recent_looks.get(
                    (content_key(clip), content_key(track) if track else "", spans, frames, share, shift), look
                )
            )
        return replace(merge_observations(seen), pictures=pictures)


def _measured(media: MediaRequest, track: MediaRef | None) -> tuple[MediaRef, MediaRef | None]:
    """The clip that is measured and the sound that replaces its own: a picture beside a sound is seen with it."""
    clip = media.clip
    if clip["width"] is None and media.pictures:
        return media.pictures[0], track or clip
    return clip, track


def _media_of(request: ClipRequest) -> MediaRequest:
    if request.media is None:
        raise InputError("the offline model measures a clip, and this request has none. Name a video")
    return request.media


def make(name: str, store: Any) -> MeasuringChat:
    """The model `offline:name`.

    Raises:
        InputError: the name is not `measure`, the only model.
    """
    if name != "measure":
        raise InputError(f"There is no offline:{name}. The offline provider has one model, offline:measure.")
    return MeasuringChat(store=store)
