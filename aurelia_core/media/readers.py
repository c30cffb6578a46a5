"""Decoding of chosen frames of a clip, with PyAV, or on request with decord.

Runs in child processes. A frame is found by its presentation time stamp: the frame for a time is the one that a player
shows then. decord finds frames by counting, which is wrong with edit lists, hidden frames and late first frames; its
frames are used only where they provably are the container's. `make bench` compares the speed of both: decord is not
faster, so PyAV is the default.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Images
from aurelia_core.media.picture import Orientation, PictureRenderer, deinterlace
from aurelia_core.media.restarts import Restarts, demux_stream
from aurelia_core.media.source import Damaged, Undecodable, decode_packet, open_container

_TIMESTAMP_TOLERANCE = 0.002
"""Largest difference between a time stamp and the same one in another unit, seconds."""
_SEEK_GAP_SECONDS = 4.0
"""Distance to the next requested frame from which seeking is faster than decoding all frames between, seconds."""
_SEEK_BACK_SECONDS = (0.0, 2.0, 15.0)
"""Seconds by which a seek goes farther back if it ends behind the requested frame; then from the clip's start."""
_MAX_GAP_SECONDS = 1.0
"""Distance from a packet's time to the last frame that decodes from which the packet is lost, seconds."""
_MAX_PIXEL_DIFFERENCE = 6.0
"""Largest mean difference of the same picture from two libraries, of 255."""


class Unsupported(Exception):
    """decord cannot read this clip correctly; PyAV may."""


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """The requested frames and their size.

    Attributes:
        stream: index of the picture stream in the container.
        times: ascending time stamps, container time in seconds (not from the clip's start).
        width, height: size of the upright picture, pixels.
        orientation: how decoded pictures become upright.
        numbers: the frames' positions among all frames of the clip, in the order of time.
        count: number of all frames of the clip.
        by_number: whether frames are found by counting, because the container has no time stamps.
        origin: container time of the clip's start, for messages.
        restarts: where the time stamps of the stream restart; then the clip is read from its start.
    """

    stream: int
    times: Sequence[float]
    width: int
    height: int
    orientation: Orientation
    numbers: Sequence[int]
    count: int
    by_number: bool = False
    origin: float = 0.0
    restarts: Restarts = field(default_factory=dict)


def read_frames(path: str, demuxer: str, wanted: FrameRequest, reader: str = "pyav") -> Iterator[Images]:
    """The requested frames in order, uint8[height, width, 3] RGB.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        wanted: the requested frames.
        reader: "pyav", or "decord": decord where it is installed and reads this clip correctly, else PyAV.

    Raises:
        Damaged: a frame cannot be decoded.
    """
    if reader == "decord":
        try:
            pictures = _read_with_decord(path, demuxer, wanted)
            first = next(pictures)
        except (Unsupported, ImportError):
            pass
        else:
            yield first
            yield from pictures
            return
    renderer = PictureRenderer(wanted.width, wanted.height, wanted.orientation)
    for frame in _read_with_pyav(path, demuxer, wanted):
        yield renderer.render(frame)


def _read_with_decord(path: str, demuxer: str, wanted: FrameRequest) -> Iterator[Images]:
    """Frames by decord, after the first and the last one were compared with PyAV's."""
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # decord's own errors are not RuntimeErrors.
    decord_errors = (RuntimeError, decord.DECORDError, decord.DECORDLimitReachedError)
    if wanted.orientation != Orientation() or wanted.by_number or demuxer not in ("mov", "matroska"):
        # decord scales before it rotates, and needs time stamps.
        raise Unsupported("orientation or order")
    if _has_leading_pictures(path, demuxer, wanted.stream):
        raise Unsupported("open groups of pictures")
    try:
        reader = decord.VideoReader(path, width=wanted.width, height=wanted.height, num_threads=1, fault_tol=1)
        stamps = np.asarray(reader.get_frame_timestamp(list(range(len(reader)))))[:, 0]
    except (*decord_errors, AssertionError, IndexError) as error:
        raise Unsupported(type(error).__name__) from error
    numbers = list(wanted.numbers)
    offsets = stamps[numbers] - np.array(wanted.times) if len(stamps) == wanted.count else np.array([np.inf])
    if np.abs(offsets).max() > _TIMESTAMP_TOLERANCE:
        raise Unsupported("other frames")
    try:
        _compare_ends(reader, path, demuxer, wanted)
    except decord_errors as error:
        raise Unsupported(type(error).__name__) from error
    for begin in range(0, len(numbers), 32):
        try:
            yield from reader.get_batch(numbers[begin : begin + 32]).asnumpy()
        except decord_errors as error:
            if begin == 0:
                raise Unsupported(type(error).__name__) from error
            raise Damaged(
                f"has a picture that cannot be decoded near {wanted.times[begin] - wanted.origin:.1f} s; "
                "convert or download it again"
            ) from error


def _has_leading_pictures(path: str, demuxer: str, stream: int) -> bool:
    """Whether pictures after a key frame are shown before it: decord loses them when it seeks, and then miscounts."""
    key = None
    with open_container(path, demuxer) as opened:
        for packet in opened.demux(opened.streams[stream]):
            if packet.is_keyframe:
                key = packet.pts
            elif None not in (key, packet.pts) and packet.pts < key:
                return True
    return False


