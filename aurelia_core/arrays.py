"""Names for the arrays that pictures and sound are stored in.

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
