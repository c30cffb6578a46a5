"""Builds a role's messages: the same head (system text, clip) for every role that sees the clip, then its own text.

Media travel as reference blocks `{"type": "clip", "clip": MediaRef}`; an adapter turns them into its wire form inside
its own `_generate`. Beside the text, `additional_kwargs` carries the request as plain fields (`request`) and the words
that adapters write around a clip (`texts`).
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import ClipRequest, RoleRequest


def clip_head(media: MediaRequest, texts: RequestTexts) -> list[str | dict[str, Any]]:
    """The content blocks with which every request that carries the clip begins, byte for byte the same."""
    blocks: list[str | dict[str, Any]] = [{"type": "clip", "clip": dict(media.clip)}]
    blocks += [{"type": "clip", "clip": dict(track)} for track in media.tracks]
    return [*blocks, {"type": "text", "text": texts.clip_facts(media.clip, media.tracks)}]


class RequestMessage(HumanMessage):
    """A human message that carries its request; a trace shows the text only, which says the same."""

    def __init__(
        self, content: str | list[str | dict[str, Any]], fields: Mapping[str, Any], texts: RequestTexts
    ) -> None:
        """A message whose `additional_kwargs` are the request's fields and texts."""
        super().__init__(content=content, additional_kwargs={"request": dict(fields), "texts": texts})

    def to_json(self) -> Any:
        """The message as a trace keeps it: a human message without the request."""
        return HumanMessage(self.content).to_json()


def compose_messages(text: str, request: RoleRequest, texts: RequestTexts) -> list[AnyMessage]:
    """The messages of one request; those of a `ClipRequest` begin with the clip.

    Args:
        text: the role's prompt, filled.
        request: the same as data.
        texts: the words around the clip, and the system text.
    """
    blocks: list[str | dict[str, Any]] = []
    if isinstance(request, ClipRequest) and request.media:
        blocks = clip_head(request.media, texts)
    human = RequestMessage([*blocks, {"type": "text", "text": text}], request.fields(), texts)
    return [SystemMessage(texts.system), human]
