"""What happens to the picture as a whole: flashes and cuts. What moves inside it is `motion`'s business."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from aurelia_core.arrays import Images, Mask, Vector

_FLASH_LEVELS = 24.0
"""Grey levels of 255 by which a flash outshines the frames around it."""
_PIXEL_CHANGE_LEVELS = 30
"""Levels of 255 in any channel by which a pixel counts as changed."""


class CutsAndFlashes(NamedTuple):
    """Flash frames (bool[N]) and the indices of the first frame after each cut."""

    flash_mask: Mask
    cuts: list[int]


def detect_cuts_and_flashes(images: Images) -> CutsAndFlashes:
    """Find flashes and cuts.

    Args:
        images: uint8[N, H, W, 3] RGB, in the order of time.
    """
    flashing = _flashes(images)
    calm = np.flatnonzero(~flashing)
    cuts = [int(calm[i + 1]) for i in _cuts(images[calm])]
    return CutsAndFlashes(flashing, cuts)


def _flashes(images: Images) -> Mask:
    """One or two frames much brighter than those on both sides, or blank white where neither side is."""
    count = len(images)
    if count < 3:
        return np.zeros(count, bool)
    images = images[:, ::3, ::3]
    light = images.mean(axis=(1, 2, 3), dtype=np.float64)
    blank = (images.min(axis=(1, 2, 3)) > 225) & (images.std(axis=(1, 2, 3)) < 6)
    usual = median_filter(light, size=5, mode="mirror") if count >= 5 else np.full(count, float(np.median(light)))
    rare = median_filter(blank.astype(np.uint8), size=5, mode="mirror") == 0 if count >= 5 else np.zeros(count, bool)
    found: Mask = (light - usual > _FLASH_LEVELS) | (blank & rare)
    for first, last in _spans(found):
        before, after = light[max(0, first - 1)], light[min(count - 1, last)]
        inside = light[first:last].min()
        rises = blank[first:last].all() or inside - max(before, after) > _FLASH_LEVELS
        if last - first > 2 or not rises or found.all():
            found[first:last] = False
    return found


def _spans(mask: Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _cuts(images: Images) -> list[int]:
    """Indices i such that the picture changes for good between frame i and i + 1."""
    if len(images) < 2:
        return []
    small = images[:, ::4, ::4].astype(np.int16)
    changed = (np.abs(np.diff(small, axis=0)).max(axis=-1) > _PIXEL_CHANGE_LEVELS).mean(axis=(1, 2))
    palette = _histograms(small)
    shift = 0.5 * np.abs(np.diff(palette, axis=0)).sum(axis=1)
    found = []
    for i in np.flatnonzero((changed > 0.45) & (shift > 0.25)).tolist():
        around = np.concatenate([changed[max(0, i - 2) : i], changed[i + 1 : i + 3]])
        if not len(around) or changed[i] > 1.8 * np.median(around):
            found.append(i)
    return found


def _histograms(small: npt.NDArray[np.int16]) -> Vector:
    """Share of the pixels in each of 4 x 4 x 4 colour boxes, float64[N, 64]."""
    box = (small // 64) @ np.array([16, 4, 1])
    return np.stack([np.bincount(frame.ravel(), minlength=64) / frame.size for frame in box])
