"""The critic's colour names: nearest anchors in Oklab (Ottosson 2020), with a second name if two are close."""

import numpy as np
import numpy.typing as npt

from aurelia_offline.critic.arrays import LabArray

COLOUR_ANCHORS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "black": ((0, 0, 0), (22, 22, 22)),
    "white": ((255, 255, 255), (235, 235, 235)),
    "grey": ((128, 128, 128), (85, 85, 85), (185, 185, 185)),
    "red": ((220, 20, 20), (255, 40, 40), (150, 10, 15)),
    "green": ((20, 170, 40), (0, 255, 0), (0, 100, 0), (110, 160, 60)),
    "blue": ((30, 60, 220), (0, 0, 140), (70, 130, 230), (130, 180, 235)),
    "yellow": ((245, 225, 30), (255, 255, 0), (250, 240, 130)),
    "orange": ((250, 140, 20), (255, 165, 0), (230, 110, 10)),
    "purple": ((128, 30, 160), (90, 20, 130), (150, 90, 210)),
    "cyan": ((20, 215, 225), (0, 255, 255), (0, 150, 160)),
    "magenta": ((235, 30, 200), (255, 0, 255), (200, 0, 140)),
    "pink": ((255, 182, 193), (250, 140, 180)),
    "brown": ((120, 70, 30), (90, 50, 20), (150, 100, 60)),
}
_ADDED_LIGHT = 0.01
_CUBE_ROOT_SPAN = (1 + _ADDED_LIGHT) ** (1 / 3) - _ADDED_LIGHT ** (1 / 3)
_DARKEST_HUE = 0.1
"""Oklab lightness below which a colour counts as black."""

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]], np.float32)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]], np.float32)  # fmt: skip
_SRGB_CODES = np.arange(256) / 255.0
_LINEAR_LIGHT = np.where(_SRGB_CODES <= 0.04045, _SRGB_CODES / 12.92, ((_SRGB_CODES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def oklab(rgb: npt.NDArray[np.uint8]) -> LabArray:
    """Oklab (L 0..1, a, b about -0.4..0.4), float32[..., 3], of sRGB bytes uint8[..., 3].

    A little light is added first; otherwise the cube root turns noise in a dark picture into large differences.
    """
    lms = np.cbrt(_LINEAR_LIGHT[rgb] @ _TO_LMS.T + _ADDED_LIGHT) - _ADDED_LIGHT ** (1 / 3)
    return np.asarray(lms / _CUBE_ROOT_SPAN @ _TO_LAB.T, dtype=np.float32)


_ANCHOR_NAMES = tuple(name for name, anchors in COLOUR_ANCHORS.items() for _ in anchors)
_ANCHOR_POINTS = oklab(np.array([anchor for anchors in COLOUR_ANCHORS.values() for anchor in anchors], np.uint8))


def nearest_anchors(lab: LabArray) -> npt.NDArray[np.int_]:
    """For Oklab colours float32[..., 3], the index of each colour's name in `COLOUR_ANCHORS`, int[...]."""
    flat = lab.reshape(-1, 3)
    distance = np.zeros((len(flat), len(_ANCHOR_POINTS)), np.float32)
    for axis, scale in enumerate(np.array([0.7, 1.4, 1.4], np.float32)):
        distance += (flat[:, axis, None] * scale - _ANCHOR_POINTS[:, axis] * scale) ** 2
    order = {name: index for index, name in enumerate(COLOUR_ANCHORS)}
    owner = np.array([order[name] for name in _ANCHOR_NAMES])
    found = owner[distance.argmin(axis=1)]
    found[flat[:, 0] < _DARKEST_HUE] = order["black"]
    return np.asarray(found.reshape(lab.shape[:-1]), dtype=np.int_)


def likely_names(lab: LabArray) -> tuple[str, ...]:
    """The name of one Oklab colour float32[3], followed by other names that are almost as close."""
    scale = np.array([0.7, 1.4, 1.4], np.float32)
    distance = np.sqrt((((_ANCHOR_POINTS - lab) * scale) ** 2).sum(axis=1))
    best: dict[str, float] = {}
    for name, value in zip(_ANCHOR_NAMES, distance, strict=True):
        best[name] = min(best.get(name, np.inf), float(value))
    ranked = sorted(best, key=best.__getitem__)
    return tuple(name for name in ranked if best[name] < 1.35 * best[ranked[0]] + 0.012)
