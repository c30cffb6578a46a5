"""One observation of a clip within a budget of frames and audio samples.

The budget is spread evenly over the observed windows, so an observation of the whole clip is coarse. Several
observations of one clip are merged by `merge_observations`.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

import numpy as np

from aurelia_core.arrays import Images, Samples, Vector
from aurelia_core.signals.audiovisual_sync import estimate_sync
from aurelia_core.signals.merge import blend_colours, merge_observations
from aurelia_core.signals.observation import MAX_MOTION_GAP, Observation
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.signals.sound_events import MIN_SAMPLE_RATE, AudioAnalysis, analyze_audio, estimate_noise_floor
from aurelia_core.signals.spans import join_spans
from aurelia_core.signals.video import VideoAnalysis, analyze_frames
from aurelia_core.types import MediaRef, Span, Window, is_still, is_video

__all__ = ["observe_clip", "merge_observations"]

MAX_SAMPLE_RATE = 16000


class _Frames(Protocol):
    @property
    def times(self) -> Vector: ...
    @property
    def images(self) -> Images: ...


class _Audio(Protocol):
    @property
    def samples(self) -> Samples: ...
    @property
    def rate(self) -> int: ...
    @property
    def start(self) -> float: ...


class ClipSource(Protocol):
    """The methods of `aurelia_core.media.ClipStore` that an observation uses."""

    def frames(
        self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = 180, shift: float = 0.0
    ) -> _Frames:
        """`count` frames spread over the windows in proportion to their lengths."""
        ...

    def audio(self, ref: MediaRef, windows: Sequence[Window], rate: int = MAX_SAMPLE_RATE) -> Sequence[_Audio]:
        """Mono samples of each window."""
        ...


def observe_clip(
    store: ClipSource,
    clip: MediaRef,
    track: MediaRef | None,
    windows: Sequence[Window],
    frames: int,
    samples: int,
    shift: float = 0.0,
) -> Observation:
    """Measure the picture and the sound in some windows of a clip.

    Args:
        store: the source of frames and sound.
        clip: the video; a still picture, which is seen as long as the sound lasts; or a sound.
        track: an audio file that replaces the clip's own sound.
        windows: the windows in seconds; [] means the whole clip. They are cut to the clip and joined where they touch.
        frames: budget of frames for all windows.
        samples: budget of audio samples for all windows; the sampling rate is lowered to meet it.
        shift: moves the frames' times by this part of the distance between two frames.

    Returns:
        The measurements. Without a sound track `audio_spans` is empty and `sample_rate` is 0, without a picture
        `video_spans` is empty and `frame_gap` infinite.

    Raises:
        MediaError: from the store, when the clip cannot be read.
    """
    duration = clip["duration"]
    if track and not is_video(clip):
        duration = track["duration"]
    spans = _clip_spans(windows, duration)
    video, gap = _analyze_video(store, clip, spans, frames, shift)
    if gap > MAX_MOTION_GAP:
        video = [VideoAnalysis((), part.colours, (), ()) for part in video]
    source = track or clip
    has_audio = track is not None or clip["has_audio"]
    audio_spans: list[Span] = []
    if has_audio:
        # The sound may go on after the picture.
        heard = _clip_spans(windows, max(duration, source["audio_seconds"] or 0.0))
        audio_spans = _audible_spans(heard, source, everything=not windows)
    audio: list[AudioAnalysis] = []
    rate = 0
    if audio_spans:
        audio, rate = _analyze_audio(store, source, audio_spans, samples)
    if rate < MIN_SAMPLE_RATE:
        audio_spans = []
    sounds = sorted(chain.from_iterable(part.sounds for part in audio), key=lambda sound: sound.start)
    motions = sorted(chain.from_iterable(part.motions for part in video), key=lambda motion: motion.start)
    return Observation(
        duration=duration,
        has_audio=has_audio,
        video_spans=tuple(spans[: len(video)]),
        audio_spans=tuple(audio_spans),
        frame_gap=gap,
        sample_rate=rate,
        sounds=tuple(sounds),
        silences=tuple(chain.from_iterable(part.silences for part in audio)),
        motions=tuple(motions),
        colours=blend_colours([(part.colours, end - start) for part, (start, end) in zip(video, spans, strict=False)]),
        cuts=tuple(sorted(chain.from_iterable(part.cuts for part in video))),
        flashes=tuple(sorted(chain.from_iterable(part.flashes for part in video))),
        tempo=estimate_tempo(sounds),
        sync=estimate_sync(motions, sounds, gap),
        camera_drift=max((part.camera_drift for part in video), default=0.0),
        still=is_still(clip),
        fades_to_black=tuple(chain.from_iterable(part.fades.to_black for part in video)),
        fades_from_black=tuple(chain.from_iterable(part.fades.from_black for part in video)),
    )


def _clip_spans(windows: Sequence[Window], duration: float) -> list[Span]:
    """The windows cut to the clip, ascending, joined where they touch; the whole clip if none is left.

    A still picture without a sound counts as one second long.
    """
    inside = [(max(0.0, float(window["start"])), min(duration, float(window["end"]))) for window in windows]
    return list(join_spans(span for span in inside if span[1] - span[0] >= 1e-3)) or [(0.0, duration or 1.0)]


def _audible_spans(spans: Sequence[Span], source: MediaRef, *, everything: bool) -> list[Span]:
    """The spans up to the end of the sound; for everything the whole sound, which can be longer than the picture."""
    length = source["audio_seconds"] or source["duration"]
    if everything:
        return [(0.0, length)]
    return [(start, min(end, length)) for start, end in spans if min(end, length) - start > 0.03]


def _analyze_video(
    store: ClipSource, clip: MediaRef, spans: Sequence[Span], count: int, shift: float
) -> tuple[list[VideoAnalysis], float]:
    """The analysis of each span, and the widest spacing of frames (infinite without frames and for a still picture)."""
    if clip["width"] is None:
        return [], float("inf")
    if is_still(clip):
        picture = store.frames(clip, [], 1)
        found = analyze_frames(np.asarray(picture.times, np.float64), picture.images)
        return [found for _ in spans], float("inf")
    windows = [Window(start=start, end=end) for start, end in spans]
    frames = store.frames(clip, windows, count, shift=shift)
    times = np.asarray(frames.times, np.float64)
    if not len(times):
        return [analyze_frames(times, frames.images) for _ in spans], float("inf")
    # A span without a frame gets the frame shown in its middle, so each frame belongs to the nearest span.
    distances = np.stack([np.maximum(np.maximum(start - times, times - end), 0.0) for start, end in spans])
    nearest = distances.argmin(axis=0)
    analyses: list[VideoAnalysis] = []
    widest = 0.0
    for number, (start, end) in enumerate(spans):
        inside = nearest == number
        analyses.append(analyze_frames(times[inside], frames.images[inside]))
        spacing = end - start
        if inside.sum() > 1:
            spacing = float(np.diff(times[inside]).max())
        widest = max(widest, spacing)
    return analyses, round(widest, 4)


def _analyze_audio(
    store: ClipSource, source: MediaRef, spans: Sequence[Span], samples: int
) -> tuple[list[AudioAnalysis], int]:
    """The analysis of each span, and the sampling rate that the budget allows."""
    total = sum(end - start for start, end in spans)
    rate = max(1, min(MAX_SAMPLE_RATE, int((samples - len(spans)) / total)))
    if rate < MIN_SAMPLE_RATE:
        return [], rate
    segments = store.audio(source, [Window(start=start, end=end) for start, end in spans], rate)
    floor = estimate_noise_floor(np.concatenate([segment.samples for segment in segments]), rate)
    return [analyze_audio(segment.samples, segment.rate, segment.start, floor) for segment in segments], rate
