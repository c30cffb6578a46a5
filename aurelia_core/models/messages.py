"""Builds a role's messages: the same head (system text, clip) for every role with the clip, then the role's own text.

Media are reference blocks `{"type": "clip", "clip": MediaRef}`; an adapter converts them to its wire format inside its
own `_generate`. `additional_kwargs` holds the request as plain fields (`request`) and the texts that adapters write
around a clip (`texts`).
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import ClipRequest, RoleRequest


def clip_head(media: MediaRequest, texts: RequestTexts) -> list[str | dict[str, Any]]:
    """The first content blocks of every request with the clip; byte for byte the same for all roles."""
    blocks: list[str | dict[str, Any]] = [{"type": "clip", "clip": dict(ref)} for ref in media.arranged.refs]
    return [*blocks, {"type": "text", "text": texts.clip_facts(media.clip, media.tracks, media.pictures)}]


class RequestMessage(HumanMessage):
    """A human message that holds its request; a trace shows only the text, which has the same content."""

    def __init__(
        self, content: str | list[str | dict[str, Any]], fields: Mapping[str, Any], texts: RequestTexts
    ) -> None:
        """Store the request's fields and texts in `additional_kwargs`."""
        super().__init__(content=content, additional_kwargs={"request": dict(fields), "texts": texts})

    def to_json(self) -> Any:
        """The message for a trace: a human message without the request."""
        return HumanMessage(self.content).to_json()


def compose_messages(text: str, request: RoleRequest, texts: RequestTexts) -> list[AnyMessage]:
    """The messages of one request; in those of a `ClipRequest` the clip comes first.

    Args:
        text: the role's prompt with its fields filled in.
        request: the request as data.
        texts: the texts around the clip, and the system text.
    """
    blocks: list[str | dict[str, Any]] = []
    if isinstance(request, ClipRequest) and request.media:
        blocks = clip_head(request.media, texts)
    human = RequestMessage([*blocks, {"type": "text", "text": text}], request.fields(), texts)
    system = str((request.decoding or {}).get("system") or texts.system)
    return [SystemMessage(system), human]
