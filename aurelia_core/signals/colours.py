"""Names of colours: the common name of an RGB value, by its hue, lightness and saturation."""

import numpy as np
import numpy.typing as npt

from aurelia_core.arrays import FloatImages, Images

COLOUR_NAMES = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "magenta", "pink", "brown",
)  # fmt: skip
"""All colour names; `colour_indices` returns positions in this tuple."""

_HUES = ((14.0, "red"), (43.0, "orange"), (70.0, "yellow"), (165.0, "green"), (192.0, "cyan"), (255.0, "blue"),
         (294.0, "purple"), (335.0, "magenta"), (360.0, "red"))  # fmt: skip
"""Upper ends of the hue ranges in degrees, ascending."""


def colour_indices(rgb: Images | FloatImages) -> npt.NDArray[np.int8]:
    """The colours of many pixels as positions in `COLOUR_NAMES`.

    Args:
        rgb: uint8 or float32 [..., 3], 0..255.

    Returns:
        int8 of the leading shape.
    """
    value = np.asarray(rgb, np.float32)
    high = value.max(axis=-1)
    low = value.min(axis=-1)
    spread = high - low
    hue = _hue(value, high, spread)
    bounds = np.array([end for end, _ in _HUES], np.float32)
    labels = np.array([COLOUR_NAMES.index(label) for _, label in _HUES], np.int8)
    named = labels[np.minimum(np.searchsorted(bounds, hue, side="right"), len(labels) - 1)]
    saturation = spread / np.maximum(high, 1.0)
    warm = np.isin(named, [COLOUR_NAMES.index("red"), COLOUR_NAMES.index("orange")])
    rosy = np.isin(named, [COLOUR_NAMES.index("red"), COLOUR_NAMES.index("magenta")])
    named[warm & (named == COLOUR_NAMES.index("orange")) & (high < 165)] = COLOUR_NAMES.index("brown")
    named[warm & (high < 110) & (saturation < 0.72)] = COLOUR_NAMES.index("brown")
    named[rosy & (high > 190) & (low > 85) & (saturation < 0.62)] = COLOUR_NAMES.index("pink")
    grey = (spread < 28) | (saturation < 0.16)
    named[grey] = COLOUR_NAMES.index("grey")
    named[grey & (low > 205)] = COLOUR_NAMES.index("white")
    named[(high < 48) | (grey & (high < 60))] = COLOUR_NAMES.index("black")
    return named


def _hue(value: FloatImages, high: FloatImages, spread: FloatImages) -> FloatImages:
    """Hue in degrees, 0..360."""
    red, green, blue = value[..., 0], value[..., 1], value[..., 2]
    safe = np.maximum(spread, 1e-6)
    hue = np.where(
        high == red,
        (green - blue) / safe % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    degrees: FloatImages = (hue * 60).astype(np.float32)
    return degrees
