"""Types of the arrays for pictures and sound, and the runs in a mask.

Imports numpy only: a decoding child process loads this module.
"""

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
"""RGB pictures, 0..255: [N, height, width, 3], or one picture without the first axis."""
FloatImages = npt.NDArray[np.float32]
"""Pictures as levels of 0..255 with fractions, with or without the colour axis."""
Mask = npt.NDArray[np.bool_]
"""One flag for each frame, pixel or block."""
Vector = npt.NDArray[np.float64]
"""Times, levels or other measured numbers."""
Samples = npt.NDArray[np.float32]
"""Mono sound, -1..1: [n]."""
FrameIndices = npt.NDArray[np.int64]
"""Positions of frames in a clip, ascending."""


def true_runs(mask: Mask) -> list[tuple[int, int]]:
    """The runs of True in a one-dimensional mask as (first, last + 1)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
