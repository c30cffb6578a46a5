"""Answers from the level of the whole sound over time: its loudest moment, its halves, whether it grows.

Single sounds do not tell these of a sound that goes on, as applause, rain or music.
"""

import re
from math import log10

import numpy as np

from aurelia_core.arrays import true_runs
from aurelia_core.signals.observation import LEVEL_SECONDS, Observation
from aurelia_offline.answering.finding import MeasuredAnswer, seconds_text, unknown_finding, yes_no_finding
from aurelia_offline.answering.selection import asked_seconds, is_continuous, select_events, span_seconds
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Pick, Query

_SMOOTHED_PARTS = 3
_PEAK_SECONDS = 1.0
_CLEAR_DECIBELS, _EQUAL_DECIBELS, _GROWN_DECIBELS, _STEP_DECIBELS = 1.5, 3.0, 6.0, 1.0
_TREND_PARTS, _MOST_SOUNDS = 5, 6
_STEP_SHARE = 0.15
"""A step against the trend that is allowed, as a share of the whole change."""
_LONG_SECONDS = 2.0
_NO_SOUND_NAMED = re.compile(r"(the )?(quietest|softest|faintest)( moment| point| part| time)?")
_SOFTEST_DBFS = -60.0


def answer_from_levels(query: Query, seen: Observation) -> MeasuredAnswer | None:
    """The answer that the levels give; None if the question is about single sounds, or not all was heard."""
    pick, levels = query.pick, seen.levels
    plain = not (pick.voice or pick.other or pick.place or pick.colour)
    if pick.domain != "sound" or not plain or not seen.has_audio:
        return None
    at_peak = query.ask == "when" or query.ask == "exists" and query.prop == "alone" and pick.span is not None
    at_peak = at_peak and pick.rank == "level+" and pick.nth in {None, 1} and _goes_on(seen)
    if len(levels) < 2 * _TREND_PARTS or max(levels) < _SOFTEST_DBFS:
        return unknown_finding("the loudest moment of a sound that goes on is not known", "audio") if at_peak else None
    if query.ask in {"compare", "choose"} and (query.prop or "").startswith("level") and pick.half and query.other:
        return _compare_halves(query, seen) if query.other.half else None
    if query.ask == "trend" and (query.prop or "level").startswith("level") and pick.relation is None:
        if is_continuous("sound", seen) or not 2 <= len(seen.sounds) <= _MOST_SOUNDS:
            return _answer_trend(query, levels)
        return None
    if query.ask == "when" and pick.rank == "level-" and _NO_SOUND_NAMED.fullmatch(pick.words):
        return _answer_quietest(query, seen)
    return _answer_peak(query, seen) if at_peak else None


def _goes_on(seen: Observation) -> bool:
    """Whether no one sound is the loudest, or it lasts long, so that its start is not the loudest moment."""
    loudest = max(seen.sounds, key=lambda sound: sound.level, default=None)
    tied = bool(select_events(Pick(domain="sound", rank="level+"), seen).problem)
    return loudest is None or tied or is_continuous("sound", seen) or loudest.end - loudest.start > _LONG_SECONDS


def _mean_level(levels: tuple[float, ...]) -> float:
    return 10 * log10(sum(10 ** (level / 10) for level in levels) / len(levels))


def _answer_peak(query: Query, seen: Observation) -> MeasuredAnswer:
    """The loudest moment, or whether it lies in a part of the clip; unknown if another one is about as loud."""
    span = span_seconds(query.pick, seen.duration)
    levels = seen.levels
    count = len(levels) - _SMOOTHED_PARTS + 1
    smooth = [_mean_level(levels[at : at + _SMOOTHED_PARTS]) for at in range(count)]
    times = [(at + _SMOOTHED_PARTS / 2) * LEVEL_SECONDS for at in range(count)]
    inside = [at for at in range(count) if query.ask != "when" or span is None or span[0] <= times[at] <= span[1]]
    if not inside or query.ask == "when" and query.pick.relation in {"before", "after", "right_before", "right_after"}:
        return unknown_finding("the loudest moment of that part is not measured", "audio")
    best = max(inside, key=lambda at: smooth[at])
    cue = f"the loudest moment is at {seconds_text(times[best])}, {smooth[best]:.0f} dBFS"
    others = [smooth[at] for at in inside if abs(times[at] - times[best]) > _PEAK_SECONDS]
    if query.ask == "when":
        if others and max(others) > smooth[best] - _CLEAR_DECIBELS:
            return unknown_finding(
                f"several moments are about as loud as the one at {seconds_text(times[best])}", "audio"
            )
        return MeasuredAnswer((Value("seconds", times[best]),), f"at {seconds_text(times[best])}", cue, "audio")
    low, high = asked_seconds(query.pick, seen)
    is_inside = [low <= time <= high for time in times]
    rivals = [smooth[at] for at in range(count) if is_inside[at] != is_inside[best]]
    if rivals and max(rivals) > smooth[best] - _CLEAR_DECIBELS:
        return unknown_finding("moments in and outside that part are about equally loud", "audio")
    return yes_no_finding(is_inside[best] != query.negated, cue, "audio")


