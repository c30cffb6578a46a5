"""One look at a clip within its budget of frames and samples, and the sum of several looks.

A look spends its frames and samples evenly over its windows, so that a look at everything sees and hears coarsely. What
the looks mean for a question is not known here.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from aurelia_core.arrays import Images, Samples, Vector
from aurelia_core.signals.audiovisual_sync import estimate_sync
from aurelia_core.signals.merge import blend_colours, merge_observations
from aurelia_core.signals.observation import ColourShare, Observation
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.signals.sound_events import MIN_SAMPLE_RATE, AudioAnalysis, analyze_audio, estimate_noise_floor
from aurelia_core.signals.video import VideoAnalysis, analyze_frames
from aurelia_core.types import MediaRef, Span, Window

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
    """What a look needs of `aurelia_core.media.ClipStore`."""

    def frames(self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = 180) -> _Frames:
        """`count` frames spread over the windows in proportion to their lengths."""
        ...

    def audio(self, ref: MediaRef, windows: Sequence[Window], rate: int = MAX_SAMPLE_RATE) -> Sequence[_Audio]:
        """Mono samples of each window."""
        ...


def observe_clip(
    store: ClipSource, clip: MediaRef, track: MediaRef | None, windows: Sequence[Window], frames: int, samples: int
) -> Observation:
    """Look at and listen to some windows of a clip.

    Args:
        store: gives frames and samples.
        clip: the video.
        track: an audio file whose sound replaces the clip's own.
        windows: where to look, seconds; [] means everywhere. They are clipped to the clip and joined where they touch.
        frames: budget of frames over all windows.
        samples: budget of audio samples over all windows; the sampling rate is lowered until they suffice.

    Returns:
        What was measured. Without any sound track `heard` is empty and `rate` 0.

    Raises:
        MediaError: from the store, when the clip cannot be read.
    """
    spans = _spans(windows, clip["duration"])
    pieces, gap = _see(store, clip, spans, frames)
    source = track or clip
    has_audio = track is not None or clip["has_audio"]
    listened = _audible(spans if windows else [], source) if has_audio else []
    sounds, rate = _hear(store, source, listened, samples) if listened else ([], 0)
    heard = tuple(listened) if rate >= MIN_SAMPLE_RATE else ()
    found = tuple(sorted((s for part in sounds for s in part.sounds), key=lambda s: s.start))
    motions = tuple(sorted((m for piece in pieces for m in piece.motions), key=lambda m: m.start))
    return Observation(
        duration=clip["duration"],
        has_audio=has_audio,
        video_spans=tuple(spans) if pieces else (),
        audio_spans=heard,
        frame_gap=gap,
        sample_rate=rate,
        sounds=found,
        silences=tuple(span for part in sounds for span in part.silences),
        motions=motions,
        colours=_colours(pieces, spans),
        cuts=tuple(sorted(cut for piece in pieces for cut in piece.cuts)),
        flashes=tuple(sorted(flash for piece in pieces for flash in piece.flashes)),
        tempo=estimate_tempo(found),
        sync=estimate_sync(motions, found, gap),
        camera_drift=max((piece.camera_drift for piece in pieces), default=0.0),
    )


def _spans(windows: Sequence[Window], duration: float) -> list[Span]:
    """The windows inside the clip, ascending, joined where they touch; the whole clip when none is left."""
    inside = sorted((max(0.0, float(w["start"])), min(duration, float(w["end"]))) for w in windows)
    joined: list[Span] = []
    for start, end in inside:
        if end - start < 1e-3:
            continue
        if joined and start <= joined[-1][1] + 1e-3:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined or [(0.0, duration)]


def _audible(spans: Sequence[Span], source: MediaRef) -> list[Span]:
    """The spans that the sound reaches into; the whole sound for no spans, also where it outlasts the picture."""
    length = source["audio_seconds"] or source["duration"]
    if not spans:
        return [(0.0, length)]
    return [(start, min(end, length)) for start, end in spans if min(end, length) - start > 0.03]


def _see(store: ClipSource, clip: MediaRef, spans: Sequence[Span], frames: int) -> tuple[list[VideoAnalysis], float]:
    """What is seen in each span, and the widest spacing of frames (infinite without frames)."""
    taken = store.frames(clip, [Window(start=a, end=b) for a, b in spans], frames)
    times = np.asarray(taken.times, np.float64)
    pieces: list[VideoAnalysis] = []
    widest = 0.0
    apart = np.array([[max(start - time, time - end, 0.0) for start, end in spans] for time in times])
    nearest = apart.argmin(axis=1) if len(times) else np.empty(0, int)
    for number, (start, end) in enumerate(spans):
        inside = nearest == number
        chosen = times[inside]
        pieces.append(analyze_frames(chosen, taken.images[inside]))
        widest = max(widest, float(np.diff(chosen).max()) if len(chosen) > 1 else end - start)
    return pieces, round(widest, 4) if len(times) else float("inf")


def _hear(store: ClipSource, source: MediaRef, spans: Sequence[Span], samples: int) -> tuple[list[AudioAnalysis], int]:
    """What is heard in each span, and the sampling rate that the budget allows."""
    total = sum(end - start for start, end in spans)
    rate = max(1, min(MAX_SAMPLE_RATE, int((samples - len(spans)) / total)))
    if rate < MIN_SAMPLE_RATE:
        return [], rate
    parts = store.audio(source, [Window(start=a, end=b) for a, b in spans], rate)
    floor = estimate_noise_floor(np.concatenate([part.samples for part in parts]), rate)
    return [analyze_audio(part.samples, part.rate, part.start, floor) for part in parts], rate


def _colours(pieces: Sequence[VideoAnalysis], spans: Sequence[Span]) -> tuple[ColourShare, ...]:
    return blend_colours([(piece.colours, end - start) for piece, (start, end) in zip(pieces, spans, strict=True)])
