"""Compares events: louder, higher, longer, earlier; the same or not; more or fewer than a number."""

from dataclasses import replace
from itertools import combinations

from aurelia_core.signals.observation import DetectedSound, Motion, Observation
from aurelia_core.types import Modality
from aurelia_offline.answering.clip_answers import unsure_tempo
from aurelia_offline.answering.finding import (
    MeasuredAnswer,
    domain_modality,
    event_words,
    position_value,
    sound_name,
    unknown_finding,
    yes_no_finding,
)
from aurelia_offline.answering.readout import answer_count, answer_property, limits_text
from aurelia_offline.answering.selection import (
    MeasuredEvent,
    event_property,
    is_tied,
    list_events,
    pick_text,
    select_events,
)
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Ask, Pick, Query

_SHARED_SECONDS = 0.06
"""Two events that share less time follow each other, as far as can be measured."""
_MAX_TOLD = 6
_ASK_OF_PROPERTY: dict[str, Ask] = {"length": "length", "pitch": "pitch", "level": "level", "start": "when"}


def _modality(query: Query) -> Modality:
    one_sense = domain_modality(query.pick.domain)
    if query.other is None or domain_modality(query.other.domain) == one_sense:
        return one_sense
    return "both"


def _first_event(pick: Pick, seen: Observation) -> tuple[MeasuredEvent | None, str]:
    chosen = select_events(pick, seen)
    if chosen.events:
        return chosen.events[0], ""
    return None, chosen.problem or f"{pick_text(pick)} was not found{limits_text(pick.domain, seen)}"


def _pick_property(pick: Pick, prop: str, seen: Observation) -> float | None:
    """A property of the described events: their number, the earliest start, or the mean of another property."""
    found = select_events(pick, seen).events
    if prop == "count":
        return float(len(found))
    measured = [value for event in found if (value := event_property(event, prop)) is not None]
    if not measured:
        return None
    if prop == "start":
        return min(measured)
    return sum(measured) / len(measured)


