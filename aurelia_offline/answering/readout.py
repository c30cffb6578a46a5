"""Reads a property of the selected events: how many, which, when, where, how long, how loud, what colour."""

from dataclasses import replace
from math import inf, isfinite

from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position
from aurelia_core.signals.spans import join_spans
from aurelia_offline.answering.finding import (
    WIDE_EXTENT,
    MeasuredAnswer,
    domain_modality,
    event_words,
    frequency_text,
    join_words,
    position_value,
    position_words,
    seconds_text,
    sound_name,
    span_text,
    unknown_finding,
    yes_no_finding,
)
from aurelia_offline.answering.selection import (
    RUN_TOGETHER,
    MeasuredEvent,
    Selection,
    asked_seconds,
    is_continuous,
    list_events,
    pick_text,
    run_together,
    select_events,
    span_seconds,
    time_slack,
)
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Pick, Query

_LOW_HZ, _HIGH_HZ = 250.0, 1000.0
_NEARLY_ALL = 0.9
_MAX_TOLD = 6
_EDGE_SECONDS = 0.25
_LEAST_CHANGE = 0.05
"""Levels of 255 by which a side changes on average, from which something may move there."""
_SURE_SECONDS = 2.0
"""Seconds for which a picture must keep changing slowly before movement is stated."""


def find_obstacle(query: Query, seen: Observation) -> str:
    """Why the looks cannot answer a query of this kind, or ""."""
    domain = query.pick.domain
    if domain in {"sound"} and not seen.has_audio:
        return "the clip has no sound track"
    if domain in {"sound", "silence"} and seen.has_audio and not seen.audio_spans:
        return "nothing was listened to"
    if domain in {"motion", "cut", "flash", "fade", "fade_out", "fade_in", "background"} and not seen.video_spans:
        return "no frame was looked at"
    return ""


def limits_text(domain: str, seen: Observation) -> str:
    """The limits of the looks that matter for events that were not found, or ""."""
    notes = []
    if domain in {"sound", "any"} and seen.has_audio and 0 < seen.sample_rate < 8000:
        notes.append(f"nothing above {frequency_text(seen.sample_rate / 2)} could be heard")
    if domain in {"motion", "cut", "flash", "any"} and seen.video_spans and not isfinite(seen.frame_gap):
        notes.append("a single picture was looked at, which shows no movement")
    elif domain in {"motion", "cut", "flash", "any"} and 0.25 < seen.frame_gap < inf:
        notes.append(f"the frames lie up to {seen.frame_gap:.1f} s apart")
    if notes:
        return f" ({'; '.join(notes)})"
    return ""


def _slow_changes(pick: Pick, seen: Observation) -> tuple[tuple[float, float], ...]:
    """The slow changes of the picture in the described time, which may be what is called a movement; seconds."""
    if pick.domain not in {"motion", "any"}:
        return ()
    low, high = asked_seconds(pick, seen)
    return tuple((start, end) for start, end in seen.slow_changes if start <= high and end >= low)


def _slowly_moving(query: Query, seen: Observation) -> MeasuredAnswer | None:
    """The finding if no movement was found, and the picture changes slowly; None if it does not.

    A picture that keeps changing for seconds shows movement; which thing moves, and where, is not known.
    """
    slow = _slow_changes(query.pick, seen)
    if not slow:
        return None
    told = join_words([span_text(*span) for span in slow[:_MAX_TOLD]])
    plain = query.ask == "exists" and not (query.pick.colour or query.pick.place or query.pick.outline)
    in_time = query.pick.relation is None or query.pick.span is not None and query.pick.relation != "apart"
    lasting = sum(end - start for start, end in slow) >= _SURE_SECONDS
    if plain and in_time and lasting and not query.pick.singles_out:
        return yes_no_finding(not query.negated, f"the picture changes slowly {told}", "visual")
    return unknown_finding(f"the picture changes slowly {told}, and what moves there is not clear", "visual")


def _moves_beside(query: Query, seen: Observation) -> MeasuredAnswer | None:
    """The finding about a side on which no movement has its middle, and which changes; None if it does not change."""
    sides = seen.side_changes
    named = [side for side in (query.pick.place or "").split() if side != "centre"]
    if query.pick.domain != "motion" or sides is None or not query.pick.place or query.pick.colour:
        return None
    if all(getattr(sides, side) >= _LEAST_CHANGE for side in named) and seen.motions:
        return unknown_finding(
            f"what moves there has its middle elsewhere, and the {query.pick.place} changes", "visual"
        )
    return None


