"""Analysis of consecutive frames: motions, colours, cuts and flashes."""

from typing import NamedTuple

import numpy as np

from aurelia_core.arrays import Images, Mask, Vector, true_runs
from aurelia_core.signals import colours
from aurelia_core.signals.cuts import detect_cuts_and_flashes
from aurelia_core.signals.fades import Fades, detect_fades
from aurelia_core.signals.motion import MAX_PAUSE_SECONDS, detect_motions, is_same_motion, join_motions
from aurelia_core.signals.observation import ColourShare, Motion

_MIN_COLOUR_SHARE = 0.004
"""Least share of the picture of a reported colour."""


class VideoAnalysis(NamedTuple):
    """Motions by start, colours by share, the times of cuts and flashes in seconds, the camera drift, and fades."""

    motions: tuple[Motion, ...]
    colours: tuple[ColourShare, ...]
    cuts: tuple[float, ...]
    flashes: tuple[float, ...]
    camera_drift: float = 0.0
    fades: Fades = Fades((), ())


def analyze_frames(times: Vector, images: Images) -> VideoAnalysis:
    """Analyze consecutive frames of one window.

    Args:
        times: float64[N], seconds, ascending.
        images: uint8[N, H, W, 3] RGB.
    """
    if not len(images):
        return VideoAnalysis((), (), (), ())
    changes = detect_cuts_and_flashes(images)
    calm = ~changes.flash_mask
    edges = [0, *changes.cuts, len(images)]
    motions: list[Motion] = []
    last_time = times[0]
    drift = 0.0
    still: list[Mask] = []
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        inside = np.flatnonzero(calm[first:last]) + first
        shot = detect_motions(times[inside], images[inside])
        drift += shot.camera_drift
        motions = _join_across_cut(motions, shot.motions, last_time, times[inside])
        if len(inside):
            last_time = times[inside][-1]
        still += [shot.activity == 0] * len(inside)
    return VideoAnalysis(
        motions=tuple(sorted(motions, key=lambda motion: motion.start)),
        colours=_colours(images[calm], still),
        cuts=tuple(_cut_time(times, calm, cut) for cut in changes.cuts),
        flashes=_flash_times(times, changes.flash_mask),
        camera_drift=round(drift, 4),
        fades=detect_fades(times, images),
    )


def _join_across_cut(before: list[Motion], after: list[Motion], last_time: float, times: Vector) -> list[Motion]:
    """All motions up to the end of a shot; a motion that lasts until the cut is joined with its continuation."""
    motions = list(before)
    for motion in after:
        starts_at_cut = motion.start <= times[0] + MAX_PAUSE_SECONDS
        earlier = None
        if starts_at_cut:
            until_cut = (other for other in before if other.end >= last_time - MAX_PAUSE_SECONDS)
            earlier = next((other for other in until_cut if is_same_motion(other, motion)), None)
        if earlier is None or earlier not in motions:
            motions.append(motion)
        else:
            motions[motions.index(earlier)] = join_motions(earlier, motion)
    return motions


def _cut_time(times: Vector, calm: Mask, cut: int) -> float:
    """The middle between the last frame before a cut and the first frame after it."""
    before = np.flatnonzero(calm[:cut])
    earlier = times[cut]
    if len(before):
        earlier = times[before[-1]]
    return round(float((earlier + times[cut]) / 2), 3)


def _flash_times(times: Vector, flash_mask: Mask) -> tuple[float, ...]:
    """The time of the first frame of each flash."""
    return tuple(round(float(times[first]), 3) for first, _ in true_runs(flash_mask))


def _colours(images: Images, still: list[Mask]) -> tuple[ColourShare, ...]:
    """The colours of all frames; the background is the most frequent colour in blocks without motion."""
    if not len(images):
        return ()
    found = colours.colour_indices(images[:, ::3, ::3])
    share = np.bincount(found.ravel(), minlength=len(colours.COLOUR_NAMES)) / found.size
    still_pixels = np.zeros(len(colours.COLOUR_NAMES))
    for frame, mask in zip(found, still, strict=True):
        rows = np.minimum(np.arange(frame.shape[0]) * mask.shape[0] // frame.shape[0], mask.shape[0] - 1)
        columns = np.minimum(np.arange(frame.shape[1]) * mask.shape[1] // frame.shape[1], mask.shape[1] - 1)
        still_pixels += np.bincount(frame[mask[np.ix_(rows, columns)]], minlength=len(still_pixels))
    if not still_pixels.any():
        still_pixels = share
    background = int(np.argmax(still_pixels))
    order = [index for index in np.argsort(share)[::-1].tolist() if share[index] >= _MIN_COLOUR_SHARE]
    return tuple(
        ColourShare(colours.COLOUR_NAMES[index], round(float(share[index]), 4), index == background) for index in order
    )
