"""How the picture as a whole shifts from frame to frame, as under a moving camera, so that it is not taken for motion.

Parts of the picture vote: only where most of it is textured and most textured parts agree is a shift believed. On a
plain ground nothing can be said, and whatever moves there is taken to move itself.
"""

import numpy as np
from scipy.ndimage import shift

from aurelia_core.arrays import FloatImages, Images, Mask, Vector

_DOWNSCALE = 2
"""Pixels of the frames per pixel of the pictures that are compared."""
_MAX_SHIFT = 5
"""Largest shift that is tried between two frames, in compared pixels."""
_CELLS = (4, 6)
"""Parts of the picture that vote, rows and columns."""
_MIN_TEXTURE = 4.0
"""Mean difference of neighbouring pixels, in levels of 255, above which a part can tell where it went."""
_MAJORITY_SHARE = 0.6
_MIN_SHIFT = 0.25
"""Pixels of the frames: a smaller shift changes no block of the picture."""


def estimate_camera_shifts(images: Images) -> Vector:
    """The shift of each frame against the one before.

    Args:
        images: uint8[N, H, W, 3] RGB.

    Returns:
        float64[N - 1, 2], pixels down and to the right; zero where no common shift is found.
    """
    found = np.zeros((max(0, len(images) - 1), 2))
    if not len(found) or min(images.shape[1:3]) < 16 * _DOWNSCALE:
        return found
    grey = _halved(images)
    for pair in range(len(found)):
        if not np.array_equal(grey[pair], grey[pair + 1]):
            found[pair] = _between(grey[pair], grey[pair + 1])
    found[np.hypot(found[:, 0], found[:, 1]) < _MIN_SHIFT] = 0.0
    return found


def shift_image(image: Images, by: Vector) -> FloatImages:
    """A frame shifted by pixels down and to the right, float32[H, W, 3]; what comes in from outside is the edge's."""
    shifted: FloatImages = shift(image.astype(np.float32), (by[0], by[1], 0.0), order=1, mode="nearest")
    return shifted


def _halved(images: Images) -> FloatImages:
    rows, columns = images.shape[1] // _DOWNSCALE * _DOWNSCALE, images.shape[2] // _DOWNSCALE * _DOWNSCALE
    cut = images[:, :rows, :columns].mean(axis=-1, dtype=np.float32)
    blocks: FloatImages = cut.reshape(len(cut), rows // _DOWNSCALE, _DOWNSCALE, columns // _DOWNSCALE, _DOWNSCALE).mean(
        axis=(2, 4)
    )
    return blocks


def _by_cells(values: FloatImages) -> FloatImages:
    """The mean of each voting part, float32[rows * columns of CELLS]."""
    high, wide = values.shape[0] // _CELLS[0], values.shape[1] // _CELLS[1]
    cut = values[: high * _CELLS[0], : wide * _CELLS[1]]
    cells: FloatImages = cut.reshape(_CELLS[0], high, _CELLS[1], wide).mean(axis=(1, 3)).ravel()
    return cells


def is_textured(images: Images) -> bool:
    """Whether most parts of the picture are textured, as in filmed pictures; judged by the middle frame."""
    if not len(images) or min(images.shape[1:3]) < 16 * _DOWNSCALE:
        return False
    middle = len(images) // 2
    return bool(_textured(_halved(images[middle : middle + 1])[0]).mean() >= _MAJORITY_SHARE)


def _textured(grey: FloatImages) -> Mask:
    """Which parts of the picture can tell where they went."""
    slope = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    return np.asarray(_by_cells(slope) > _MIN_TEXTURE, dtype=bool)


def _between(before: FloatImages, after: FloatImages) -> tuple[float, float]:
    inner = after[_MAX_SHIFT:-_MAX_SHIFT, _MAX_SHIFT:-_MAX_SHIFT]
    textured = _textured(inner)
    if textured.mean() < _MAJORITY_SHARE:
        return 0.0, 0.0
    size = 2 * _MAX_SHIFT + 1
    cost = np.empty((size, size, _CELLS[0] * _CELLS[1]), np.float32)
    for down in range(size):
        for right in range(size):
            rows = slice(2 * _MAX_SHIFT - down, before.shape[0] - down)
            columns = slice(2 * _MAX_SHIFT - right, before.shape[1] - right)
            cost[down, right] = _by_cells(np.abs(inner - before[rows, columns]))
    best = np.stack(np.unravel_index(cost.reshape(-1, cost.shape[2]).argmin(axis=0), (size, size)), axis=1)
    middle = np.median(best[textured], axis=0)
    agrees = textured & (np.abs(best - middle).max(axis=1) <= 1)
    if agrees.sum() < _MAJORITY_SHARE * textured.sum():
        return 0.0, 0.0
    common = cost[:, :, agrees].mean(axis=2)
    down, right = (int(i) for i in np.unravel_index(int(common.argmin()), common.shape))
    return (
        _DOWNSCALE * (down - _MAX_SHIFT + _between_steps(common[:, right], down)),
        _DOWNSCALE * (right - _MAX_SHIFT + _between_steps(common[down], right)),
    )


def _between_steps(cost: FloatImages, at: int) -> float:
    """Where between the steps the least cost lies, -0.5..0.5: absolute differences fall and rise in straight lines."""
    if not 0 < at < len(cost) - 1:
        return 0.0
    before, here, after = (float(c) for c in cost[at - 1 : at + 2])
    steep = max(before, after) - here
    return float(np.clip((before - after) / (2 * steep), -0.5, 0.5)) if steep > 1e-6 else 0.0