def _doubtful_change(query: Query, seen: Observation) -> MeasuredAnswer | None:
    """The finding about a cut, flash or fade that is not measured as one, and may be one; None if there is none."""
    pick = query.pick
    low, high = asked_seconds(pick, seen)
    if pick.domain == "flash" and seen.lights_up:
        return unknown_finding(
            "parts of the picture become bright at once; whether this is a flash is not clear", "visual"
        )
    if pick.domain == "fade_out" and (black := [one for one in seen.black_spans if one[1] >= low - _EDGE_SECONDS]):
        told = f"the picture is black {span_text(*black[-1])}"
        if "fade" not in pick.words and query.ask == "exists":
            return yes_no_finding(not query.negated, told, "visual")
        return unknown_finding(f"{told}; whether it fades to it is not clear", "visual")
    sudden = [time for time in seen.sudden_changes if low - _EDGE_SECONDS <= time <= high + _EDGE_SECONDS]
    if pick.domain == "cut" and sudden:
        told = join_words([seconds_text(time) for time in sudden[:_MAX_TOLD]])
        return unknown_finding(f"much of the picture changes at {told}; whether this is a cut is not clear", "visual")
    return None


def _nothing_found(query: Query, seen: Observation) -> MeasuredAnswer:
    """The finding if nothing fits: "nothing" for "what moves during ...", unknown if the question assumes an event."""
    pick = query.pick
    if doubtful := _slowly_moving(query, seen) or _doubtful_change(query, seen):
        return doubtful
    if pick.domain == "any" and pick.span is not None and (seen.cuts or seen.flashes):
        return unknown_finding(
            "no sound or movement fits, and whether a cut or a flash is meant is not clear", "visual"
        )
    if pick.domain == "sound" and query.ask in {"which", "voice"} and pick == Pick("sound", words=pick.words):
        heard = sum(end - start for start, end in seen.audio_spans)
        if heard and sum(end - start for start, end in seen.silences) > _NEARLY_ALL * heard:
            return MeasuredAnswer((Value("nothing", "nothing"),), "nothing", "it is silent all the time", "audio")
    if query.ask in {"which", "colour", "voice"} and not pick.singles_out and pick.relation:
        cue = f"nothing of the kind was found at that time{limits_text(pick.domain, seen)}"
        return MeasuredAnswer((Value("nothing", "nothing"),), "nothing", cue, domain_modality(pick.domain))
    shown = [colour for colour in seen.colours if not colour.background]
    if query.ask == "colour" and pick.domain == "motion" and pick.relation is None and len(shown) == 1:
        cue = f"nothing moves; beside the background there is {shown[0].name}, {shown[0].share:.0%} of the picture"
        return MeasuredAnswer((Value("colour", shown[0].name),), shown[0].name, cue, "visual")
    return unknown_finding(
        f"{pick_text(query.pick)} was not found{limits_text(query.pick.domain, seen)}",
        domain_modality(query.pick.domain),
    )


def answer_count(query: Query, seen: Observation) -> MeasuredAnswer:
    """How many events fit the description."""
    pick = query.pick
    chosen = select_events(replace(pick, nth=None), seen)
    if chosen.problem:
        return unknown_finding(chosen.problem, domain_modality(pick.domain))
    if pick.domain == "sound" and is_continuous("sound", seen):
        return unknown_finding(
            "sound goes on without a pause; what single sounds it consists of cannot be counted", "audio"
        )
    found = chosen.events
    if not found and (slow := _slowly_moving(query, seen)):
        return slow
    if doubtful := _doubtful_change(query, seen):
        return doubtful
    if run_together([event.source for event in found if isinstance(event.source, DetectedSound)]):
        return unknown_finding(RUN_TOGETHER, "audio")
    number = len(found)
    if pick.distinct:
        number = _count_different(found)
    listed = join_words([event_words(event, seen) for event in found[:12]]) or f"{pick_text(pick)} was not found"
    cue = f"{listed}{limits_text(pick.domain, seen)}"
    return MeasuredAnswer((Value("number", number),), str(number), cue, domain_modality(pick.domain))


