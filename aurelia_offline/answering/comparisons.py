"""Compares events: louder, higher, longer, earlier; the same or not; more or fewer than a number."""

from dataclasses import replace

from aurelia_core.signals.observation import DetectedSound, Motion, Observation
from aurelia_core.types import Modality
from aurelia_offline.answering.finding import (
    Finding,
    boolean,
    event_words,
    position,
    sense,
    sound_name,
    stretch,
    unknown,
)
from aurelia_offline.answering.readout import count, limits, one
from aurelia_offline.answering.selection import Event, events, measure, named, select, tied
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Ask, Pick, Query

_READ: dict[str, Ask] = {"length": "length", "pitch": "pitch", "level": "level", "start": "when"}


def _modality(query: Query) -> Modality:
    one_sense = sense(query.pick.domain)
    return one_sense if query.other is None or sense(query.other.domain) == one_sense else "both"


def _first(pick: Pick, seen: Observation) -> tuple[Event | None, str]:
    chosen = select(pick, seen)
    if chosen.events:
        return chosen.events[0], ""
    return None, chosen.problem or f"{named(pick)} was not found{limits(pick.domain, seen)}"


def _number(pick: Pick, prop: str, seen: Observation) -> float | None:
    """A property of a description: of its one event; for several the number of them, the loudest, or the mean."""
    found = select(pick, seen).events
    if prop == "count":
        return float(len(found))
    measured = [value for event in found if (value := measure(event, prop)) is not None]
    if not measured:
        return None
    if prop == "start":
        return min(measured)
    return sum(measured) / len(measured)


def compare(query: Query, seen: Observation) -> Finding:
    """Whether the first exceeds the second in a property ("level+": is louder); "together" asks for overlap."""
    prop, up = (query.prop or "level+")[:-1], (query.prop or "").endswith("+")
    other = query.other or Pick()
    first, missing = _first(query.pick, seen)
    second, absent = _first(other, seen)
    if first is None or second is None:
        return unknown(missing or absent, _modality(query))
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    windows = (stretch(first), stretch(second))
    if query.prop == "together":
        others = select(other, seen).events
        answer = any(min(first.end, each.end) - max(first.start, each.start) > -0.06 for each in others)
        return boolean(answer != query.negated, cue, _modality(query), windows)
    a, b = _number(query.pick, prop, seen), _number(other, prop, seen)
    if a is None or b is None:
        return unknown(f"{cue}: this could not be measured of both", _modality(query))
    exceeds = not tied(a, b, prop) and (a > b) == up and a != b
    return boolean(exceeds != query.negated, cue, _modality(query), windows)


def choose(query: Query, seen: Observation) -> Finding:
    """Which of two exceeds the other in a property."""
    prop, up = (query.prop or "level+")[:-1], (query.prop or "").endswith("+")
    parties = (query.pick, query.other or Pick())
    numbers = [_number(pick, prop, seen) for pick in parties]
    firsts = [_first(pick, seen) for pick in parties]
    missing = next((problem for event, problem in firsts if event is None), "")
    if missing and prop != "count":
        return unknown(missing, _modality(query))
    a, b = numbers
    if a is None or b is None:
        return unknown("this could not be measured of both", _modality(query))
    cue = "; ".join(event_words(event, seen) for event, _ in firsts if event is not None)
    if tied(a, b, prop) or a == b:
        return unknown(f"{cue}: the difference is too small to measure", _modality(query))
    winner = parties[0] if (a > b) == up else parties[1]
    event = select(winner, seen).events[0]
    return Finding(tuple(_tells(winner, event, seen)), named(winner), cue, _modality(query), (stretch(event),))


def _tells(pick: Pick, event: Event, seen: Observation) -> list[Value]:
    """The readings of the winner of a comparison: as the question named it first."""
    values = []
    if pick.nth is not None:
        values.append(Value("ordinal", pick.nth))
    for kind, said in (("voice", pick.voice), ("colour", pick.colour), ("place", pick.place)):
        if said is not None:
            values.append(Value(kind, said))
    order = position(event, events(pick.domain, seen))
    return [*values, *([order] if order else [])]


def same(query: Query, seen: Observation) -> Finding:
    """Whether two descriptions mean one event, or two events share a property."""
    first, missing = _first(query.pick, seen)
    second, absent = _first(query.other or Pick(), seen)
    if first is None or second is None:
        return unknown(missing or absent, _modality(query))
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    if query.prop == "count":
        numbers = [len(select(pick, seen).events) for pick in (query.pick, query.other or Pick())]
        counted = f"{numbers[0]} of the one, {numbers[1]} of the other"
        return boolean((numbers[0] == numbers[1]) != query.negated, counted, _modality(query))
    equal = _equal(first, second, query.prop or "event")
    if equal is None:
        return unknown(f"{cue}: this could not be measured of both", _modality(query))
    return boolean(equal != query.negated, cue, _modality(query), (stretch(first), stretch(second)))