def _compare_ends(reader: Any, path: str, demuxer: str, wanted: FrameRequest) -> None:
    """Refuse decord if its first or last requested frame is not the container's."""
    ends = sorted({0, len(wanted.times) - 1})
    request = FrameRequest(
        wanted.stream,
        [wanted.times[end] for end in ends],
        wanted.width,
        wanted.height,
        wanted.orientation,
        [wanted.numbers[end] for end in ends],
        wanted.count,
    )
    expected = read_frames(path, demuxer, request)
    for number, picture in zip(request.numbers, expected, strict=True):
        found = reader[number].asnumpy().astype(np.int16)
        if np.abs(found - picture).mean() > _MAX_PIXEL_DIFFERENCE:
            raise Unsupported("other pictures")


def _read_with_pyav(path: str, demuxer: str, wanted: FrameRequest) -> Iterator[Any]:
    """The requested frames, progressive."""
    with open_container(path, demuxer) as opened:
        stream = opened.streams[wanted.stream]
        stream.codec_context.thread_count = 1
        if wanted.by_number:
            yield from _read_by_number(opened, stream, wanted)
            return
        if wanted.restarts:
            frames = _timed(decode_stream(opened, stream, wanted.times[0] - wanted.origin, wanted.restarts), stream)
            yield from _pick_frames(frames, wanted.times, wanted.origin)
            return
        done = 0
        while done < len(wanted.times):
            end = done + 1
            while end < len(wanted.times) and wanted.times[end] - wanted.times[end - 1] <= _SEEK_GAP_SECONDS:
                end += 1
            times = wanted.times[done:end]
            frames = _decode_from(path, demuxer, opened, stream, times[0], wanted.origin)
            yield from _pick_frames(frames, times, wanted.origin)
            done = end


def _pick_frames(frames: Iterator[tuple[Any, float]], times: Sequence[float], origin: float) -> Iterator[Any]:
    """The frames that are shown at some times, of frames with their times from the key frame before them on."""
    window = _Window(frames)
    for time in times:
        while window.after is not None and window.after[1] <= time + _TIMESTAMP_TOLERANCE:
            window.advance()
        if window.shown is None or (
            time - window.shown[1] > _TIMESTAMP_TOLERANCE
            and window.is_at_end()
            and time - window.shown[1] > _MAX_GAP_SECONDS
        ):
            raise Damaged(
                f"has a picture that cannot be decoded at {time - origin:.1f} s; convert or download it again"
            )
        yield window.progressive()


class _Window:
    """A decoded frame with its neighbours; the next one is decoded only when it is needed."""

    def __init__(self, frames: Iterator[tuple[Any, float]]) -> None:
        """Start at the first frame."""
        self._frames = frames
        self._before: tuple[Any, float] | None = None
        self.shown = next(frames, None)
        self._next: tuple[Any, float] | None = None
        self._is_next_read = False

    @property
    def after(self) -> tuple[Any, float] | None:
        """The next frame and its time; None at the end."""
        if not self._is_next_read:
            self._next = next(self._frames, None)
            self._is_next_read = True
        return self._next

    def is_at_end(self) -> bool:
        """Whether no frame follows."""
        return self.after is None

    def advance(self) -> None:
        """Go to the next frame."""
        self._before, self.shown, self._next = self.shown, self.after, None
        self._is_next_read = False

    def progressive(self) -> Any:
        """The shown frame; deinterlaced if it is interlaced."""
        assert self.shown is not None
        frame = self.shown[0]
        if not frame.interlaced_frame:
            return frame
        neighbours = [one[0] if one is not None else None for one in (self._before, self.after)]
        return deinterlace(neighbours[0], frame, neighbours[1])


def _read_by_number(opened: Any, stream: Any, wanted: FrameRequest) -> Iterator[Any]:
    """Frames by their number in display order."""
    window = _Window((frame, float(number)) for number, frame in enumerate(decode_stream(opened, stream, 0.0)))
    for number in wanted.numbers:
        while window.shown is not None and window.shown[1] < number:
            window.advance()
        if window.shown is None:
            raise Damaged(f"has a picture that ends before frame {number}; convert or download it again")
        yield window.progressive()


def _decode_from(
    path: str, demuxer: str, opened: Any, stream: Any, time: float, origin: float
) -> Iterator[tuple[Any, float]]:
    """Frames and their times, in order, starting at or before the frame that is shown at `time`."""
    for back in _SEEK_BACK_SECONDS:
        try:
            opened.seek(int(np.floor((time - back) / stream.time_base)), stream=stream, backward=True)
        except av.FFmpegError:
            # Containers without an index cannot find every time.
            continue
        frames = _timed(decode_stream(opened, stream, time - origin), stream)
        first = next(frames, None)
        if first is not None and first[1] <= time + _TIMESTAMP_TOLERANCE:
            yield first
            yield from frames
            return
    with open_container(path, demuxer) as again:
        stream = again.streams[stream.index]
        stream.codec_context.thread_count = 1
        yield from _timed(decode_stream(again, stream, time - origin), stream)


def _timed(frames: Iterator[Any], stream: Any) -> Iterator[tuple[Any, float]]:
    for frame in frames:
        if frame.pts is not None:
            yield frame, float(frame.pts * stream.time_base)


def decode_stream(opened: Any, stream: Any, time: float, restarts: Restarts | None = None) -> Iterator[Any]:
    """Decoded frames; an error before the first one is a group of pictures of which the beginning is missing."""
    has_begun = False
    for packet in demux_stream(opened, stream, restarts or {}):
        try:
            frames = decode_packet(stream, packet)
        except Undecodable as error:
            if not has_begun and packet.size:
                continue
            raise Damaged(
                f"has a picture that cannot be decoded after {time:.1f} s ({error}); convert or download it again"
            ) from error
        has_begun = has_begun or bool(frames)
        yield from frames
