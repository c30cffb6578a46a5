"""Measures the table of a mini world clip: for each turn the instrument, its loudness, and the spot of the motion.

The only input is an observation of the clip.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.signals.observation import DetectedSound, Observation
from aurelia_offline.answering.finding import WIDE_EXTENT
from aurelia_offline.world.stage import StageTurn, TurnTable, stage_names

_TURN_SECONDS = 1.0
"""Length of a turn, in seconds."""
_LENGTH_TOLERANCE = 0.1
_CLICK_SECONDS, _FULL_BAND_HZ = 0.12, 12000.0
_FULL_TIMBRE, _PURE_TIMBRE, _LOW_PITCH_HZ, _PITCH_TOLERANCE = 2.5, 1.3, 400.0, 0.2
_MIN_MOTION_SECONDS = 0.15
_SILENT_LEVEL = -99.0


def measure_table(seen: Observation) -> TurnTable | None:
    """The table of a clip; None if the clip has another length, or if nothing was measured.

    The instrument of a turn is None without a sound, and "unknown" if the timbre is unknown or if the turn was not
    listened to. The spot is None if no motion was seen.
    """
    count = len(stage_names().turns)
    if abs(seen.duration - count * _TURN_SECONDS) > _LENGTH_TOLERANCE:
        return None
    table = tuple(_measure_turn(seen, number * _TURN_SECONDS) for number in range(count))
    if any(_is_measured(turn) for turn in table):
        return table
    return None


def _is_measured(turn: StageTurn) -> bool:
    return turn.instrument in stage_names().instruments or turn.spot is not None


def _measure_turn(seen: Observation, start: float) -> StageTurn:
    sounds = [sound for sound in seen.sounds if _belongs_to_turn(sound.start, sound.end, start)]
    listened = sum(_overlap_seconds(a, b, start) for a, b in seen.audio_spans) > _TURN_SECONDS / 2
    if sounds:
        instrument = _identify_instrument(sounds)
    elif listened:
        instrument = None
    else:
        instrument = UNKNOWN
    return StageTurn(
        instrument, _moving_spot(seen, start), _turn_level(sounds, instrument) if sounds else _SILENT_LEVEL
    )


def _overlap_seconds(begin: float, end: float, start: float) -> float:
    """The overlap of a time span with the turn that begins at `start`, in seconds."""
    return max(0.0, min(end, start + _TURN_SECONDS) - max(begin, start))


def _belongs_to_turn(begin: float, end: float, start: float) -> bool:
    return _overlap_seconds(begin, end, start) > min(0.5 * (end - begin), 0.4)


def _energy(sound: DetectedSound) -> float:
    return (sound.end - sound.start) * 10 ** (sound.level / 10)


def _identify_instrument(sounds: Sequence[DetectedSound]) -> str:
    """The instrument whose timbre has most of the turn's energy; a repeated pure tone counts as a bell.

    At a low sample rate a bell loses its overtones and sounds like a pure tone.
    """
    shares: dict[str, float] = {}
    for sound in sounds:
        name = _identify_timbre(sound)
        shares[name] = shares.get(name, 0.0) + _energy(sound)
    most = max(shares, key=lambda name: shares[name])
    if most == "flute" and sum(sound.pitch is not None for sound in sounds) > 1:
        return "bell"
    return most


def _identify_timbre(sound: DetectedSound) -> str:
    """The instrument by timbre: a drum has no pitch, a reed is low and full, a flute pure, a bell inharmonic.

    Noise beside a soft flute raises its brightness; most of its energy stays at its pitch.
    """
    if sound.pitch is None:
        if sound.sound_class == "click":
            return "drum"
        return UNKNOWN
    fullness = sound.brightness / sound.pitch
    if sound.harmonic and (fullness > _FULL_TIMBRE or sound.pitch < _LOW_PITCH_HZ):
        return "reed"
    if fullness < _PURE_TIMBRE:
        return "flute"
    if not sound.harmonic:
        return "bell"
    if abs((sound.median_frequency or 0.0) / sound.pitch - 1) < _PITCH_TOLERANCE:
        return "flute"
    return UNKNOWN


def _turn_level(sounds: Sequence[DetectedSound], instrument: str | None) -> float:
    """The level of a turn over the length of its strikes, dBFS; for a drum, extrapolated to the full band."""
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
    """The spot with the longest motion in a turn, or None."""
    count = len(stage_names().spots)
    moved = [0.0] * count
    for motion in seen.motions:
        if motion.extent < WIDE_EXTENT:
            moved[min(count - 1, int(motion.x * count))] += _overlap_seconds(motion.start, motion.end, start)
    most = max(moved)
    if most > max(_MIN_MOTION_SECONDS, 0.6 * min(seen.frame_gap, _TURN_SECONDS)):
        return moved.index(most)
    return None
