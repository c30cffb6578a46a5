"""Motion in one shot: regions that change between frames, tracked over time, with position, extent and colour.

The frames belong to one shot and one window and contain no flash. Regions are tracked; objects are not recognized.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from aurelia_core.arrays import FloatImages, Images, Mask, Vector
from aurelia_core.signals import colours
from aurelia_core.signals.camera_motion import estimate_camera_shifts, is_textured, shift_image
from aurelia_core.signals.observation import Motion
from aurelia_core.types import Span

_BLOCK_ROWS = 60
"""Rows of blocks in which motion is measured."""
_BLOCK_CHANGE_LEVELS = 22.0
"""Levels of 255 in any channel above which a block counts as changed; codec noise stays below."""
_EDGE_TOLERANCE = 0.3
"""Further difference that a block needs in a shifting picture, as a share of the local range of levels."""
_JOIN_REACH = 0.035
"""Distance, as a fraction of the height, within which changed blocks form one region."""
_MIN_REGION_SHARE = 0.0008
"""Share of the picture below which a region counts as noise."""
MAX_PAUSE_SECONDS = 0.17
"""Longest pause inside a motion, seconds: a bouncing thing stands still at its turning points."""
_MAX_MOTIONS = 12
_COLOUR_DISTANCE = 0.8
"""Fraction of the largest difference from the background from which a pixel counts for a motion's colour."""
_COLOUR_DISTANCE_IN_FILM = 0.4
"""The same in a textured picture, where the largest differences occur at edges only."""
_FILM_MIN_EXTENT = 0.01
"""Least extent of a motion in a filmed picture, as a share of the picture."""
_FILM_MIN_SHARE = 0.15
"""Least extent of a motion in a filmed picture, as a share of the widest motion's extent."""


class ShotMotion(NamedTuple):
    """The motions of one shot, the share of frames in which each block changed, and the camera drift.

    `activity` is float64[rows, columns], 0..1. The drift is the path of the whole picture, as with a moving camera, as
    a fraction of its height.
    """

    motions: list[Motion]
    activity: Vector
    camera_drift: float = 0.0


@dataclass(eq=False)
class _Track:
    """One region, tracked over pairs of frames."""

    pairs: list[int] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)


def detect_motions(times: Vector, images: Images) -> ShotMotion:
    """The motions inside one shot.

    Args:
        times: float64[N], seconds, ascending.
        images: uint8[N, H, W, 3] RGB.
    """
    blocks = block_means(images, _BLOCK_ROWS)
    if len(blocks) < 2:
        return ShotMotion([], np.zeros(blocks.shape[1:3]))
    shifts = estimate_camera_shifts(images)
    masks = _changed_blocks(blocks, images, shifts)
    tracks = _join_edges(_join_runs(_track_regions(masks, times), blocks, times), blocks, times)
    colour_distance = _COLOUR_DISTANCE
    if shifts.any():
        colour_distance = _COLOUR_DISTANCE_IN_FILM
    found = [_motion(track, times, blocks, colour_distance) for track in tracks]
    widest = max((motion.extent for motion in found), default=0.0)
    least = min(0.006, 0.02 * widest)
    if shifts.any() or is_textured(images):
        least = max(_FILM_MIN_EXTENT, _FILM_MIN_SHARE * widest)
    clear = [motion for motion in found if motion.extent >= least]
    motions = sorted(clear, key=lambda motion: -motion.extent * (motion.end - motion.start))[:_MAX_MOTIONS]
    drift = float(np.hypot(shifts[:, 0], shifts[:, 1]).sum()) / images.shape[1]
    return ShotMotion(sorted(motions, key=lambda motion: motion.start), masks.mean(axis=0), drift)


def is_same_motion(first: Motion, second: Motion) -> bool:
    """Whether two motions can be parts of one motion: at one position and not of different colours."""
    near = np.hypot(first.x - second.x, first.y - second.y) < 0.12
    return bool(near) and (first.colour is None or second.colour is None or first.colour == second.colour)


def join_motions(first: Motion, second: Motion) -> Motion:
    """Two parts of one motion as one; the position is the mean, weighted by time and extent."""
    weights = [max(part.end - part.start, 0.01) * max(part.extent, 1e-4) for part in (first, second)]
    return Motion(
        start=min(first.start, second.start),
        end=max(first.end, second.end),
        x=round(float(np.average([first.x, second.x], weights=weights)), 3),
        y=round(float(np.average([first.y, second.y], weights=weights)), 3),
        extent=max(first.extent, second.extent),
        colour=first.colour or second.colour,
        confidence=max(first.confidence, second.confidence),
    )