def _count_different(found: tuple[MeasuredEvent, ...]) -> int:
    kinds: list[tuple[object, ...]] = []
    for event in found:
        source = event.source
        if isinstance(source, Motion):
            key: tuple[object, ...] = (source.colour or describe_position(source.x, source.y),)
        elif isinstance(source, DetectedSound):
            key = (source.sound_class, round(source.pitch / 12) if source.pitch else None)
        else:
            key = (event.start,)
        if key not in kinds:
            kinds.append(key)
    return len(kinds)


def _event_values(event: MeasuredEvent, ask: str, seen: Observation) -> list[Value]:
    """The values of the property of one event; for "which", of all properties."""
    source = event.source
    known = _known_values(event)
    if ask != "which":
        names = (ask, "tone_height") if ask == "voice" else (ask,)
        return [known[name] for name in names if name in known]
    if isinstance(source, DetectedSound) and is_continuous("sound", seen):
        return [known[name] for name in ("voice", "pitch", "when") if name in known]
    values = [known[name] for name in ("voice", "colour", "place", "pitch", "when") if name in known]
    order = position_value(event, _same_kind(event, seen))
    if order is not None:
        values.append(order)
    return values


def _known_values(event: MeasuredEvent) -> dict[str, Value]:
    """The values of an event by property, without those that it does not have."""
    values = {
        "when": Value("seconds", event.start),
        "end": Value("seconds", event.end),
        "length": Value("seconds", event.end - event.start),
    }
    source = event.source
    if isinstance(source, DetectedSound):
        values["level"] = Value("level", source.level)
        values["voice"] = _voice_value(source)
        if source.pitch:
            values["pitch"] = Value("hertz", source.pitch)
            if not _LOW_HZ < source.pitch < _HIGH_HZ:
                values["tone_height"] = Value("tone_height", "low" if source.pitch <= _LOW_HZ else "high")
    if isinstance(source, Motion):
        if source.colour:
            values["colour"] = Value("colour", source.colour)
        if source.extent < WIDE_EXTENT:
            values["place"] = Value("place", describe_position(source.x, source.y, source.extent))
    return values


def _same_kind(event: MeasuredEvent, seen: Observation) -> tuple[MeasuredEvent, ...]:
    """All sounds if the event is a sound, else all motions."""
    if isinstance(event.source, DetectedSound):
        return list_events("sound", seen)
    return list_events("motion", seen)


def _voice_value(sound: DetectedSound) -> Value:
    """The kind of a sound as a value; without a clear kind, its name as a phrase."""
    if sound.perceived_class:
        return Value("voice", sound.perceived_class)
    return Value("phrase", sound_name(sound))


def _value_text(value: Value) -> str:
    match value.kind:
        case "seconds":
            return seconds_text(float(value.data))
        case "hertz":
            return f"{float(value.data):.0f} Hz"
        case "level":
            return f"{float(value.data):.0f} dBFS"
        case _:
            return str(value.data)


def _free_text(event: MeasuredEvent, ask: str, values: list[Value], seen: Observation) -> str:
    if ask == "which":
        words = [event_words(event, seen)]
        if not (isinstance(event.source, DetectedSound) and is_continuous("sound", seen)):
            words.append(position_words(event, _same_kind(event, seen)))
        return ", ".join(word for word in words if word)
    return _value_text(values[0])


def _with_ongoing(found: tuple[MeasuredEvent, ...], query: Query, seen: Observation) -> tuple[MeasuredEvent, ...]:
    """The events with what goes on from before, if the question is about what is there in a span of time."""
    if query.ask not in {"which", "colour", "voice", "place"}:
        return found
    ongoing = _find_ongoing(query.pick, seen)
    if query.pick.relation == "between":
        return (*ongoing, *found)
    return found or ongoing


def _unclear_times(events: tuple[MeasuredEvent, ...], query: Query, seen: Observation) -> MeasuredAnswer | None:
    """Why a start, an end or a length of these events cannot be told; None if it can."""
    pick = query.pick
    if query.ask in {"length", "end"} and pick.domain == "sound" and is_continuous("sound", seen):
        cue = f"{join_words([event_words(event, seen) for event in events[:4]])}: sound goes on without a pause"
        return unknown_finding(f"{cue}, so that where a single one ends is not clear", "audio")
    if query.ask in {"length", "end"} and pick.domain == "motion" and _lasts_to_the_end(events[-1], seen):
        return unknown_finding(f"{event_words(events[-1], seen)}, the last that was seen: no end was seen", "visual")
    return None


