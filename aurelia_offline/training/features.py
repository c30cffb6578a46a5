"""Model inputs for clips of the mini world without video files: an endless supply of training clips.

Turns do not overlap and spots do not touch. A clip is therefore assembled from sounds and picture cells that the scene
renderer made once. The losses of H.264 and AAC are not simulated.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from aurelia_offline.world import mini_world
from aurelia_offline.world import scene as scenes
from aurelia_offline.world.stage import stage_names

FRAME_COUNT = 4
MODEL_FRAME_HEIGHT = 28
SOUND_PART_SECONDS = 1.0
MODEL_RATE = 16_000
REFERENCE_LEVEL = -20.0
LIFT_STEPS = 12
FIRST_TRAINING_SEED = 10**6
"""First seed of the training clips; smaller seeds are for validation and tests."""
NOISE_AMPLITUDE = 10 ** (scenes.NOISE_FLOOR_DB / 20)


class ClipBatch(NamedTuple):
    """The clips of a training step, their images uint8[B, FRAMES, H, W, 3] and sound float32[B, parts, samples]."""

    clips: list[mini_world.WorldClip]
    images: npt.NDArray[np.uint8]
    sound: npt.NDArray[np.float32]


class ClipSynthesizer:
    """Assembles training clips from rendered parts."""

    def __init__(self, seed: int, turns: int = 300) -> None:
        """Render `turns` sounds of every instrument and every cell of the picture."""
        self.rng = np.random.default_rng([seed, 1])
        self.turns = {name: np.stack([self._turn(name) for _ in range(turns)]) for name in stage_names().instruments}
        self.cells = _render_cells()

    def batch(self, count: int, odd: float = 0.1) -> ClipBatch:
        """`count` new clips; a fraction `odd` of them lacks one sound or one motion."""
        made = [self._clip(odd) for _ in range(count)]
        return ClipBatch(
            [one[0] for one in made], np.stack([one[1] for one in made]), np.stack([one[2] for one in made])
        )

    def _turn(self, instrument: str) -> npt.NDArray[np.float32]:
        clip = mini_world.draw_clip(int(self.rng.integers(FIRST_TRAINING_SEED, 2**31)), odd=0.0)
        turn = next(turn for turn in clip.turns if turn.instrument == instrument)
        shift = int(turn.start)
        turn = turn._replace(start=turn.start - shift, end=turn.end - shift, level=REFERENCE_LEVEL)
        scene = scenes.Scene(seconds=SOUND_PART_SECONDS, sounds=mini_world.turn_sounds(turn))
        first: npt.NDArray[np.float32] = render_sound_parts(scene)[0]
        return first

    def _clip(self, odd: float) -> tuple[mini_world.WorldClip, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        rng = self.rng
        clip = mini_world.draw_clip(int(rng.integers(FIRST_TRAINING_SEED, 2**31)), odd)
        sound = rng.standard_normal((len(clip.turns), int(MODEL_RATE * SOUND_PART_SECONDS))).astype(np.float32) * (
            NOISE_AMPLITUDE / 3**0.5
        )
        for number, turn in enumerate(clip.turns):
            if turn.instrument is not None:
                known = self.turns[turn.instrument]
                sound[number] += known[int(rng.integers(len(known)))] * 10 ** ((turn.level - REFERENCE_LEVEL) / 20)
        return clip, self._images(clip), sound

    def _images(self, clip: mini_world.WorldClip) -> npt.NDArray[np.uint8]:
        rows = []
        for frame in range(FRAME_COUNT):
            time = (frame + 0.5) * mini_world.CLIP_SECONDS / FRAME_COUNT
            cells = []
            for spot in range(len(clip.colours)):
                moving = [turn for turn in clip.turns if turn.spot == spot and turn.start <= time < turn.end]
                lift = 0
                if moving:
                    phase = abs(np.sin(np.pi * scenes.BOUNCES_PER_SECOND * (time - moving[0].start)))
                    lift = 1 + int(phase * (LIFT_STEPS - 1e-6))
                cells.append(self.cells[spot, clip.colours[spot], clip.forms[spot], lift])
            rows.append(np.concatenate(cells, axis=1))
        return np.stack(rows)


def _render_cells() -> dict[tuple[int, str, str, int], npt.NDArray[np.uint8]]:
    """The picture of every spot with every shape, at rest (0) and at LIFT_STEPS heights."""
    found: dict[tuple[int, str, str, int], npt.NDArray[np.uint8]] = {}
    for colour in mini_world.SHAPE_COLOURS:
        for form in mini_world.SHAPE_FORMS:
            for lift in range(LIFT_STEPS + 1):
                height = 0.0
                if lift:
                    height = mini_world.BOUNCE_RISE + scenes.BOUNCE_HEIGHT * (lift - 0.5) / LIFT_STEPS
                clip = mini_world.WorldClip((), (colour,) * 4, (form,) * 4)
                scene = mini_world.clip_scene(clip)
                shapes = [
                    s.model_copy(update={"y": s.y - (height if s.size == mini_world.SHAPE_SIZE else 0)})
                    for s in scene.shapes
                ]
                image = shrink_frame(scenes.draw_frame(scene.model_copy(update={"shapes": shapes}), 0.0))
                for spot in range(4):
                    found[spot, str(colour), form, lift] = image[
                        :, spot * MODEL_FRAME_HEIGHT : (spot + 1) * MODEL_FRAME_HEIGHT
                    ]
    return found


def render_frames(scene: scenes.Scene, times: Sequence[float]) -> list[npt.NDArray[np.uint8]]:
    """The frames of a scene at these times (seconds), in full size."""
    return [scenes.draw_frame(scene, time) for time in times]


def render_sound_parts(scene: scenes.Scene) -> npt.NDArray[np.float32]:
    """The sound of a scene in parts, float32[parts, samples] at MODEL_RATE."""
    from scipy.signal import resample_poly

    sound = np.asarray(resample_poly(scenes.render_scene(scene).samples, 1, 3), np.float32)
    return sound.reshape(-1, int(MODEL_RATE * SOUND_PART_SECONDS))


def shrink_frame(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture scaled to MODEL_FRAME_HEIGHT lines."""
    size = (round(image.shape[1] * MODEL_FRAME_HEIGHT / image.shape[0]), MODEL_FRAME_HEIGHT)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def log_mel_spectra(sound: npt.NDArray[np.float32], listener: Any) -> Any:
    """Log-mel spectrograms of sound parts by the checkpoint's feature extractor, torch float32[N, mels, steps]."""
    import torch

    flat = sound.reshape(-1, sound.shape[-1])
    return torch.from_numpy(np.asarray(listener._torch_extract_fbank_features(flat)))
