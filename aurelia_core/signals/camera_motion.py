"""The shift of the whole picture between frames, as with a moving camera, so that it does not count as motion.

The cells of a grid over the picture vote. A shift is accepted if most cells are textured and most textured cells agree.
On a plain background no shift is found, and every change counts as motion of an object.
"""

import numpy as np
from scipy.ndimage import shift

from aurelia_core.arrays import FloatImages, Images, Mask, Vector

_DOWNSCALE = 2
"""Pixels of a frame per compared pixel."""
_MAX_SHIFT = 5
"""Largest shift between two frames that is tried, in compared pixels."""
_CELLS = (4, 6)
"""The grid of voting cells, rows and columns."""
_MIN_TEXTURE = 4.0
"""Mean difference of neighbouring pixels, in levels of 255, above which a cell is textured enough to vote."""
_MAJORITY_SHARE = 0.6
_MIN_SHIFT = 0.25
"""In pixels of the frames: a smaller shift changes no block of the picture."""


def estimate_camera_shifts(images: Images) -> Vector:
    """The shift of each frame relative to the frame before.

    Args:
        images: uint8[N, H, W, 3] RGB.

    Returns:
        float64[N - 1, 2], pixels down and to the right; zero where no common shift is found.
    """
    found = np.zeros((max(0, len(images) - 1), 2))
    if not len(found) or min(images.shape[1:3]) < 16 * _DOWNSCALE:
        return found
    grey = _downscaled_grey(images)
    for pair in range(len(found)):
        if not np.array_equal(grey[pair], grey[pair + 1]):
            found[pair] = _shift_between(grey[pair], grey[pair + 1])
    found[np.hypot(found[:, 0], found[:, 1]) < _MIN_SHIFT] = 0.0
    return found


def shift_image(image: Images, by: Vector) -> FloatImages:
    """A frame shifted by pixels down and to the right, float32[H, W, 3]; uncovered pixels repeat the edge."""
    shifted: FloatImages = shift(image.astype(np.float32), (by[0], by[1], 0.0), order=1, mode="nearest")
    return shifted


def _downscaled_grey(images: Images) -> FloatImages:
    rows = images.shape[1] // _DOWNSCALE * _DOWNSCALE
    columns = images.shape[2] // _DOWNSCALE * _DOWNSCALE
    cut = images[:, :rows, :columns].mean(axis=-1, dtype=np.float32)
    blocks: FloatImages = cut.reshape(len(cut), rows // _DOWNSCALE, _DOWNSCALE, columns // _DOWNSCALE, _DOWNSCALE).mean(
        axis=(2, 4)
    )
    return blocks


def _cell_means(values: FloatImages) -> FloatImages:
    """The mean of each voting cell, float32[cells]."""
    height = values.shape[0] // _CELLS[0]
    width = values.shape[1] // _CELLS[1]
    cut = values[: height * _CELLS[0], : width * _CELLS[1]]
    cells: FloatImages = cut.reshape(_CELLS[0], height, _CELLS[1], width).mean(axis=(1, 3)).ravel()
    return cells


def is_textured(images: Images) -> bool:
    """Whether most cells of the middle frame are textured, as in a filmed picture."""
    if not len(images) or min(images.shape[1:3]) < 16 * _DOWNSCALE:
        return False
    middle = len(images) // 2
    return bool(_textured_cells(_downscaled_grey(images[middle : middle + 1])[0]).mean() >= _MAJORITY_SHARE)


def _textured_cells(grey: FloatImages) -> Mask:
    """The cells with enough texture to vote."""
    slope = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    return np.asarray(_cell_means(slope) > _MIN_TEXTURE, dtype=bool)


def _shift_between(before: FloatImages, after: FloatImages) -> tuple[float, float]:
    """The common shift of two frames in frame pixels, down and to the right; (0, 0) if the cells do not agree."""
    inner = after[_MAX_SHIFT:-_MAX_SHIFT, _MAX_SHIFT:-_MAX_SHIFT]
    textured = _textured_cells(inner)
    if textured.mean() < _MAJORITY_SHARE:
        return 0.0, 0.0
    size = 2 * _MAX_SHIFT + 1
    cost = np.empty((size, size, _CELLS[0] * _CELLS[1]), np.float32)
    for down in range(size):
        for right in range(size):
            rows = slice(2 * _MAX_SHIFT - down, before.shape[0] - down)
            columns = slice(2 * _MAX_SHIFT - right, before.shape[1] - right)
            cost[down, right] = _cell_means(np.abs(inner - before[rows, columns]))
    best = np.stack(np.unravel_index(cost.reshape(-1, cost.shape[2]).argmin(axis=0), (size, size)), axis=1)
    median = np.median(best[textured], axis=0)
    agrees = textured & (np.abs(best - median).max(axis=1) <= 1)
    if agrees.sum() < _MAJORITY_SHARE * textured.sum():
        return 0.0, 0.0
    common = cost[:, :, agrees].mean(axis=2)
    down, right = (int(i) for i in np.unravel_index(int(common.argmin()), common.shape))
    return (
        _DOWNSCALE * (down - _MAX_SHIFT + _subpixel_offset(common[:, right], down)),
        _DOWNSCALE * (right - _MAX_SHIFT + _subpixel_offset(common[down], right)),
    )


def _subpixel_offset(cost: FloatImages, at: int) -> float:
    """The offset of the least cost from step `at`, -0.5..0.5. Sums of absolute differences are linear on both sides."""
    if not 0 < at < len(cost) - 1:
        return 0.0
    before, here, after = (float(value) for value in cost[at - 1 : at + 2])
    slope = max(before, after) - here
    if slope <= 1e-6:
        return 0.0
    return float(np.clip((before - after) / (2 * slope), -0.5, 0.5))
