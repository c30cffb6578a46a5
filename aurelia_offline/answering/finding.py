"""A finding: the answer to a query with the cue that supports it, or why there is none. Data and its wording only."""

from dataclasses import dataclass

from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position
from aurelia_core.types import Modality
from aurelia_offline.answering.selection import MeasuredEvent, ordinal_word
from aurelia_offline.questions.choices import UNKNOWN, Value

WIDE_EXTENT = 0.3
"""From this share of the picture on, motion has no place in it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What measuring found.

    Attributes:
        values: the readings of the answer, the most telling first; none when it is unknown.
        text: the answer in plain words, "unknown" when there is none.
        cue: the times and numbers that support it, or why it is unknown.
        modality: which sense the cue comes from.
    """

    values: tuple[Value, ...]
    text: str
    cue: str
    modality: Modality = "both"


def unknown_finding(cue: str, modality: Modality = "both") -> Finding:
    """No answer, and why."""
    return Finding((), UNKNOWN, cue, modality)


def yes_no_finding(answer: bool, cue: str, modality: Modality) -> Finding:
    """Yes or no."""
    return Finding((Value("bool", answer),), "yes" if answer else "no", cue, modality)


def seconds_text(time: float) -> str:
    """A time for people."""
    return f"{time:.1f} s"


def join_words(parts: list[str]) -> str:
    """A list for people: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an"."""
    return f"{'an' if phrase[:1] in 'aeiou' else 'a'} {phrase}"


def loudness_word(level: float, levels: list[float]) -> str:
    """Loud or soft among the sounds of a clip, "" when there is nothing to compare with or little difference."""
    if len(levels) < 2 or max(levels) - min(levels) < 3.0:
        return ""
    middle = (max(levels) + min(levels)) / 2
    return "loud" if level >= middle else "soft"


def sound_name(sound: DetectedSound) -> str:
    """What a sound may be called: its voice, or what is sure of one that a listener would not call by it."""
    if sound.kind is not None:
        return sound.kind
    low = "low " if sound.low else ""
    return f"short {low}sound" if sound.voice == "click" else f"{low}sound of unclear pitch"


def sound_words(sound: DetectedSound, levels: list[float]) -> str:
    """A sound in words: "a loud tone of about 440 Hz from 1.0 s to 1.6 s"."""
    kind = " ".join(part for part in (loudness_word(sound.level, levels), sound_name(sound)) if part)
    pitch = f" of about {sound.pitch:.0f} Hz" if sound.pitch is not None else ""
    when = (
        f"at {seconds_text(sound.start)}"
        if sound.voice == "click"
        else f"from {seconds_text(sound.start)} to {seconds_text(sound.end)}"
    )
    return f"{with_article(kind)}{pitch} {when}"


def motion_words(motion: Motion) -> str:
    """A motion in words: "a red shape moves at the left from 1.0 s to 1.6 s"."""
    when = f"from {seconds_text(motion.start)} to {seconds_text(motion.end)}"
    if motion.extent >= WIDE_EXTENT:
        return f"a large part of the picture moves {when}"
    what = with_article(f"{motion.colour} shape") if motion.colour else "something"
    return f"{what} moves at the {describe_position(motion.x, motion.y, motion.extent)} {when}"


def event_words(event: MeasuredEvent, seen: Observation) -> str:
    """An event in words, whatever its kind."""
    if isinstance(event.source, DetectedSound):
        return sound_words(event.source, [sound.level for sound in seen.sounds])
    if isinstance(event.source, Motion):
        return motion_words(event.source)
    if event.start == event.end:
        return f"at {seconds_text(event.start)}"
    return f"from {seconds_text(event.start)} to {seconds_text(event.end)}"


def domain_modality(domain: str) -> Modality:
    """The sense that tells of a kind of event."""
    if domain in {"sound", "silence"}:
        return "audio"
    return "both" if domain in {"any", "track"} else "visual"


def position_value(event: MeasuredEvent, among: tuple[MeasuredEvent, ...]) -> Value | None:
    """The event's position among its kind, or None when it is not among them."""
    return Value("ordinal", among.index(event) + 1) if event in among else None


def position_words(event: MeasuredEvent, among: tuple[MeasuredEvent, ...]) -> str:
    """The position in words ("the second of 3")."""
    return f"the {ordinal_word(among.index(event) + 1)} of {len(among)}" if event in among and len(among) > 1 else ""
