"""A finding: the answer to a query with the cue that supports it, or why there is none. Data and its wording only."""

from dataclasses import dataclass

from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position
from aurelia_core.types import Modality, Window
from aurelia_offline.answering.selection import Event, ordinal
from aurelia_offline.questions.choices import UNKNOWN, Value

WIDE = 0.3
"""From this share of the picture on, motion has no place in it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What measuring found.

    Attributes:
        values: the readings of the answer, the most telling first; none when it is unknown.
        text: the answer in plain words, "unknown" when there is none.
        cue: the times and numbers that support it, or why it is unknown.
        modality: which sense the cue comes from.
        windows: where the cue lies, seconds.
    """

    values: tuple[Value, ...]
    text: str
    cue: str
    modality: Modality = "both"
    windows: tuple[Window, ...] = ()


def unknown(cue: str, modality: Modality = "both") -> Finding:
    """No answer, and why."""
    return Finding((), UNKNOWN, cue, modality)


def boolean(answer: bool, cue: str, modality: Modality, windows: tuple[Window, ...] = ()) -> Finding:
    """Yes or no."""
    return Finding((Value("bool", answer),), "yes" if answer else "no", cue, modality, windows)


def stretch(event: Event) -> Window:
    """The event's stretch with a little air around it, so that a look there has its onset and its end."""
    return Window(start=max(0.0, round(event.start - 0.15, 2)), end=round(event.end + 0.15, 2))


def seconds(time: float) -> str:
    """A time for people."""
    return f"{time:.1f} s"


def joined(parts: list[str]) -> str:
    """A list for people: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def article(phrase: str) -> str:
    """The phrase with "a" or "an"."""
    return f"{'an' if phrase[:1] in 'aeiou' else 'a'} {phrase}"


def loudness(level: float, levels: list[float]) -> str:
    """Loud or soft among the sounds of a clip, "" when there is nothing to compare with or little difference."""
    if len(levels) < 2 or max(levels) - min(levels) < 3.0:
        return ""
    middle = (max(levels) + min(levels)) / 2
    return "loud" if level >= middle else "soft"


def sound_name(sound: DetectedSound) -> str:
    """What a sound may be called: its voice, or what is sure of one that a listener would not call by it."""
    if sound.perceived_class is not None:
        return sound.perceived_class
    low = "low " if sound.is_low else ""
    return f"short {low}sound" if sound.sound_class == "click" else f"{low}sound of unclear pitch"


def sound_words(sound: DetectedSound, levels: list[float]) -> str:
    """A sound in words: "a loud tone of about 440 Hz from 1.0 s to 1.6 s"."""
    kind = " ".join(part for part in (loudness(sound.level, levels), sound_name(sound)) if part)
    pitch = f" of about {sound.pitch:.0f} Hz" if sound.pitch is not None else ""
    when = (
        f"at {seconds(sound.start)}"
        if sound.sound_class == "click"
        else f"from {seconds(sound.start)} to {seconds(sound.end)}"
    )
    return f"{article(kind)}{pitch} {when}"


def motion_words(motion: Motion) -> str:
    """A motion in words: "a red shape moves at the left from 1.0 s to 1.6 s"."""
    when = f"from {seconds(motion.start)} to {seconds(motion.end)}"
    if motion.extent >= WIDE:
        return f"a large part of the picture moves {when}"
    what = article(f"{motion.colour} shape") if motion.colour else "something"
    return f"{what} moves at the {describe_position(motion.x, motion.y, motion.extent)} {when}"


def event_words(event: Event, seen: Observation) -> str:
    """An event in words, whatever its kind."""
    if isinstance(event.source, DetectedSound):
        return sound_words(event.source, [sound.level for sound in seen.sounds])
    if isinstance(event.source, Motion):
        return motion_words(event.source)
    if event.start == event.end:
        return f"at {seconds(event.start)}"
    return f"from {seconds(event.start)} to {seconds(event.end)}"


def sense(domain: str) -> Modality:
    """The sense that tells of a kind of event."""
    if domain in {"sound", "silence"}:
        return "audio"
    return "both" if domain in {"any", "track"} else "visual"


def position(event: Event, among: tuple[Event, ...]) -> Value | None:
    """The event's position among its kind, or None when it is not among them."""
    return Value("ordinal", among.index(event) + 1) if event in among else None


def position_words(event: Event, among: tuple[Event, ...]) -> str:
    """The position in words ("the second of 3")."""
    return f"the {ordinal(among.index(event) + 1)} of {len(among)}" if event in among and len(among) > 1 else ""
