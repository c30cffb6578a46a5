"""Answers about the clip as a whole: beat, sync, silence, sound at all, background, stillness, order, rise and fall."""

from collections.abc import Sequence
from math import isfinite

from aurelia_core.signals.audiovisual_sync import activity_overlap
from aurelia_core.signals.observation import DetectedSound, Observation, describe_position
from aurelia_offline.answering.finding import Finding, boolean, joined, motion_words, seconds, stretch, unknown
from aurelia_offline.answering.selection import goes_on, select
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Query

_REGULAR = 0.5
_IN_STEP_SECONDS = 0.12
_IN_STEP_STRENGTH = 0.5
_ALL_BUT = 0.9
_GROUND = 0.35
_FITS = 0.3
_CLEARLY = 0.1


def tempo(query: Query, seen: Observation) -> Finding:
    """Beats per minute."""
    del query
    if seen.tempo is None:
        return unknown("no steady beat was found", "audio")
    bpm = seen.tempo.bpm
    values = [Value("bpm", bpm), Value("number", round(bpm))]
    cue = f"the onsets repeat every {60 / bpm:.2f} s, regularity {seen.tempo.strength:.2f} of 1"
    return Finding(tuple(values), f"about {bpm:.0f} beats per minute", cue, "audio")


def steady(query: Query, seen: Observation) -> Finding:
    """Whether there is a steady beat."""
    regular = seen.tempo is not None and seen.tempo.strength >= _REGULAR
    strength = f"regularity {seen.tempo.strength:.2f} of 1" if seen.tempo else "the onsets do not repeat regularly"
    return boolean(regular != query.negated, strength, "audio")


def sync(query: Query, seen: Observation) -> Finding:
    """Whether motion and sound start together; `query.value` 0 asks for the opposite."""
    meeting = seen.sync
    if meeting is None:
        return unknown("sound and motion have no onsets that could be compared")
    if goes_on("sound", seen) or goes_on("motion", seen):
        return unknown("sound or motion goes on without a pause; their onsets cannot be compared")
    together = meeting.strength >= _IN_STEP_STRENGTH and abs(meeting.lag) <= _IN_STEP_SECONDS
    answer = (together == (query.value == 1.0)) != query.negated
    cue = f"onsets of motion lie {meeting.lag:+.2f} s from those of sound, agreement {meeting.strength:.2f} of 1"
    if query.yes_no:
        return boolean(answer, cue, "both")
    word = "in sync" if together else "out of sync"
    values = (Value("sync", "yes" if together else "no"), Value("bool", together))
    return Finding(values, word, cue, "both")


def lag(query: Query, seen: Observation) -> Finding:
    """How far motion and sound lie apart, seconds."""
    del query
    meeting = seen.sync
    if meeting is None or meeting.strength < _IN_STEP_STRENGTH:
        return unknown("sound and motion have no common rhythm that a lag could be measured by")
    later = "motion after sound" if meeting.lag >= 0 else "sound after motion"
    return Finding((Value("seconds", abs(meeting.lag)),), f"{abs(meeting.lag):.2f} s ({later})", later, "both")


def silent(query: Query, seen: Observation) -> Finding:
    """Whether nothing at all is heard."""
    quiet = not seen.has_audio or not seen.sounds and _silent_share(seen) > _ALL_BUT
    cue = "the clip has no sound track" if not seen.has_audio else f"{len(seen.sounds)} sounds were heard"
    return boolean(quiet != query.negated, cue, "audio")


def _silent_share(seen: Observation) -> float:
    heard = sum(end - start for start, end in seen.audio_spans)
    return sum(end - start for start, end in seen.silences) / heard if heard else 1.0


def has_audio(query: Query, seen: Observation) -> Finding:
    """Whether the clip has a sound track, or with "sound" whether anything is heard on it."""
    if query.pick.words == "track" or not seen.has_audio:
        cue = "the clip has a sound track" if seen.has_audio else "the clip has no sound track"
        return boolean(seen.has_audio != query.negated, cue, "audio")
    there = bool(seen.sounds) or _silent_share(seen) < _ALL_BUT
    return boolean(there != query.negated, f"{len(seen.sounds)} sounds were heard", "audio")


