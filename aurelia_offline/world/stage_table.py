"""The stage's table as measured in a clip: by turn which instrument sounds, how loud, and at which spot a shape moves.

It reads an observation and nothing else; the truth about a clip is not known here.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from aurelia_core.signals.observation import DetectedSound, Observation
from aurelia_offline.answering.finding import WIDE_EXTENT
from aurelia_offline.questions.choices import UNKNOWN
from aurelia_offline.world.stage import StageTurn, TurnTable, stage_names

_TURN_SECONDS = 1.0
"""Seconds of a turn."""
_LENGTH_TOLERANCE = 0.1
_CLICK_SECONDS, _FULL_BAND_HZ = 0.12, 12000.0
_FULL_TIMBRE, _PURE_TIMBRE, _LOW_PITCH_HZ = 2.5, 1.3, 400.0
_MIN_MOTION_SECONDS = 0.15
_SILENT_LEVEL = -99.0


def measure_table(seen: Observation) -> TurnTable | None:
    """The table of a clip; None where the clip is not as long as the stage's, or nothing of it is measured.

    An instrument is None in a turn without a sound and "unknown" where a sound has no timbre of the stage's, or where
    nothing could be heard; a spot is None where no move is seen.
    """
    count = len(stage_names().turns)
    if abs(seen.duration - count * _TURN_SECONDS) > _LENGTH_TOLERANCE:
        return None
    table = tuple(_measure_turn(seen, number * _TURN_SECONDS) for number in range(count))
    return table if any(_is_measured(turn) for turn in table) else None


def _is_measured(turn: StageTurn) -> bool:
    return turn.instrument in stage_names().instruments or turn.spot is not None


def _measure_turn(seen: Observation, start: float) -> StageTurn:
    sounds = [sound for sound in seen.sounds if _belongs_to_turn(sound.start, sound.end, start)]
    listened = sum(_overlap_seconds(a, b, start) for a, b in seen.heard) > _TURN_SECONDS / 2
    instrument = _identify_instrument(sounds) if sounds else None if listened else UNKNOWN
    return StageTurn(
        instrument, _moving_spot(seen, start), _turn_level(sounds, instrument) if sounds else _SILENT_LEVEL
    )


def _overlap_seconds(begin: float, end: float, start: float) -> float:
    """How much of a stretch lies in the turn that begins at `start`, seconds."""
    return max(0.0, min(end, start + _TURN_SECONDS) - max(begin, start))


def _belongs_to_turn(begin: float, end: float, start: float) -> bool:
    return _overlap_seconds(begin, end, start) > min(0.5 * (end - begin), 0.4)


def _energy(sound: DetectedSound) -> float:
    return (sound.end - sound.start) * 10 ** (sound.level / 10)


def _identify_instrument(sounds: Sequence[DetectedSound]) -> str:
    """The instrument whose timbre most of the turn's energy has; a pure tone that is struck again is a bell's.

    A look at a low rate cuts a bell's overtones off.
    """
    shares: dict[str, float] = {}
    for sound in sounds:
        name = _identify_timbre(sound)
        shares[name] = shares.get(name, 0.0) + _energy(sound)
    most = max(shares, key=lambda name: shares[name])
    return "bell" if most == "flute" and sum(sound.pitch is not None for sound in sounds) > 1 else most


def _identify_timbre(sound: DetectedSound) -> str:
    """A drum has no pitch; of pitched sounds a reed is low and full, a flute pure, a bell out of tune."""
    if sound.pitch is None:
        return "drum" if sound.voice == "click" else UNKNOWN
    fullness = sound.brightness / sound.pitch
    if sound.harmonic and (fullness > _FULL_TIMBRE or sound.pitch < _LOW_PITCH_HZ):
        return "reed"
    if fullness < _PURE_TIMBRE:
        return "flute"
    return UNKNOWN if sound.harmonic else "bell"


def _turn_level(sounds: Sequence[DetectedSound], instrument: str | None) -> float:
    """Loudness of a turn over the time that its strikes are played in, dBFS; of a drum also above what was heard."""
    energy = sum(_energy(sound) * (_FULL_BAND_HZ / sound.brightness if instrument == "drum" else 1) for sound in sounds)
    starts = sorted(sound.start for sound in sounds)
    if instrument == "drum":
        seconds = _CLICK_SECONDS * len(sounds)
    elif instrument == "bell" and len(sounds) > 1:
        seconds = len(sounds) * max(b - a for a, b in pairwise(starts))
    else:
        seconds = sum(sound.end - sound.start for sound in sounds)
    return round(10 * math.log10(energy / max(seconds, 1e-3) + 1e-10), 1)


def _moving_spot(seen: Observation, start: float) -> int | None:
    """The spot where something moves for longest in a turn."""
    count = len(stage_names().spots)
    moved = [0.0] * count
    for motion in seen.motions:
        if motion.extent < WIDE_EXTENT:
            moved[min(count - 1, int(motion.x * count))] += _overlap_seconds(motion.start, motion.end, start)
    most = max(moved)
    return moved.index(most) if most > max(_MIN_MOTION_SECONDS, 0.6 * min(seen.frame_gap, _TURN_SECONDS)) else None
