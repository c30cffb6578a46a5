"""Decoding chosen frames of a clip: decord where it is installed, PyAV where it is not, behind one function.

Runs in child processes. Both give the same frames for the same time stamps; scaling differs by rounding only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Images, Vector
from aurelia_core.media.source import Damaged, ffmpeg_reason, find_video_stream, open_container

_TIMESTAMP_TOLERANCE = 0.002
"""Seconds by which two libraries may round the same time stamp differently."""
_SEEK_GAP_SECONDS = 4.0
"""Seconds to the next wanted frame beyond which seeking is cheaper than decoding on."""


class Unsupported(Exception):
    """This reader cannot read this clip the right way; the other one may."""


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """Which frames, and how large.

    Attributes:
        times: ascending time stamps in seconds as the container counts them (not from the clip's start).
        width, height: of the upright picture, pixels.
        rotation: degrees, counter-clockwise, by which decoded pictures must be turned; a multiple of 90.
        ordinals: the numbers of the frames, for a container without time stamps; None finds them by time.
    """

    times: Sequence[float]
    width: int
    height: int
    rotation: int
    ordinals: Sequence[int] | None = None


def read_frames(path: str, demuxer: str, wanted: FrameRequest, reader: str = "auto") -> Iterator[Images]:
    """The wanted frames in order, uint8[height, width, 3] RGB, with decord ("auto", "decord") or PyAV ("pyav").

    Raises:
        Damaged: a frame cannot be decoded.
        Unsupported: decord was named and cannot do it; "auto" turns to PyAV instead.
    """
    if reader != "pyav":
        try:
            pictures = _decord(path, wanted)
            first = next(pictures)
        except (Unsupported, ImportError):
            if reader == "decord":
                raise
        else:
            yield first
            yield from pictures
            return
    yield from _pyav(path, demuxer, wanted)


def _decord(path: str, wanted: FrameRequest) -> Iterator[Images]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # Its own errors are no RuntimeErrors.
    broken = (RuntimeError, decord.DECORDError, decord.DECORDLimitReachedError)
    if wanted.rotation or wanted.ordinals is not None:
        # decord scales before it turns, and sorts by the time stamps that an avi does not have.
        raise Unsupported("rotation or order")
    try:
        reader = decord.VideoReader(path, width=wanted.width, height=wanted.height, num_threads=1, fault_tol=1)
        stamps = np.asarray(reader.get_frame_timestamp(list(range(len(reader)))))[:, 0]
    except (*broken, AssertionError, IndexError) as error:
        raise Unsupported(type(error).__name__) from error
    indices = _nearest(stamps, wanted.times)
    for begin in range(0, len(indices), 32):
        try:
            yield from reader.get_batch(indices[begin : begin + 32]).asnumpy()
        except broken as error:
            if begin == 0:
                raise Unsupported(type(error).__name__) from error
            raise Damaged(
                f"cannot be decoded near {wanted.times[begin]:.1f} s; convert or download it again"
            ) from error


def _nearest(stamps: Vector, times: Sequence[float]) -> list[int]:
    right = np.clip(np.searchsorted(stamps, times), 0, len(stamps) - 1)
    left = np.maximum(right - 1, 0)
    best = np.where(np.abs(stamps[left] - times) <= np.abs(stamps[right] - times), left, right)
    if np.abs(stamps[best] - times).max(initial=0.0) > _TIMESTAMP_TOLERANCE:
        raise Unsupported("time stamps")
    return [int(index) for index in best]


def _pyav(path: str, demuxer: str, wanted: FrameRequest) -> Iterator[Images]:
    with open_container(path, demuxer) as opened:
        stream = find_video_stream(opened)
        if stream is None:
            raise Damaged("has no picture")
        stream.codec_context.thread_count = 1
        if wanted.ordinals is not None:
            yield from _counted(opened, stream, wanted, wanted.ordinals)
            return
        done = 0
        while done < len(wanted.times):
            for frame, time in _forward(opened, stream, wanted.times[done]):
                if time > wanted.times[done] + _TIMESTAMP_TOLERANCE:
                    raise _missing(wanted.times[done])
                if time < wanted.times[done] - _TIMESTAMP_TOLERANCE:
                    continue
                yield _upright(frame, wanted)
                done += 1
                if done == len(wanted.times) or wanted.times[done] - time > _SEEK_GAP_SECONDS:
                    break
            else:
                raise _missing(wanted.times[done])


def _counted(opened: Any, stream: Any, wanted: FrameRequest, ordinals: Sequence[int]) -> Iterator[Images]:
    """Frames by their numbers in the order in which they are shown."""
    todo = set(ordinals)
    try:
        for number, frame in enumerate(opened.decode(stream)):
            if number in todo:
                yield _upright(frame, wanted)
            if number == ordinals[-1]:
                return
    except av.FFmpegError as error:
        raise Damaged(f"cannot be decoded ({ffmpeg_reason(error)}); convert or download it again") from error
    raise _missing(wanted.times[-1])


def _missing(time: float) -> Damaged:
    return Damaged(f"cannot be decoded at {time:.1f} s; convert or download it again")


def _forward(opened: Any, stream: Any, time: float) -> Iterator[tuple[Any, float]]:
    """Frames with their times from the key frame before `time` on."""
    opened.seek(int(np.floor(time / stream.time_base)), stream=stream, backward=True)
    try:
        for frame in opened.decode(stream):
            if frame.pts is not None:
                yield frame, float(frame.pts * stream.time_base)
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.FFmpegError as error:
        raise Damaged(
            f"cannot be decoded after {time:.1f} s ({ffmpeg_reason(error)}); convert or download it again"
        ) from error


def _upright(frame: Any, wanted: FrameRequest) -> Images:
    turns = wanted.rotation // 90 % 4
    width, height = (wanted.height, wanted.width) if turns % 2 else (wanted.width, wanted.height)
    picture = frame.to_ndarray(width=width, height=height, format="rgb24", interpolation="BICUBIC")
    return np.ascontiguousarray(np.rot90(picture, turns))
