"""The whole clip at full resolution: the whole band of the sound, and every frame of the grid.

A look has a budget, so it is coarse in a long clip and cannot know what it missed. This observation has none: what is
not in it is not in the clip, as far as it can be measured. It is made in pieces, so a long clip is never in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from aurelia_core.arrays import true_runs
from aurelia_core.signals.audiovisual_sync import estimate_sync
from aurelia_core.signals.observation import LEVEL_SECONDS, DetectedSound, Observation, rings_on
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.signals.spans import join_spans
from aurelia_core.types import MediaRef, Span, Window

if TYPE_CHECKING:
    from aurelia_core.signals.look import ClipSource

_PIECE_SECONDS = 15.0
"""Length of one piece: 180 frames of 12 a second."""
MAX_PICTURE_SECONDS = 120.0
"""Longest clip of which every frame is observed; the analysis of motion takes up to a third of its length."""
_ALL_FRAMES = 10**6
_SAME_ONSET_SECONDS = 0.15
FAINT_DBFS = -55.0
"""Level below which there is silence beside louder sounds."""
_BELOW_DECIBELS, _FAR_BELOW_DECIBELS = 30.0, 40.0
_LEAST_PARTS = 3
_SEAM_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class WholeClip:
    """A clip at full resolution.

    Attributes:
        observation: the measurements.
        every_frame: whether they are of every frame; False for a long clip.
        shots: the picture of each shot between two cuts, for its colours.
    """

    observation: Observation
    every_frame: bool
    shots: tuple[Observation, ...] = ()

    def missed_sounds(self, seen: Observation) -> tuple[DetectedSound, ...]:
        """The sounds of the clip that a look did not find, and those that it found where the clip has none."""
        loudest = max((sound.level for sound in self.observation.sounds), default=0.0)
        found = tuple(sound for sound in seen.sounds if not is_faint(sound, loudest))
        pairs = ((_onsets(self.observation.sounds), found), (_onsets(found), self.observation.sounds))
        return tuple(
            chain.from_iterable(
                (sound for sound in one if not any(_is_same(sound, other) for other in others)) for one, others in pairs
            )
        )

    def with_picture(self, seen: Observation) -> Observation:
        """A look with the picture of the whole clip in place of its own, if every frame was observed."""
        whole = self.observation
        if not self.every_frame:
            return seen
        return replace(
            seen,
            video_spans=whole.video_spans,
            frame_gap=whole.frame_gap,
            motions=whole.motions,
            colours=whole.colours,
            cuts=whole.cuts,
            flashes=whole.flashes,
            camera_drift=whole.camera_drift,
            fades_to_black=whole.fades_to_black,
            fades_from_black=whole.fades_from_black,
            sync=estimate_sync(whole.motions, seen.sounds, whole.frame_gap),
            slow_changes=whole.slow_changes,
            side_changes=whole.side_changes,
            sudden_changes=whole.sudden_changes,
            black_spans=whole.black_spans,
            lights_up=whole.lights_up,
        )

    def with_sound(self, seen: Observation) -> Observation:
        """A look with the sound of the whole clip in place of its own."""
        whole = self.observation
        return replace(
            seen,
            audio_spans=whole.audio_spans,
            sample_rate=whole.sample_rate,
            sounds=whole.sounds,
            silences=whole.silences,
            tempo=whole.tempo,
            sync=whole.sync,
        )


def observe_whole_clip(store: "ClipSource", clip: MediaRef, track: MediaRef | None) -> WholeClip:
    """Measure the whole band, and every frame of a clip of at most `MAX_PICTURE_SECONDS`.

    Args:
        store: the source of frames and sound.
        clip: the video.
        track: an audio file that replaces the clip's own sound.

    Raises:
        MediaError: from the store, when the clip cannot be read.
    """
    # Analysis needs scipy, which a program that only names this module should not wait for.
    from aurelia_core.signals.look import MAX_SAMPLE_RATE, merge_observations, observe_clip
    from aurelia_core.signals.overview import with_overview

    source = track or clip
    length = max(clip["duration"], source["audio_seconds"] or 0.0)
    every_frame = clip["duration"] <= MAX_PICTURE_SECONDS
    frames = 1
    if every_frame:
        frames = _ALL_FRAMES
    samples = round(MAX_SAMPLE_RATE * (length + 1))
    pieces = [observe_clip(store, clip, track, windows, frames, samples) for windows in _pieces(length)]
    observation = with_overview(merge_observations(pieces), store, clip, track)
    observation = _without_faint_sounds(observation)
    shots: list[Observation] = []
    if every_frame and observation.cuts:
        edges = [0.0, *observation.cuts, clip["duration"]]
        for start, end in zip(edges[:-1], edges[1:], strict=True):
            # A frame beside a cut may belong to the other shot.
            margin = min(0.1, (end - start) / 4)
            shots.append(observe_clip(store, clip, None, [Window(start=start + margin, end=end - margin)], 8, 0))
    return WholeClip(observation, every_frame, tuple(shots))


def _onsets(sounds: Sequence[DetectedSound]) -> list[DetectedSound]:
    """The sounds without those that are the ringing of the one before."""
    return [
        sound
        for before, sound in zip((None, *sounds), sounds, strict=False)
        if not before or not rings_on(before, sound)
    ]


def is_faint(sound: DetectedSound, loudest: float) -> bool:
    """Whether a sound is not heard beside one of this level, dBFS: softer than silence is taken to be, or far below."""
    below = loudest - sound.level
    return below > _FAR_BELOW_DECIBELS or (sound.level < FAINT_DBFS and below > _BELOW_DECIBELS)


def _without_faint_sounds(observation: Observation) -> Observation:
    """An observation without the sounds that are not heard; where they were it is silent."""
    loudest = max((sound.level for sound in observation.sounds), default=0.0)
    faint = [sound for sound in observation.sounds if is_faint(sound, loudest)]
    if not faint:
        return observation
    sounds = tuple(sound for sound in observation.sounds if sound not in faint)
    gaps = [(one.start - _SEAM_SECONDS, one.end + _SEAM_SECONDS) for one in faint]
    spans = join_spans([*gaps, *observation.silences])
    quiet = [part for span in spans for part in _quiet_parts(span, observation)]
    return replace(observation, sounds=sounds, silences=tuple(quiet), tempo=estimate_tempo(sounds))


def _quiet_parts(span: Span, observation: Observation) -> Iterator[Span]:
    """The parts of a span whose levels are those of silence."""
    if span in observation.silences:
        yield span
        return
    first, last = max(0, round(span[0] / LEVEL_SECONDS)), round(span[1] / LEVEL_SECONDS)
    levels = np.asarray(observation.levels[first:last])
    for begin, end in true_runs(levels < FAINT_DBFS):
        if end - begin >= _LEAST_PARTS:
            yield max(0.0, (first + begin) * LEVEL_SECONDS), (first + end) * LEVEL_SECONDS


def _pieces(length: float) -> Iterator[list[Window]]:
    """The windows of each piece; the one piece of a short clip is the whole clip."""
    if length <= _PIECE_SECONDS:
        yield []
        return
    count = int(length / _PIECE_SECONDS) + 1
    for number in range(count):
        yield [Window(start=length * number / count, end=length * (number + 1) / count)]


def _is_same(one: DetectedSound, other: DetectedSound) -> bool:
    """Whether two measurements can be of one sound: they start together, or one covers most of the other."""
    if abs(one.start - other.start) <= _SAME_ONSET_SECONDS:
        return True
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > 0.5 * max(one.end - one.start, other.end - other.start)
