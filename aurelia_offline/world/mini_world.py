"""Draws clips of the mini world from a seed: their true description and the scene to render.

A clip has four spots and four turns of one second. In each turn one of four instruments sounds, and the shape at its
spot rises and bounces. Loudness, pitch, onset, length and beats vary, and so do the colours and forms of the shapes.
"""

from typing import Literal, NamedTuple

import numpy as np

from aurelia_offline.world.scene import Colour, Scene, Shape, SoundEvent
from aurelia_offline.world.stage import StageTurn, TurnTable, stage_names
from aurelia_offline.world.synth import Voice

CLIP_SECONDS = stage_names().clip["seconds"]
CLIP_WIDTH, CLIP_HEIGHT, CLIP_FPS = (int(stage_names().clip[name]) for name in ("width", "height", "fps"))
BOUNCE_RISE = 0.22
SHAPE_SIZE = 0.5
_TAG_SIZE = 0.2
ShapeForm = Literal["circle", "square", "triangle"]
SHAPE_COLOURS: tuple[Colour, ...] = ("red", "green", "blue", "yellow", "orange", "cyan")
SHAPE_FORMS: tuple[ShapeForm, ...] = ("circle", "square", "triangle")


class PlayedTurn(NamedTuple):
    """One turn as played: start and end in seconds of the clip, pitch in Hz, level in dBFS, number of strikes."""

    instrument: str | None
    spot: int | None
    level: float
    start: float
    end: float
    pitch: float
    beats: int


class WorldClip(NamedTuple):
    """One clip: its turns, and the colour and form of the shape at each spot from the left."""

    turns: tuple[PlayedTurn, ...]
    colours: tuple[Colour, ...]
    forms: tuple[ShapeForm, ...]

    @property
    def table(self) -> TurnTable:
        """The true table of the clip."""
        return tuple(StageTurn(turn.instrument, turn.spot, turn.level) for turn in self.turns)


def draw_clip(seed: int, odd: float = 0.1) -> WorldClip:
    """The clip of a seed; with probability `odd` one of its turns lacks its sound or its motion."""
    rng = np.random.default_rng([seed, 20261122])
    names = stage_names()
    instruments = [str(name) for name in rng.permutation(names.instruments)]
    spots = [int(spot) for spot in rng.permutation(len(names.spots))]
    levels = _draw_levels(rng)
    turns = []
    for number, (instrument, spot, level) in enumerate(zip(instruments, spots, levels, strict=True)):
        start = number + float(rng.uniform(0.0, 0.15))
        end = number + float(rng.uniform(0.8, 0.98))
        beats = 1
        if instrument in ("bell", "drum"):
            beats = int(rng.integers(2, 5))
        turns.append(
            PlayedTurn(instrument, spot, level, round(start, 3), round(end, 3), _draw_pitch(instrument, rng), beats)
        )
    if rng.random() < odd:
        at = int(rng.integers(len(turns)))
        mute = rng.random() < 0.5
        if mute:
            turns[at] = turns[at]._replace(instrument=None)
        else:
            turns[at] = turns[at]._replace(spot=None)
    colours = tuple(SHAPE_COLOURS[int(i)] for i in rng.permutation(len(SHAPE_COLOURS))[: len(names.spots)])
    forms = tuple(SHAPE_FORMS[int(i)] for i in rng.integers(0, len(SHAPE_FORMS), len(names.spots)))
    return WorldClip(tuple(turns), colours, forms)


def _draw_levels(rng: np.random.Generator) -> list[float]:
    """The levels of the turns in dBFS; the loudest and the softest differ from the others by at least 4 dB."""
    loudest = float(rng.uniform(-23, -19))
    middle = loudest - float(rng.uniform(4, 12))
    softest = middle - 1.5 - float(rng.uniform(4, 12))
    levels = [loudest, middle, middle - float(rng.uniform(0, 1.5)), softest]
    return [round(levels[int(i)], 2) for i in rng.permutation(4)]


def _draw_pitch(instrument: str, rng: np.random.Generator) -> float:
    low, high = {"bell": (700, 1300), "flute": (450, 850), "reed": (150, 300), "drum": (80, 150)}[instrument]
    return round(float(rng.uniform(low, high)), 1)


def clip_scene(clip: WorldClip) -> Scene:
    """The clip as a scene. Every spot has a small mark in a corner of its own, which identifies the spot."""
    count = len(clip.colours)
    shapes = []
    for spot in range(count):
        moves = [(turn.start, turn.end) for turn in clip.turns if turn.spot == spot]
        shapes.append(
            Shape(colour=clip.colours[spot], shape=clip.forms[spot], x=(spot + 0.5) / count, y=0.7, size=SHAPE_SIZE,
                  moves=moves, rise=BOUNCE_RISE)
        )  # fmt: skip
        right, low = spot % 2, spot // 2
        x = (spot + (1 - _TAG_SIZE / 2 if right else _TAG_SIZE / 2)) / count
        shapes.append(
            Shape(colour="magenta", shape="square", x=x, y=1 - _TAG_SIZE / 2 if low else _TAG_SIZE / 2, size=_TAG_SIZE)
        )
    sounds = [event for turn in clip.turns for event in turn_sounds(turn)]
    return Scene(seconds=CLIP_SECONDS, fps=CLIP_FPS, width=CLIP_WIDTH, height=CLIP_HEIGHT, shapes=shapes, sounds=sounds)


def turn_sounds(turn: PlayedTurn) -> list[SoundEvent]:
    """The sounds of a turn."""
    if turn.instrument is None:
        return []
    voices: dict[str, Voice] = {"bell": "bell", "flute": "tone", "reed": "reed", "drum": "click"}
    span = (turn.end - turn.start) / turn.beats
    length = {"bell": span, "drum": min(span, 0.12)}.get(turn.instrument, span)
    pitch: float | None = turn.pitch
    if turn.instrument == "drum":
        pitch = None
    found = []
    for beat in range(turn.beats):
        start = turn.start + span * beat
        end, voice = min(start + length, turn.end), voices[turn.instrument]
        found.append(SoundEvent(start=start, end=end, voice=voice, pitch=pitch, level=turn.level))
    return found
