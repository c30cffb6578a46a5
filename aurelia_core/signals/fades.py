"""Fades of the whole picture to black and out of black."""

from typing import NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Vector
from aurelia_core.signals.cuts import cell_means
from aurelia_core.types import Span

_BLACK_LEVELS = 14.0
"""Mean level of 255 below which the picture is black."""
_BRIGHT_LEVELS = 30.0
"""Least mean level at the other end of a fade."""
_MIN_SECONDS = 0.25
_MAX_STEP_SHARE = 0.6
"""Largest share of a fade between two frames; more is a cut."""
_MAX_RESIDUAL = 0.2
"""Largest difference between the half faded picture and the picture itself, darkened, as a share of its level."""


class Fades(NamedTuple):
    """The time spans, in seconds, in which the picture fades to black, and out of black."""

    to_black: tuple[Span, ...]
    from_black: tuple[Span, ...]


def detect_fades(times: Vector, images: Images) -> Fades:
    """Find fades.

    Args:
        times: float64[N], seconds, ascending.
        images: uint8[N, H, W, 3] RGB.
    """
    if len(images) < 3:
        return Fades((), ())
    cells = cell_means(images[:, ::4, ::4].astype(np.int16))
    end = float(times[-1])
    mirrored = _to_black(end - times[::-1], cells[::-1])
    return Fades(
        tuple((round(first, 3), round(last, 3)) for first, last in _to_black(times, cells)),
        tuple((round(end - last, 3), round(end - first, 3)) for first, last in reversed(mirrored)),
    )


def _to_black(times: Vector, cells: Vector) -> list[Span]:
    """The spans in which the picture darkens steadily and as a whole until it is black."""
    level = cells.mean(axis=(1, 2, 3))
    found: list[Span] = []
    for last in np.flatnonzero((level[1:] < _BLACK_LEVELS) & (level[:-1] >= _BLACK_LEVELS)) + 1:
        first = int(last)
        while first and level[first - 1] > level[first] + 0.5:
            first -= 1
        steps = -np.diff(level[first : last + 1])
        if times[last] - times[first] < _MIN_SECONDS or level[first] < _BRIGHT_LEVELS:
            continue
        middle = first + int(np.abs(level[first : last + 1] - level[first] / 2).argmin())
        residual = np.abs(cells[middle] - cells[first] * level[middle] / level[first]).mean() / level[first]
        if steps.max() < _MAX_STEP_SHARE * level[first] and residual < _MAX_RESIDUAL:
            found.append((float(times[first]), float(times[last])))
    return found
