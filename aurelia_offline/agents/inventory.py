"""Says in plain, checkable sentences what was heard and seen in a clip, and which stretches of it hold something."""

import re

from aurelia_core.signals.observation import Motion, Observation, describe_position
from aurelia_core.types import Window
from aurelia_offline.answering.clip_answers import grounds
from aurelia_offline.answering.finding import WIDE, article, joined, motion_words, seconds, sound_name, sound_words
from aurelia_offline.answering.selection import Event, events, goes_on

STRETCH = re.compile(r"(?:between|from)\s+(\d+(?:\.\d+)?)\s*s?\s+(?:and|to)\s+(\d+(?:\.\d+)?)\s*s\b")
"""A stretch of seconds named in prose: "between 1.0 s and 1.6 s"; groups start and end."""
_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_LISTED_SOUNDS = 8
_LISTED_MOTIONS = 6
_TOLD_SILENCE = 0.8
_REGULAR = 0.6
_CLEAR, _NEARLY_AS_LOUD = 0.9, 12.0
_FINE_GAP = 0.5


def number_word(number: int) -> str:
    """The number as a word up to twelve, in digits beyond."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def sounds_sentence(seen: Observation, most: int = _LISTED_SOUNDS) -> str:
    """All sounds in order, with kind, pitch, loudness and times; of more than `most` the loudest, and how many."""
    sounds = seen.sounds
    if not seen.has_audio:
        return "The clip has no sound track."
    if not sounds:
        return "No sound is heard."
    if goes_on("sound", seen):
        return _ongoing(seen)
    levels = [sound.level for sound in sounds]
    kept = sorted(sorted(sounds, key=lambda s: s.level, reverse=True)[:most], key=lambda s: s.start)
    listed = ", then ".join(sound_words(sound, levels) for sound in kept)
    if len(sounds) == 1:
        return f"One sound is heard: {listed}."
    lead = f"{number_word(len(sounds))} sounds are heard"
    return f"{lead}: {listed}." if len(kept) == len(sounds) else f"{lead}, the loudest of them: {listed}."


def tracks_sentences(tracks: list[tuple[str, Observation]]) -> list[str]:
    """How many sounds each candidate track holds; nothing of a track that cannot be counted."""
    return [
        f"Track {letter} holds {number_word(len(seen.sounds)).lower()} sound{'s' * (len(seen.sounds) != 1)}."
        for letter, seen in tracks
        if not goes_on("sound", seen)
    ]


def _ongoing(seen: Observation) -> str:
    """Sound without a pause is not counted; only what clearly stands out of it is told."""
    loudest = max(seen.sounds, key=lambda sound: sound.level)
    others = [
        sound
        for sound in seen.sounds
        if sound is not loudest and sound.confidence >= _CLEAR and sound.level > loudest.level - _NEARLY_AS_LOUD
    ]
    told = [f"{article(sound_name(sound)).capitalize()} starts at {seconds(sound.start)}." for sound in others[:2]]
    return " ".join(["Sound is heard throughout.", f"The loudest sound is {sound_words(loudest, [])}.", *told])


def heard(seen: Observation, most: int = _LISTED_SOUNDS) -> list[str]:
    """Sentences on sounds, silences and beat."""
    told = [sounds_sentence(seen, most)]
    if not seen.has_audio:
        return told
    silences = [span for span in seen.silences if span[1] - span[0] >= _TOLD_SILENCE]
    longest = sorted(sorted(silences, key=lambda span: span[0] - span[1])[:2])
    if longest and seen.sounds:
        told.append(f"The clip is silent {joined([f'from {seconds(a)} to {seconds(b)}' for a, b in longest])}.")
    if seen.tempo is not None and seen.tempo.strength >= _REGULAR and len(seen.sounds) >= 4:
        told.append(f"The beat is about {seen.tempo.bpm:.0f} beats per minute.")
    return told


def _moving(seen: Observation) -> list[str]:
    """One sentence for each thing that moves in one place, with all its times."""
    groups: dict[tuple[str | None, str], list[Motion]] = {}
    for motion in seen.motions:
        groups.setdefault(
            ("", "")
            if motion.extent >= WIDE
            else (motion.colour, describe_position(motion.x, motion.y, motion.extent)),
            [],
        ).append(motion)
    kept = sorted(groups.values(), key=lambda group: -sum(m.end - m.start for m in group))[:_LISTED_MOTIONS]
    told = []
    for group in sorted(kept, key=lambda group: group[0].start):
        first = motion_words(group[0])
        more = [f"from {seconds(m.start)} to {seconds(m.end)}" for m in group[1:6]]
        told.append(f"{first[0].upper()}{first[1:]}{' and ' + joined(more) if more else ''}.")
    return told


def _unmoved(seen: Observation) -> list[str]:
    """That nothing moves, where the frames lie close enough together and the picture as a whole stays in place."""
    if seen.camera_drift > 0:
        return ["The picture as a whole shifts."]
    return ["Nothing moves in the picture."] if seen.frame_gap <= _FINE_GAP else []


def visible(seen: Observation) -> list[str]:
    """Sentences on motion, background, cuts and flashes."""
    if not seen.video_spans:
        return []
    told = _moving(seen) or _unmoved(seen)
    names = grounds(seen)
    if len(names) == 1:
        told.append(f"The background is {names[0]}.")
    for times, one, many in ((seen.cuts, "a cut", "cuts"), (seen.flashes, "a flash", "flashes")):
        if len(times) == 1:
            told.append(f"There is {one} at {seconds(times[0])}.")
        elif times:
            listed = joined([seconds(time) for time in times[:8]])
            told.append(f"There are {number_word(len(times)).lower()} {many}, at {listed}.")
    if not seen.cuts:
        told.append("There are no cuts.")
    return told


def coalesced(
    windows: list[Window], duration: float, *, most: int = 4, pad: float = 0.0, gap: float = 0.15
) -> list[Window]:
    """Windows padded, put in order, kept inside the clip, and joined until at most `most` are left.

    Args:
        windows: stretches in seconds, in any order.
        duration: of the clip, seconds.
        most: how many may be left; the ones that lie nearest to each other are joined.
        pad: seconds added on both sides.
        gap: windows closer than this are joined, seconds.
    """
    inside = [(max(0.0, w["start"] - pad), min(duration, w["end"] + pad)) for w in windows]
    spans: list[tuple[float, float]] = []
    for start, end in sorted(span for span in inside if span[1] > span[0]):
        if spans and start - spans[-1][1] < gap:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    while len(spans) > most:
        at = min(range(len(spans) - 1), key=lambda i: spans[i + 1][0] - spans[i][1])
        spans[at : at + 2] = [(spans[at][0], spans[at + 1][1])]
    return [Window(start=round(start, 1), end=round(max(end, start + 0.1), 1)) for start, end in spans]


def stretches(seen: Observation, domain: str) -> list[Window]:
    """At most four stretches that hold everything found of one sense ("sound" or "motion"), with some air around."""
    found: tuple[Event, ...] = events(domain, seen)
    if domain == "motion":
        found = (*found, *events("cut", seen), *events("flash", seen))
    windows = [Window(start=event.start, end=event.end) for event in found]
    return coalesced(windows, seen.duration, pad=0.25)


def between(windows: list[Window]) -> str:
    """The windows in words: "between 1.0 s and 1.6 s and between 2.1 s and 2.6 s"."""
    return joined([f"between {seconds(w['start'])} and {seconds(w['end'])}" for w in windows])