def _told(texts: list[str], number: int, end: float, query: Query) -> str:
    """The readings in words; of many, the first ones, and equal lengths as those of each."""
    if len(texts) > _MAX_TOLD + 1:
        return f"{', '.join(texts[:_MAX_TOLD])} and {len(texts) - _MAX_TOLD} more until {seconds_text(end)}"
    told = join_words(texts)
    if query.ask == "length" and number > len(texts) == 1:
        return f"{told} each"
    return told


def answer_property(query: Query, seen: Observation) -> MeasuredAnswer:
    """A property of the described event; for several events, the values that they share and all texts."""
    pick = query.pick
    chosen = select_events(pick, seen)
    if chosen.problem:
        return unknown_finding(chosen.problem, domain_modality(pick.domain))
    events = _with_ongoing(chosen.events, query, seen)
    if pick.domain == "cut" and pick.nth is not None and (doubtful := _doubtful_change(query, seen)):
        return doubtful
    if not events:
        return _nothing_found(query, seen)
    if unclear := _unclear_times(events, query, seen):
        return unclear
    silence = query.ask in {"length", "when"} and pick.domain == "silence" and not pick.singles_out
    if silence or query.prop == "total":
        return _answer_together(query, _notable(events) if silence else events, seen)
    found = _pick_clearest(events, query, seen)
    if query.ask == "end" and pick.domain == "sound" and not pick.relation:
        # "When does the sound stop?" asks about the last of several sounds.
        found = found[-1:]
    read = [(event, _event_values(event, query.ask, seen)) for event in found]
    cue = join_words([event_words(event, seen) for event in found[:8]]) + limits_text(pick.domain, seen)
    readings = [(event, values) for event, values in read if values]
    if not readings:
        return unknown_finding(
            f"{cue}: it has no {_PROPERTY_WORDS.get(query.ask, query.ask)} that can be measured",
            domain_modality(pick.domain),
        )
    texts = list(dict.fromkeys(_free_text(event, query.ask, values, seen) for event, values in readings))
    shared = tuple(value for value in readings[0][1] if all(_holds_value(value, values) for _, values in readings))
    modality = domain_modality(pick.domain)
    if pick.other is not None and domain_modality(pick.other.domain) != modality:
        modality = "both"
    if query.bound == "either" and not shared:
        return unknown_finding(f"several fit and they differ: {cue}", modality)
    told = _told(texts, len(readings), found[-1].end, query)
    return MeasuredAnswer(shared, told, cue, modality)


_NOTABLE_SILENCE_SECONDS = 0.8


def _notable(silences: tuple[MeasuredEvent, ...]) -> tuple[MeasuredEvent, ...]:
    """The silences that a listener would name: not the gaps of a beat, if there are longer ones."""
    long = tuple(event for event in silences if event.end - event.start >= _NOTABLE_SILENCE_SECONDS)
    return long or silences


def _answer_together(query: Query, events: tuple[MeasuredEvent, ...], seen: Observation) -> MeasuredAnswer:
    """When the events are, from when to when; or how long altogether, what overlaps once."""
    listed = join_words([event_words(event, seen) for event in events[:8]])
    modality = domain_modality(query.pick.domain)
    if query.ask == "when":
        return MeasuredAnswer((Value("seconds", events[0].start),), listed, listed, modality)
    total = sum(end - start for start, end in join_spans((event.start, event.end) for event in events))
    return MeasuredAnswer((Value("seconds", total),), seconds_text(total), listed, modality)


def _lasts_to_the_end(event: MeasuredEvent, seen: Observation) -> bool:
    """Whether an event lasts to the last frames of the clip, so that its end was not seen."""
    return event.end > seen.duration - min(0.5, max(0.1, seen.frame_gap))


_PROPERTY_WORDS = {"colour": "one colour", "pitch": "pitch", "level": "loudness", "voice": "kind", "place": "place"}


def _holds_value(value: Value, values: list[Value]) -> bool:
    return any(value.kind == other.kind and value.data == other.data for other in values)


