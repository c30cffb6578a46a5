"""Describes the sounds and the picture of a clip in checkable sentences, and lists the windows with events."""

import re

from aurelia_core.signals.observation import Motion, Observation, describe_position
from aurelia_core.signals.spans import join_closest
from aurelia_core.types import Window
from aurelia_offline.answering.clip_answers import background_colours, unsure_tempo
from aurelia_offline.answering.finding import (
    WIDE_EXTENT,
    join_words,
    motion_words,
    seconds_text,
    sound_name,
    sound_words,
    span_text,
    with_article,
)
from aurelia_offline.answering.selection import MeasuredEvent, is_continuous, list_events, run_together

TIME_RANGE = re.compile(r"(?:between|from)\s+(\d+(?:\.\d+)?)\s*s?\s+(?:and|to)\s+(\d+(?:\.\d+)?)\s*s\b")
"""A time span in text: "between 1.0 s and 1.6 s"; the groups are start and end."""
_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_MAX_LISTED_SOUNDS = 8
_MAX_LISTED_MOTIONS = 6
_MIN_SILENCE_SECONDS = 0.8
_REGULAR_TEMPO = 0.6
_CLEAR_CONFIDENCE, _NEARLY_AS_LOUD_DB = 0.9, 12.0
_FINE_FRAME_GAP = 0.5


def _number_word(number: int) -> str:
    """The number as a word up to twelve, else in digits."""
    if number < len(_NUMBERS):
        return _NUMBERS[number]
    return str(number)


def describe_sounds(seen: Observation, most: int = _MAX_LISTED_SOUNDS) -> str:
    """All sounds in order, with kind, pitch, loudness and times; of more than `most`, the number and the loudest."""
    sounds = seen.sounds
    if not seen.has_audio:
        return "The clip has no sound track."
    if not sounds:
        return "No sound is heard."
    if is_continuous("sound", seen):
        return _describe_continuous_sound(seen)
    levels = [sound.level for sound in sounds]
    loudest = sorted(sorted(sounds, key=lambda s: s.level, reverse=True)[:most], key=lambda s: s.start)
    listed = ", then ".join(sound_words(sound, levels) for sound in loudest)
    if len(sounds) == 1:
        return f"One sound is heard: {listed}."
    lead = f"{_number_word(len(sounds))} sounds are heard"
    if run_together(sounds):
        # What rings on has no number, here as in the answers.
        return f"Sounds are heard that ring into each other, the loudest of them: {listed}."
    if len(loudest) == len(sounds):
        return f"{lead}: {listed}."
    return f"{lead}, the loudest of them: {listed}."


def describe_tracks(tracks: list[tuple[str, Observation]]) -> list[str]:
    """The number of sounds of each candidate track, or separate sound; those with continuous sound are left out."""
    name = "Track" if any(seen.video_spans and not seen.still for _, seen in tracks) else "Sound"
    return [
        f"{name} {letter} holds {_number_word(len(seen.sounds)).lower()} sound{'s' * (len(seen.sounds) != 1)}."
        for letter, seen in tracks
        if not is_continuous("sound", seen)
    ]


def _describe_continuous_sound(seen: Observation) -> str:
    """A description of continuous sound: the loudest sound, and others that stand out clearly."""
    loudest = max(seen.sounds, key=lambda sound: sound.level)
    others = [
        sound
        for sound in seen.sounds
        if sound is not loudest
        and sound.confidence >= _CLEAR_CONFIDENCE
        and sound.level > loudest.level - _NEARLY_AS_LOUD_DB
    ]
    sentences = [
        f"{with_article(sound_name(sound)).capitalize()} starts at {seconds_text(sound.start)}." for sound in others[:2]
    ]
    return " ".join(["Sound is heard throughout.", f"The loudest sound is {sound_words(loudest, [])}.", *sentences])


def describe_audio(seen: Observation, most: int = _MAX_LISTED_SOUNDS) -> list[str]:
    """Sentences on sounds, silences and beat."""
    sentences = [describe_sounds(seen, most)]
    if not seen.has_audio:
        return sentences
    silences = [span for span in seen.silences if span[1] - span[0] >= _MIN_SILENCE_SECONDS]
    longest = sorted(sorted(silences, key=lambda span: span[0] - span[1])[:2])
    if longest and seen.sounds:
        sentences.append(f"The clip is silent {join_words([span_text(*span) for span in longest])}.")
    if seen.tempo is not None and seen.tempo.strength >= _REGULAR_TEMPO and not unsure_tempo(seen):
        sentences.append(f"The beat is about {seen.tempo.bpm:.0f} beats per minute.")
    return sentences


