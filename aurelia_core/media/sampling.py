"""Choice of frames: arithmetic on time stamps, without a file or a decoder.

Frames are requested by time and snapped to a fixed grid of the clip's frames. So a later request with other windows
finds frames that an earlier request decoded.
"""

from collections.abc import Sequence

import numpy as np

from aurelia_core.arrays import FrameIndices, Mask, Vector
from aurelia_core.errors import InputError
from aurelia_core.types import Span, Window

GRID_RATE = 12.0
"""Rate of the densest grid, frames a second."""
FULL_GRID_SECONDS = 40.0
"""Clips up to this length have one grid."""
FRAME_RANGE_SECONDS = 20.0
"""Longer clips have fine grids of this length, decoded where a request needs them."""
COARSE_GRID_FRAMES = 480
"""Frames of the coarse grid over a longer clip."""


def normalize_windows(windows: Sequence[Window], duration: float) -> list[Span]:
    """Windows as spans inside 0..duration, ascending, overlaps merged; no windows mean the whole clip.

    Raises:
        InputError: a window is empty or lies outside the clip.
    """
    spans: list[Span] = []
    requested = [(window["start"], window["end"]) for window in windows] or [(0.0, duration)]
    for start, end in sorted(requested):
        low = max(0.0, float(start))
        high = min(float(end), duration)
        if not low < high:
            raise InputError(f"The window {start:g}..{end:g} s lies outside this clip of {duration:g} s or is empty")
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
        else:
            spans.append((low, high))
    return spans


def spread_times(spans: Sequence[Span], count: int, shift: float = 0.0) -> Vector:
    """`count` times at equal distances over the spans as if these were joined, each in the middle of its interval.

    `shift` (0 up to below 1, in intervals) moves them all inside their intervals, round its end.
    """
    lengths = np.array([end - start for start, end in spans])
    ends = np.cumsum(lengths)
    offsets = (np.arange(count) + (0.5 + shift) % 1.0) * (ends[-1] / count)
    numbers = np.minimum(np.searchsorted(ends, offsets, side="right"), len(spans) - 1)
    starts = np.array([start for start, _ in spans])
    return np.asarray(starts[numbers] + offsets - (ends - lengths)[numbers], np.float64)


def grid_indices(times: Vector, start: float, end: float, rate: float) -> FrameIndices:
    """Indices of the frames shown at start, start + 1/rate, ... below end: ascending, unique, at least one."""
    ticks = start + np.arange(max(1, int(np.ceil((end - start) * rate - 1e-6)))) / rate
    # A little later: a tick at the time of a frame must find this frame in spite of rounding.
    shown = np.searchsorted(times, ticks + 1e-4, side="right") - 1
    return np.unique(np.clip(shown, 0, len(times) - 1)).astype(np.int64)


def coarse_grid_indices(times: Vector, keys: Mask, duration: float) -> FrameIndices:
    """The grid over a long clip. A key frame within half a step is preferred: it is the cheapest to decode."""
    rate = min(GRID_RATE, COARSE_GRID_FRAMES / duration)
    chosen = grid_indices(times, 0.0, duration, rate)
    key = np.flatnonzero(keys)
    if not len(key):
        return chosen
    after = np.clip(np.searchsorted(times[key], times[chosen]), 0, len(key) - 1)
    before = np.maximum(after - 1, 0)
    before_is_nearer = np.abs(times[key[before]] - times[chosen]) < np.abs(times[key[after]] - times[chosen])
    nearest = key[np.where(before_is_nearer, before, after)]
    return np.unique(np.where(np.abs(times[nearest] - times[chosen]) <= 0.5 / rate, nearest, chosen)).astype(np.int64)


def pick_frames(times: Vector, spans: Sequence[Span], count: int, shift: float = 0.0) -> FrameIndices:
    """Positions in `times` of at most `count` frames, spread over the spans.

    A span without a frame gives the frame that is shown in its middle.

    Args:
        times: ascending, seconds, float64[n], n >= 1.
        spans: ascending and disjoint.
        count: at least 1; with fewer frames in the spans all are taken.
        shift: see `spread_times`.

    Returns:
        Ascending unique positions, int64[1..count].
    """
    inside: FrameIndices = np.unique(np.concatenate([_within(times, low, high) for low, high in spans]))
    if len(inside) <= count:
        return inside
    wanted = spread_times(spans, count, shift)
    after = np.clip(np.searchsorted(times[inside], wanted), 0, len(inside) - 1)
    before = np.maximum(after - 1, 0)
    before_is_nearer = np.abs(times[inside[before]] - wanted) <= np.abs(times[inside[after]] - wanted)
    chosen = np.unique(np.where(before_is_nearer, before, after))
    if len(chosen) < count:
        # Two times have the same nearest frame: take frames at equal distances in number.
        chosen = ((np.arange(count) + (0.5 + shift) % 1.0) * (len(inside) / count)).astype(np.int64)
    picked: FrameIndices = inside[chosen]
    return picked


def _within(times: Vector, low: float, high: float) -> FrameIndices:
    """Positions in one span; without a frame in it, the frame that is shown in its middle."""
    inside = np.flatnonzero((times >= low - 1e-6) & (times < high))
    if len(inside):
        return inside.astype(np.int64)
    shown = int(np.searchsorted(times, (low + high) / 2, side="right")) - 1
    return np.array([max(shown, 0)], np.int64)