def _pick_clearest(found: tuple[MeasuredEvent, ...], query: Query, seen: Observation) -> tuple[MeasuredEvent, ...]:
    """The event that is meant among several, if it is clear: nearest after, last before, best overlap."""
    pick = query.pick
    if len(found) < 2 or pick.singles_out or pick.relation is None or pick.other is None:
        return found
    if pick.relation == "after":
        return found[:1]
    if pick.relation == "before":
        return found[-1:]
    if pick.relation != "during" or not pick.other.singles_out:
        return found
    anchors = select_events(pick.other, seen).events
    if not anchors:
        return found
    ranked = sorted(found, key=lambda event: _time_distance(event, anchors[0]))
    clear = _time_distance(ranked[1], anchors[0]) - _time_distance(ranked[0], anchors[0]) > max(
        0.15, min(0.5, seen.frame_gap / 2)
    )
    if clear:
        return tuple(ranked[:1])
    return found


def _time_distance(event: MeasuredEvent, anchor: MeasuredEvent) -> float:
    return abs(event.start - anchor.start) + abs(event.end - anchor.end)


def answer_exists(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether any event fits the description, or with `query.other` either of two."""
    if query.other is not None:
        return _answer_any_of(query, seen)
    chosen = select_events(query.pick, seen)
    if query.prop == "alone":
        chosen = _select_in_span(query.pick, seen)
    if chosen.problem:
        return unknown_finding(chosen.problem, domain_modality(query.pick.domain))
    found = chosen.events or _find_ongoing(query.pick, seen)
    doubts = (_slowly_moving, _doubtful_change, _moves_beside)
    if not found and (doubtful := next((one for doubt in doubts if (one := doubt(query, seen))), None)):
        return doubtful
    if query.pick.domain == "silence" and not seen.has_audio:
        return yes_no_finding(not query.negated, "the clip has no sound track", "audio")
    there = bool(found) != query.negated
    cue = join_words([event_words(event, seen) for event in found[:6]])
    cue = cue or f"{pick_text(query.pick)} was not found"
    return yes_no_finding(there, cue + limits_text(query.pick.domain, seen), domain_modality(query.pick.domain))


def _select_in_span(pick: Pick, seen: Observation) -> Selection:
    """The event that a description singles out among all of the clip, if it lies in the described time."""
    chosen = select_events(pick, seen, alone=True)
    if chosen.problem or not chosen.events:
        return Selection((), chosen.problem or f"{pick_text(pick)} was not found")
    there = select_events(replace(pick, nth=None, rank=None), seen).events
    return Selection(tuple(event for event in chosen.events if event in there))


def _answer_any_of(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether an event of one of two kinds is there; "no" only if both are known to be absent."""
    found = [
        answer_exists(Query("exists", pick, yes_no=True), seen) for pick in (query.pick, query.other or query.pick)
    ]
    told = "; ".join(dict.fromkeys(one.cue for one in found))
    if any(one.text == "yes" for one in found):
        return yes_no_finding(not query.negated, told, "both")
    if all(one.values for one in found):
        return yes_no_finding(query.negated, told, "both")
    return unknown_finding(told, "both")


def _find_ongoing(pick: Pick, seen: Observation) -> tuple[MeasuredEvent, ...]:
    """Events that started before a named time and continue in it, as "after 3 s", "in the last second"."""
    span = span_seconds(pick, seen.duration)
    if pick.relation not in {"after", "right_after", "between"} or span is None or pick.singles_out:
        return ()
    edge = span[0] if pick.relation == "between" else span[1]
    found = select_events(pick, seen, alone=True).events
    return tuple(event for event in found if event.start < edge and event.end > edge + time_slack(event, seen))


def answer_check(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether an event has the claimed property."""
    prop = query.prop or "voice"
    found = answer_property(replace(query, ask=prop), seen)  # type: ignore[arg-type]
    claimed = getattr(query.other, prop)
    if not found.values:
        if found.text == "unknown":
            return found
        return unknown_finding(f"several fit and they differ: {found.cue}", found.modality)
    measured = str(found.values[0].data)
    true = claimed == measured
    if prop == "place":
        true = claimed in measured.split()
    return yes_no_finding(true != query.negated, found.cue, found.modality)
