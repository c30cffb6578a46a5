"""The records that every storey shares: a clip, a window of it, a reasoning, a role, and what calls cost. Plain JSON."""

from typing import Literal

from typing_extensions import TypedDict

Modality = Literal["audio", "visual", "both", "knowledge"]
Role = str
"""Who is asked: generator, summarizer, evaluator, feedback, target, or an agent that was added to the graph."""
Sense = Literal["sound", "picture"]
Span = tuple[float, float]
"""A stretch of the clip as (start, end), in seconds from its start."""


class Window(TypedDict):
    """A stretch of the clip, in seconds from its start, start < end."""

    start: float
    end: float


class MediaRef(TypedDict):
    """A media file by content: `id` is the SHA-256 (hex) of the file; what is null does not apply.

    `duration` is the picture's for a video and the sound's for an audio file; seconds, pixels, frames a second.
    `audio_seconds` is the length of the sound, which may differ from the picture's.
    """

    id: str
    name: str
    bytes: int
    duration: float
    width: int | None
    height: int | None
    fps: float | None
    has_audio: bool
    audio_channels: int | None
    audio_seconds: float | None


class Step(TypedDict):
    """One reasoning step (section 3.1): what to find out, the answer, and the cue that justifies it."""

    step: str
    justification: str
    answer: str
    modality: Modality


class Reasoning(TypedDict):
    """r = R(v, a, q): the steps and the generator's own final answer."""

    steps: list[Step]
    answer: str


class Usage(TypedDict):
    """What calls cost; `cost_usd` is null when the price of a call is not known.

    `calls` counts the replies that were billed, also those that were then refused and asked for again.
    `cached_tokens` are those of `input_tokens` that the provider had in its cache.
    """

    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float | None
    media_uploads: int


NO_USAGE: Usage = {
    "calls": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
    "cost_usd": 0.0,
    "media_uploads": 0,
}


def add_usage(total: Usage | None, more: Usage | None) -> Usage:
    """The sum of two bills; an unknown price makes the sum's unknown. `more` None starts a new bill."""
    if total is None or more is None:
        return more or NO_USAGE
    known = total["cost_usd"] is not None and more["cost_usd"] is not None
    return {
        "calls": total["calls"] + more["calls"],
        "input_tokens": total["input_tokens"] + more["input_tokens"],
        "cached_tokens": total["cached_tokens"] + more["cached_tokens"],
        "output_tokens": total["output_tokens"] + more["output_tokens"],
        "cost_usd": (total["cost_usd"] or 0.0) + (more["cost_usd"] or 0.0) if known else None,
        "media_uploads": total["media_uploads"] + more["media_uploads"],
    }