def _describe_motions(seen: Observation) -> list[str]:
    """One sentence for each thing that moves in one place, with all times."""
    groups: dict[tuple[str | None, str], list[Motion]] = {}
    for motion in seen.motions:
        groups.setdefault(
            ("", "")
            if motion.extent >= WIDE_EXTENT
            else (motion.colour, describe_position(motion.x, motion.y, motion.extent)),
            [],
        ).append(motion)
    listed = sorted(groups.values(), key=lambda group: -sum(m.end - m.start for m in group))[:_MAX_LISTED_MOTIONS]
    sentences = []
    for group in sorted(listed, key=lambda group: group[0].start):
        first = motion_words(group[0])
        more = [span_text(m.start, m.end) for m in group[1:6]]
        sentences.append(f"{first[0].upper()}{first[1:]}{' and ' + join_words(more) if more else ''}.")
    return sentences


def _describe_stillness(seen: Observation) -> list[str]:
    """A sentence for a picture without motions: it shifts as a whole, or nothing moves if the frames are dense."""
    if seen.camera_drift > 0:
        return ["The picture as a whole shifts."]
    if seen.slow_changes:
        return [f"The picture changes slowly {join_words([span_text(*span) for span in seen.slow_changes[:3]])}."]
    if seen.frame_gap <= _FINE_FRAME_GAP:
        return ["Nothing moves in the picture."]
    return []


def describe_picture(seen: Observation) -> list[str]:
    """Sentences on motion, background, cuts and flashes."""
    if not seen.video_spans:
        return []
    sentences = _describe_motions(seen)
    if not sentences and not seen.still:
        sentences = _describe_stillness(seen)
    names = background_colours(seen)
    if seen.still and not names:
        shown = join_words([colour.name for colour in seen.colours[:3]])
        sentences.append(f"The picture shows the colours {shown}.")
    if len(names) == 1:
        sentences.append(f"The background is {names[0]}.")
    for times, one, many in ((seen.cuts, "a cut", "cuts"), (seen.flashes, "a flash", "flashes")):
        if len(times) == 1:
            sentences.append(f"There is {one} at {seconds_text(times[0])}.")
        elif times:
            listed = join_words([seconds_text(time) for time in times[:8]])
            sentences.append(f"There are {_number_word(len(times)).lower()} {many}, at {listed}.")
    if not (seen.cuts or seen.sudden_changes or seen.still) and seen.frame_gap <= _FINE_FRAME_GAP:
        sentences.append("There are no cuts.")
    return sentences


def merge_windows(
    windows: list[Window], duration: float, *, most: int = 4, pad: float = 0.0, gap: float = 0.15
) -> list[Window]:
    """Pad and sort windows, clip them to the clip's length, and join them until at most `most` are left.

    Args:
        windows: windows in seconds, in any order.
        duration: length of the clip in seconds.
        most: the largest number of windows; the closest ones are joined first.
        pad: seconds added on both sides.
        gap: windows closer than this many seconds are joined.
    """
    inside = [(max(0.0, w["start"] - pad), min(duration, w["end"] + pad)) for w in windows]
    spans: list[tuple[float, float]] = []
    for start, end in sorted(span for span in inside if span[1] > span[0]):
        if spans and start - spans[-1][1] < gap:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    joined = join_closest(spans, most)
    return [Window(start=round(start, 1), end=round(max(end, start + 0.1), 1)) for start, end in joined]


def event_windows(seen: Observation, domain: str) -> list[Window]:
    """At most four padded windows that contain all events of one sense ("sound" or "motion")."""
    found: tuple[MeasuredEvent, ...] = list_events(domain, seen)
    if domain == "motion":
        found = (*found, *list_events("cut", seen), *list_events("flash", seen))
    windows = [Window(start=event.start, end=event.end) for event in found]
    return merge_windows(windows, seen.duration, pad=0.25)


def windows_text(windows: list[Window]) -> str:
    """The windows in words: "between 1.0 s and 1.6 s and between 2.1 s and 2.6 s"."""
    return join_words([f"between {seconds_text(w['start'])} and {seconds_text(w['end'])}" for w in windows])
