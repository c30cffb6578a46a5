"""`tools:witnesses`: a chat model that checks claims by open weights (`aurelia_core.witnesses`) and does no more."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import Field

from aurelia_core.claims import Finding
from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.models.code_models import code_fingerprint, code_reply
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import ClaimCheckRequest, request_of
from aurelia_core.recent_cache import RecentCache
from aurelia_core.types import content_key
from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.panel import PROVIDER, check_claim, witness_states

_MODEL = "witnesses"
_CODE = ("aurelia_core.witnesses", "aurelia_core.signals")


class WitnessChat(ClipModel, BaseChatModel):
    """Checks each claim of a request with the witnesses that this machine has.

    Attributes:
        store: the `aurelia_core.media` ClipStore with the clips of requests.
    """

    store: Any = Field(exclude=True, repr=False)

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything besides the messages that determines a reply: the code, and which witnesses can be asked."""
        able = [state.name for state in witness_states() if not state.lacks]
        return {"model": _MODEL, "code": code_fingerprint(*_CODE), "witnesses": able}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        request = request_of(messages)
        if not isinstance(request, ClaimCheckRequest) or request.media is None:
            raise ModelError(
                f"{PROVIDER}:{_MODEL} checks claims about a clip and nothing else: name it in the setting `tools`"
            )
        view = recent_view(self.store, request.media)
        checks = [_check_fields(number, check_claim(claim, view)) for number, claim in enumerate(request.claims, 1)]
        return code_reply({"checks": checks}, _MODEL)


_recent_views: RecentCache[ClipView] = RecentCache(16)
"""A cache of what witnesses found in the latest clips, by store, clip and track: claims come in several requests."""


def recent_view(store: Any, media: MediaRequest) -> ClipView:
    """The view that witnesses have of a request's media, kept for later requests.

    It has the clip with the sound that replaces its own; of several candidate sounds none, because none is meant.
    """
    clip, track = media.clip, None
    if len(media.tracks) == 1:
        track = media.tracks[0]
    if clip["width"] is None and media.pictures:
        clip, track = media.pictures[0], track or clip
    key = (id(store), content_key(clip), content_key(track) if track else "")
    return _recent_views.get(key, lambda: ClipView(store, clip, track))


def _check_fields(number: int, finding: Finding) -> dict[str, Any]:
    names: Sequence[str] = ("verdict", "window", "witness", "margin", "reason")
    return {"number": number, **{name: value for name, value in finding.items() if name in names}}


def make_tools(name: str, store: ClipStore) -> WitnessChat:
    """The model `tools:name`.

    Raises:
        InputError: the name is not `witnesses`, the only model.
    """
    if name != _MODEL:
        raise InputError(f"There is no {PROVIDER}:{name}. This provider has one model, {PROVIDER}:{_MODEL}.")
    return WitnessChat(store=store)
