"""Changes of the whole picture: flashes and cuts."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from aurelia_core.arrays import Images, Mask, Vector, true_runs

_FLASH_LEVELS = 24.0
"""Grey levels of 255 by which a flash is brighter than the frames around it."""
_PIXEL_CHANGE_LEVELS = 30
"""Levels of 255 in any channel by which a pixel counts as changed."""

_MIN_CHANGED_SHARE = 0.45
"""Share of the pixels that change at a cut."""
_CELL_PIXELS = 6
"""Side of a cell, in compared pixels (each stands for 4): a pan between two frames moves little out of it."""
_CELL_CHANGE_LEVELS = 12.0
"""Levels of 255 by which the means of cells change at a cut, on average."""
_MIN_CELL_RATIO = 2.5
"""That change, relative to the largest one of the neighbouring frames."""


class CutsAndFlashes(NamedTuple):
    """Flash frames (bool[N]) and the indices of the first frame after each cut."""

    flash_mask: Mask
    cuts: list[int]


def detect_cuts_and_flashes(images: Images) -> CutsAndFlashes:
    """Find flashes and cuts.

    Args:
        images: uint8[N, H, W, 3] RGB, in the order of time.
    """
    flash_mask = _find_flashes(images)
    others = np.flatnonzero(~flash_mask)
    cuts = [int(others[number + 1]) for number in _find_cuts(images[others])]
    return CutsAndFlashes(flash_mask, cuts)


def _find_flashes(images: Images) -> Mask:
    """One or two frames that are much brighter than the frames on both sides, or blank white between other frames."""
    count = len(images)
    if count < 3:
        return np.zeros(count, bool)
    images = images[:, ::3, ::3]
    brightness = images.mean(axis=(1, 2, 3), dtype=np.float64)
    blank = (images.min(axis=(1, 2, 3)) > 225) & (images.std(axis=(1, 2, 3)) < 6)
    usual = np.full(count, float(np.median(brightness)))
    mostly_other = np.zeros(count, bool)
    if count >= 5:
        usual = median_filter(brightness, size=5, mode="mirror")
        mostly_other = median_filter(blank.astype(np.uint8), size=5, mode="mirror") == 0
    found: Mask = (brightness - usual > _FLASH_LEVELS) | (blank & mostly_other)
    for first, last in true_runs(found):
        around = max(brightness[max(0, first - 1)], brightness[min(count - 1, last)])
        is_brighter = blank[first:last].all() or brightness[first:last].min() - around > _FLASH_LEVELS
        if last - first > 2 or not is_brighter or found.all():
            found[first:last] = False
    return found


def _find_cuts(images: Images) -> list[int]:
    """Indices i of the lasting changes of the picture between frame i and i + 1."""
    if len(images) < 2:
        return []
    small = images[:, ::4, ::4].astype(np.int16)
    changed = (np.abs(np.diff(small, axis=0)).max(axis=-1) > _PIXEL_CHANGE_LEVELS).mean(axis=(1, 2))
    histograms = _histograms(small)
    recoloured = 0.5 * np.abs(np.diff(histograms, axis=0)).sum(axis=1)
    replaced = np.abs(np.diff(cell_means(small), axis=0)).mean(axis=(1, 2, 3))
    cuts = []
    for number in np.flatnonzero(changed > _MIN_CHANGED_SHARE).tolist():
        # Under a moving camera most pixels change all the time, but the means of cells only at a cut.
        is_other_place = replaced[number] > max(_CELL_CHANGE_LEVELS, _MIN_CELL_RATIO * _around(replaced, number).max())
        is_sudden = recoloured[number] > 0.25 and changed[number] > 1.8 * np.median(_around(changed, number))
        if is_other_place or is_sudden:
            cuts.append(number)
    return cuts


def _around(values: Vector, number: int) -> Vector:
    """The two values before and after a place; a zero if there are none."""
    around = np.concatenate([values[max(0, number - 2) : number], values[number + 1 : number + 3]])
    if len(around):
        return around
    return np.zeros(1)


def cell_means(small: npt.NDArray[np.int16]) -> Vector:
    """The mean colour of each cell of a coarse grid, float64[N, rows, columns, 3]."""
    rows = max(1, small.shape[1] // _CELL_PIXELS)
    columns = max(1, small.shape[2] // _CELL_PIXELS)
    high, wide = small.shape[1] // rows, small.shape[2] // columns
    cut = small[:, : rows * high, : columns * wide].reshape(len(small), rows, high, columns, wide, 3)
    means: Vector = cut.mean(axis=(2, 4), dtype=np.float64)
    return means


def _histograms(small: npt.NDArray[np.int16]) -> Vector:
    """Share of the pixels in each of 4 x 4 x 4 colour bins, float64[N, 64]."""
    box = (small // 64) @ np.array([16, 4, 1])
    return np.stack([np.bincount(frame.ravel(), minlength=64) / frame.size for frame in box])