def block_means(images: Images | FloatImages, about_rows: int) -> FloatImages:
    """The mean colour of each square block, float32[N, about so many rows, columns, 3]; codec noise averages out."""
    block = max(1, images.shape[1] // about_rows)
    rows = images.shape[1] // block
    columns = images.shape[2] // block
    cut = images[:, : rows * block, : columns * block]
    shape = (len(images), rows, block, columns, block, 3)
    means: FloatImages = cut.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
    return means


def _changed_blocks(blocks: FloatImages, images: Images, shifts: Vector) -> Mask:
    """Blocks that differ from the frame before, bool[N - 1, rows, columns].

    If the whole picture has shifted, the earlier frame is shifted as well. Edges must then differ by more, because they
    never match exactly.
    """
    masks: Mask = np.abs(np.diff(blocks, axis=0)).max(axis=-1) > _BLOCK_CHANGE_LEVELS
    for pair in np.flatnonzero(shifts.any(axis=1)).tolist():
        before = block_means(shift_image(images[pair], shifts[pair])[None], _BLOCK_ROWS)[0]
        least = _BLOCK_CHANGE_LEVELS + _EDGE_TOLERANCE * _local_range(blocks[pair + 1])
        masks[pair] = np.abs(blocks[pair + 1] - before).max(axis=-1) > least
    return masks


def _local_range(frame: FloatImages) -> FloatImages:
    """Range of levels in the 3 x 3 blocks around each block, float32[rows, columns]."""
    high = ndimage.maximum_filter(frame, size=(3, 3, 1))
    low = ndimage.minimum_filter(frame, size=(3, 3, 1))
    local_range: FloatImages = (high - low).max(axis=-1)
    return local_range


def _regions(mask: Mask) -> list[Mask]:
    """The regions of changed blocks in one pair of frames, the largest first; neighbouring spots are one region."""
    reach = max(1, round(_JOIN_REACH * mask.shape[0]))
    grown = ndimage.binary_dilation(mask, iterations=reach)
    labels, count = ndimage.label(grown)
    if not count:
        return []
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    least = max(2.0, _MIN_REGION_SHARE * mask.size)
    order = [int(number) for number in np.argsort(sizes)[::-1][:_MAX_MOTIONS] if sizes[number] >= least]
    return [mask & (labels == number + 1) for number in order]


def _track_regions(masks: Mask, times: Vector) -> list[_Track]:
    """Link overlapping regions (grown a little) of successive pairs, also across short pauses."""
    reach = max(2, round(0.06 * masks.shape[1]))
    tracks: list[_Track] = []
    for pair, mask in enumerate(masks):
        for region in _regions(mask):
            grown = ndimage.binary_dilation(region, iterations=reach)
            near = [track for track in tracks if _is_active(track, pair, times) and (grown & track.masks[-1]).any()]
            if not near:
                tracks.append(_Track([pair], [region]))
                continue
            track = max(near, key=lambda track: int((grown & track.masks[-1]).sum()))
            if track.pairs[-1] == pair:
                track.masks[-1] = track.masks[-1] | region
            else:
                track.pairs.append(pair)
                track.masks.append(region)
    return tracks


def _is_active(track: _Track, pair: int, times: Vector) -> bool:
    last = track.pairs[-1]
    return last >= pair - 1 or float(times[pair] - times[last + 1]) <= MAX_PAUSE_SECONDS


def _join_runs(tracks: list[_Track], blocks: FloatImages, times: Vector) -> list[_Track]:
    """Join two tracks at one position if the region is not at its rest position between them.

    Frames in phase with a bounce show no change, but they show the region away from its rest position.
    """
    runs: list[_Track] = []
    for track in sorted(tracks, key=lambda track: track.pairs[0]):
        for earlier in runs:
            if _is_same_run(earlier, track, blocks, times):
                earlier.pairs += track.pairs
                earlier.masks += track.masks
                break
        else:
            runs.append(track)
    return runs


def _is_same_run(first: _Track, second: _Track, blocks: FloatImages, times: Vector) -> bool:
    last_frame = first.pairs[-1] + 1
    next_frame = second.pairs[0]
    if not (0 <= next_frame - last_frame <= 4) or times[next_frame] - times[last_frame] > 1.0:
        return False
    first_mask = _union(first)
    second_mask = _union(second)
    shared = first_mask & second_mask
    if shared.sum() < 0.3 * min(first_mask.sum(), second_mask.sum()):
        return False
    rest_before = blocks[first.pairs[0]][shared]
    rest_after = blocks[second.pairs[-1] + 1][shared]
    if _mean_difference(rest_before, rest_after) > _BLOCK_CHANGE_LEVELS / 2:
        return False
    between = blocks[last_frame : next_frame + 1]
    return all(_mean_difference(frame[shared], rest_before) > _BLOCK_CHANGE_LEVELS for frame in between)


def _mean_difference(first: FloatImages, second: FloatImages) -> float:
    """The mean over blocks of the largest difference of a channel, in levels."""
    return float(np.abs(first - second).max(axis=-1).mean())


def _join_edges(tracks: list[_Track], blocks: FloatImages, times: Vector) -> list[_Track]:
    """Join the moving edges of one plain object: its inside does not change, so its edges are separate tracks."""
    objects: list[_Track] = []
    for track in tracks:
        parts = [other for other in objects if _is_near(other, track, times) and _is_one_object(other, track, blocks)]
        objects = [other for other in objects if other not in parts]
        for part in parts:
            track = _merge_tracks(part, track)
        objects.append(track)
    return objects


def _is_near(a: _Track, b: _Track, times: Vector) -> bool:
    """Whether two tracks overlap in time, or one follows the other after at most a short pause."""
    first, second = sorted((a, b), key=lambda track: track.pairs[0])
    end = first.pairs[-1] + 1
    start = second.pairs[0]
    return start <= end or float(times[start] - times[end]) <= MAX_PAUSE_SECONDS


def _is_one_object(a: _Track, b: _Track, blocks: FloatImages) -> bool:
    """Whether the regions overlap well, or have one colour, other than the background, along the line between them."""
    mask_a = _union(a)
    mask_b = _union(b)
    shared = int((mask_a & mask_b).sum())
    if shared:
        return shared >= 0.3 * min(int(mask_a.sum()), int(mask_b.sum()))
    distance, nearest = ndimage.distance_transform_edt(~mask_a, return_indices=True)
    distance[~mask_b] = np.inf
    target = np.unravel_index(int(np.argmin(distance)), distance.shape)
    length = float(distance[target])
    if length > 0.4 * mask_a.shape[0]:
        return False
    origin = nearest[:, target[0], target[1]]
    steps = np.linspace(0, 1, max(2, int(length)))
    rows = np.rint(origin[0] + (target[0] - origin[0]) * steps).astype(int)
    columns = np.rint(origin[1] + (target[1] - origin[1]) * steps).astype(int)
    for frame in (blocks[b.pairs[0]], blocks[b.pairs[0] + 1]):
        line = frame[rows, columns]
        if len(line) > 3:
            line = line[1:-1]
        colour = np.median(line, axis=0)
        is_plain = np.abs(line - colour).max() < _BLOCK_CHANGE_LEVELS
        if is_plain and np.abs(colour - _background(frame, mask_a | mask_b)).max() > _BLOCK_CHANGE_LEVELS:
            return True
    return False


def _background(frame: FloatImages, region: Mask) -> FloatImages:
    """The median colour closely around a region, float32[3]."""
    around = ndimage.binary_dilation(region, iterations=4) & ~ndimage.binary_dilation(region, iterations=2)
    if not around.any():
        around = np.ones_like(region)
    background: FloatImages = np.median(frame[around], axis=0)
    return background


def _merge_tracks(a: _Track, b: _Track) -> _Track:
    masks: dict[int, Mask] = dict(zip(a.pairs, a.masks, strict=True))
    for pair, mask in zip(b.pairs, b.masks, strict=True):
        masks[pair] = mask | masks.get(pair, mask)
    pairs = sorted(masks)
    return _Track(pairs, [masks[pair] for pair in pairs])


def _union(track: _Track) -> Mask:
    union: Mask = np.logical_or.reduce(track.masks)
    return union


def _motion(track: _Track, times: Vector, blocks: FloatImages, colour_distance: float) -> Motion:
    union = _union(track)
    weight: Vector = np.stack(track.masks).sum(axis=0, dtype=np.float64)
    rows, columns = np.nonzero(union)
    extent = float(union.mean())
    start, end = _time_range(track.pairs[0], track.pairs[-1], times)
    strength = weight[rows, columns]
    # The mean of the centre of activity and the centre of the bounding box.
    y = 0.5 * (np.average(rows + 0.5, weights=strength) + (rows.min() + rows.max() + 1) / 2) / union.shape[0]
    x = 0.5 * (np.average(columns + 0.5, weights=strength) + (columns.min() + columns.max() + 1) / 2) / union.shape[1]
    confidence = min(1.0, 0.45 + 0.15 * len(track.pairs)) * min(1.0, 0.4 + extent / 0.01)
    return Motion(
        start=round(start, 3),
        end=round(end, 3),
        x=round(float(x), 3),
        y=round(float(y), 3),
        extent=round(extent, 4),
        colour=_colour(track, blocks, colour_distance),
        confidence=round(confidence, 2),
    )


def _time_range(first: int, last: int, times: Vector) -> Span:
    """Start and end of a track: each in the middle between a frame at rest and the next frame that differs."""
    if first == last:
        return float(times[first]), float(times[last + 1])
    start = (times[first] + times[first + 1]) / 2
    end = (times[last] + times[last + 1]) / 2
    if first == 0:
        start = times[0]
    if last == len(times) - 2:
        end = times[-1]
    return float(start), float(end)


def _colour(track: _Track, blocks: FloatImages, distance: float) -> str | None:
    """The colour name of most moving blocks that differ from the background; None without a clear majority.

    `distance` is the fraction of the largest difference from which a block counts.
    """
    union = _union(track)
    votes = np.zeros(len(colours.COLOUR_NAMES))
    for pair, mask in zip(track.pairs, track.masks, strict=True):
        for frame in (blocks[pair], blocks[pair + 1]):
            moving = frame[mask]
            difference = np.abs(moving - _background(frame, union)).max(axis=-1)
            least = max(_BLOCK_CHANGE_LEVELS, distance * float(np.percentile(difference, 95)))
            moving = moving[difference > least]
            if len(moving):
                votes += np.bincount(colours.colour_indices(moving), minlength=len(votes))
    if votes.sum() < 8 or votes.max() < 0.6 * votes.sum():
        return None
    return colours.COLOUR_NAMES[int(np.argmax(votes))]