def _answer_quietest(query: Query, seen: Observation) -> MeasuredAnswer:
    """The one part of the clip that is quieter than the rest; silence is not told from silence."""
    levels = np.maximum(seen.levels, _SOFTEST_DBFS)
    runs = true_runs(levels < levels.min() + _CLEAR_DECIBELS)
    if len(runs) != 1 or query.pick.relation:
        return unknown_finding("several moments are about equally quiet", "audio")
    start, end = (at * LEVEL_SECONDS for at in runs[0])
    text = f"from {seconds_text(start)} to {seconds_text(end)}"
    return MeasuredAnswer((Value("seconds", start),), text, f"the level is lowest {text}", "audio")


def _compare_halves(query: Query, seen: Observation) -> MeasuredAnswer:
    """Which half of the clip is louder, or whether one is, by its mean power."""
    middle = round(seen.duration / 2 / LEVEL_SECONDS)
    first, second = _mean_level(seen.levels[:middle]), _mean_level(seen.levels[middle:])
    cue = f"the mean level is {first:.0f} dBFS in the first half and {second:.0f} dBFS in the second"
    if abs(first - second) < _EQUAL_DECIBELS:
        return unknown_finding(f"both halves are about equally loud: {cue}", "audio")
    if query.ask == "choose":
        winner, number = ("first", 1) if (first > second) == (query.prop or "").endswith("+") else ("second", 2)
        values = (Value("phrase", f"{winner} half"), Value("ordinal", number))
        return MeasuredAnswer(values, f"in the {winner} half", cue, "audio")
    asked, compared = (first, second) if query.pick.span == (0.0, 0.5) else (second, first)
    up = (query.prop or "").endswith("+")
    return yes_no_finding(((asked > compared) == up) != query.negated, cue, "audio")


def _answer_trend(query: Query, levels: tuple[float, ...]) -> MeasuredAnswer:
    """Whether the sound grows or fades from fifth to fifth of the clip; unknown if it goes up and down."""
    edges = [len(levels) * part // _TREND_PARTS for part in range(_TREND_PARTS + 1)]
    series = [_mean_level(levels[low:high]) for low, high in zip(edges, edges[1:], strict=False)]
    steps = [later - earlier for earlier, later in zip(series, series[1:], strict=False)]
    cue = f"from fifth to fifth of the clip: {', '.join(f'{value:.0f}' for value in series)} dBFS"
    grown = series[-1] - series[0]
    slack = max(_STEP_DECIBELS, _STEP_SHARE * abs(grown))
    up = grown >= _GROWN_DECIBELS and min(steps) > -slack
    down = grown <= -_GROWN_DECIBELS and max(steps) < slack
    steady = max(series) - min(series) < _EQUAL_DECIBELS
    if not (up or down or steady):
        return unknown_finding(f"the sound goes up and down: {cue}", "audio")
    wanted = (query.prop or "")[len("level") :]
    if wanted:
        return yes_no_finding((up if wanted == "+" else down) != query.negated, cue, "audio")
    if steady:
        return MeasuredAnswer((Value("phrase", "same"), Value("phrase", "neither")), "neither", cue, "audio")
    return MeasuredAnswer((Value("trendword", "+" if up else "-"),), "louder" if up else "quieter", cue, "audio")
