"""Selects the measured events that a description means."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position, rings_on
from aurelia_offline.questions.query import Pick, span_in_seconds

_TIE_WIDTHS = {"level": 1.0, "length": 0.05, "start": 0.02, "extent": 0.005}
_PITCH_TIE_RATIO = 1.02
_ALMOST_ALL = 0.9
_MOSTLY = 0.7
_MURMUR_SECONDS = 0.5
_END_SHARE = 0.15
"""Share of a clip that is its start or its end."""
_Span = tuple[float, float]
_SOUND_SLACK_SECONDS = 0.06
RUN_TOGETHER = "sounds ring into each other; where one ends and the next one starts is not clear"
_CLICK_SECONDS = 0.15
"""A sound below this length may be called a click, whatever its pitch."""
_THROUGHOUT_SLACK = 0.15
"""Seconds at each end of a span that may be without what lasts throughout it."""


class MeasuredEvent(NamedTuple):
    """A measured event with its start and end in seconds; `source` for sounds and motions."""

    start: float
    end: float
    source: DetectedSound | Motion | None = None


class Selection(NamedTuple):
    """The described events in order of time, and the problem, if any."""

    events: tuple[MeasuredEvent, ...]
    problem: str = ""


def list_events(domain: str, seen: Observation) -> tuple[MeasuredEvent, ...]:
    """All events of a kind in an observation, by start; `any` means sounds and motions."""
    sounds = [MeasuredEvent(sound.start, sound.end, sound) for sound in seen.sounds]
    motions = [MeasuredEvent(motion.start, motion.end, motion) for motion in seen.motions]
    found: list[MeasuredEvent] = {
        "sound": sounds,
        "motion": motions,
        "cut": [MeasuredEvent(time, time) for time in seen.cuts],
        "flash": [MeasuredEvent(time, time) for time in seen.flashes],
        "fade": [MeasuredEvent(*span) for span in (*seen.fades_from_black, *seen.fades_to_black)],
        "fade_out": [MeasuredEvent(*span) for span in seen.fades_to_black],
        "fade_in": [MeasuredEvent(*span) for span in seen.fades_from_black],
        "silence": [MeasuredEvent(start, end) for start, end in seen.silences],
        "any": sounds + motions,
    }.get(domain, [MeasuredEvent(0.0, seen.duration)])
    return tuple(sorted(found, key=lambda event: (event.start, event.end)))


def is_continuous(domain: str, seen: Observation) -> bool:
    """Whether sound (or motion) continues almost without a pause, so that its events cannot be counted reliably.

    Sound is continuous if a part is neither a sound event nor silence, or if the events fill almost all of the time.
    """
    if domain == "motion":
        spans = [(motion.start, motion.end) for motion in seen.motions]
        return bool(seen.video_spans) and _covered_seconds(spans) > _MOSTLY * sum(
            end - start for start, end in seen.video_spans
        )
    sounds = [(sound.start, sound.end) for sound in seen.sounds]
    return any(_holds_murmur(span, sounds, seen.silences) for span in seen.audio_spans)


def _holds_murmur(span: _Span, sounds: list[_Span], silences: Sequence[_Span]) -> bool:
    """Whether a listened time span contains something that is neither silence nor clear events."""
    inside = [(max(a, span[0]), min(b, span[1])) for a, b in (*sounds, *silences) if b > span[0] and a < span[1]]
    reached = span[0]
    for start, end in [*sorted(inside), (span[1], span[1])]:
        if start - reached >= _MURMUR_SECONDS:
            return True
        reached = max(reached, end)
    within = [pair for pair in sounds if pair[1] > span[0] and pair[0] < span[1]]
    length = span[1] - span[0]
    return length >= 2.0 and len(within) > 1 and _covered_seconds(within) > _ALMOST_ALL * length


def run_together(sounds: Sequence[DetectedSound]) -> bool:
    """Whether sounds ring into each other, so that their number is not clear."""
    return any(rings_on(earlier, later) for earlier, later in pairwise(sounds))


def _covered_seconds(spans: list[_Span]) -> float:
    total, reached = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def time_slack(event: MeasuredEvent, seen: Observation) -> float:
    """The tolerance of an event's times, in seconds: half a frame gap for visible events."""
    if isinstance(event.source, DetectedSound):
        return _SOUND_SLACK_SECONDS
    return min(0.5, seen.frame_gap / 2) + 0.02


