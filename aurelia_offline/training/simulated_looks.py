"""Simulates what the measuring agents observe in a clip, from the clip's true description.

Only the training of the prompt mode `full` uses it. Published figures, controls and tests let the agents measure the
rendered file.
"""

import numpy as np

from aurelia_core.signals.observation import ColourShare, DetectedSound, Motion, Observation, SoundClass
from aurelia_offline.world import mini_world

_SOUND_CLASSES: dict[str, SoundClass] = {"bell": "tone", "flute": "tone", "reed": "tone", "drum": "click"}
_BACKGROUND = (ColourShare("black", 0.7, background=True),)
_HALF_A_FRAME = 0.1
_MIN_SILENCE_SECONDS = 0.3


def simulate_observation(clip: mini_world.WorldClip, rng: np.random.Generator) -> Observation:
    """An observation of the clip with small errors in all times, as in a real look; `rng` draws the errors."""
    spans = ((0.0, mini_world.CLIP_SECONDS),)
    sounds = tuple(sound for turn in clip.turns for sound in _simulate_sounds(turn, rng))
    return Observation(
        duration=mini_world.CLIP_SECONDS,
        has_audio=True,
        video_spans=spans,
        audio_spans=spans,
        frame_gap=0.25,
        sample_rate=16_000,
        sounds=sounds,
        silences=_find_silences(sounds),
        motions=tuple(_simulate_motions(clip, rng)),
        colours=_BACKGROUND,
        cuts=(),
        flashes=(),
        tempo=None,
        sync=None,
    )


def _simulate_sounds(turn: mini_world.PlayedTurn, rng: np.random.Generator) -> list[DetectedSound]:
    found = []
    for event in mini_world.turn_sounds(turn):
        start, pitch = max(0.0, event.start + rng.normal(0, 0.02)), event.pitch
        found.append(
            DetectedSound(
                start=start,
                end=max(start + 0.05, event.end + rng.normal(0, 0.02)),
                level=event.level,
                sound_class=_SOUND_CLASSES[str(turn.instrument)],
                pitch=pitch,
                harmonic=turn.instrument != "bell",
                attack=0.02,
                decay=0.1,
                brightness=2 * (pitch or 2000.0),
                confidence=1.0,
            )
        )
    return found


def _find_silences(sounds: tuple[DetectedSound, ...]) -> tuple[tuple[float, float], ...]:
    edges = [0.0, *(time for sound in sounds for time in (sound.start, sound.end)), mini_world.CLIP_SECONDS]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return tuple((start, end) for start, end in gaps if end - start >= _MIN_SILENCE_SECONDS)


def _simulate_motions(clip: mini_world.WorldClip, rng: np.random.Generator) -> list[Motion]:
    found = []
    for turn in clip.turns:
        if turn.spot is not None:
            start, end = (
                float(np.clip(time + rng.normal(0, _HALF_A_FRAME), 0, mini_world.CLIP_SECONDS))
                for time in (turn.start, turn.end)
            )
            found.append(
                Motion(
                    start=start,
                    end=end,
                    x=(turn.spot + 0.5) / len(clip.colours),
                    y=0.6,
                    extent=float(rng.uniform(0.05, 0.11)),
                    colour=clip.colours[turn.spot],
                    confidence=1.0,
                )
            )
    return found