def duration(query: Query, seen: Observation) -> Finding:
    """How long the clip lasts."""
    del query
    text = seconds(seen.duration)
    return Finding(
        (Value("seconds", seen.duration), Value("number", round(seen.duration))), text, f"the clip lasts {text}"
    )


def background(query: Query, seen: Observation, pieces: Sequence[Observation] = ()) -> Finding:
    """The colour of the background; before or after a cut by a look that lies wholly on that side of it."""
    asked, inside = query.pick, seen
    if asked.relation and seen.cuts:
        span = _asked_span(query, seen)
        if span is None:
            return unknown("the moment that the question names was not found", "visual")
        fitting = [piece for piece in pieces if piece.video_spans and _within(piece, span)]
        if not fitting:
            return unknown(f"no look lay wholly between {seconds(span[0])} and {seconds(span[1])}", "visual")
        inside = fitting[0]
    names = grounds(inside)
    shares = ", ".join(f"{c.name} {c.share:.0%}" for c in inside.colours[:4])
    if not names:
        return unknown(f"no one colour fills the background ({shares})", "visual")
    cue = f"widest colours: {shares} of the picture"
    if query.yes_no and asked.colour:
        return boolean((asked.colour in names) != query.negated, cue, "visual")
    if len(names) > 1:
        return Finding((Value("phrase", joined(names)),), f"{joined(names)} (it changes)", cue, "visual")
    return Finding((Value("colour", names[0]),), names[0], cue, "visual")


def grounds(seen: Observation) -> list[str]:
    """The background's colours: one that covers much of the picture and more than any other; with cuts perhaps two."""
    ground = next((colour for colour in seen.colours if colour.background), None)
    if ground is None or ground.share < _GROUND:
        return []
    wide = [c.name for c in seen.colours if c is not ground and c.share >= min(_GROUND, 0.6 * ground.share)]
    if not seen.cuts:
        return [ground.name] if all(c.share <= ground.share for c in seen.colours) else []
    return [ground.name, *wide]


def _asked_span(query: Query, seen: Observation) -> tuple[float, float] | None:
    """The stretch in which the background is asked for, up to the cuts around it."""
    pick = query.pick
    if pick.other is not None:
        chosen = select(pick.other, seen).events
        if not chosen:
            return None
        low, high = chosen[0].start, chosen[0].end
    elif pick.span is not None:
        scale = seen.duration if pick.half else 1.0
        low, high = pick.span[0] * scale, pick.span[1] * scale
    else:
        return None
    if pick.relation in {"before", "right_before"}:
        low, high = 0.0, low
    elif pick.relation in {"after", "right_after"}:
        low, high = high, seen.duration
    middle = high - 0.01 if pick.relation == "right_before" else low + 0.01
    edges = [0.0, *seen.cuts, seen.duration]
    around = [(a, b) for a, b in zip(edges, edges[1:], strict=False) if a <= middle <= b]
    return around[0] if around else None


def _within(piece: Observation, span: tuple[float, float]) -> bool:
    return all(span[0] - 0.1 <= start and end <= span[1] + 0.1 for start, end in piece.video_spans)


def still(query: Query, seen: Observation) -> Finding:
    """Which colour, or which side, never moves."""
    moving = {motion.colour for motion in seen.motions}
    cue = joined([motion_words(motion) for motion in seen.motions[:8]]) or "nothing moves"
    if query.prop == "place":
        sides = {describe_position(motion.x, 0.5) for motion in seen.motions}
        rest = [side for side in ("left", "right") if side not in sides]
        return _left_over("place", rest, cue) if seen.motions else unknown("nothing moves at all", "visual")
    shown = [c.name for c in seen.colours if not c.background and c.name not in moving]
    return _left_over("colour", shown, cue)


def _left_over(kind: str, names: list[str], cue: str) -> Finding:
    if not names:
        return unknown(f"nothing was seen that stays still; {cue}", "visual")
    values = (Value(kind, names[0]),) if len(names) == 1 else ()
    return Finding(values, joined(names), f"what moves: {cue}", "visual")


