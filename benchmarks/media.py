"""What media preparation costs: this project's clip store against the released script's way, and a second question.

Prints one table. CPU seconds are user and system time of this process and of the decoding children, children included.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import psutil

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef, Window
from aurelia_offline.world.scene import parse_scene, write_scene

ATTEMPTS = 3
CALLS = 2 * ATTEMPTS + 1
"""Calls that carry the clip: generator and evaluator of every attempt, and the target."""
SAMPLE = 60
"""Frames of which the baseline is timed; its cost a pair does not depend on which frames they are."""
SCENE: dict[str, Any] = {
    "seconds": 30.0,
    "fps": 24,
    "width": 1280,
    "height": 720,
    "background": "grey",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.2, "y": 0.5, "size": 0.25, "moves": [[1, 7]]},
        {"colour": "green", "shape": "square", "x": 0.5, "y": 0.5, "size": 0.25, "moves": [[9, 15]]},
        {"colour": "blue", "shape": "triangle", "x": 0.8, "y": 0.5, "size": 0.25, "moves": [[20, 26]]},
    ],
    "sounds": [
        {"start": 1.0, "end": 7.0, "voice": "reed", "pitch": 220.0, "level": -20.0},
        {"start": 20.0, "end": 26.0, "voice": "noise", "level": -24.0},
    ],
}


@dataclass
class Cost:
    """CPU and wall-clock seconds of a stretch of work."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block, decoding children included."""
    cost = Cost()
    cpu, wall = _cpu(), time.perf_counter()
    yield cost
    cost.cpu, cost.wall = _cpu() - cpu, time.perf_counter() - wall


def _cpu() -> float:
    """CPU seconds so far: this process, its children that ended, and those that live."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in psutil.Process().children(recursive=True):
        spent = child.cpu_times()
        total += spent.user + spent.system
    return total


def question(store: ClipStore, clip: Path, shift: float = 0.0) -> MediaRef:
    """All media work of one question with three attempts: what generator, evaluator and target ask of the store."""
    ref = store.admit(clip)
    looks: list[list[Window]] = [
        [],
        [{"start": 2.0 + shift, "end": 4.0 + shift}],
        [{"start": 10.0 + shift, "end": 11.0 + shift}, {"start": 21.0 + shift, "end": 23.0 + shift}],
    ]
    for windows in looks:
        seconds = sum(window["end"] - window["start"] for window in windows) or ref["duration"]
        store.frames(ref, windows, 16).images.sum()
        store.audio(ref, windows, min(16000, int(48000 / seconds)))
        store.frames(ref, [], 10**6).images[::10].sum()
        store.audio(ref)
    store.frames(ref, looks[-1], 16)
    return ref


def ssim(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Mean structural similarity of two grey pictures, 0..255, 7x7 uniform window (Wang et al. 2004)."""
    from scipy.ndimage import uniform_filter

    sample = 49 / 48
    mean_a, mean_b = uniform_filter(first, 7), uniform_filter(second, 7)
    var_a = sample * (uniform_filter(first * first, 7) - mean_a * mean_a)
    var_b = sample * (uniform_filter(second * second, 7) - mean_b * mean_b)
    both = sample * (uniform_filter(first * second, 7) - mean_a * mean_b)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((alike / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def baseline(clip: Path) -> tuple[Cost, int]:
    """The released script's way on the first frames: decode all, compare every pair at full size; and the pairs."""
    pictures = []
    with measured() as cost:
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                pictures.append(frame.to_ndarray(format="gray").astype(np.float64))
                if len(pictures) == SAMPLE:
                    break
        for before, after in zip(pictures, pictures[1:], strict=False):
            ssim(before, after)
    return cost, len(pictures) - 1


def main() -> None:
    """Measure and print the table."""
    import scipy.ndimage  # noqa: F401  (so that importing it is not counted)

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        store = ClipStore(Settings(home=Path(folder) / "home", allow_any_file=True))
        with measured() as first:
            ref = question(store, clip)
        decodes = store.decode_count
        with measured() as second:
            question(store, clip, shift=0.7)
        again = store.decode_count - decodes
        fresh = ClipStore(store.settings)
        with measured() as restarted:
            question(fresh, clip, shift=1.3)
        sample, pairs = baseline(clip)
    frames = round((ref["duration"]) * (ref["fps"] or 0))
    per_call = sample.cpu / pairs * (frames - 1)
    print(f"media: one question, T = {ATTEMPTS}, clip 30 s 1280x720 at 24 fps with sound (rendered)")
    print(f"  this store, first question        {first.cpu:9.2f} s CPU {first.wall:8.2f} s wall  {decodes} decodings")
    print(f"  this store, second question       {second.cpu:9.2f} s CPU {second.wall:8.2f} s wall  {again} decodings")
    print(f"  this store, after a restart       {restarted.cpu:9.2f} s CPU {restarted.wall:8.2f} s wall", end="")
    print(f"  {fresh.decode_count} decodings")
    print(
        f"  baseline: SSIM of every frame pair {per_call * CALLS:8.1f} s CPU = {CALLS} calls x {per_call:.1f} s, "
        f"scaled from {pairs} measured pairs ({sample.cpu:.2f} s) to {frames - 1} pairs a call"
    )
    print(f"  ratio baseline / first question   {per_call * CALLS / first.cpu:9.0f} x less CPU (target: 100)")
    print(f"  ratio second / first question     {100 * second.cpu / first.cpu:9.1f} % of the CPU (target: under 5)")
    print(f"  ratio restarted / first question  {100 * restarted.cpu / first.cpu:9.1f} % of the CPU (target: under 5)")


if __name__ == "__main__":
    main()
