"""The records that travel through the graph: plain JSON, references to media, never bytes.

`typing_extensions.TypedDict` rather than `typing.TypedDict`: on Python 3.11 the server publishes no schema otherwise.
"""

from typing import Literal

from typing_extensions import TypedDict

Modality = Literal["audio", "visual", "both", "knowledge"]
StopReason = Literal["threshold", "max_iterations", "no_valid_score", "budget"]
Role = Literal["generator", "summarizer", "evaluator", "feedback", "target"]


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
    """What calls cost; `cost_usd` is null when the price of a call is not known."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    media_uploads: int


class Guidance(TypedDict):
    """What Feedback asks of the next attempt: a text, and the stretches of the clip to look at more closely."""

    text: str
    windows: list[Window]


class Attempt(TypedDict):
    """One turn of the loop, t from 1; a null score is an attempt that could not be scored, and `error` says why."""

    iteration: int
    score: int | None
    caption: str | None
    reasoning: Reasoning | None
    critique: str | None
    doubts: list[Window]
    feedback: Guidance | None
    error: str | None
    seconds: float
    usage: Usage
