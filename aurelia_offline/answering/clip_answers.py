"""Answers about the clip as a whole: beat, sync, silence, sound track, background, stillness, order, trends."""

from collections.abc import Sequence
from math import isfinite

from aurelia_core.signals.audiovisual_sync import activity_overlap
from aurelia_core.signals.observation import DetectedSound, Observation, describe_position
from aurelia_offline.answering.finding import (
    WIDE_EXTENT,
    MeasuredAnswer,
    join_words,
    motion_words,
    seconds_text,
    unknown_finding,
    yes_no_finding,
)
from aurelia_offline.answering.selection import is_continuous, select_events, span_seconds
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Query

_REGULAR_TEMPO, _SURE_TEMPO = 0.6, 0.7
_MANY_SOUNDS = 12
_IN_STEP_SECONDS = 0.12
_IN_STEP_STRENGTH = 0.5
_NEARLY_ALL = 0.9
_MIN_BACKGROUND_SHARE = 0.35
_MIN_SHIFTING_SHARE = 0.5
"""Least share of a background in a picture that moves as a whole or for the most part."""
_MAX_COLOURS, _MIN_TOLD_SHARE = 8, 0.02
_MIN_FIT = 0.3
_CLEAR_LEAD = 0.1
_CLEAR_LEAD_OF_COLOUR = 0.05
_NEUTRAL, _VIVID_SHARE = frozenset({"black", "grey", "white"}), 0.5


def unsure_tempo(seen: Observation) -> str:
    """Why the beats a minute are not stated, or ""."""
    if seen.tempo is None:
        return "no steady beat was found"
    repeated = f"onsets repeat every {60 / seen.tempo.bpm:.2f} s"
    if is_continuous("sound", seen):
        return f"sound goes on without a pause; {repeated}, and whether this is its beat is not clear"
    if not seen.tempo.alike:
        return f"{repeated}, and they differ: the beat may be half or twice as fast"
    return "" if seen.tempo.strength >= _SURE_TEMPO else f"{repeated}, not regularly enough for a beat"


def answer_tempo(query: Query, seen: Observation) -> MeasuredAnswer:
    """Beats per minute."""
    del query
    unsure = unsure_tempo(seen)
    if seen.tempo is None or unsure:
        return unknown_finding(unsure, "audio")
    bpm = seen.tempo.bpm
    values = [Value("bpm", bpm), Value("number", round(bpm))]
    cue = f"the onsets repeat every {60 / bpm:.2f} s, regularity {seen.tempo.strength:.2f} of 1"
    return MeasuredAnswer(tuple(values), f"about {bpm:.0f} beats per minute", cue, "audio")


