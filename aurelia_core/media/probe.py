"""What a clip really holds, against what its container promises: read packet by packet, decoded where affordable.

Runs in child processes. A file that holds less than it promises, or whose frames do not all decode, is `Damaged`;
nothing is ever shortened in silence. What no container promises (an mp3 without a length header, a live-recorded mkv)
cannot be missed.
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
"""Video packets up to this many bytes stand for 'the same picture again' and need not decode to a frame."""


@dataclass(slots=True)
class StreamPackets:
    """One stream as its packets tell it; times in seconds as the container counts.

    Attributes:
        promised: length that the container declares, or None.
        start, end: of what is shown; `covered` also counts packets that an edit list hides.
        stamps, keys: time stamp and key flag of every shown packet, unsorted.
        packets: shown packets that must decode to a frame.
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
        """Length of what is shown or heard."""
        return max(0.0, self.end - self.start)

    @property
    def end_tolerance(self) -> float:
        """One and a half usual frame lengths: what rounding at the end may cost."""
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
    """Read every packet of some streams without decoding; by stream index.

    An avi stores no time stamps: FFmpeg's guesses are wrong as soon as frames are stored out of order, and only the
    slots in which its packets lie (dts) are to be trusted.
    """
    tracks = {stream.index: StreamPackets(_promised(stream)) for stream in streams}
    usual = {stream.index: _frame_seconds(stream) for stream in streams}
    try:
        for packet in opened.demux(streams):
            stamp = packet.dts if packet.pts is None or demuxer == "avi" else packet.pts
            if stamp is None or not packet.size:
                continue
            length = float(packet.duration * packet.time_base) if packet.duration else usual[packet.stream_index]
            tracks[packet.stream_index].add_packet(float(stamp * packet.time_base), length, packet)
    except av.FFmpegError:
        # A read error is the end of what the file holds; the comparison with the promise tells what is missing.
        pass
    return tracks


def check_against_header(opened: Any, tracks: list[StreamPackets], header: ContainerHeader, long: float) -> None:
    """Compare what was read with what is declared.

    Args:
        opened: the container.
        tracks: of the streams that are used.
        header: what the file's own header declares.
        long: longest clip allowed, seconds.

    Raises:
        Damaged: it holds less than it promises, nothing at all, or is longer than allowed.
    """
    held = max((track.covered_seconds for track in tracks), default=0.0)
    if held <= 0:
        raise Damaged("holds no picture and no sound that can be read; download or convert it again")
    whole = float(opened.duration) / av.time_base if opened.duration and not header.estimated else None
    spans = max(track.first + track.covered_seconds for track in tracks) - min(track.first for track in tracks)
    gap = max(track.end_tolerance for track in tracks)
    rough = max(0.3, 0.02 * spans, gap)
    promises = [(whole, spans, rough), (header.seconds if header.exact else None, spans, max(0.1, 0.005 * spans, gap))]
    for track in tracks:
        fine = max(0.06, 0.005 * track.covered_seconds, track.end_tolerance)
        promises.append((None if header.estimated else track.declared_seconds, track.covered_seconds, fine))
    for promised, found, slack in promises:
        if promised is not None and promised - found > slack:
            raise Damaged(
                f"is cut short: it promises {promised:.1f} s, holds {found:.1f} s; download or convert it again"
            )
    if header.seconds is not None and header.seconds - spans > max(1.0, 0.1 * spans):
        raise Damaged(f"promises {header.seconds:.1f} s but holds {spans:.1f} s; download or convert it again")
    if not header.has_end_mark:
        raise Damaged(f"is cut short: after {spans:.1f} s its end mark is missing; download or convert it again")
    # Not `held`: a track that begins hours after the other one makes hours of a clip.
    if spans > long:
        raise Damaged(
            f"is {spans:.0f} s long, more than the {long:.0f} s that are allowed; cut out the part you ask about"
        )


def decode_timestamps(path: str, demuxer: str, start: float = -math.inf, end: float = math.inf) -> Vector:
    """Decode a stretch only to see that it decodes.

    Args:
        path: the file.
        demuxer: the only one that may read it.
        start: of the stretch, seconds as the container counts.
        end: of the stretch.

    Returns:
        The ascending time stamps of its frames, float64[n].

    Raises:
        Damaged: a frame is damaged.
    """
    stamps: list[float] = []
    with open_container(path, demuxer) as opened:
        stream = find_video_stream(opened)
        if stream is None:
            raise Damaged("has no picture")
        stream.codec_context.thread_count = 1
        # In-loop filtering changes how a picture looks, not whether it can be parsed: a third is saved.
        stream.codec_context.options = {"skip_loop_filter": "all"}
        if not math.isinf(start):
            opened.seek(math.floor(start / stream.time_base), stream=stream, backward=True)
        for packet in opened.demux(stream):
            for frame in _frames(stream, packet):
                time = float(frame.pts * stream.time_base) if frame.pts is not None else math.nan
                if frame.is_corrupt and (stamps or frame.key_frame) and start <= time < end:
                    raise Damaged(f"is damaged at {time:.1f} s: half of a frame is lost; download or convert it again")
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
        stamp = packet.pts if packet.pts is not None else 0
        at = float(stamp * stream.time_base)
        raise Damaged(f"is damaged at {at:.1f} s: a frame cannot be decoded; download or convert it again") from error


def _promised(stream: Any) -> float | None:
    return float(stream.duration * stream.time_base) if stream.duration and stream.duration > 0 else None


def _frame_seconds(stream: Any) -> float:
    rate = getattr(stream, "average_rate", None)
    return 1 / float(rate) if rate else 0.0
