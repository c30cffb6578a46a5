"""Decoding of chosen frames of a clip, with decord where it is installed and else with PyAV.

Runs in child processes. Both readers give the same frames for the same time stamps; scaled pixels differ by rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Images, Vector
from aurelia_core.media.source import Damaged, ffmpeg_reason, find_video_stream, open_container

_TIMESTAMP_TOLERANCE = 0.002
"""Largest difference of one time stamp between the two libraries, seconds."""
_SEEK_GAP_SECONDS = 4.0
"""Distance to the next requested frame from which seeking is faster than decoding all frames between, seconds."""


class Unsupported(Exception):
    """This reader cannot read this clip correctly; the other reader may."""


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """The requested frames and their size.

    Attributes:
        times: ascending time stamps, container time in seconds (not from the clip's start).
        width, height: size of the upright picture, pixels.
        rotation: degrees, counter-clockwise, by which decoded pictures must be rotated; a multiple of 90.
        ordinals: frame numbers for a container without time stamps; None finds the frames by time.
    """

    times: Sequence[float]
    width: int
    height: int
    rotation: int
    ordinals: Sequence[int] | None = None


def read_frames(path: str, demuxer: str, wanted: FrameRequest, reader: str = "auto") -> Iterator[Images]:
    """The requested frames in order, uint8[height, width, 3] RGB.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        wanted: the requested frames.
        reader: "decord", "pyav", or "auto": decord, or PyAV if decord cannot read the clip.

    Raises:
        Damaged: a frame cannot be decoded.
        Unsupported: decord was requested and cannot read the clip.
    """
    if reader != "pyav":
        try:
            pictures = _read_with_decord(path, wanted)
            first = next(pictures)
        except (Unsupported, ImportError):
            if reader == "decord":
                raise
        else:
            yield first
            yield from pictures
            return
    yield from _read_with_pyav(path, demuxer, wanted)


def _read_with_decord(path: str, wanted: FrameRequest) -> Iterator[Images]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # decord's own errors are not RuntimeErrors.
    decord_errors = (RuntimeError, decord.DECORDError, decord.DECORDLimitReachedError)
    if wanted.rotation or wanted.ordinals is not None:
        # decord scales before it rotates, and needs the time stamps that an avi does not have.
        raise Unsupported("rotation or order")
    try:
        reader = decord.VideoReader(path, width=wanted.width, height=wanted.height, num_threads=1, fault_tol=1)
        stamps = np.asarray(reader.get_frame_timestamp(list(range(len(reader)))))[:, 0]
    except (*decord_errors, AssertionError, IndexError) as error:
        raise Unsupported(type(error).__name__) from error
    indices = _nearest_frames(stamps, wanted.times)
    for begin in range(0, len(indices), 32):
        try:
            yield from reader.get_batch(indices[begin : begin + 32]).asnumpy()
        except decord_errors as error:
            if begin == 0:
                raise Unsupported(type(error).__name__) from error
            raise Damaged(
                f"cannot be decoded near {wanted.times[begin]:.1f} s; convert or download it again"
            ) from error


def _nearest_frames(stamps: Vector, times: Sequence[float]) -> list[int]:
    after = np.clip(np.searchsorted(stamps, times), 0, len(stamps) - 1)
    before = np.maximum(after - 1, 0)
    best = np.where(np.abs(stamps[before] - times) <= np.abs(stamps[after] - times), before, after)
    if np.abs(stamps[best] - times).max(initial=0.0) > _TIMESTAMP_TOLERANCE:
        raise Unsupported("time stamps")
    return [int(index) for index in best]


def _read_with_pyav(path: str, demuxer: str, wanted: FrameRequest) -> Iterator[Images]:
    with open_container(path, demuxer) as opened:
        stream = find_video_stream(opened)
        if stream is None:
            raise Damaged("has no picture")
        stream.codec_context.thread_count = 1
        if wanted.ordinals is not None:
            yield from _read_by_number(opened, stream, wanted, wanted.ordinals)
            return
        done = 0
        while done < len(wanted.times):
            for frame, time in _decode_from(opened, stream, wanted.times[done]):
                if time > wanted.times[done] + _TIMESTAMP_TOLERANCE:
                    raise _missing_frame(wanted.times[done])
                if time < wanted.times[done] - _TIMESTAMP_TOLERANCE:
                    continue
                yield _upright(frame, wanted)
                done += 1
                if done == len(wanted.times) or wanted.times[done] - time > _SEEK_GAP_SECONDS:
                    break
            else:
                raise _missing_frame(wanted.times[done])


def _read_by_number(opened: Any, stream: Any, wanted: FrameRequest, ordinals: Sequence[int]) -> Iterator[Images]:
    """Frames by their number in display order."""
    requested = set(ordinals)
    try:
        for number, frame in enumerate(opened.decode(stream)):
            if number in requested:
                yield _upright(frame, wanted)
            if number == ordinals[-1]:
                return
    except av.FFmpegError as error:
        raise Damaged(f"cannot be decoded ({ffmpeg_reason(error)}); convert or download it again") from error
    raise _missing_frame(wanted.times[-1])


def _missing_frame(time: float) -> Damaged:
    return Damaged(f"cannot be decoded at {time:.1f} s; convert or download it again")


def _decode_from(opened: Any, stream: Any, time: float) -> Iterator[tuple[Any, float]]:
    """Frames and their times, starting at the last key frame before `time`."""
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
    width, height = wanted.width, wanted.height
    if turns % 2:
        width, height = height, width
    picture = frame.to_ndarray(width=width, height=height, format="rgb24", interpolation="BICUBIC")
    return np.ascontiguousarray(np.rot90(picture, turns))
