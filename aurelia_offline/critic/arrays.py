"""The array types of the critic's measurements."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
"""Samples, spectra and what is computed from them."""
LabArray = npt.NDArray[np.float32]
"""Pictures in Oklab and what is computed from them."""
BoolMask = npt.NDArray[np.bool_]