def _equal(first: Event, second: Event, prop: str) -> bool | None:
    if prop == "event":
        return first == second
    if prop in {"level", "pitch", "length"}:
        a, b = measure(first, prop), measure(second, prop)
        return None if a is None or b is None else tied(a, b, prop)
    if isinstance(first.source, DetectedSound) and isinstance(second.source, DetectedSound):
        return sound_name(first.source) == sound_name(second.source)
    if isinstance(first.source, Motion) and isinstance(second.source, Motion):
        if prop == "colour":
            return first.source.colour == second.source.colour
        return abs(first.source.x - second.source.x) < 0.1 and abs(first.source.y - second.source.y) < 0.1
    return None


def bound(query: Query, seen: Observation) -> Finding:
    """Whether a number of events, or a property, is more, less, at least, at most or exactly a value."""
    limit, prop = query.value or 0.0, query.prop or "count"
    if prop == "duration":
        number: float | None = seen.duration
        found = Finding((), "", f"the clip lasts {seen.duration:.1f} s")
    elif prop == "tempo":
        number = seen.tempo.bpm if seen.tempo else None
        found = Finding((), "", f"the beat is about {number:.0f} a minute" if number else "no steady beat", "audio")
    elif prop == "count":
        found = count(query, seen)
        number = float(found.values[0].data) if found.values else None
    else:
        found = one(replace(query, ask=_READ[prop]), seen)
        number = float(found.values[0].data) if found.values else None
    if number is None:
        return unknown(found.cue, found.modality)
    room = {"count": 0.0, "tempo": 4.0, "pitch": 0.03 * limit, "level": 1.0}.get(prop, 0.15)
    answer = {
        "more": number > limit,
        "less": number < limit,
        "least": number >= limit,
        "most": number <= limit,
    }.get(query.bound or "exact", abs(number - limit) <= room)
    return boolean(answer != query.negated, found.cue, found.modality, found.windows)


def gap(query: Query, seen: Observation) -> Finding:
    """The seconds between two events: from start to start, or for a pause from the end of the one to the other."""
    first, missing = _first(query.pick, seen)
    second, absent = _first(query.other or Pick(), seen)
    if first is None or second is None:
        return unknown(missing or absent, _modality(query))
    early, late = sorted((first, second), key=lambda event: event.start)
    between = late.start - (early.end if query.prop == "end" else early.start)
    cue = f"{event_words(early, seen)}; {event_words(late, seen)}"
    text = f"{max(0.0, between):.1f} s"
    return Finding((Value("seconds", max(0.0, between)),), text, cue, _modality(query), (stretch(early), stretch(late)))


def sequence(query: Query, seen: Observation) -> Finding:
    """The order in which events follow each other, by kind or colour."""
    found = select(query.pick, seen).events
    named_events = [_kind_of(event) for event in found]
    order = [name for name, before in zip(named_events, [None, *named_events], strict=False) if name != before]
    cue = "; ".join(event_words(event, seen) for event in found[:8])
    if len(order) < 2 or None in order:
        return unknown(cue or "nothing was found that could be put in order", _modality(query))
    words = [name for name in order if name is not None]
    return Finding((Value("sequence", " ".join(words)),), ", then ".join(words), cue, _modality(query))


def _kind_of(event: Event) -> str | None:
    if isinstance(event.source, DetectedSound):
        return sound_name(event.source)
    return event.source.colour if isinstance(event.source, Motion) else None


_WORDS = {
    "level": ("louder", "quieter"),
    "pitch": ("higher", "lower"),
    "length": ("longer", "shorter"),
    "start": ("later", "earlier"),
    "extent": ("bigger", "smaller"),
    "count": ("more often", "less often"),
}


def relative(query: Query, seen: Observation) -> Finding:
    """How the first stands to the second in a property: "louder", "quieter"; unknown when they are equal."""
    prop, other = query.prop or "level", query.other or Pick()
    first, missing = _first(query.pick, seen)
    second, absent = _first(other, seen)
    if first is None or second is None:
        return unknown(missing or absent, _modality(query))
    a, b = _number(query.pick, prop, seen), _number(other, prop, seen)
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    if prop not in _WORDS or a is None or b is None or a == b or tied(a, b, prop):
        return unknown(f"{cue}: no difference that can be measured", _modality(query))
    more = a > b
    word = _WORDS[prop][0 if more else 1]
    value = Value("comp", f"{prop}{'+' if more else '-'}")
    return Finding((value,), word, cue, _modality(query), (stretch(first), stretch(second)))
