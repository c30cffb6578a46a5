"""Cost of a Gemini call, from Google's token counts and the prices in google_prices.toml."""

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

_LONG_PROMPT_TOKENS = 200_000
_MILLION = 1e6
_MIN_CALLS_FOR_CACHE = 3


class GooglePrice(NamedTuple):
    """Dollars per million tokens.

    Attributes:
        input: text, image and video input.
        output: output, including thoughts.
        audio: audio input.
        cached: input from a cache.
        cached_audio: audio input from a cache.
        storage: storage in an explicit cache, per hour; None: unknown.
    """

    input: float
    output: float
    audio: float
    cached: float
    cached_audio: float
    storage: float | None


def find_price(model: str, prompt_tokens: int = 0, day: date | None = None) -> GooglePrice | None:
    """The price of a model, or None if it is unknown.

    Args:
        model: the model's name, with or without `models/`.
        prompt_tokens: prompt tokens of the call; a long prompt may have a higher price.
        day: day of the call (default: today).
    """
    today = day or date.today()
    for row in _rows():
        if row["model"] == model.removeprefix("models/") and today <= row.get("until", today):
            rates = row
            if prompt_tokens > _LONG_PROMPT_TOKENS:
                rates = row.get("long", row)
            audio = rates.get("audio", rates["input"])
            return GooglePrice(
                input=rates["input"],
                output=rates["output"],
                audio=audio,
                cached=rates.get("cached", rates["input"]),
                cached_audio=rates.get("cached_audio", rates.get("cached", audio)),
                storage=row.get("storage"),
            )
    return None


def gemini_call_cost(model: str, usage: Mapping[str, Any]) -> float | None:
    """Dollars for a call with this `usageMetadata`, or None if the price is unknown.

    Thoughts are output tokens. The prompt's token count includes cached tokens and audio tokens.
    """
    prompt = _input_tokens(usage)
    price = find_price(model, prompt)
    if price is None:
        return None
    cached = _count(usage, "cachedContentTokenCount")
    cached_audio = _audio_tokens(usage, "cacheTokensDetails")
    new_audio = max(0, _audio_tokens(usage, "promptTokensDetails") - cached_audio)
    new_input = max(0, prompt - cached - new_audio)
    dollars = new_input * price.input + new_audio * price.audio + _output_tokens(usage) * price.output
    dollars += (cached - cached_audio) * price.cached + cached_audio * price.cached_audio
    return dollars / _MILLION


def cache_storage_cost(model: str, tokens: int, seconds: float, usage: Mapping[str, Any]) -> float | None:
    """Dollars for the creation and storage of an explicit cache; None if a price is unknown.

    According to Google's documentation of context caching, creation bills the tokens once at the full price, and
    storage is billed for the whole lifetime, used or not.

    Args:
        model: the model's name.
        tokens: tokens in the cache; 0 costs nothing.
        seconds: lifetime of the cache.
        usage: `usageMetadata` of a reply that used the cache; it holds the number of audio tokens.
    """
    if not tokens:
        return 0.0
    price = find_price(model, tokens)
    if price is None or price.storage is None:
        return None
    audio = min(tokens, _audio_tokens(usage, "cacheTokensDetails"))
    creation = (tokens - audio) * price.input + audio * price.audio
    return (creation + tokens * price.storage * seconds / 3600) / _MILLION


def cache_is_worthwhile(model: str, calls: int, seconds: float) -> bool:
    """Whether an explicit cache costs less than sending its content in every call, without implicit cache hits.

    Args:
        model: the model's name; if its prices are unknown, three calls are enough.
        calls: guaranteed number of calls.
        seconds: lifetime of the cache.
    """
    price = find_price(model)
    if price is None or price.storage is None:
        return calls >= _MIN_CALLS_FOR_CACHE
    return calls * (price.input - price.cached) > price.input + price.storage * seconds / 3600


def _input_tokens(usage: Mapping[str, Any]) -> int:
    return _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")


def _output_tokens(usage: Mapping[str, Any]) -> int:
    return _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount")


def _audio_tokens(usage: Mapping[str, Any], name: str) -> int:
    return sum(_count(part, "tokenCount") for part in usage.get(name) or [] if part.get("modality") == "AUDIO")


def _count(usage: Mapping[str, Any], name: str) -> int:
    return int(usage.get(name) or 0)


@cache
def _rows() -> list[dict[str, Any]]:
    text = files("aurelia_core.models.google").joinpath("google_prices.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["price"]
    return rows


_latest_response = threading.local()


def record_response(response: httpx.Response) -> None:
    """Store the token counts of a reply for the current thread; a response hook of the HTTP client."""
    if response.is_success and response.request.url.path.endswith(":generateContent"):
        response.read()
        try:
            _latest_response.usage = response.json().get("usageMetadata")
        except (ValueError, AttributeError):
            _latest_response.usage = None


def reset_usage() -> None:
    """Clear the stored counts before the next request of this thread."""
    _latest_response.usage = None


def recorded_usage() -> Mapping[str, Any] | None:
    """Google's `usageMetadata` of this thread's latest reply; None without a reply or without counts."""
    found: Mapping[str, Any] | None = getattr(_latest_response, "usage", None)
    return found or None


def response_usage(model: str, reply: Mapping[str, Any] | None, media_uploads: int, cache_tokens: int) -> Usage:
    """The usage of one request, from Google's counts.

    Args:
        model: the model's name, for the price.
        reply: the reply's `usageMetadata`; None if there was no reply, but unbilled uploads or cache tokens.
        media_uploads: uploads that are not billed yet.
        cache_tokens: tokens of a new context cache that are not billed yet.
    """
    usage = reply or {}
    cost = gemini_call_cost(model, usage)
    cache_cost = cache_storage_cost(model, cache_tokens, CACHE_LIFETIME_SECONDS, usage)
    total: float | None = None
    if cost is not None and cache_cost is not None:
        total = cost + cache_cost
    return {
        "calls": int(reply is not None),
        "input_tokens": _input_tokens(usage) + cache_tokens,
        "cached_tokens": _count(usage, "cachedContentTokenCount"),
        "output_tokens": _output_tokens(usage),
        "cost_usd": total,
        "media_uploads": media_uploads,
    }