def answer_compare(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether the first exceeds the second in a property ("level+": is louder); "together" asks for overlap."""
    if query.prop == "overlap":
        return _answer_overlap(query, seen)
    prop, up = (query.prop or "level+")[:-1], (query.prop or "").endswith("+")
    other = query.other or Pick()
    if prop == "level" and query.pick.half and other.half:
        return unknown_finding("not all of the sound was heard, or there is none", "audio")
    first, missing = _first_event(query.pick, seen)
    second, absent = _first_event(other, seen)
    if first is None or second is None:
        return unknown_finding(missing or absent, _modality(query))
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    if query.prop == "together":
        others = select_events(other, seen).events
        answer = any(min(first.end, each.end) - max(first.start, each.start) > -0.06 for each in others)
        return yes_no_finding(answer != query.negated, cue, _modality(query))
    a, b = _pick_property(query.pick, prop, seen), _pick_property(other, prop, seen)
    if a is None or b is None:
        return unknown_finding(f"{cue}: this could not be measured of both", _modality(query))
    exceeds = not is_tied(a, b, prop) and (a > b) == up and a != b
    return yes_no_finding(exceeds != query.negated, cue, _modality(query))


def _answer_overlap(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether two of the events overlap in time."""
    chosen = select_events(query.pick, seen)
    if chosen.problem:
        return unknown_finding(chosen.problem, _modality(query))
    pairs = combinations(chosen.events, 2)
    met = next(((a, b) for a, b in pairs if min(a.end, b.end) - max(a.start, b.start) > _SHARED_SECONDS), None)
    told = met or chosen.events[:_MAX_TOLD]
    cue = "; ".join(event_words(event, seen) for event in told) or f"{pick_text(query.pick)} was not found"
    return yes_no_finding((met is not None) != query.negated, cue, _modality(query))


def answer_choose(query: Query, seen: Observation) -> MeasuredAnswer:
    """Which of two exceeds the other in a property."""
    prop, up = (query.prop or "level+")[:-1], (query.prop or "").endswith("+")
    parties = (query.pick, query.other or Pick())
    numbers = [_pick_property(pick, prop, seen) for pick in parties]
    firsts = [_first_event(pick, seen) for pick in parties]
    missing = next((problem for event, problem in firsts if event is None), "")
    if missing and prop != "count":
        return unknown_finding(missing, _modality(query))
    a, b = numbers
    if a is None or b is None:
        return unknown_finding("this could not be measured of both", _modality(query))
    cue = "; ".join(event_words(event, seen) for event, _ in firsts if event is not None)
    if is_tied(a, b, prop) or a == b:
        return unknown_finding(f"{cue or 'nothing fits'}: the difference is too small to measure", _modality(query))
    winner = parties[1]
    if (a > b) == up:
        winner = parties[0]
    event = select_events(winner, seen).events[0]
    return MeasuredAnswer(tuple(_winner_values(winner, event, seen)), pick_text(winner), cue, _modality(query))


def _winner_values(pick: Pick, event: MeasuredEvent, seen: Observation) -> list[Value]:
    """The values that name the winner of a comparison; the question's own words come first."""
    values = []
    if pick.nth is not None:
        values.append(Value("ordinal", pick.nth))
    for kind, named in (("voice", pick.voice), ("colour", pick.colour), ("place", pick.place)):
        if named is not None:
            values.append(Value(kind, named))
    order = position_value(event, list_events(pick.domain, seen))
    if order is not None:
        values.append(order)
    return values


def answer_same(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether two descriptions mean the same event, or two events have an equal property."""
    first, missing = _first_event(query.pick, seen)
    second, absent = _first_event(query.other or Pick(), seen)
    if first is None or second is None:
        return unknown_finding(missing or absent, _modality(query))
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    if query.prop == "count":
        numbers = [len(select_events(pick, seen).events) for pick in (query.pick, query.other or Pick())]
        counted = f"{numbers[0]} of the one, {numbers[1]} of the other"
        return yes_no_finding((numbers[0] == numbers[1]) != query.negated, counted, _modality(query))
    equal = _is_equal(first, second, query.prop or "event")
    if equal is None:
        return unknown_finding(f"{cue}: this could not be measured of both", _modality(query))
    return yes_no_finding(equal != query.negated, cue, _modality(query))


def _is_equal(first: MeasuredEvent, second: MeasuredEvent, prop: str) -> bool | None:
    if prop == "event":
        return first == second
    if prop in {"level", "pitch", "length"}:
        a, b = event_property(first, prop), event_property(second, prop)
        if a is None or b is None:
            return None
        return is_tied(a, b, prop)
    if isinstance(first.source, DetectedSound) and isinstance(second.source, DetectedSound):
        return sound_name(first.source) == sound_name(second.source)
    if isinstance(first.source, Motion) and isinstance(second.source, Motion):
        if prop == "colour":
            return first.source.colour == second.source.colour
        return abs(first.source.x - second.source.x) < 0.1 and abs(first.source.y - second.source.y) < 0.1
    return None


def answer_bound(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether a number of events, or a property, is more, less, at least, at most or exactly a value."""
    limit, prop = query.value or 0.0, query.prop or "count"
    if prop == "duration":
        number: float | None = seen.duration
        found = MeasuredAnswer((), "", f"the clip lasts {seen.duration:.1f} s")
    elif prop == "tempo":
        unsure = unsure_tempo(seen)
        number = seen.tempo.bpm if seen.tempo and not unsure else None
        found = MeasuredAnswer((), "", unsure or f"the beat is about {number:.0f} a minute", "audio")
    elif prop == "count":
        found = answer_count(query, seen)
        number = None
        if found.values:
            number = float(found.values[0].data)
    else:
        found = answer_property(replace(query, ask=_ASK_OF_PROPERTY[prop]), seen)
        number = None
        if found.values:
            number = float(found.values[0].data)
    if number is None:
        return unknown_finding(found.cue, found.modality)
    room = {"count": 0.0, "tempo": 4.0, "pitch": 0.03 * limit, "level": 1.0}.get(prop, 0.15)
    answer = {
        "more": number > limit,
        "less": number < limit,
        "least": number >= limit,
        "most": number <= limit,
    }.get(query.bound or "exact", abs(number - limit) <= room)
    return yes_no_finding(answer != query.negated, found.cue, found.modality)


def answer_gap(query: Query, seen: Observation) -> MeasuredAnswer:
    """The seconds between two events: from start to start, or, for a pause, from the end of the first to the second."""
    first, missing = _first_event(query.pick, seen)
    second, absent = _first_event(query.other or Pick(), seen)
    if first is None or second is None:
        return unknown_finding(missing or absent, _modality(query))
    early, late = sorted((first, second), key=lambda event: event.start)
    between = late.start - early.start
    if query.prop == "end":
        between = late.start - early.end
    cue = f"{event_words(early, seen)}; {event_words(late, seen)}"
    text = f"{max(0.0, between):.1f} s"
    return MeasuredAnswer((Value("seconds", max(0.0, between)),), text, cue, _modality(query))


def answer_sequence(query: Query, seen: Observation) -> MeasuredAnswer:
    """The order in which events follow each other, by kind or colour."""
    found = select_events(query.pick, seen).events
    named_events = [_event_name(event) for event in found]
    order = [name for name, before in zip(named_events, [None, *named_events], strict=False) if name != before]
    cue = "; ".join(event_words(event, seen) for event in found[:8])
    if len(order) < 2 or None in order:
        return unknown_finding(cue or "nothing was found that could be put in order", _modality(query))
    words = [name for name in order if name is not None]
    return MeasuredAnswer((Value("sequence", " ".join(words)),), ", then ".join(words), cue, _modality(query))


def _event_name(event: MeasuredEvent) -> str | None:
    if isinstance(event.source, DetectedSound):
        return sound_name(event.source)
    if isinstance(event.source, Motion):
        return event.source.colour
    return None


_COMPARATIVES = {
    "level": ("louder", "quieter"),
    "pitch": ("higher", "lower"),
    "length": ("longer", "shorter"),
    "start": ("later", "earlier"),
    "extent": ("bigger", "smaller"),
    "count": ("more often", "less often"),
}


def answer_relative(query: Query, seen: Observation) -> MeasuredAnswer:
    """How the first compares with the second in a property: "louder", "quieter"; unknown if they are equal."""
    prop, other = query.prop or "level", query.other or Pick()
    first, missing = _first_event(query.pick, seen)
    second, absent = _first_event(other, seen)
    if first is None or second is None:
        return unknown_finding(missing or absent, _modality(query))
    a, b = _pick_property(query.pick, prop, seen), _pick_property(other, prop, seen)
    cue = f"{event_words(first, seen)}; {event_words(second, seen)}"
    if prop not in _COMPARATIVES or a is None or b is None or a == b or is_tied(a, b, prop):
        return unknown_finding(f"{cue}: no difference that can be measured", _modality(query))
    more, less = _COMPARATIVES[prop]
    word, value = less, Value("comp", f"{prop}-")
    if a > b:
        word, value = more, Value("comp", f"{prop}+")
    return MeasuredAnswer((value,), word, cue, _modality(query))
