"""What a Gemini call costs, from the tokens that Google counted and the prices in google_prices.toml."""

import threading
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import httpx

from aurelia_core.models.google.context_cache import CACHE_LIFETIME_SECONDS
from aurelia_core.types import Usage

_LONG = 200_000
_MILLION = 1e6
_CALLS_THAT_PAY = 3


class GooglePrice(NamedTuple):
    """Dollars per million tokens.

    Attributes:
        input: read (text, picture, video).
        output: written, thoughts included.
        audio: heard.
        cached: read from a cache.
        cached_audio: heard from a cache.
        storage: kept in an explicit cache for an hour; None: not known.
    """

    input: float
    output: float
    audio: float
    cached: float
    cached_audio: float
    storage: float | None


def find_price(model: str, prompt_tokens: int = 0, day: date | None = None) -> GooglePrice | None:
    """The price of a model, or None when it is not known.

    Args:
        model: its name, with or without `models/`.
        prompt_tokens: of the call; a long prompt may cost more.
        day: of the call (default: today).
    """
    today = day or date.today()
    for row in _rows():
        if row["model"] == model.removeprefix("models/") and today <= row.get("until", today):
            known = row["long"] if prompt_tokens > _LONG and "long" in row else row
            each, sound = known["input"], known.get("audio", known["input"])
            cached = known.get("cached", each)
            cached_sound = known.get("cached_audio", cached if "cached" in known else sound)
            return GooglePrice(each, known["output"], sound, cached, cached_sound, row.get("storage"))
    return None


def gemini_call_cost(model: str, usage: Mapping[str, Any]) -> float | None:
    """Dollars for a call with this `usageMetadata`, or None when the price is not known.

    Thoughts are written tokens; cached tokens are counted in the prompt's, and so are those of sound.
    """
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    known = find_price(model, prompt)
    if known is None:
        return None
    cached, cached_sound = _count(usage, "cachedContentTokenCount"), _sound(usage, "cacheTokensDetails")
    heard = max(0, _sound(usage, "promptTokensDetails") - cached_sound)
    read = max(0, prompt - cached - heard)
    written = _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount")
    dollars = read * known.input + heard * known.audio + written * known.output
    dollars += (cached - cached_sound) * known.cached + cached_sound * known.cached_audio
    return dollars / _MILLION


def cache_storage_cost(model: str, tokens: int, seconds: float, usage: Mapping[str, Any]) -> float | None:
    """Dollars for making an explicit cache and keeping it; None when a price is not known.

    Making it reads its tokens once at the full price (as Google's documentation of context caching has it), and it is
    billed for its whole lifetime, also when it is not used for so long.

    Args:
        model: its name.
        tokens: of the cache; 0 costs nothing.
        seconds: its lifetime.
        usage: `usageMetadata` of a reply that used it, which says how many of them are sound.
    """
    if not tokens:
        return 0.0
    known = find_price(model, tokens)
    if known is None or known.storage is None:
        return None
    sound = min(tokens, _sound(usage, "cacheTokensDetails"))
    read = (tokens - sound) * known.input + sound * known.audio
    return (read + tokens * known.storage * seconds / 3600) / _MILLION


def cache_is_worthwhile(model: str, calls: int, seconds: float) -> bool:
    """Whether an explicit cache costs less than sending its content anew in so many calls, none of them hit otherwise.

    Args:
        model: its name; three calls are enough where the prices are not known.
        calls: how many are sure to come.
        seconds: the cache's lifetime.
    """
    known = find_price(model)
    if known is None or known.storage is None:
        return calls >= _CALLS_THAT_PAY
    return calls * (known.input - known.cached) > known.input + known.storage * seconds / 3600


def _sound(usage: Mapping[str, Any], name: str) -> int:
    return sum(_count(part, "tokenCount") for part in usage.get(name) or [] if part.get("modality") == "AUDIO")


def _count(usage: Mapping[str, Any], name: str) -> int:
    return int(usage.get(name) or 0)


@cache
def _rows() -> list[dict[str, Any]]:
    text = files("aurelia_core.models.google").joinpath("google_prices.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["price"]
    return rows


_latest = threading.local()


def record_response(response: httpx.Response) -> None:
    """Keeps the counts of a reply for the thread that asked for it; a hook of the HTTP client."""
    if response.is_success and response.request.url.path.endswith(":generateContent"):
        response.read()
        try:
            _latest.usage = response.json().get("usageMetadata")
        except (ValueError, AttributeError):
            _latest.usage = None


def reset_usage() -> None:
    """Forgets what was heard, before another request of this thread."""
    _latest.usage = None


def recorded_usage() -> Mapping[str, Any] | None:
    """Google's `usageMetadata` of this thread's latest reply; None when there was no reply, or it told none."""
    found: Mapping[str, Any] | None = getattr(_latest, "usage", None)
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
