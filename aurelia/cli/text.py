"""Small helpers for the words that the commands print."""

from collections.abc import Mapping
from typing import Any


def count_noun(number: int, noun: str) -> str:
    """A number with its noun, for instance "1 attempt" or "3 attempts"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}s"


def cost_text(usage: Mapping[str, Any]) -> str:
    """The cost of a `Usage` in US dollars, or "unknown"."""
    if usage["cost_usd"] is None:
        return "unknown"
    return f"${usage['cost_usd']:.4f}"
