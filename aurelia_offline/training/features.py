"""Clips of the mini world as the target takes them, without files: endless ones for training, put together from parts.

Turns do not overlap and spots do not touch, so that a clip is put together from turns and cells that the world's own
renderer made once. What H.264 and AAC lose is missing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from aurelia_offline.world import scene as scenes
from aurelia_offline.world import world
from aurelia_offline.world.stage import names

FRAMES = 4
LINES = 28
PART_SECONDS = 1.0
RATE = 16_000
REFERENCE = -20.0
LIFTS = 12
FIRST_OF_TRAINING = 10**6
"""Seeds from here on are for training; below lie those that decisions and figures are made on."""
FLOOR = 10 ** (scenes.FLOOR / 20)


class Batch(NamedTuple):
    """Clips of a training step as drawn, images uint8[B, FRAMES, H, W, 3] and sound float32[B, parts, samples]."""

    clips: list[world.Clip]
    images: npt.NDArray[np.uint8]
    sound: npt.NDArray[np.float32]


class Parts:
    """What training clips are put together from."""

    def __init__(self, seed: int, turns: int = 300) -> None:
        """Renders `turns` turns of every instrument, and every cell of the picture."""
        self.rng = np.random.default_rng([seed, 1])
        self.turns = {name: np.stack([self._turn(name) for _ in range(turns)]) for name in names().instruments}
        self.cells = _cells()

    def batch(self, count: int, odd: float = 0.1) -> Batch:
        """`count` clips that were never made before."""
        made = [self._clip(odd) for _ in range(count)]
        return Batch([one[0] for one in made], np.stack([one[1] for one in made]), np.stack([one[2] for one in made]))

    def _turn(self, instrument: str) -> npt.NDArray[np.float32]:
        clip = world.draw(int(self.rng.integers(FIRST_OF_TRAINING, 2**31)), odd=0.0)
        turn = next(turn for turn in clip.turns if turn.instrument == instrument)
        shift = int(turn.start)
        turn = turn._replace(start=turn.start - shift, end=turn.end - shift, level=REFERENCE)
        scene = scenes.Scene(seconds=PART_SECONDS, sounds=world.heard(turn))
        first: npt.NDArray[np.float32] = heard(scene)[0]
        return first

    def _clip(self, odd: float) -> tuple[world.Clip, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        rng = self.rng
        clip = world.draw(int(rng.integers(FIRST_OF_TRAINING, 2**31)), odd)
        sound = rng.standard_normal((len(clip.turns), int(RATE * PART_SECONDS))).astype(np.float32) * (FLOOR / 3**0.5)
        for number, turn in enumerate(clip.turns):
            if turn.instrument is not None:
                known = self.turns[turn.instrument]
                sound[number] += known[int(rng.integers(len(known)))] * 10 ** ((turn.level - REFERENCE) / 20)
        return clip, self._images(clip), sound

    def _images(self, clip: world.Clip) -> npt.NDArray[np.uint8]:
        rows = []
        for frame in range(FRAMES):
            time = (frame + 0.5) * world.SECONDS / FRAMES
            cells = []
            for spot in range(len(clip.colours)):
                moving = [turn for turn in clip.turns if turn.spot == spot and turn.start <= time < turn.end]
                lift = 0
                if moving:
                    phase = abs(np.sin(np.pi * scenes.BOUNCES_A_SECOND * (time - moving[0].start)))
                    lift = 1 + int(phase * (LIFTS - 1e-6))
                cells.append(self.cells[spot, clip.colours[spot], clip.forms[spot], lift])
            rows.append(np.concatenate(cells, axis=1))
        return np.stack(rows)


def _cells() -> dict[tuple[int, str, str, int], npt.NDArray[np.uint8]]:
    """The picture of every spot with every shape, at rest (0) and at LIFTS heights."""
    found: dict[tuple[int, str, str, int], npt.NDArray[np.uint8]] = {}
    for colour in world.COLOURS:
        for form in world.FORMS:
            for lift in range(LIFTS + 1):
                height = world.RISE + scenes.BOUNCE * (lift - 0.5) / LIFTS if lift else 0.0
                clip = world.Clip(0, (), (colour,) * 4, (form,) * 4)
                scene = world.staged(clip)
                shapes = [
                    s.model_copy(update={"y": s.y - (height if s.size == world.SIZE else 0)}) for s in scene.shapes
                ]
                image = shrunk(scenes.picture(scene.model_copy(update={"shapes": shapes}), 0.0))
                for spot in range(4):
                    found[spot, str(colour), form, lift] = image[:, spot * LINES : (spot + 1) * LINES]
    return found


def frames(scene: scenes.Scene, times: Sequence[float]) -> list[npt.NDArray[np.uint8]]:
    """The scene's picture at some times (seconds), at its full size."""
    return [scenes.picture(scene, time) for time in times]


def heard(scene: scenes.Scene) -> npt.NDArray[np.float32]:
    """The scene's sound in parts, float32[parts, samples] at RATE."""
    from scipy.signal import resample_poly

    sound = np.asarray(resample_poly(scenes.render(scene).samples, 1, 3), np.float32)
    return sound.reshape(-1, int(RATE * PART_SECONDS))


def shrunk(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A picture at LINES lines."""
    size = (round(image.shape[1] * LINES / image.shape[0]), LINES)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def mels(sound: npt.NDArray[np.float32], listener: Any) -> Any:
    """Log-mel spectrograms of parts as the checkpoint's feature extractor makes them, torch float32[N, mels, steps]."""
    import torch

    flat = sound.reshape(-1, sound.shape[-1])
    return torch.from_numpy(np.asarray(listener._torch_extract_fbank_features(flat)))
