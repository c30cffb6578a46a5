"""What a whole clip says beside its events: loudness over time, slow and sudden changes, and on which side.

Events have a beginning and an end; a sound that goes on, and a boat in fog, have none that could be detected. They are
told from the level in each tenth of a second, and from pictures that lie a second apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aurelia_core.arrays import FloatImages, Images, Samples, Vector, true_runs
from aurelia_core.signals.motion import block_means
from aurelia_core.signals.observation import LEVEL_SECONDS, Observation, SideChanges
from aurelia_core.types import MediaRef, Span, is_video

if TYPE_CHECKING:
    from aurelia_core.signals.look import ClipSource

_RATE = 16_000
_FRAMES_A_SECOND, _MOST_FRAMES = 4, 480
_HEIGHT, _BLOCK_ROWS = 90, 15
_APART_SECONDS = 1.0
_CHANGED_LEVELS = 6.0
"""Levels of 255 by which one of 15 rows of blocks differs, beyond what the whole picture does; coding stays below."""
_LEAST_SHARE = 0.007
_CUT_SHARE = 0.6
_LEAST_SECONDS = 1.0
_SUDDEN_LEVELS, _SUDDEN_SHARE, _SUDDEN_RATIO, _NEAR_SECONDS = 20.0, 0.2, 2.0, 0.3
_BLACK_LEVELS, _LIT_LEVELS = 10.0, 30.0
_LIGHT_LEVELS, _LIGHT_SHARE = 60.0, 0.01


class _Changes(NamedTuple):
    """How much each block differs from `lag` frames before, float32[N - lag, rows, columns], and the times."""

    start: Vector
    end: Vector
    levels: FloatImages


def with_overview(observation: Observation, store: "ClipSource", clip: MediaRef, track: MediaRef | None) -> Observation:
    """An observation of every frame and the whole band, with the levels, slow changes and sides of the whole clip.

    Raises:
        MediaError: from the store, when the clip cannot be read.
    """
    if observation.has_audio and observation.audio_spans:
        pieces = [piece.samples for piece in store.audio(track or clip, [], _RATE)]
        samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        observation = replace(observation, levels=measure_levels(samples, _RATE))
    if not is_video(clip) or not observation.motions and not observation.video_spans:
        return observation
    count = min(_MOST_FRAMES, int(_FRAMES_A_SECOND * clip["duration"]) + 1)
    frames = store.frames(clip, [], count, _HEIGHT)
    times = np.asarray(frames.times, np.float64)
    if not len(times):
        return observation
    blocks = block_means(frames.images, _BLOCK_ROWS)
    if min(blocks.shape[1:3]) < 2:
        return observation
    jumps = (*observation.cuts, *observation.flashes)
    return replace(
        observation,
        slow_changes=tuple(_beside(find_slow_changes(times, blocks, jumps), observation)),
        side_changes=measure_sides(times, blocks, jumps),
        sudden_changes=find_sudden_changes(times, blocks, (*jumps, *_fade_times(observation))),
        black_spans=find_black_spans(times, frames.images),
        lights_up=lights_up(times, blocks, jumps),
    )


def _fade_times(observation: Observation) -> list[float]:
    return [time for span in (*observation.fades_to_black, *observation.fades_from_black) for time in span]


def measure_levels(samples: Samples, rate: int) -> tuple[float, ...]:
    """The level of each `LEVEL_SECONDS` of a sound, dBFS."""
    size = round(rate * LEVEL_SECONDS)
    whole = np.asarray(samples[: len(samples) // size * size], np.float64).reshape(-1, size)
    levels = 20 * np.log10(np.sqrt((whole**2).mean(axis=1)) + 1e-5) if len(whole) else whole[:, 0]
    return tuple(round(float(level), 1) for level in levels)


def find_slow_changes(times: Vector, blocks: FloatImages, jumps: Sequence[float]) -> tuple[Span, ...]:
    """When parts of the picture keep changing from one second to the next, seconds.

    Args:
        times: float64[N], seconds, ascending.
        blocks: mean colours, float32[N, rows, columns, 3].
        jumps: times of cuts and flashes, across which pictures are not compared.
    """
    if len(times) < 3:
        return ()
    lag = max(1, round(_APART_SECONDS / float(np.median(np.diff(times)))))
    changes = _changes(times, blocks, lag, jumps)
    share = (changes.levels > _CHANGED_LEVELS).mean(axis=(1, 2)) if len(changes.start) else np.zeros(0)
    # One sudden change is seen in `lag` pairs at most.
    lasting = [(first, last) for first, last in true_runs(share >= _LEAST_SHARE) if last - first > lag]
    middle = (changes.start + changes.end) / 2
    return tuple((float(middle[first]), float(middle[last - 1])) for first, last in lasting)


def measure_sides(times: Vector, blocks: FloatImages, jumps: Sequence[float]) -> SideChanges | None:
    """How much each half of the picture changes; None for a single picture."""
    if len(times) < 2:
        return None
    changes = _changes(times, blocks, 1, jumps).levels
    if not len(changes):
        return None
    moving = np.where(changes > _CHANGED_LEVELS, changes, 0.0).mean(axis=0)
    rows, columns = moving.shape[0] // 2, moving.shape[1] // 2
    return SideChanges(
        left=float(moving[:, :columns].mean()),
        right=float(moving[:, -columns:].mean()),
        top=float(moving[:rows].mean()),
        bottom=float(moving[-rows:].mean()),
    )


def find_sudden_changes(times: Vector, blocks: FloatImages, known: Sequence[float]) -> tuple[float, ...]:
    """When much more of the picture changes than before and after, and no cut or fade is known, seconds.

    A cut between two views of one room changes less of the picture than a cut is required to.
    """
    changed = (np.abs(np.diff(blocks, axis=0)).max(axis=-1) > _SUDDEN_LEVELS).mean(axis=(1, 2))
    found = []
    for at in np.flatnonzero(changed >= _SUDDEN_SHARE).tolist():
        around = np.r_[changed[max(0, at - 2) : at], changed[at + 1 : at + 3]]
        near_known = any(times[at] - _NEAR_SECONDS <= time <= times[at + 1] + _NEAR_SECONDS for time in known)
        if len(around) and changed[at] > _SUDDEN_RATIO * float(around.max()) and not near_known:
            found.append(float(times[at] + times[at + 1]) / 2)
    return tuple(found)


def find_black_spans(times: Vector, images: Images) -> tuple[Span, ...]:
    """When the picture is black after it was not, seconds."""
    level = images.mean(axis=(1, 2, 3), dtype=np.float64)
    seen = np.maximum.accumulate(level) >= _LIT_LEVELS
    dark = true_runs((level < _BLACK_LEVELS) & seen)
    return tuple((float(times[first]), float(times[last - 1])) for first, last in dark)


def lights_up(times: Vector, blocks: FloatImages, cuts: Sequence[float]) -> bool:
    """Whether a part of the picture becomes much brighter at once, other than at a cut."""
    bright = blocks.mean(axis=-1)
    found = (np.diff(bright, axis=0) > _LIGHT_LEVELS).mean(axis=(1, 2)) >= _LIGHT_SHARE
    return any(not any(times[at] < cut <= times[at + 1] for cut in cuts) for at in np.flatnonzero(found).tolist())


def _beside(spans: Sequence[Span], observation: Observation) -> Iterator[Span]:
    """The parts of slow changes in which no motion was detected: those of a motion are its own."""
    fades = (*observation.fades_to_black, *observation.fades_from_black)
    moving = [(motion.start, motion.end) for motion in observation.motions]
    for span in spans:
        rest = [span]
        for start, end in (*moving, *fades):
            low, high = start - _APART_SECONDS, end + _APART_SECONDS
            parts = [((a, min(b, low)), (max(a, high), b)) for a, b in rest]
            rest = [part for pair in parts for part in pair if part[1] - part[0] >= _LEAST_SECONDS]
        yield from rest


def _changes(times: Vector, blocks: FloatImages, lag: int, jumps: Sequence[float]) -> _Changes:
    """The differences of pictures that lie `lag` frames apart, without a change of the light of the whole picture."""
    start, end = times[:-lag], times[lag:]
    apart = np.array([not any(a < jump <= b for jump in jumps) for a, b in zip(start, end, strict=True)], bool)
    pairs = np.flatnonzero(apart)
    found = [_difference(blocks[at], blocks[at + lag]) for at in pairs]
    levels = np.asarray(found, np.float32).reshape(-1, *blocks.shape[1:3])
    # A picture that differs almost everywhere has been cut, faded or swung.
    calm = (levels > _CHANGED_LEVELS).mean(axis=(1, 2)) < _CUT_SHARE
    return _Changes(start[pairs][calm], end[pairs][calm], levels[calm])


def _difference(before: FloatImages, after: FloatImages) -> FloatImages:
    """The largest difference of a channel in each block, beyond one gain and offset for all blocks."""
    flat = before.reshape(-1)
    gain, offset = 1.0, 0.0
    if float(flat.std()) > 1.0:
        gain, offset = np.polyfit(flat, after.reshape(-1), 1)
    plain = np.abs(after - before).max(axis=-1)
    fitted = np.abs(after - (gain * before + offset)).max(axis=-1)
    smaller: FloatImages = np.minimum(plain, fitted)
    return smaller
