"""The picture as a few thousand blocks, and which of them differ from one frame to the next."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from aurelia_core.signals.camera_motion import shift_image

Images = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_BLOCK_ROWS = 60
"""Rows of the picture on which motion is measured."""
BLOCK_CHANGE_LEVELS = 22.0
"""Levels of 255 in any channel above which a block counts as changed; codec noise stays below."""
_EDGE_TOLERANCE = 0.3
"""Share of the local range of levels that a block must differ by besides, in a picture that drifts."""


def block_means(images: Images | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Block means, about `ROWS` rows high: what a codec adds to single pixels averages out."""
    block = max(1, images.shape[1] // _BLOCK_ROWS)
    rows, columns = images.shape[1] // block, images.shape[2] // block
    cut = images[:, : rows * block, : columns * block]
    shape = (len(images), rows, block, columns, block, 3)
    small: npt.NDArray[np.float32] = cut.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
    return small


def detect_changed_blocks(small: npt.NDArray[np.float32], images: Images, drift: npt.NDArray[np.float64]) -> Mask:
    """Blocks that differ from the frame before, bool[N - 1, rows, columns].

    Where the picture as a whole has shifted, the earlier frame is shifted after it, and edges, which no shift brings
    together exactly, have to differ by more.
    """
    masks: Mask = np.abs(np.diff(small, axis=0)).max(axis=-1) > BLOCK_CHANGE_LEVELS
    for pair in np.flatnonzero(drift.any(axis=1)).tolist():
        before = block_means(shift_image(images[pair], drift[pair])[None])[0]
        steep = _steepness(small[pair + 1])
        masks[pair] = np.abs(small[pair + 1] - before).max(axis=-1) > BLOCK_CHANGE_LEVELS + _EDGE_TOLERANCE * steep
    return masks


def _steepness(frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Range of levels in the 3 x 3 blocks around each block, float32[rows, columns]."""
    high = ndimage.maximum_filter(frame, size=(3, 3, 1))
    low = ndimage.minimum_filter(frame, size=(3, 3, 1))
    steep: npt.NDArray[np.float32] = (high - low).max(axis=-1)
    return steep
