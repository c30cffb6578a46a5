"""What Google billed for a reply, also for one that is then refused: its own counts, by modality, and their price.

The library drops the counts by modality (which the price of sound depends on), and every count of a reply that it
cannot read; so they are taken from the HTTP response. A reply that breaks off on its way has told no counts.
"""

import threading
from collections.abc import Mapping
from typing import Any

import httpx

from aurelia_core.models.google.billing import cache_storage_cost, gemini_call_cost
from aurelia_core.models.google.context_cache import CACHE_LIFETIME_SECONDS
from aurelia_core.types import Usage

_heard = threading.local()


def record_response(response: httpx.Response) -> None:
    """Keeps the counts of a reply for the thread that asked for it; a hook of the HTTP client."""
    if response.is_success and response.request.url.path.endswith(":generateContent"):
        response.read()
        try:
            _heard.usage = response.json().get("usageMetadata")
        except (ValueError, AttributeError):
            _heard.usage = None


def reset_usage() -> None:
    """Forgets what was heard, before another request of this thread."""
    _heard.usage = None


def recorded_responses() -> Mapping[str, Any] | None:
    """Google's `usageMetadata` of this thread's latest reply; None when there was no reply, or it told none."""
    found: Mapping[str, Any] | None = getattr(_heard, "usage", None)
    return found or None


def response_usage(model: str, reply: Mapping[str, Any] | None, media_uploads: int, made: int) -> Usage:
    """The bill of one request from Google's own counts.

    Args:
        model: its name, for the price.
        reply: the reply's `usageMetadata`; None when none came, but there is something else to state.
        media_uploads: uploads that no other bill has stated.
        made: tokens that were read to make a context cache, and that no other bill has stated.
    """
    told = reply or {}
    call, making = gemini_call_cost(model, told), cache_storage_cost(model, made, CACHE_LIFETIME_SECONDS, told)
    return {
        "calls": int(reply is not None),
        "input_tokens": _count(told, "promptTokenCount") + _count(told, "toolUsePromptTokenCount") + made,
        "cached_tokens": _count(told, "cachedContentTokenCount"),
        "output_tokens": _count(told, "candidatesTokenCount") + _count(told, "thoughtsTokenCount"),
        "cost_usd": None if call is None or making is None else call + making,
        "media_uploads": media_uploads,
    }


def _count(told: Mapping[str, Any], name: str) -> int:
    return int(told.get(name) or 0)
