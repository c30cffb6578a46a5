"""A finding: the answer to a query with its cue, or the reason why there is none; and words for measured events."""

from dataclasses import dataclass

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position
from aurelia_core.types import Modality
from aurelia_offline.answering.selection import MeasuredEvent, ordinal_word
from aurelia_offline.questions.choices import Value

WIDE_EXTENT = 0.3
"""Share of the picture from which a motion has no single place."""


@dataclass(frozen=True, slots=True)
class MeasuredAnswer:
    """The answer to a query.

    Attributes:
        values: the values of the answer, the most specific first; empty if it is unknown.
        text: the answer in words, or "unknown".
        cue: the times and numbers that support it, or why it is unknown.
        modality: the sense of the cue.
    """

    values: tuple[Value, ...]
    text: str
    cue: str
    modality: Modality = "both"


def unknown_finding(cue: str, modality: Modality = "both") -> MeasuredAnswer:
    """A finding without an answer, and the reason."""
    return MeasuredAnswer((), UNKNOWN, cue, modality)


def yes_no_finding(answer: bool, cue: str, modality: Modality) -> MeasuredAnswer:
    """A finding that is yes or no."""
    return MeasuredAnswer((Value("bool", answer),), "yes" if answer else "no", cue, modality)


def seconds_text(time: float) -> str:
    """A time in words: "1.5 s"."""
    return f"{time:.1f} s"


def frequency_text(frequency: float) -> str:
    """A frequency in words: "800 Hz", "2.4 kHz"."""
    if frequency < 1000:
        return f"{frequency:.0f} Hz"
    return f"{frequency / 1000:.1f} kHz"


def span_text(start: float, end: float) -> str:
    """A time span in words: "from 1.0 s to 1.6 s", or "at 1.0 s" if it is too short for two times."""
    if seconds_text(start) == seconds_text(end):
        return f"at {seconds_text(start)}"
    return f"from {seconds_text(start)} to {seconds_text(end)}"


def join_words(parts: list[str]) -> str:
    """A list in words: "a, b and c"."""
    if len(parts) == 1:
        return parts[0]
    if parts:
        return f"{', '.join(parts[:-1])} and {parts[-1]}"
    return ""


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an"."""
    return f"{'an' if phrase[:1] in 'aeiou' else 'a'} {phrase}"


def loudness_word(level: float, levels: list[float]) -> str:
    """Loud or soft among the sounds of a clip; "" with only one sound or little difference."""
    if len(levels) < 2 or max(levels) - min(levels) < 3.0:
        return ""
    middle = (max(levels) + min(levels)) / 2
    if level >= middle:
        return "loud"
    return "soft"


def sound_name(sound: DetectedSound) -> str:
    """The name of a sound: its kind, or a description if a listener would not use the kind's name."""
    if sound.perceived_class is not None:
        return sound.perceived_class
    if sound.sound_class == "click":
        return "short low sound" if sound.is_low else "short sound"
    return "low rumble" if sound.is_low else "sound of unclear pitch"


def sound_words(sound: DetectedSound, levels: list[float]) -> str:
    """A sound in words: "a loud tone of about 440 Hz from 1.0 s to 1.6 s"."""
    kind = " ".join(part for part in (loudness_word(sound.level, levels), sound_name(sound)) if part)
    pitch = ""
    if sound.pitch is not None:
        pitch = f" of about {sound.pitch:.0f} Hz"
    when = span_text(sound.start, sound.end)
    if sound.sound_class == "click":
        when = f"at {seconds_text(sound.start)}"
    return f"{with_article(kind)}{pitch} {when}"


def motion_words(motion: Motion) -> str:
    """A motion in words: "a red shape moves at the left from 1.0 s to 1.6 s"."""
    when = span_text(motion.start, motion.end)
    if motion.extent >= WIDE_EXTENT:
        return f"a large part of the picture moves {when}"
    what = "something"
    if motion.colour:
        what = with_article(f"{motion.colour} shape")
    return f"{what} moves at the {describe_position(motion.x, motion.y, motion.extent)} {when}"


def event_words(event: MeasuredEvent, seen: Observation) -> str:
    """An event in words, whatever its kind."""
    if isinstance(event.source, DetectedSound):
        return sound_words(event.source, [sound.level for sound in seen.sounds])
    if isinstance(event.source, Motion):
        return motion_words(event.source)
    return span_text(event.start, event.end)


def domain_modality(domain: str) -> Modality:
    """The sense that observes a kind of event."""
    if domain in {"sound", "silence"}:
        return "audio"
    if domain in {"any", "track"}:
        return "both"
    return "visual"


def position_value(event: MeasuredEvent, among: tuple[MeasuredEvent, ...]) -> Value | None:
    """The event's position among these events, or None if it is not one of them."""
    if event in among:
        return Value("ordinal", among.index(event) + 1)
    return None


def position_words(event: MeasuredEvent, among: tuple[MeasuredEvent, ...]) -> str:
    """The position in words ("the second of 3")."""
    if event in among and len(among) > 1:
        return f"the {ordinal_word(among.index(event) + 1)} of {len(among)}"
    return ""
