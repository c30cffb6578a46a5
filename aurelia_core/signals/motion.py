"""What moves: regions that differ from one frame to the next, followed over time, with place, extent and colour.

Works inside one shot and one window; a flash has been taken out before. It follows regions, it knows no objects.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from aurelia_core.arrays import FloatImages, Images, Mask, Vector
from aurelia_core.signals import colours
from aurelia_core.signals.camera_motion import estimate_camera_shifts, is_textured, shift_image
from aurelia_core.signals.observation import Motion

_BLOCK_ROWS = 60
"""Rows of the picture on which motion is measured."""
_BLOCK_CHANGE_LEVELS = 22.0
"""Levels of 255 in any channel above which a block counts as changed; codec noise stays below."""
_EDGE_TOLERANCE = 0.3
"""Share of the local range of levels that a block must differ by besides, in a picture that drifts."""
_JOIN_REACH = 0.035
"""Fraction of the height by which changed spots are joined into one region."""
_MIN_REGION_SHARE = 0.0008
"""Share of the picture below which a region is taken for noise."""
MAX_PAUSE_SECONDS = 0.17
"""Seconds of stillness that do not yet end a motion: a bounce stands still at its turning points."""
_MAX_MOTIONS = 12
_COLOUR_DISTANCE, _COLOUR_DISTANCE_IN_FILM = 0.8, 0.4
"""Fraction of the largest difference that tells a body's colour: in texture the extremes are only its edges."""
_FILM_MIN_EXTENT, _FILM_MIN_SHARE = 0.01, 0.15
"""Least share of the picture, and of the widest motion's extent, that counts as motion in a filmed picture."""


class ShotMotion(NamedTuple):
    """The motions of one shot, how often each block changed (float64[rows, columns], 0..1), and the picture's drift.

    The drift is the way that the picture as a whole goes, as under a moving camera, as a fraction of its height.
    """

    motions: list[Motion]
    activity: Vector
    camera_drift: float = 0.0


@dataclass(eq=False)
class _Track:
    """One region followed over pairs of frames."""

    pairs: list[int] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)


def detect_motions(times: Vector, images: Images) -> ShotMotion:
    """The motions inside one shot.

    Args:
        times: float64[N], seconds, ascending.
        images: uint8[N, H, W, 3] RGB.
    """
    small = _block_means(images)
    if len(small) < 2:
        return ShotMotion([], np.zeros(small.shape[1:3]))
    drift = estimate_camera_shifts(images)
    masks = _changed_blocks(small, images, drift)
    tracks = _bodies(_join(_follow(masks, times), small, times), small, times)
    found = [
        _motion(track, times, small, _COLOUR_DISTANCE_IN_FILM if drift.any() else _COLOUR_DISTANCE) for track in tracks
    ]
    widest = max((motion.extent for motion in found), default=0.0)
    drifted = float(np.hypot(drift[:, 0], drift[:, 1]).sum()) / images.shape[1]
    least = (
        max(_FILM_MIN_EXTENT, _FILM_MIN_SHARE * widest)
        if drift.any() or is_textured(images)
        else min(0.006, 0.02 * widest)
    )
    clear = [motion for motion in found if motion.extent >= least]
    motions = sorted(clear, key=lambda m: -m.extent * (m.end - m.start))[:_MAX_MOTIONS]
    return ShotMotion(sorted(motions, key=lambda m: m.start), masks.mean(axis=0), drifted)


def is_same_motion(first: Motion, second: Motion) -> bool:
    """Whether two motions are one that something cut in two: in one place, and of no two colours."""
    near = np.hypot(first.x - second.x, first.y - second.y) < 0.12
    return bool(near) and (first.colour is None or second.colour is None or first.colour == second.colour)


def join_motions(first: Motion, second: Motion) -> Motion:
    """Two pieces of one motion; its place is the mean, weighted by time and extent."""
    weights = [max(m.end - m.start, 0.01) * max(m.extent, 1e-4) for m in (first, second)]
    return Motion(
        start=min(first.start, second.start),
        end=max(first.end, second.end),
        x=round(float(np.average([first.x, second.x], weights=weights)), 3),
        y=round(float(np.average([first.y, second.y], weights=weights)), 3),
        extent=max(first.extent, second.extent),
        colour=first.colour or second.colour,
        confidence=max(first.confidence, second.confidence),
    )


