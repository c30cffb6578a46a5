"""Messages of a request from plain fields, as tests write them."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AnyMessage

from aurelia_core.models import messages
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import ClipRequest, RoleRequest
from prompts.render import PROMPT_TEXTS


def compose_messages(text: str, fields: Mapping[str, Any], *, sees_clip: bool) -> list[AnyMessage]:
    """The messages of a request whose last message carries these fields (of a generator, unless they name a role)."""
    request = ClipRequest(media=MediaRequest.parse(fields)) if sees_clip else RoleRequest()
    made = messages.compose_messages(text, request, PROMPT_TEXTS)
    made[-1].additional_kwargs["request"] = {"role": "generator", **fields}
    return made