def _may_be(sound: DetectedSound, voice: str) -> bool:
    """Whether a listener might use that name for a sound that is measured to be of another kind."""
    return sound.perceived_class is None or (voice == "click" and sound.end - sound.start < _CLICK_SECONDS)


def _matches_pick(event: MeasuredEvent, pick: Pick) -> bool:
    source = event.source
    if pick.voice is not None and not (
        isinstance(source, DetectedSound) and source.perceived_class == pick.voice.rstrip("?")
    ):
        return False
    if pick.colour is not None and not (isinstance(source, Motion) and source.colour == pick.colour):
        return False
    return pick.place is None or (isinstance(source, Motion) and _is_at_place(source, pick.place))


def _is_at_place(motion: Motion, where: str) -> bool:
    measured = describe_position(motion.x, motion.y)
    if where in measured:
        return True
    sides = {"left": motion.x < 0.5, "right": motion.x > 0.5, "top": motion.y < 0.4, "bottom": motion.y > 0.6}
    return where in {"left", "right", "top", "bottom"} and where not in {"left", "right"} and sides[where]


def event_property(event: MeasuredEvent, prop: str) -> float | None:
    """A property of an event as a number (dBFS, Hz, seconds, share), or None."""
    source = event.source
    if prop == "start":
        return event.start
    if prop == "length":
        return event.end - event.start
    if isinstance(source, DetectedSound):
        return {"level": source.level, "pitch": source.pitch}.get(prop)
    if isinstance(source, Motion) and prop == "extent":
        return source.extent
    return None


def is_tied(first: float, second: float, prop: str) -> bool:
    """Whether two measurements are too close to distinguish."""
    if prop == "pitch":
        low, high = sorted((abs(first), abs(second)))
        return low > 0 and high / low < _PITCH_TIE_RATIO
    return abs(first - second) < _TIE_WIDTHS.get(prop, 0.0)


def _select_extreme(found: Iterable[MeasuredEvent], rank: str, nth: int = 1) -> Selection:
    """The nth event in order of a property; a tie is reported as a problem."""
    prop, up = rank[:-1], rank.endswith("+")
    measured = [(value, event) for event in found if (value := event_property(event, prop)) is not None]
    measured.sort(key=lambda pair: pair[0], reverse=up)
    if not measured:
        return Selection((), f"nothing found has a {_PROPERTY_NAMES.get(prop, prop)} that could be measured")
    at = len(measured) + nth
    if nth > 0:
        at = nth - 1
    if not 0 <= at < len(measured):
        return Selection((), f"only {len(measured)} of them were found")
    neighbours = [measured[i][0] for i in (at - 1, at + 1) if 0 <= i < len(measured)]
    if any(is_tied(measured[at][0], other, prop) for other in neighbours):
        return Selection((), f"two of them are equal in {_PROPERTY_NAMES.get(prop, prop)} as far as can be measured")
    return Selection((measured[at][1],))


_PROPERTY_NAMES = {"level": "loudness", "pitch": "pitch", "length": "length", "extent": "size", "start": "time"}


def _select_most_active(found: tuple[MeasuredEvent, ...], rank: str) -> Selection:
    """The events of the colour that moves most (or least) often."""
    groups: dict[str | None, list[MeasuredEvent]] = {}
    for event in found:
        groups.setdefault(event.source.colour if isinstance(event.source, Motion) else None, []).append(event)
    ordered = sorted(groups.values(), key=len, reverse=rank.endswith("+"))
    if len(ordered) > 1 and len(ordered[0]) == len(ordered[1]):
        return Selection((), "two of them are equally frequent")
    return Selection(tuple(ordered[0]) if ordered else ())