def _block_means(images: Images | FloatImages) -> FloatImages:
    """Block means, about `ROWS` rows high: what a codec adds to single pixels averages out."""
    block = max(1, images.shape[1] // _BLOCK_ROWS)
    rows, columns = images.shape[1] // block, images.shape[2] // block
    cut = images[:, : rows * block, : columns * block]
    shape = (len(images), rows, block, columns, block, 3)
    small: FloatImages = cut.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
    return small


def _changed_blocks(small: FloatImages, images: Images, drift: Vector) -> Mask:
    """Blocks that differ from the frame before, bool[N - 1, rows, columns].

    Where the picture as a whole has shifted, the earlier frame is shifted after it, and edges, which no shift brings
    together exactly, have to differ by more.
    """
    masks: Mask = np.abs(np.diff(small, axis=0)).max(axis=-1) > _BLOCK_CHANGE_LEVELS
    for pair in np.flatnonzero(drift.any(axis=1)).tolist():
        before = _block_means(shift_image(images[pair], drift[pair])[None])[0]
        steep = _steepness(small[pair + 1])
        masks[pair] = np.abs(small[pair + 1] - before).max(axis=-1) > _BLOCK_CHANGE_LEVELS + _EDGE_TOLERANCE * steep
    return masks


def _steepness(frame: FloatImages) -> FloatImages:
    """Range of levels in the 3 x 3 blocks around each block, float32[rows, columns]."""
    high = ndimage.maximum_filter(frame, size=(3, 3, 1))
    low = ndimage.minimum_filter(frame, size=(3, 3, 1))
    steep: FloatImages = (high - low).max(axis=-1)
    return steep


def _regions(mask: Mask) -> list[Mask]:
    """The connected regions of one pair of frames, spots that lie close together joined, largest first."""
    reach = max(1, round(_JOIN_REACH * mask.shape[0]))
    grown = ndimage.binary_dilation(mask, iterations=reach)
    labels, count = ndimage.label(grown)
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1)) if count else np.empty(0)
    least = max(2.0, _MIN_REGION_SHARE * mask.size)
    order = [int(i) for i in np.argsort(sizes)[::-1][:_MAX_MOTIONS] if sizes[i] >= least]
    return [mask & (labels == i + 1) for i in order]


def _follow(masks: Mask, times: Vector) -> list[_Track]:
    """Link the regions of successive pairs that overlap (a little grown), over short pauses."""
    reach = max(2, round(0.06 * masks.shape[1]))
    tracks: list[_Track] = []
    for pair, mask in enumerate(masks):
        for region in _regions(mask):
            grown = ndimage.binary_dilation(region, iterations=reach)
            near = [t for t in tracks if _alive(t, pair, times) and (grown & t.masks[-1]).any()]
            if not near:
                tracks.append(_Track([pair], [region]))
                continue
            track = max(near, key=lambda t: int((grown & t.masks[-1]).sum()))
            if track.pairs[-1] == pair:
                track.masks[-1] = track.masks[-1] | region
            else:
                track.pairs.append(pair)
                track.masks.append(region)
    return tracks


def _alive(track: _Track, pair: int, times: Vector) -> bool:
    last = track.pairs[-1]
    return last >= pair - 1 or float(times[pair] - times[last + 1]) <= MAX_PAUSE_SECONDS


def _join(tracks: list[_Track], small: FloatImages, times: Vector) -> list[_Track]:
    """Join two runs in one place if between them the region stays away from its place of rest.

    Frames in step with a bounce see it stand still, but not where it rests.
    """
    runs: list[_Track] = []
    for track in sorted(tracks, key=lambda t: t.pairs[0]):
        for earlier in runs:
            if _same_rest(earlier, track, small, times):
                earlier.pairs += track.pairs
                earlier.masks += track.masks
                break
        else:
            runs.append(track)
    return runs


def _same_rest(a: _Track, b: _Track, small: FloatImages, times: Vector) -> bool:
    last, first = a.pairs[-1] + 1, b.pairs[0]
    if not (0 <= first - last <= 4) or times[first] - times[last] > 1.0:
        return False
    union_a, union_b = _union(a), _union(b)
    both = union_a & union_b
    if both.sum() < 0.3 * min(union_a.sum(), union_b.sum()):
        return False
    rest, again = small[a.pairs[0]][both], small[b.pairs[-1] + 1][both]
    if np.abs(rest - again).max(axis=-1).mean() > _BLOCK_CHANGE_LEVELS / 2:
        return False
    return all(np.abs(small[i][both] - rest).max(axis=-1).mean() > _BLOCK_CHANGE_LEVELS for i in range(last, first + 1))


def _bodies(tracks: list[_Track], small: FloatImages, times: Vector) -> list[_Track]:
    """Join the moving edges of one plain body: inside it nothing changes, so that its edges seem to move apart."""
    bodies: list[_Track] = []
    for track in tracks:
        parts = [body for body in bodies if _together(body, track, times) and _one_body(body, track, small)]
        bodies = [body for body in bodies if body not in parts]
        for part in parts:
            track = _merged(part, track)
        bodies.append(track)
    return bodies


def _together(a: _Track, b: _Track, times: Vector) -> bool:
    """Whether two tracks overlap in time, or one follows the other after no more than a pause."""
    first, second = sorted((a, b), key=lambda t: t.pairs[0])
    ends, begins = first.pairs[-1] + 1, second.pairs[0]
    return begins <= ends or float(times[begins] - times[ends]) <= MAX_PAUSE_SECONDS


