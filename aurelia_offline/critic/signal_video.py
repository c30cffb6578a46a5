"""The critic's picture measurement: colour histograms, temporal median as background, dispersion over time as motion.

The algorithms differ from the generator's (frame differences on a grid) on purpose, so that their errors are
independent. They measure place, time and colour, and do not recognize objects.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aurelia_core.signals.observation import MAX_MOTION_GAP
from aurelia_offline.critic.arrays import BoolMask, LabArray
from aurelia_offline.critic.evidence import SeenMotion, Shot, VideoEvidence
from aurelia_offline.critic.signal_activity import (
    STEEP_DIFFERENCE,
    TEXTURED_SHARES,
    Activity,
    clearness,
    measure_activity,
    steepness,
)
from aurelia_offline.critic.signal_colour import COLOUR_ANCHORS, likely_names, nearest_anchors, oklab

_CUT_DISTANCE = 0.3
"""Share of the picture whose colour class changes between two frames at a cut."""
_FLASH_LIGHT = 0.93
_FLASH_STEP = 0.06
_STIR_DISPERSION = 0.022
"""Dispersion in Oklab over three frames above which a cell changes; a compressed still picture stays below 0.01."""
_HOLD_SECONDS = 0.3
_MIN_EXTENT = 0.0008
_MAX_MOTIONS = 12
_MIN_GAP_SECONDS = 1e-3
_MIN_LINES = 8
"""Lines and columns to which a smaller picture is enlarged, so that each measure has cells to compare."""


@dataclass(frozen=True, slots=True)
class _Film:
    """Small frames in Oklab [frames, height, width, 3] and their times [frames] in seconds."""

    lab: LabArray
    times: npt.NDArray[np.float64]

    @property
    def gap(self) -> float:
        """Time between frames, in seconds."""
        return max(_MIN_GAP_SECONDS, float(np.median(np.diff(self.times))))


def watch_clip(times: npt.NDArray[np.float64], images: npt.NDArray[np.uint8], duration: float) -> VideoEvidence:
    """Measure the picture of a whole clip.

    Args:
        times: float64[frames], seconds, ascending.
        images: uint8[frames, height, width, 3], RGB.
        duration: of the clip, seconds.

    Returns:
        Its shots with their backgrounds, motions, and flashes.
    """
    if len(times) < 2:
        return VideoEvidence(float("inf"), _still_shots(images, duration))
    film = _Film(oklab(_shrink(images)), times)
    flashed = _flash_frames(film)
    marks = _cut_frames(film, flashed)
    edges = [0, *marks, len(times)]
    bounds = [0.0, *(float((times[mark - 1] + times[mark]) / 2) for mark in marks), duration]
    shots, motions = [], []
    for index in range(len(edges) - 1):
        first, last = edges[index], edges[index + 1]
        clear = np.flatnonzero(~flashed[first:last]) + first
        if not len(clear):
            continue
        shots.append(_measure_shot(film, clear, (bounds[index], bounds[index + 1])))
        if film.gap <= MAX_MOTION_GAP:
            motions += _find_motions(_Film(film.lab[clear], film.times[clear]), shots[-1])
    starts = [t for t in np.flatnonzero(flashed) if t == 0 or not flashed[t - 1]]
    strongest = sorted(motions, key=lambda moved: -moved.extent * (moved.end - moved.start))[:_MAX_MOTIONS]
    motions = sorted(strongest, key=lambda moved: moved.start)
    clearness_found, stirring = _measure_clearness(film, np.flatnonzero(~flashed))
    flashes = tuple(float(times[t]) for t in starts if film.gap <= MAX_MOTION_GAP)
    return VideoEvidence(film.gap, tuple(shots), tuple(motions), flashes, clearness_found, stirring)


def _measure_clearness(film: _Film, calm: npt.NDArray[np.intp]) -> tuple[float, Activity | None]:
    """The clearness of the picture, and its activity if it is not fully clear."""
    if len(calm) < 3 or film.gap > MAX_MOTION_GAP:
        return 1.0, None
    lab = film.lab[calm]
    steep = np.median([steepness(frame) for frame in lab[:: max(1, len(lab) // 9)]], axis=0)
    if (steep > STEEP_DIFFERENCE).mean() < TEXTURED_SHARES[0]:
        return 1.0, None
    stir = _dispersion(lab)
    active = _active_cells(stir)
    clear = clearness(steep, active)
    if clear >= 1:
        return clear, None
    return clear, measure_activity(film.times[calm], lab, stir, active)


def _active_cells(stir: LabArray) -> BoolMask:
    return np.asarray(stir > max(_STIR_DISPERSION, 4 * float(np.median(stir))), dtype=bool)


def _shrink(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Shrink the frames to about 90 lines by averaging blocks, which removes compression noise."""
    if min(images.shape[1:3]) < _MIN_LINES:
        images = images.repeat(_MIN_LINES, axis=1).repeat(_MIN_LINES, axis=2)
    block = max(1, images.shape[1] // 90)
    high, wide = images.shape[1] // block * block, images.shape[2] // block * block
    cut = images[:, :high, :wide]
    total = np.zeros((len(cut), high // block, wide // block, 3), np.uint16)
    for row in range(block):
        for column in range(block):
            total += cut[:, row::block, column::block]
    return np.asarray(total // (block * block), dtype=np.uint8)


def _still_shots(images: npt.NDArray[np.uint8], duration: float) -> tuple[Shot, ...]:
    if not len(images):
        return ()
    film = _Film(oklab(_shrink(images)), np.zeros(len(images)))
    return (_measure_shot(film, np.arange(len(images)), (0.0, duration)),)


def _flash_frames(film: _Film) -> BoolMask:
    """Frames that are much lighter than those before and after, for at most 0.25 s: bool[frames]."""
    middle = np.median(film.lab[:, ::2, ::2].reshape(len(film.times), -1, 3), axis=1)
    white = (middle[:, 0] > _FLASH_LIGHT) & (np.hypot(middle[:, 1], middle[:, 2]) < 0.03)
    flashed = np.zeros(len(white), dtype=bool)
    reach = max(1, round(0.25 / film.gap))
    for frame in np.flatnonzero(white):
        sides = (middle[max(0, frame - reach) : frame], middle[frame + 1 : frame + 1 + reach])
        apart = [float(np.abs(side - middle[frame]).max()) if len(side) else 0.0 for side in sides]
        flashed[frame] = min(apart) > _FLASH_STEP
    return flashed


def _cut_frames(film: _Film, flashed: BoolMask) -> list[int]:
    """Frames that start a new shot: the colour histogram changes at once and stays changed."""
    clear = np.flatnonzero(~flashed)
    cells = np.floor(film.lab[clear] / np.array([0.2, 0.1, 0.1], np.float32)).astype(np.int64) + 8
    codes = (cells[..., 0] * 32 + cells[..., 1]) * 32 + cells[..., 2]
    histograms = [np.bincount(code.ravel(), minlength=16 * 1024) / code.size for code in codes]
    soft = [_blur(histogram) for histogram in histograms]
    marks: list[int] = []
    for place in range(1, len(clear)):
        step = 0.5 * float(np.abs(soft[place] - soft[place - 1]).sum())
        ahead = soft[min(place + 2, len(soft) - 1)]
        lasting = 0.5 * float(np.abs(ahead - soft[max(0, place - 3)]).sum())
        usual = 0.0
        if place > 1:
            usual = 0.5 * float(np.abs(soft[place - 1] - soft[max(0, place - 2)]).sum())
        if step > _CUT_DISTANCE and lasting > _CUT_DISTANCE and step > 2 * usual:
            changed = np.abs(film.lab[clear[place]] - film.lab[clear[place - 1]]).max(axis=-1) > 0.06
            if changed.mean() > 0.45:
                marks.append(int(clear[place]))
    return marks


def _blur(histogram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(histogram.reshape(16, 32, 32), 3, mode="constant"), dtype=np.float64)


def _measure_shot(film: _Film, clear: npt.NDArray[np.intp], span: tuple[float, float]) -> Shot:
    step = max(1, len(clear) // 40)
    frames = film.lab[clear[::step]]
    still = np.median(frames, axis=0)
    named = nearest_anchors(still)
    shares = np.bincount(named.ravel(), minlength=len(COLOUR_ANCHORS)) / named.size
    top = int(shares.argmax())
    middle = np.median(still[named == top].reshape(-1, 3), axis=0)
    ordered = list(COLOUR_ANCHORS)
    colours = {ordered[index]: float(share) for index, share in enumerate(shares) if share >= 0.004}
    near = tuple(dict.fromkeys([ordered[top], *likely_names(middle)]))
    covered = [(nearest_anchors(frame) == top).mean() for frame in frames]
    lasting = float(np.mean([share >= shares[top] / 2 for share in covered]))
    return Shot(*span, near, float(shares[top]), colours, lasting)


def _find_motions(film: _Film, shot: Shot) -> list[SeenMotion]:
    if len(film.times) < 3:
        return []
    from scipy.ndimage import label

    stir = _dispersion(film.lab)
    active = _active_cells(stir)
    still = np.median(film.lab[:: max(1, len(film.times) // 40)], axis=0)
    joined = _close_gaps(active, max(1, round(_HOLD_SECONDS / film.gap / 2)))
    tubes, count = label(joined)
    found = []
    for tube in range(1, min(count, 60) + 1):
        moved = _measure_motion(film, (tubes == tube) & active, shot, still)
        if moved is not None:
            found.append(moved)
    return _unite_bodies(found)


def _unite_bodies(found: list[SeenMotion]) -> list[SeenMotion]:
    """Unite motions that are close, simultaneous and of the same colour: the edges of one body."""
    united: list[SeenMotion] = []
    for moved in sorted(found, key=lambda moved: -moved.extent):
        twin = next((index for index, other in enumerate(united) if _is_one_body(moved, other)), None)
        if twin is None:
            united.append(moved)
            continue
        other = united[twin]
        share = other.extent / (other.extent + moved.extent)
        united[twin] = replace(
            other,
            start=min(moved.start, other.start),
            end=max(moved.end, other.end),
            x=share * other.x + (1 - share) * moved.x,
            y=share * other.y + (1 - share) * moved.y,
            extent=moved.extent + other.extent,
        )
    return united


def _is_one_body(one: SeenMotion, other: SeenMotion) -> bool:
    overlap = min(one.end, other.end) - max(one.start, other.start)
    shorter = min(one.end - one.start, other.end - other.start)
    colours = not one.colours or not other.colours or bool(set(one.colours) & set(other.colours))
    return overlap > 0.7 * shorter and colours and abs(one.x - other.x) < 0.1 and abs(one.y - other.y) < 0.32


def _dispersion(lab: LabArray) -> LabArray:
    """Dispersion of each cell over a frame and its two neighbours, averaged over 2 x 2 cells: [frames, h, w]."""
    padded = np.concatenate([lab[:1], lab, lab[-1:]])
    mean = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    spread = np.zeros(lab.shape[:-1], np.float32)
    for shift in range(3):
        for axis in range(3):
            spread += (padded[shift : len(lab) + shift, ..., axis] - mean[..., axis]) ** 2
    value = np.sqrt(spread / 3)
    high, wide = value.shape[1] // 2 * 2, value.shape[2] // 2 * 2
    blocks = value[:, :high, :wide].reshape(len(value), high // 2, 2, wide // 2, 2)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


def _close_gaps(active: BoolMask, hold: int) -> BoolMask:
    """Close gaps in time and space, so that the motion of one thing is one connected region: bool[frames, h, w]."""
    from scipy.ndimage import maximum_filter, minimum_filter1d

    wide = maximum_filter(active.astype(np.uint8), size=(2 * hold + 1, 3, 3))
    return np.asarray(minimum_filter1d(wide, 2 * hold + 1, axis=0, mode="nearest") > 0)


def _measure_motion(film: _Film, tube: BoolMask, shot: Shot, still: LabArray) -> SeenMotion | None:
    if not tube.any():
        return None
    frames = np.flatnonzero(tube.any(axis=(1, 2)))
    area = tube.any(axis=0)
    size = float(area.mean())
    if size < _MIN_EXTENT or len(frames) < 2:
        return None
    start, end = _motion_edges(film.times, int(frames[0]), int(frames[-1]), film.gap)
    rows, columns = np.nonzero(area)
    weight = tube.sum(axis=0)[rows, columns]
    x = float(np.average(columns + 0.5, weights=weight) / area.shape[1])
    y = float(np.average(rows + 0.5, weights=weight) / area.shape[0])
    confidence = float(np.clip(size / (4 * _MIN_EXTENT), 0.2, 1.0)) * float(np.clip((end - start) / 0.25, 0.3, 1.0))
    return SeenMotion(start, end, x, y, size, _moving_colours(film, tube, shot, still), confidence)


def _motion_edges(times: npt.NDArray[np.float64], first: int, last: int, gap: float) -> tuple[float, float]:
    """Start and end of a motion, half a frame inside: a frame counts as moving if it differs from a neighbour."""
    start, end = float(times[first]), float(times[last])
    if first > 0:
        start += 0.5 * gap
    if last < len(times) - 1:
        end -= 0.5 * gap
    return round(start, 3), round(max(end, start + 0.5 * gap), 3)


def _moving_colours(film: _Film, tube: BoolMask, shot: Shot, still: LabArray) -> tuple[str, ...]:
    """The colour names of a moving region: its most frequent colour, apart from the background behind it."""
    fine = tube.any(axis=0).repeat(2, axis=0).repeat(2, axis=1)
    high, wide = min(fine.shape[0], still.shape[0]), min(fine.shape[1], still.shape[1])
    fine = fine[:high, :wide]
    ground = nearest_anchors(still[:high, :wide])
    around = _ring_around(fine)
    behind = -1
    if around.any():
        behind = int(np.bincount(ground[around], minlength=len(COLOUR_ANCHORS)).argmax())
    frames = np.flatnonzero(tube.any(axis=(1, 2)))[:40]
    pixels = film.lab[frames, :high, :wide][:, fine].reshape(-1, 3)
    middle = np.median(still[:high, :wide][around & (ground == behind)], axis=0) if around.any() else pixels[0]
    apart = pixels[np.sqrt(((pixels - middle) ** 2).sum(axis=1)) > 0.09]
    if len(apart) < 0.04 * len(pixels) or shot.plain < 0.3:
        return ()
    named = nearest_anchors(apart)
    counts = np.bincount(named, minlength=len(COLOUR_ANCHORS))
    top = int(counts.argmax())
    if counts[top] < 0.45 * counts.sum():
        return ()
    return tuple(dict.fromkeys([list(COLOUR_ANCHORS)[top], *likely_names(np.median(apart[named == top], axis=0))]))


def _ring_around(area: BoolMask) -> BoolMask:
    from scipy.ndimage import binary_dilation

    near = binary_dilation(area, iterations=2)
    return np.asarray(binary_dilation(near, iterations=4) & ~near)
