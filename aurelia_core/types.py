"""Types that all parts share: a clip, a window of it, a reasoning, a role, and the usage of model calls. Plain JSON."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, NotRequired, TypeGuard

from typing_extensions import TypedDict

Modality = Literal["audio", "visual", "both", "knowledge"]
Role = str
"""The role of a model call: generator, summarizer, evaluator, feedback, target, or the role of an added agent."""
Sense = Literal["sound", "picture"]
Span = tuple[float, float]
"""Part of a clip as (start, end), in seconds from its start."""


class Window(TypedDict):
    """Part of a clip, in seconds from its start, start < end."""

    start: float
    end: float


class MediaRef(TypedDict):
    """A media file, identified by its content: `id` is the SHA-256 (hex) of the file.

    `duration` is the length of the video, or of the sound of an audio file, in seconds; 0.0 for a still picture.
    `audio_seconds` is when the sound ends on the clip's clock. `width` and `height` are in pixels, `fps` in frames a
    second. A field that does not apply is null: a sound has no size, a still picture has no `fps`. `audio_track` is the
    number or the language of the sound track, where it is not the container's default.
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
    audio_track: NotRequired[str]


def is_media_reference(value: Any) -> TypeGuard[MediaRef]:
    """Whether plain data is a media reference."""
    return isinstance(value, dict) and {"id", "name", "bytes"} <= value.keys()


def content_key(ref: MediaRef) -> str:
    """Identifies what is seen and heard: the id, and the sound track if it was chosen."""
    return ref["id"] + ref.get("audio_track", "")


def is_still(ref: MediaRef) -> bool:
    """Whether a medium is a still picture."""
    return ref["width"] is not None and ref["duration"] == 0.0


def is_video(ref: MediaRef) -> bool:
    """Whether a medium is a video: a picture that has a length."""
    return ref["width"] is not None and ref["duration"] > 0.0


class Media(NamedTuple):
    """The media of one question.

    Attributes:
        clip: the main medium: the video; without a video a still picture or a sound.
        pictures: still pictures beside the clip.
        tracks: separate sounds. One replaces the sound of a video; several are candidates. A sound that is the clip
            itself is the first of several sounds, and is not repeated here if it is the only one.
    """

    clip: MediaRef
    pictures: list[MediaRef]
    tracks: list[MediaRef]

    @property
    def refs(self) -> list[MediaRef]:
        """Every medium once, in the order in which a model receives them; `arrange_media` reads it back."""
        tracks = self.tracks
        if self.clip["width"] is None:
            tracks = tracks[1:]
        return [self.clip, *self.pictures, *tracks]

    @property
    def stills(self) -> list[MediaRef]:
        """Every still picture, in order."""
        return [ref for ref in (self.clip, *self.pictures) if is_still(ref)]

    @property
    def seconds(self) -> float:
        """Length of what passes in time: of the video, else of the longest sound; 0.0 for still pictures alone."""
        if is_video(self.clip):
            return self.clip["duration"]
        return max(ref["duration"] for ref in [self.clip, *self.tracks])

    @property
    def longest_seconds(self) -> float:
        """The end of what can be looked or listened to: sound may go on after the picture."""
        if not self.seconds:
            return 0.0
        sounds = self.tracks or [self.clip]
        return max(self.seconds, *(ref["audio_seconds"] or 0.0 for ref in sounds))


def windows_before(windows: Sequence[Window], end: float) -> list[Window]:
    """The parts of the windows before `end` (seconds): what a picture or a sound of that length has of them."""
    return [Window(start=one["start"], end=min(one["end"], end)) for one in windows if one["start"] < end]


def arrange_media(refs: Sequence[MediaRef]) -> Media:
    """The media of a question from their references, the main one first."""
    clip, others = refs[0], refs[1:]
    pictures = [ref for ref in others if ref["width"] is not None]
    tracks = [ref for ref in others if ref["width"] is None]
    if tracks and clip["width"] is None:
        tracks = [clip, *tracks]
    return Media(clip, pictures, tracks)


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
    """Usage and cost of model calls; `cost_usd` is null when the price of a call is unknown.

    `calls` counts the billed replies, rejected replies included. `cached_tokens` is the part of `input_tokens` that
    was in the provider's cache.
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
    """The sum of two usages; one unknown cost makes the sum's cost unknown. `more` None starts again at zero."""
    if total is None or more is None:
        return more or NO_USAGE
    cost = None
    if total["cost_usd"] is not None and more["cost_usd"] is not None:
        cost = total["cost_usd"] + more["cost_usd"]
    return {
        "calls": total["calls"] + more["calls"],
        "input_tokens": total["input_tokens"] + more["input_tokens"],
        "cached_tokens": total["cached_tokens"] + more["cached_tokens"],
        "output_tokens": total["output_tokens"] + more["output_tokens"],
        "cost_usd": cost,
        "media_uploads": total["media_uploads"] + more["media_uploads"],
    }