def _one_body(a: _Track, b: _Track, small: FloatImages) -> bool:
    """Whether the regions overlap well, or the way from one to the other runs over one colour unlike the ground."""
    mask_a, mask_b = _union(a), _union(b)
    shared = int((mask_a & mask_b).sum())
    if shared:
        return shared >= 0.3 * min(int(mask_a.sum()), int(mask_b.sum()))
    distance, nearest = ndimage.distance_transform_edt(~mask_a, return_indices=True)
    distance[~mask_b] = np.inf
    to = np.unravel_index(int(np.argmin(distance)), distance.shape)
    length = float(distance[to])
    if length > 0.4 * mask_a.shape[0]:
        return False
    origin = nearest[:, to[0], to[1]]
    steps = np.linspace(0, 1, max(2, int(length)))
    rows = np.rint(origin[0] + (to[0] - origin[0]) * steps).astype(int)
    columns = np.rint(origin[1] + (to[1] - origin[1]) * steps).astype(int)
    union = mask_a | mask_b
    for frame in (small[b.pairs[0]], small[b.pairs[0] + 1]):
        line, ground = frame[rows, columns], _ground(frame, union)
        inner = line[1:-1] if len(line) > 3 else line
        plain = np.abs(inner - np.median(inner, axis=0)).max() < _BLOCK_CHANGE_LEVELS
        if plain and np.abs(np.median(inner, axis=0) - ground).max() > _BLOCK_CHANGE_LEVELS:
            return True
    return False


def _ground(frame: FloatImages, region: Mask) -> FloatImages:
    """The colour of what lies close around a region, float32[3]."""
    around = ndimage.binary_dilation(region, iterations=4) & ~ndimage.binary_dilation(region, iterations=2)
    if not around.any():
        around = np.ones_like(region)
    ground: FloatImages = np.median(frame[around], axis=0)
    return ground


def _merged(a: _Track, b: _Track) -> _Track:
    masks: dict[int, Mask] = {}
    for pair, mask in [*zip(a.pairs, a.masks, strict=True), *zip(b.pairs, b.masks, strict=True)]:
        masks[pair] = masks[pair] | mask if pair in masks else mask
    pairs = sorted(masks)
    return _Track(pairs, [masks[pair] for pair in pairs])


def _union(track: _Track) -> Mask:
    union: Mask = np.logical_or.reduce(track.masks)
    return union


def _motion(track: _Track, times: Vector, small: FloatImages, apart: float) -> Motion:
    union = _union(track)
    weight: Vector = np.stack(track.masks).sum(axis=0, dtype=np.float64)
    rows, columns = np.nonzero(union)
    share = float(union.mean())
    first, last = track.pairs[0], track.pairs[-1]
    start, end = _bounds(first, last, times)
    strength = weight[rows, columns]
    low, high = rows.min(), rows.max() + 1
    left, right = columns.min(), columns.max() + 1
    y = 0.5 * (np.average(rows + 0.5, weights=strength) + (low + high) / 2) / union.shape[0]
    x = 0.5 * (np.average(columns + 0.5, weights=strength) + (left + right) / 2) / union.shape[1]
    sure = min(1.0, 0.45 + 0.15 * len(track.pairs)) * min(1.0, 0.4 + share / 0.01)
    return Motion(
        start=round(start, 3),
        end=round(end, 3),
        x=round(float(x), 3),
        y=round(float(y), 3),
        extent=round(share, 4),
        colour=_colour(track, small, apart),
        confidence=round(sure, 2),
    )


def _bounds(first: int, last: int, times: Vector) -> tuple[float, float]:
    """Start and end: between the last frame at rest and the first that differs, and the other way round."""
    if first == last:
        return float(times[first]), float(times[last + 1])
    start = times[0] if first == 0 else (times[first] + times[first + 1]) / 2
    end = times[-1] if last == len(times) - 2 else (times[last] + times[last + 1]) / 2
    return float(start), float(end)


def _colour(track: _Track, small: FloatImages, least: float) -> str | None:
    """The name shared by most of the moving pixels that differ from what lies around the region.

    `least` is the fraction of the largest difference from which a pixel counts.
    """
    union = _union(track)
    votes = np.zeros(len(colours.COLOUR_NAMES))
    for pair, mask in zip(track.pairs, track.masks, strict=True):
        for frame in (small[pair], small[pair + 1]):
            pixels = frame[mask]
            apart = np.abs(pixels - _ground(frame, union)).max(axis=-1)
            pixels = pixels[apart > max(_BLOCK_CHANGE_LEVELS, least * float(np.percentile(apart, 95)))]
            if len(pixels):
                votes += np.bincount(colours.colour_indices(pixels), minlength=len(votes))
    if votes.sum() < 8 or votes.max() < 0.6 * votes.sum():
        return None
    return colours.COLOUR_NAMES[int(np.argmax(votes))]
