"""What is seen in a run of frames: motion, colours, cuts and flashes, put together from `shots` and `motion`."""

from typing import NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Mask, Vector
from aurelia_core.signals import colours
from aurelia_core.signals.cuts import detect_cuts_and_flashes
from aurelia_core.signals.motion import MAX_PAUSE_SECONDS, detect_motions, is_same_motion, join_motions
from aurelia_core.signals.observation import ColourShare, Motion

_MIN_COLOUR_SHARE = 0.004
"""A colour that covers less of the picture is not reported."""


class VideoAnalysis(NamedTuple):
    """Motions by start, colours by share, the times of cuts and of flashes in seconds, and the picture's drift."""

    motions: tuple[Motion, ...]
    colours: tuple[ColourShare, ...]
    cuts: tuple[float, ...]
    flashes: tuple[float, ...]
    camera_drift: float = 0.0


def analyze_frames(times: Vector, images: Images) -> VideoAnalysis:
    """What changes and what stays in one run of frames.

    Args:
        times: float64[N], seconds, ascending.
        images: uint8[N, H, W, 3] RGB.
    """
    if not len(images):
        return VideoAnalysis((), (), (), ())
    whole = detect_cuts_and_flashes(images)
    calm = ~whole.flash_mask
    edges = [0, *whole.cuts, len(images)]
    motions: list[Motion] = []
    last_seen = times[0]
    drift = 0.0
    still: list[Mask] = []
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        inside = np.flatnonzero(calm[first:last]) + first
        part = detect_motions(times[inside], images[inside])
        drift += part.camera_drift
        motions = _across(motions, part.motions, last_seen, times[inside])
        last_seen = times[inside][-1] if len(inside) else last_seen
        still += [part.activity == 0] * len(inside)
    return VideoAnalysis(
        motions=tuple(sorted(motions, key=lambda m: m.start)),
        colours=_colours(images[calm], still),
        cuts=tuple(_between(times, calm, cut) for cut in whole.cuts),
        flashes=_flash_times(times, whole.flash_mask),
        camera_drift=round(drift, 4),
    )


def _across(before: list[Motion], after: list[Motion], last: float, times: Vector) -> list[Motion]:
    """All motions so far; one that lasts until a cut is joined with one in its place that goes on after it."""
    found = list(before)
    for motion in after:
        starts = motion.start <= times[0] + MAX_PAUSE_SECONDS
        cut = next(
            (m for m in before if starts and m.end >= last - MAX_PAUSE_SECONDS and is_same_motion(m, motion)), None
        )
        if cut is None or cut not in found:
            found.append(motion)
        else:
            found[found.index(cut)] = join_motions(cut, motion)
    return found


def _between(times: Vector, calm: Mask, cut: int) -> float:
    """The middle between the last frame before a cut and the first after it."""
    before = np.flatnonzero(calm[:cut])
    earlier = times[before[-1]] if len(before) else times[cut]
    return round(float((earlier + times[cut]) / 2), 3)


def _flash_times(times: Vector, flashing: Mask) -> tuple[float, ...]:
    """The time of the first frame of each flash."""
    first = flashing & ~np.concatenate([[False], flashing[:-1]])
    return tuple(round(float(time), 3) for time in times[first])


def _colours(images: Images, still: list[Mask]) -> tuple[ColourShare, ...]:
    """The colours of the picture over all frames; the background is the widest where nothing moves."""
    if not len(images):
        return ()
    small = images[:, ::3, ::3]
    found = colours.colour_indices(small)
    share = np.bincount(found.ravel(), minlength=len(colours.COLOUR_NAMES)) / found.size
    quiet = np.zeros(len(colours.COLOUR_NAMES))
    for frame, calm in zip(found, still, strict=True):
        rows = np.minimum(np.arange(frame.shape[0]) * calm.shape[0] // frame.shape[0], calm.shape[0] - 1)
        columns = np.minimum(np.arange(frame.shape[1]) * calm.shape[1] // frame.shape[1], calm.shape[1] - 1)
        quiet += np.bincount(frame[calm[np.ix_(rows, columns)]], minlength=len(quiet))
    widest = int(np.argmax(quiet)) if quiet.any() else int(np.argmax(share))
    order = [int(i) for i in np.argsort(share)[::-1] if share[i] >= _MIN_COLOUR_SHARE]
    return tuple(ColourShare(colours.COLOUR_NAMES[i], round(float(share[i]), 4), i == widest) for i in order)