def _overlap(event: MeasuredEvent, start: float, end: float, room: float) -> float:
    return min(event.end, end) - max(event.start, start) + room


def span_seconds(pick: Pick, duration: float) -> tuple[float, float] | None:
    """The span of a description in seconds from the start of a clip of this length; None if it has none."""
    return None if pick.span is None else span_in_seconds(pick.span, pick.half, duration)


def asked_seconds(pick: Pick, seen: Observation) -> tuple[float, float]:
    """The seconds that a description names; all of the clip if it names none."""
    low, high = span_seconds(pick, seen.duration) or (0.0, seen.duration)
    if pick.span is not None and pick.relation in {"after", "right_after"}:
        return high, seen.duration
    if pick.span is not None and pick.relation in {"before", "right_before"}:
        return 0.0, low
    return low, high


def _select_related(found: tuple[MeasuredEvent, ...], pick: Pick, seen: Observation) -> Selection:
    """The events in the described relation to a time span or to other events."""
    span = span_seconds(pick, seen.duration)
    if span is not None:
        low, high = span
        if pick.half and low == high and pick.domain.startswith("fade"):
            # A fade at the end may be followed by a moment of black.
            low, high = (
                max(0.0, low - _END_SHARE * seen.duration),
                min(seen.duration, high + _END_SHARE * seen.duration),
            )
        anchors: tuple[MeasuredEvent, ...] = (MeasuredEvent(low, high),)
    elif pick.other is not None and pick.relation == "between":
        return _select_between(found, pick.other, seen)
    elif pick.other is not None:
        chosen = select_events(pick.other, seen)
        if pick.relation == "apart" and not chosen.events:
            return Selection(found)
        if chosen.problem or not chosen.events:
            return Selection((), chosen.problem or f"{pick_text(pick.other)} was not found")
        anchors = chosen.events
    else:
        return Selection(found)
    return Selection(_select_by_relation(found, pick.relation or "during", anchors, seen))


def _select_between(found: tuple[MeasuredEvent, ...], ends: Pick, seen: Observation) -> Selection:
    first, second = select_events(ends, seen, alone=True), select_events(ends.other or Pick(), seen)
    if not first.events or not second.events:
        return Selection((), first.problem or second.problem or "one of the two events was not found")
    low, high = sorted((first.events[0], second.events[0]))
    return Selection(tuple(e for e in found if e.start >= low.end - 0.02 and e.end <= high.start + 0.05))


def _select_by_relation(
    found: tuple[MeasuredEvent, ...], relation: str, anchors: tuple[MeasuredEvent, ...], seen: Observation
) -> tuple[MeasuredEvent, ...]:
    first, last = anchors[0], anchors[-1]
    point = len(anchors) == 1 and first.start == first.end
    if relation in {"after", "right_after"}:
        later = tuple(
            e
            for e in found
            if e.start >= first.end - time_slack(e, seen) and e not in anchors and e.start > first.start
        )
        if relation == "right_after":
            return later[:1]
        return later
    if relation in {"before", "right_before"}:
        edge = last.start
        if point or len(anchors) == 1:
            edge = first.start
        anchor_slack = time_slack(first, seen) if isinstance(first.source, Motion) else 0.0
        earlier = tuple(e for e in found if e.start < edge - max(0.02, anchor_slack) and e not in anchors)
        if relation == "right_before":
            return earlier[-1:]
        return earlier
    if relation == "throughout":
        return tuple(
            e for e in found if e.start <= first.start + _THROUGHOUT_SLACK and e.end >= first.end - _THROUGHOUT_SLACK
        )
    if relation == "between" or not found:
        low, high = first.start, first.end
        return tuple(e for e in found if low <= e.start <= high)
    room = max(time_slack(e, seen) for e in (*found, *anchors))
    apart = relation == "apart"
    return tuple(
        e for e in found if any(_overlap(e, a.start, a.end, room) > 0 for a in anchors) != apart and e not in anchors
    )