def trend(query: Query, seen: Observation) -> Finding:
    """Whether loudness or pitch rises or falls from sound to sound."""
    prop = (query.prop or "level").rstrip("+-")
    wanted = (query.prop or "")[len(prop) :]
    if prop == "tempo":
        return _pace(query, wanted, seen)
    sounds = [e.source for e in select(query.pick, seen).events if isinstance(e.source, DetectedSound)]
    measured = [(s.start, s.level if prop == "level" else s.pitch) for s in sounds]
    series = [value for _, value in measured if value is not None]
    if len(series) < 2:
        return unknown("fewer than two sounds could be compared", "audio")
    unit = "dBFS" if prop == "level" else "Hz"
    cue = f"one after the other: {', '.join(f'{value:.0f}' for value in series)} {unit}"
    up, down = _rises(series, prop), _rises(series[::-1], prop)
    if wanted:
        return boolean((up if wanted == "+" else down) != query.negated, cue, "audio")
    if up == down:
        words = ("same", "neither rises nor falls throughout")
        return Finding((Value("phrase", words[0]), Value("phrase", "neither")), words[1], cue, "audio")
    rising, falling = ("louder", "quieter") if prop == "level" else ("higher (it rises)", "lower (it falls)")
    return Finding((Value("trendword", "+" if up else "-"),), rising if up else falling, cue, "audio")


def _pace(query: Query, wanted: str, seen: Observation) -> Finding:
    """Whether the onsets come closer together (faster) or farther apart."""
    onsets = [event.start for event in select(query.pick, seen).events]
    gaps = [later - earlier for earlier, later in zip(onsets, onsets[1:], strict=False)]
    if len(gaps) < 3:
        return unknown("too few onsets to tell whether their pace changes", "audio")
    third = max(1, len(gaps) // 3)
    early, late = sum(gaps[:third]) / third, sum(gaps[-third:]) / third
    cue = f"onsets {early:.2f} s apart at first, {late:.2f} s at last"
    sign = "+" if late < 0.85 * early else "-" if late > 1.18 * early else ""
    if wanted:
        return boolean((sign == wanted) != query.negated, cue, "audio")
    if not sign:
        return Finding((Value("phrase", "same"),), "neither faster nor slower", cue, "audio")
    return Finding((Value("comp", f"tempo{sign}"),), "faster" if sign == "+" else "slower", cue, "audio")


def _rises(series: list[float], prop: str) -> bool:
    room = 1.0 if prop == "level" else 0.02 * max(series)
    steps = [later - earlier for earlier, later in zip(series, series[1:], strict=False)]
    return all(step > -room for step in steps) and series[-1] - series[0] > room


def order(query: Query, seen: Observation) -> Finding:
    """Before or after: how two events follow each other."""
    first, second = select(query.pick, seen), select(query.other or query.pick, seen)
    if not first.events or not second.events:
        return unknown(first.problem or second.problem or "one of the two was not found")
    a, b = first.events[0], second.events[0]
    word = "at the same time" if abs(a.start - b.start) < 0.1 else "before" if a.start < b.start else "after"
    relation = {"before": "before", "after": "after"}.get(word, "during")
    cue = f"the one starts at {seconds(a.start)}, the other at {seconds(b.start)}"
    return Finding((Value("rel", relation), Value("phrase", word)), word, cue, "both", (stretch(a), stretch(b)))


def candidates(found: list[tuple[str, Observation]]) -> Finding:
    """Which candidate audio fits the motion (DM-Match): the letter of the one whose times clearly fit best."""
    scored = [(letter, _fit(seen), seen.sync) for letter, seen in found]
    ranked = sorted(scored, key=lambda each: each[1], reverse=True)
    cue = "; ".join(
        f"audio {letter}: fit {fit:.2f}" + (f", onsets {meeting.lag:+.2f} s apart" if meeting else ", no common onsets")
        for letter, fit, meeting in scored
    )
    if not ranked or ranked[0][1] < _FITS:
        return unknown(f"no track fits what was seen to move ({cue})")
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _CLEARLY:
        return unknown(f"two tracks fit equally well ({cue})")
    letter = ranked[0][0]
    number = [name for name, _ in found].index(letter) + 1
    return Finding((Value("letter", letter), Value("ordinal", number)), letter, cue)


def _fit(seen: Observation) -> float:
    """How well sound and motion go together, 0..1: by their onsets, and by the time that they share."""
    meeting = seen.sync
    near = max(0.2, 0.6 * seen.frame_gap) if isfinite(seen.frame_gap) else 0.2
    onsets = meeting.strength if meeting is not None and abs(meeting.lag) <= near else 0.0
    return (onsets + activity_overlap(seen.motions, seen.sounds)) / 2
