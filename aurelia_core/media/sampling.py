"""Which frames a look takes: pure arithmetic on time stamps, no file and no decoder.

Frames are asked for by time and snapped to a grid of a clip's own frames, so that a later question with other windows
finds what an earlier one decoded.
"""

from collections.abc import Sequence

import numpy as np

from aurelia_core.arrays import FrameIndices, Mask, Vector
from aurelia_core.errors import InputError
from aurelia_core.types import Span, Window

GRID_RATE = 12.0
"""Densest grid, frames a second."""
FULL_GRID_SECONDS = 40.0
"""Clips up to this many seconds are kept as one grid."""
FRAME_RANGE_SECONDS = 20.0
"""Longer clips are kept in stretches of this many seconds, decoded where somebody looks closely."""
COARSE_GRID_FRAMES = 480
"""Frames of the grid over the whole of a longer clip."""


def normalize_windows(windows: Sequence[Window], duration: float) -> list[Span]:
    """Windows as (start, end) inside 0..duration, ascending, overlaps merged; none given means the whole clip.

    Raises:
        InputError: a window is empty or lies outside the clip.
    """
    spans: list[Span] = []
    asked = [(window["start"], window["end"]) for window in windows] or [(0.0, duration)]
    for start, end in sorted(asked):
        low, high = max(0.0, float(start)), min(float(end), duration)
        if not low < high:
            raise InputError(f"The window {start:g}..{end:g} s lies outside this clip of {duration:g} s or is empty")
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
        else:
            spans.append((low, high))
    return spans


def spread_times(spans: Sequence[Span], count: int) -> Vector:
    """`count` times spread evenly over spans, in proportion to their lengths, each in the middle of its share."""
    lengths = np.array([end - start for start, end in spans])
    ends = np.cumsum(lengths)
    along = (np.arange(count) + 0.5) * (ends[-1] / count)
    which = np.minimum(np.searchsorted(ends, along, side="right"), len(spans) - 1)
    starts = np.array([start for start, _ in spans])
    return np.asarray(starts[which] + along - (ends - lengths)[which], np.float64)


def grid_indices(times: Vector, start: float, end: float, rate: float) -> FrameIndices:
    """Indices of the frames shown at start, start + 1/rate, ... below end; ascending, each once, at least one."""
    ticks = start + np.arange(max(1, int(np.ceil((end - start) * rate - 1e-6)))) / rate
    # A hair later, so that a tick which falls on a frame's own time takes that frame in spite of rounding.
    shown = np.searchsorted(times, ticks + 1e-4, side="right") - 1
    return np.unique(np.clip(shown, 0, len(times) - 1)).astype(np.int64)


def coarse_grid_indices(times: Vector, keys: Mask, duration: float) -> FrameIndices:
    """The grid over all of a long clip; a key frame within half a step replaces a frame that costs more to decode."""
    rate = min(GRID_RATE, COARSE_GRID_FRAMES / duration)
    chosen = grid_indices(times, 0.0, duration, rate)
    key = np.flatnonzero(keys)
    if not len(key):
        return chosen
    after = np.clip(np.searchsorted(times[key], times[chosen]), 0, len(key) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(times[key[before]] - times[chosen]) < np.abs(times[key[after]] - times[chosen])
    nearest = key[np.where(nearer, before, after)]
    return np.unique(np.where(np.abs(times[nearest] - times[chosen]) <= 0.5 / rate, nearest, chosen)).astype(np.int64)


def pick_frames(times: Vector, spans: Sequence[Span], count: int) -> FrameIndices:
    """Positions in `times` of at most `count` frames spread over spans: in a span, or what is shown in its middle.

    Args:
        times: ascending, seconds, float64[n], n >= 1.
        spans: ascending and disjoint.
        count: at least 1; more than there are gives all of them.

    Returns:
        Ascending positions, each once, int64[1..count].
    """
    inside: FrameIndices = np.unique(np.concatenate([_within(times, low, high) for low, high in spans]))
    if len(inside) <= count:
        return inside
    wanted = spread_times(spans, count)
    right = np.clip(np.searchsorted(times[inside], wanted), 0, len(inside) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(times[inside[left]] - wanted) <= np.abs(times[inside[right]] - wanted)
    chosen = np.unique(np.where(closer, left, right))
    if len(chosen) < count:
        # Two wanted times fell on one frame: spread over ranks instead, which are as even as the grid is.
        chosen = ((np.arange(count) + 0.5) * (len(inside) / count)).astype(np.int64)
    picked: FrameIndices = inside[chosen]
    return picked


def _within(times: Vector, low: float, high: float) -> FrameIndices:
    """Positions in one span; in a span between two frames, the one that is shown in its middle."""
    inside = np.flatnonzero((times >= low - 1e-6) & (times < high))
    if len(inside):
        return inside.astype(np.int64)
    shown = int(np.searchsorted(times, (low + high) / 2, side="right")) - 1
    return np.array([max(shown, 0)], np.int64)
