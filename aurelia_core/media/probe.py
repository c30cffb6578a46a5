"""Comparison of a clip's real content with the declarations of its container, packet by packet.

Runs in child processes. A file that contains less than it declares, or in which a frame does not decode, is `Damaged`;
no clip is shortened without a message. Where a container declares no length (an mp3 without a length header, a live
recording in mkv), a loss cannot be detected.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.media.header import ContainerHeader
from aurelia_core.media.source import Damaged, find_video_stream, open_container

_PLACEHOLDER_BYTES = 8
"""Video packets up to this size repeat the previous picture and need not decode to a frame."""


@dataclass(slots=True)
class StreamPackets:
    """The packets of one stream; times are container time in seconds.

    Attributes:
        declared_seconds: the length that the container declares, or None.
        start, end: the range of the visible or audible packets.
        first: the time of the first packet, hidden ones included.
        covered_seconds: the length of all packets, including those that an edit list hides.
        timestamps, key_flags: of every visible or audible packet, unsorted.
        packets: the number of visible packets that must decode to a frame.
    """

    declared_seconds: float | None
    start: float = math.inf
    end: float = -math.inf
    first: float = math.inf
    covered_seconds: float = 0.0
    timestamps: list[float] = field(default_factory=list)
    key_flags: list[bool] = field(default_factory=list)
    packets: int = 0

    @property
    def seconds(self) -> float:
        """Length of the visible or audible part."""
        return max(0.0, self.end - self.start)

    @property
    def end_tolerance(self) -> float:
        """One and a half mean frame lengths: the possible rounding error at the end, seconds."""
        return 1.5 * self.covered_seconds / max(1, len(self.timestamps))

    def add_packet(self, time: float, length: float, packet: Any) -> None:
        """Count one packet."""
        self.first = min(self.first, time)
        self.covered_seconds = max(self.covered_seconds, time + length - self.first)
        if packet.is_discard:
            return
        self.start, self.end = min(self.start, time), max(self.end, time + length)
        self.timestamps.append(time)
        self.key_flags.append(bool(packet.is_keyframe))
        self.packets += packet.size > _PLACEHOLDER_BYTES


def read_packets(opened: Any, streams: list[Any], demuxer: str) -> dict[int, StreamPackets]:
    """Read every packet of some streams, without decoding, by stream index.

    An avi stores no time stamps. FFmpeg's guesses are wrong if frames are stored out of order; only the positions of
    the packets (dts) are reliable.
    """
    tracks = {stream.index: StreamPackets(_declared_seconds(stream)) for stream in streams}
    frame_seconds = {stream.index: _frame_seconds(stream) for stream in streams}
    try:
        for packet in opened.demux(streams):
            stamp = packet.pts
            if stamp is None or demuxer == "avi":
                stamp = packet.dts
            if stamp is None or not packet.size:
                continue
            length = frame_seconds[packet.stream_index]
            if packet.duration:
                length = float(packet.duration * packet.time_base)
            tracks[packet.stream_index].add_packet(float(stamp * packet.time_base), length, packet)
    except av.FFmpegError:
        # The file ends here; the comparison with its declarations finds what is missing.
        pass
    return tracks


def check_against_header(opened: Any, tracks: list[StreamPackets], header: ContainerHeader, long: float) -> None:
    """Compare the packets with the declared lengths.

    Args:
        opened: the container.
        tracks: the packets of the used streams.
        header: the declarations of the file's own header.
        long: length limit of a clip, seconds.

    Raises:
        Damaged: the file contains less than it declares, or nothing, or is longer than the limit.
    """
    if max((track.covered_seconds for track in tracks), default=0.0) <= 0:
        raise Damaged("contains no picture and no sound that can be read; download or convert it again")
    # A track that begins hours after the other one makes the clip hours long.
    total = max(track.first + track.covered_seconds for track in tracks) - min(track.first for track in tracks)
    tolerance = max(track.end_tolerance for track in tracks)
    if opened.duration and not header.estimated:
        _require_length(float(opened.duration) / av.time_base, total, max(0.3, 0.02 * total, tolerance))
    if header.seconds is not None and header.exact:
        _require_length(header.seconds, total, max(0.1, 0.005 * total, tolerance))
    for track in tracks:
        if track.declared_seconds is not None and not header.estimated:
            covered = track.covered_seconds
            _require_length(track.declared_seconds, covered, max(0.06, 0.005 * covered, track.end_tolerance))
    if header.seconds is not None and header.seconds - total > max(1.0, 0.1 * total):
        raise Damaged(f"declares {header.seconds:.1f} s but contains only {total:.1f} s; download or convert it again")
    if not header.has_end_mark:
        raise Damaged(f"is cut short: after {total:.1f} s its end mark is missing; download or convert it again")
    if total > long:
        raise Damaged(f"is {total:.0f} s long, more than the allowed {long:.0f} s; cut out the part you ask about")


def _require_length(declared: float, found: float, tolerance: float) -> None:
    if declared - found > tolerance:
        raise Damaged(
            f"is cut short: it declares {declared:.1f} s but contains only {found:.1f} s; download or convert it again"
        )


def decode_timestamps(path: str, demuxer: str, start: float = -math.inf, end: float = math.inf) -> Vector:
    """Decode a range of the picture to check that it decodes.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        start: start of the range, container time in seconds.
        end: end of the range.

    Returns:
        The ascending time stamps of the frames, float64[n].

    Raises:
        Damaged: a frame is damaged.
    """
    stamps: list[float] = []
    with open_container(path, demuxer) as opened:
        stream = find_video_stream(opened)
        if stream is None:
            raise Damaged("has no picture")
        stream.codec_context.thread_count = 1
        # Loop filtering changes only how a picture looks; without it the check takes a third less time.
        stream.codec_context.options = {"skip_loop_filter": "all"}
        if not math.isinf(start):
            opened.seek(math.floor(start / stream.time_base), stream=stream, backward=True)
        for packet in opened.demux(stream):
            for frame in _frames(stream, packet):
                time = math.nan
                if frame.pts is not None:
                    time = float(frame.pts * stream.time_base)
                if frame.is_corrupt and (stamps or frame.key_frame) and start <= time < end:
                    raise Damaged(f"is damaged at {time:.1f} s: part of a frame is lost; download or convert it again")
                stamps.append(time)
            if stamps and stamps[-1] >= end:
                break
    return np.sort(np.array([stamp for stamp in stamps if start <= stamp < end], np.float64))


def _frames(stream: Any, packet: Any) -> list[Any]:
    try:
        return list(stream.codec_context.decode(packet if packet.size else None))
    except av.error.EOFError:
        return []
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.FFmpegError as error:
        time = float((packet.pts or 0) * stream.time_base)
        raise Damaged(f"is damaged at {time:.1f} s: a frame cannot be decoded; download or convert it again") from error


def _declared_seconds(stream: Any) -> float | None:
    if not stream.duration or stream.duration < 0:
        return None
    return float(stream.duration * stream.time_base)


def _frame_seconds(stream: Any) -> float:
    rate = getattr(stream, "average_rate", None)
    if not rate:
        return 0.0
    return 1 / float(rate)