def select_events(pick: Pick, seen: Observation, alone: bool = False) -> Selection:
    """The events that a description means.

    Args:
        pick: the description.
        seen: the observation of the clip.
        alone: whether to ignore the relation of the description.
    """
    if pick.voice == "noise?" and not any(sound.perceived_class == "noise" for sound in seen.sounds):
        pick = replace(pick, voice=None)
    found = tuple(event for event in list_events(pick.domain, seen) if _matches_pick(event, pick))
    if pick.voice is not None and not found and any(_may_be(sound, pick.voice) for sound in seen.sounds):
        return Selection((), f"whether a sound here is called {pick_text(replace(pick, nth=None))} is not clear")
    if pick.outline and len({e.source.colour for e in found if isinstance(e.source, Motion)}) > 1:
        return Selection((), "several shapes move and outlines are not measured")
    if pick.relation is not None and not alone:
        related = _select_related(found, pick, seen)
        if related.problem:
            return related
        found = related.events
    if pick.rank is not None and found:
        ranked = _select_ranked(found, pick.rank, pick.nth or 1)
        if ranked.problem:
            return ranked
        found = ranked.events
    if pick.nth is not None and pick.rank is None:
        counted = found[: pick.nth] if pick.nth > 0 else found[pick.nth - 1 :]
        if run_together([event.source for event in counted if isinstance(event.source, DetectedSound)]):
            return Selection((), RUN_TOGETHER)
        found = _select_nth(found, pick.nth)
    return Selection(found)


def _select_ranked(found: tuple[MeasuredEvent, ...], rank: str, nth: int) -> Selection:
    if rank[:-1] == "count":
        return _select_most_active(found, rank)
    return _select_extreme(found, rank, nth)


def _select_nth(found: tuple[MeasuredEvent, ...], nth: int) -> tuple[MeasuredEvent, ...]:
    """The event at a position, from 1, or from the end if negative; empty if there is none."""
    at = nth - 1
    if nth < 0:
        at = len(found) + nth
    if not 0 <= at < len(found):
        return ()
    return (found[at],)


_RANK_WORDS = {
    "level+": "loudest",
    "level-": "softest",
    "pitch+": "highest",
    "pitch-": "lowest",
    "length+": "longest",
    "length-": "shortest",
    "extent+": "largest",
    "extent-": "smallest",
    "start+": "latest",
    "start-": "earliest",
    "tempo+": "fastest",
    "tempo-": "slowest",
    "count+": "most frequent",
    "count-": "least frequent",
}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", -1: "last", -2: "last but one"}
_NOUNS = {
    "sound": "sound",
    "motion": "movement",
    "cut": "cut",
    "flash": "flash",
    "fade": "fade",
    "fade_out": "fade to black",
    "fade_in": "fade from black",
    "silence": "silence",
    "background": "background",
    "clip": "clip",
    "track": "audio",
    "any": "event",
}
_VOICES = {"tone": "tone", "noise": "noise", "click": "click"}


def ordinal_word(number: int) -> str:
    """The word for a position: "second", "last"."""
    return _ORDINALS.get(number, f"number {number}")


def pick_text(pick: Pick) -> str:
    """The description in plain words: "the loudest sound", "the red movement at the left"."""
    noun = _VOICES.get((pick.voice or "").rstrip("?"), _NOUNS[pick.domain])
    parts = ["the"]
    if pick.nth is not None:
        parts.append(ordinal_word(pick.nth))
    if pick.rank is not None:
        parts.append(_RANK_WORDS[pick.rank])
    if pick.colour:
        parts.append(pick.colour)
    parts.append(noun)
    if pick.place:
        parts.append(f"at the {pick.place}")
    return " ".join(parts)
