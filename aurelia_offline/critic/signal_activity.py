"""Measures where and when a textured picture changes, if single moving things cannot be separated.

On a plain, still background a moving region is one thing with a start and an end. If texture drifts with the camera, or
a body fills much of the picture, regions merge and break. Then only this coarse measure is reliable.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aurelia_offline.critic.arrays import BoolMask, LabArray
from aurelia_offline.critic.signal_colour import COLOUR_ANCHORS, nearest_anchors

ROWS, COLUMNS = 6, 9
STEEP_DIFFERENCE = 0.03
"""Difference in Oklab between neighbouring cells from which a place is textured."""
_SLIPPING_SHARE = 0.6
"""Change of a place, relative to its steepness, when its texture slips by a fraction of a cell."""
TEXTURED_SHARES, _STIRRING_SHARES = (0.15, 0.45), (0.3, 0.7)
"""Textured and changing shares of the picture: (fully clear below, not clear at all above)."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of a picture over time.

    Attributes:
        times: seconds of the frames.
        share: for each frame and part of the picture (`ROWS` x `COLUMNS`), the share that moves by itself, 0..1.
        slips: for each frame, the share of the picture that changes at all, including slipping texture.
        colours: names and shares (0..1) of the colours where it moves.
    """

    times: npt.NDArray[np.float64]
    share: LabArray
    slips: LabArray
    colours: dict[str, float] = field(default_factory=dict)

    def inside(self, start: float, end: float) -> BoolMask:
        """The frames of a time span, bool[frames]; at least the nearest frame."""
        chosen = (self.times >= start) & (self.times <= end)
        if not chosen.any():
            chosen = np.abs(self.times - (start + end) / 2) == np.abs(self.times - (start + end) / 2).min()
        return np.asarray(chosen, dtype=bool)


def steepness(still: LabArray) -> LabArray:
    """The difference of each 2 x 2 block of Oklab cells to its neighbours, float32[rows / 2, columns / 2]."""
    down = np.abs(np.diff(still, axis=0, append=still[-1:])).max(axis=-1)
    right = np.abs(np.diff(still, axis=1, append=still[:, -1:])).max(axis=-1)
    steep = np.maximum(down, right)
    high, wide = steep.shape[0] // 2 * 2, steep.shape[1] // 2 * 2
    blocks = steep[:high, :wide].reshape(high // 2, 2, wide // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def clearness(steep: LabArray, active: BoolMask) -> float:
    """How well single moving things can be separated, 0..1, from texture and the share of the picture that changes."""
    textured = float((steep > STEEP_DIFFERENCE).mean())
    ever = float(active.any(axis=0).mean())
    doubts = [
        (value - low) / (high - low) for value, (low, high) in ((textured, TEXTURED_SHARES), (ever, _STIRRING_SHARES))
    ]
    return float(np.clip(1 - max(doubts[0], min(doubts[1], 2 * doubts[0])), 0.0, 1.0))


def measure_activity(times: npt.NDArray[np.float64], lab: LabArray, stir: LabArray, active: BoolMask) -> Activity:
    """Measure the activity by parts of the picture.

    Args:
        times: float64[frames], seconds.
        lab: float32[frames, height, width, 3], Oklab.
        stir: float32[frames, height / 2, width / 2], dispersion.
        active: bool of the same shape, True where it changes.
    """
    steep = np.stack([steepness(frame) for frame in lab])
    own = active & (stir > _SLIPPING_SHARE * np.maximum(steep, np.median(steep, axis=0)))
    share = np.zeros((len(own), ROWS, COLUMNS), np.float32)
    for row in range(ROWS):
        for column in range(COLUMNS):
            part = own[:, _part_of(own.shape[1], row, ROWS), _part_of(own.shape[2], column, COLUMNS)]
            share[:, row, column] = part.mean(axis=(1, 2))
    return Activity(times, share, active.mean(axis=(1, 2), dtype=np.float32), _colours(lab, own))


def _part_of(size: int, part: int, parts: int) -> slice:
    """The cells of one of several equal parts; at least one cell, also in a picture with fewer cells than parts."""
    first = part * size // parts
    return slice(first, max(first + 1, (part + 1) * size // parts))


def _colours(lab: LabArray, own: BoolMask) -> dict[str, float]:
    counts = np.zeros(len(COLOUR_ANCHORS))
    for frame, mask in zip(lab, own, strict=True):
        pixels = frame[: 2 * mask.shape[0] : 2, : 2 * mask.shape[1] : 2][mask]
        if len(pixels):
            counts += np.bincount(nearest_anchors(pixels), minlength=len(COLOUR_ANCHORS))
    total = max(1.0, float(counts.sum()))
    return {name: float(count) / total for name, count in zip(COLOUR_ANCHORS, counts, strict=True)}
