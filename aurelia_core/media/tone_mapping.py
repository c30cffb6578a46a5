"""Mapping of HDR (PQ, HLG) and wide colours to the SDR picture in BT.709 that a player shows on an ordinary screen.

The curve is Hable's with 100 cd/m2 as 1 and a peak of 1,000 cd/m2, as with ffmpeg's `zscale=t=linear:npl=100` and
`tonemap=hable:desat=0`. swscale's own mapping assumes a peak of 10,000 cd/m2 and makes faces dark.
"""

from functools import cache
from typing import Any

import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

from aurelia_core.arrays import Images, Vector

_PEAK = 10.0
"""1,000 cd/m2."""
_LUMA_2020 = np.array([0.2627, 0.678, 0.0593], np.float32)
_TO_709 = {
    int(ColorPrimaries.BT2020): np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
    ),
    int(ColorPrimaries.SMPTE432): np.array(
        [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]], np.float32
    ),
}
"""Linear RGB to BT.709, by primaries (ITU-R BT.2087, SMPTE EG 432-1)."""


def needs_mapping(frame: Any) -> bool:
    """Whether a frame is HDR or has wide colours."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67) or int(frame.color_primaries) in _TO_709


def map_to_sdr(codes: Any, frame: Any) -> Images:
    """The SDR image, uint8[height, width, 3], of the RGB codes of a frame, uint16[height, width, 3]."""
    light = _light_table(int(frame.color_trc))[codes]
    if frame.color_trc == ColorTrc.ARIB_STD_B67:
        # The system gamma of a screen with 1,000 cd/m2 (ITU-R BT.2100).
        light = _PEAK * light * np.maximum(light @ _LUMA_2020, 1e-6)[..., None] ** 0.2
    matrix = _TO_709.get(int(frame.color_primaries))
    if matrix is not None:
        light = light @ matrix.T
    light = np.maximum(light, 0.0)
    if frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
        light = light * (_hable(brightest) / _hable(_PEAK) / brightest)
    image: Images = np.round(255.0 * np.clip(light, 0.0, 1.0) ** (1 / 2.4)).astype(np.uint8)
    return image


def _hable(light: Any) -> Any:
    return (light * (0.15 * light + 0.05) + 0.004) / (light * (0.15 * light + 0.5) + 0.06) - 0.02 / 0.3


@cache
def _light_table(transfer: int) -> Vector:
    """Linear light of each 16-bit code, float32[65536]: of 100 cd/m2 for PQ, of the scene for HLG, of white else."""
    code = np.arange(65536) / 65535
    if transfer == ColorTrc.SMPTE2084:
        root = code ** (1 / 78.84375)
        light = 100.0 * (np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    elif transfer == ColorTrc.ARIB_STD_B67:
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    else:
        light = code**2.4
    return np.asarray(light, np.float32)
