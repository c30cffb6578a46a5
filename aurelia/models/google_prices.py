"""What a Gemini call costs, from the tokens that Google counted and the prices in google_prices.toml."""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

_LONG = 200_000
_MILLION = 1e6


class Price(NamedTuple):
    """Dollars per million tokens: read (text, picture, video), written, heard, and read from the cache."""

    input: float
    output: float
    audio: float
    cached: float


def price(model: str, prompt_tokens: int = 0, day: date | None = None) -> Price | None:
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
            each = known["input"]
            return Price(each, known["output"], known.get("audio", each), known.get("cached", each))
    return None


def cost(model: str, usage: Mapping[str, Any]) -> float | None:
    """Dollars for a call with this `usageMetadata`, or None when the price is not known.

    Thoughts are written tokens; cached tokens are counted in the prompt's, and so are those of sound.
    """
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    known = price(model, prompt)
    if known is None:
        return None
    cached, cached_sound = _count(usage, "cachedContentTokenCount"), _sound(usage, "cacheTokensDetails")
    heard = max(0, _sound(usage, "promptTokensDetails") - cached_sound)
    read = max(0, prompt - cached - heard)
    written = _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount")
    dollars = read * known.input + heard * known.audio + cached * known.cached + written * known.output
    return dollars / _MILLION


def _sound(usage: Mapping[str, Any], name: str) -> int:
    return sum(_count(part, "tokenCount") for part in usage.get(name) or [] if part.get("modality") == "AUDIO")


def _count(usage: Mapping[str, Any], name: str) -> int:
    return int(usage.get(name) or 0)


@cache
def _rows() -> list[dict[str, Any]]:
    text = files("aurelia.models").joinpath("google_prices.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["price"]
    return rows