def answer_steady(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether there is a steady beat; with `query.prop` vary the question supposes one."""
    if seen.tempo is None and query.prop == "vary":
        return unknown_finding("no beat was found that could change", "audio")
    if is_continuous("sound", seen):
        return unknown_finding("sound goes on without a pause, and a soft beat in it is not found", "audio")
    if seen.tempo is None:
        if len(seen.sounds) > _MANY_SOUNDS:
            return unknown_finding("the many onsets do not repeat regularly; a beat may be hidden in them", "audio")
        return yes_no_finding(query.negated, "the onsets do not repeat regularly", "audio")
    cue = f"regularity {seen.tempo.strength:.2f} of 1"
    if seen.tempo.strength < _REGULAR_TEMPO:
        return unknown_finding(f"the onsets are neither regular nor irregular ({cue})", "audio")
    return yes_no_finding(not query.negated, cue, "audio")


def answer_sync(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether motion and sound start together; with `query.value` 0 the question asks for the opposite."""
    meeting = seen.sync
    if meeting is None:
        return unknown_finding("sound and motion have no onsets that could be compared")
    if is_continuous("sound", seen) or is_continuous("motion", seen):
        return unknown_finding("sound or motion goes on without a pause; their onsets cannot be compared")
    together = meeting.strength >= _IN_STEP_STRENGTH and abs(meeting.lag) <= _IN_STEP_SECONDS
    answer = (together == (query.value == 1.0)) != query.negated
    cue = f"onsets of motion lie {meeting.lag:+.2f} s from those of sound, agreement {meeting.strength:.2f} of 1"
    if query.yes_no:
        return yes_no_finding(answer, cue, "both")
    if together:
        return MeasuredAnswer((Value("sync", "yes"), Value("bool", True)), "in sync", cue, "both")
    return MeasuredAnswer((Value("sync", "no"), Value("bool", False)), "out of sync", cue, "both")


def answer_lag(query: Query, seen: Observation) -> MeasuredAnswer:
    """The time between motion and sound, in seconds."""
    del query
    meeting = seen.sync
    if meeting is None or meeting.strength < _IN_STEP_STRENGTH:
        return unknown_finding("sound and motion have no common rhythm that a lag could be measured by")
    later = "sound after motion"
    if meeting.lag >= 0:
        later = "motion after sound"
    return MeasuredAnswer((Value("seconds", abs(meeting.lag)),), f"{abs(meeting.lag):.2f} s ({later})", later, "both")


def answer_silent(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether the clip is silent."""
    quiet = not seen.has_audio or not seen.sounds and _silent_share(seen) > _NEARLY_ALL
    cue = "the clip has no sound track"
    if seen.has_audio:
        cue = f"{len(seen.sounds)} sounds were heard"
    return yes_no_finding(quiet != query.negated, cue, "audio")


def _silent_share(seen: Observation) -> float:
    heard = sum(end - start for start, end in seen.audio_spans)
    if heard:
        return sum(end - start for start, end in seen.silences) / heard
    return 1.0


def answer_has_audio(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether the clip has a sound track, or, for the word "sound", whether the track contains sound."""
    if query.pick.words == "track" or not seen.has_audio:
        cue = "the clip has no sound track"
        if seen.has_audio:
            cue = "the clip has a sound track"
        return yes_no_finding(seen.has_audio != query.negated, cue, "audio")
    there = bool(seen.sounds) or _silent_share(seen) < _NEARLY_ALL
    return yes_no_finding(there != query.negated, f"{len(seen.sounds)} sounds were heard", "audio")


def answer_duration(query: Query, seen: Observation) -> MeasuredAnswer:
    """How long the clip lasts."""
    del query
    text = seconds_text(seen.duration)
    return MeasuredAnswer(
        (Value("seconds", seen.duration), Value("number", round(seen.duration))), text, f"the clip lasts {text}"
    )


def answer_background(query: Query, seen: Observation, pieces: Sequence[Observation] = ()) -> MeasuredAnswer:
    """The colour of the background; before or after a cut, from a look entirely on that side of the cut."""
    asked, inside = query.pick, seen
    if _is_black_then(query, seen):
        if query.yes_no and asked.colour:
            return yes_no_finding((asked.colour == "black") != query.negated, "a fade to or from black", "visual")
        return MeasuredAnswer((Value("colour", "black"),), "black", "a fade to or from black", "visual")
    if asked.relation and seen.cuts:
        span = _background_span(query, seen)
        if span is None:
            return unknown_finding("the moment that the question names was not found", "visual")
        fitting = [piece for piece in pieces if piece.video_spans and _lies_within(piece, span)]
        if not fitting:
            return unknown_finding(
                f"no look lay wholly between {seconds_text(span[0])} and {seconds_text(span[1])}", "visual"
            )
        inside = fitting[0]
    names = background_colours(inside)
    shares = ", ".join(f"{c.name} {c.share:.0%}" for c in inside.colours[:4])
    if not names:
        return unknown_finding(f"no one colour fills the background ({shares})", "visual")
    cue = f"widest colours: {shares} of the picture"
    if query.yes_no and asked.colour:
        return yes_no_finding((asked.colour in names) != query.negated, cue, "visual")
    if len(names) > 1:
        return MeasuredAnswer((Value("phrase", join_words(names)),), f"{join_words(names)} (it changes)", cue, "visual")
    return MeasuredAnswer((Value("colour", names[0]),), names[0], cue, "visual")


def _is_black_then(query: Query, seen: Observation) -> bool:
    """Whether the question is about the very end or start of the clip, and a fade to or from black lies there."""
    span, edge = query.pick.span, 0.05 * seen.duration
    if not query.pick.half or query.pick.relation != "during":
        return False
    if span == (1.0, 1.0):
        return any(end >= seen.duration - edge for _, end in seen.fades_to_black)
    return span == (0.0, 0.0) and any(start <= edge for start, _ in seen.fades_from_black)


def answer_palette(query: Query, seen: Observation) -> MeasuredAnswer:
    """The colours of the picture, the widest first, or only the widest one; several colours are no single choice."""
    wide = [colour for colour in seen.colours if colour.share >= _MIN_TOLD_SHARE]
    ordered = sorted(wide, key=lambda colour: -colour.share)[:_MAX_COLOURS]
    cue = f"widest colours: {', '.join(f'{colour.name} {colour.share:.0%}' for colour in ordered)} of the picture"
    if not ordered:
        return unknown_finding("no colour was measured", "visual")
    names = [colour.name for colour in ordered]
    if query.pick.colour:
        return _answer_shade(query, names, cue)
    if query.prop == "extent+":
        if len(ordered) > 1 and ordered[0].share - ordered[1].share < _CLEAR_LEAD_OF_COLOUR:
            return unknown_finding(f"two colours cover about as much ({cue})", "visual")
        vivid = [colour for colour in ordered[1:] if colour.name not in _NEUTRAL]
        if names[0] in _NEUTRAL and vivid and vivid[0].share > _VIVID_SHARE * ordered[0].share:
            return unknown_finding(f"{vivid[0].name} may be called the main colour beside {names[0]} ({cue})", "visual")
        names = names[:1]
    values = (Value("colour", names[0]),) if len(names) == 1 else ()
    return MeasuredAnswer(values, join_words(names), cue, "visual")


def _answer_shade(query: Query, names: list[str], cue: str) -> MeasuredAnswer:
    """Whether the picture shows a colour; what covers little of it is not measured, so an absence is not stated."""
    if query.pick.colour in names:
        return yes_no_finding(not query.negated, cue, "visual")
    return unknown_finding(f"{cue}; a colour of less may be there", "visual")


def background_colours(seen: Observation) -> list[str]:
    """The colours of the background: the one that covers most of the picture; with cuts, possibly several."""
    ground = next((colour for colour in seen.colours if colour.background), None)
    shifting = seen.camera_drift > 0 or any(motion.extent >= WIDE_EXTENT for motion in seen.motions)
    if ground is None or ground.share < (_MIN_SHIFTING_SHARE if shifting else _MIN_BACKGROUND_SHARE):
        return []
    wide = [
        c.name for c in seen.colours if c is not ground and c.share >= min(_MIN_BACKGROUND_SHARE, 0.6 * ground.share)
    ]
    if not seen.cuts:
        if all(c.share <= ground.share for c in seen.colours):
            return [ground.name]
        return []
    return [ground.name, *wide]


def _background_span(query: Query, seen: Observation) -> tuple[float, float] | None:
    """The time span of the question about the background, up to the cuts around it."""
    pick = query.pick
    if pick.other is not None:
        chosen = select_events(pick.other, seen).events
        if not chosen:
            return None
        low, high = chosen[0].start, chosen[0].end
    elif (span := span_seconds(pick, seen.duration)) is not None:
        low, high = span
    else:
        return None
    if pick.relation in {"before", "right_before"}:
        low, high = 0.0, low
    elif pick.relation in {"after", "right_after"}:
        low, high = high, seen.duration
    middle = low + 0.01
    if pick.relation == "right_before":
        middle = high - 0.01
    middle = min(middle, seen.duration - 0.01)
    edges = [0.0, *seen.cuts, seen.duration]
    around = [(a, b) for a, b in zip(edges, edges[1:], strict=False) if a <= middle <= b]
    if around:
        return around[0]
    return None


def _lies_within(piece: Observation, span: tuple[float, float]) -> bool:
    return all(span[0] - 0.1 <= start and end <= span[1] + 0.1 for start, end in piece.video_spans)


def answer_still(query: Query, seen: Observation) -> MeasuredAnswer:
    """The colour, or the side, that never moves."""
    moving = {motion.colour for motion in seen.motions}
    cue = join_words([motion_words(motion) for motion in seen.motions[:8]]) or "nothing moves"
    if query.prop == "place":
        sides = {describe_position(motion.x, 0.5) for motion in seen.motions}
        rest = [side for side in ("left", "right") if side not in sides]
        if seen.motions:
            return _left_over("place", rest, cue)
        return unknown_finding("nothing moves at all", "visual")
    shown = [c.name for c in seen.colours if not c.background and c.name not in moving]
    return _left_over("colour", shown, cue)


def _left_over(kind: str, names: list[str], cue: str) -> MeasuredAnswer:
    if not names:
        return unknown_finding(f"nothing was seen that stays still; {cue}", "visual")
    values: tuple[Value, ...] = ()
    if len(names) == 1:
        values = (Value(kind, names[0]),)
    return MeasuredAnswer(values, join_words(names), f"what moves: {cue}", "visual")


def answer_trend(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether loudness or pitch rises or falls from sound to sound."""
    prop = (query.prop or "level").rstrip("+-")
    wanted = (query.prop or "")[len(prop) :]
    if prop == "tempo":
        return _answer_pace(query, wanted, seen)
    sounds = [e.source for e in select_events(query.pick, seen).events if isinstance(e.source, DetectedSound)]
    series = [sound.pitch for sound in sounds if sound.pitch is not None]
    unit, rising, falling = "Hz", "higher (it rises)", "lower (it falls)"
    if prop == "level":
        series = [sound.level for sound in sounds]
        unit, rising, falling = "dBFS", "louder", "quieter"
    if len(series) < 2:
        return unknown_finding("fewer than two sounds could be compared", "audio")
    cue = f"one after the other: {', '.join(f'{value:.0f}' for value in series)} {unit}"
    up, down = _keeps_rising(series, prop), _keeps_rising(series[::-1], prop)
    if wanted:
        holds = {"+": up, "-": down}[wanted]
        return yes_no_finding(holds != query.negated, cue, "audio")
    if up == down:
        words = ("same", "neither rises nor falls throughout")
        return MeasuredAnswer((Value("phrase", words[0]), Value("phrase", "neither")), words[1], cue, "audio")
    if up:
        return MeasuredAnswer((Value("trendword", "+"),), rising, cue, "audio")
    return MeasuredAnswer((Value("trendword", "-"),), falling, cue, "audio")


def _answer_pace(query: Query, wanted: str, seen: Observation) -> MeasuredAnswer:
    """Whether the onsets come closer together (faster) or farther apart."""
    onsets = [event.start for event in select_events(query.pick, seen).events]
    gaps = [later - earlier for earlier, later in zip(onsets, onsets[1:], strict=False)]
    if len(gaps) < 3:
        return unknown_finding("too few onsets to tell whether their pace changes", "audio")
    third = max(1, len(gaps) // 3)
    early, late = sum(gaps[:third]) / third, sum(gaps[-third:]) / third
    cue = f"onsets {early:.2f} s apart at first, {late:.2f} s at last"
    if late < 0.85 * early:
        sign = "+"
    elif late > 1.18 * early:
        sign = "-"
    else:
        sign = ""
    if wanted:
        return yes_no_finding((sign == wanted) != query.negated, cue, "audio")
    if not sign:
        return MeasuredAnswer((Value("phrase", "same"),), "neither faster nor slower", cue, "audio")
    word = {"+": "faster", "-": "slower"}[sign]
    return MeasuredAnswer((Value("comp", f"tempo{sign}"),), word, cue, "audio")


def _keeps_rising(series: list[float], prop: str) -> bool:
    room = 1.0
    if prop != "level":
        room = 0.02 * max(series)
    steps = [later - earlier for earlier, later in zip(series, series[1:], strict=False)]
    return all(step > -room for step in steps) and series[-1] - series[0] > room


def answer_order(query: Query, seen: Observation) -> MeasuredAnswer:
    """Whether one event comes before or after another."""
    first, second = select_events(query.pick, seen), select_events(query.other or query.pick, seen)
    if not first.events or not second.events:
        return unknown_finding(first.problem or second.problem or "one of the two was not found")
    a, b = first.events[0], second.events[0]
    if abs(a.start - b.start) < 0.1:
        word = "at the same time"
    elif a.start < b.start:
        word = "before"
    else:
        word = "after"
    relation = {"before": "before", "after": "after"}.get(word, "during")
    cue = f"the one starts at {seconds_text(a.start)}, the other at {seconds_text(b.start)}"
    return MeasuredAnswer((Value("rel", relation), Value("phrase", word)), word, cue, "both")


def choose_track(found: list[tuple[str, Observation]]) -> MeasuredAnswer:
    """The candidate track that fits the motion (DM-Match): the letter of the track whose times fit clearly best."""
    scored = [(letter, _track_fit(seen), seen.sync) for letter, seen in found]
    ranked = sorted(scored, key=lambda each: each[1], reverse=True)
    cue = "; ".join(
        f"audio {letter}: fit {fit:.2f}" + (f", onsets {meeting.lag:+.2f} s apart" if meeting else ", no common onsets")
        for letter, fit, meeting in scored
    )
    if not ranked or ranked[0][1] < _MIN_FIT:
        return unknown_finding(f"no track fits what was seen to move ({cue})")
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _CLEAR_LEAD:
        return unknown_finding(f"two tracks fit equally well ({cue})")
    letter = ranked[0][0]
    number = [name for name, _ in found].index(letter) + 1
    return MeasuredAnswer((Value("letter", letter), Value("ordinal", number)), letter, cue)


def _track_fit(seen: Observation) -> float:
    """How well sound and motion fit, 0..1, by their onsets and their overlap."""
    meeting = seen.sync
    near = 0.2
    if isfinite(seen.frame_gap):
        near = max(0.2, 0.6 * seen.frame_gap)
    onsets = 0.0
    if meeting is not None and abs(meeting.lag) <= near:
        onsets = meeting.strength
    return (onsets + activity_overlap(seen.motions, seen.sounds)) / 2
