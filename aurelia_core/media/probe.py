"""Packets of a clip's streams, and the checks for files that are cut short.

Runs in child processes. A file is `Damaged` only if bytes are missing that it announces, or if a frame does not decode;
gaps between packets, tracks of different lengths and kept time stamps are no damage. Where a container announces no
size (an mp3 without a length header, a live recording in mkv), a loss cannot be detected.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.media.header import ContainerHeader
from aurelia_core.media.restarts import RESTARTING_DEMUXERS, RestartFinder, Restarts, demux_stream
from aurelia_core.media.source import Damaged, Undecodable, decode_packet, open_container

_PLACEHOLDER_BYTES = 8
"""Video packets up to this size repeat the previous picture and need not decode to a frame."""


@dataclass(slots=True)
class StreamPackets:
    """The packets of one stream; times are container time in seconds.

    Attributes:
        index: index of the stream in the container.
        declared_seconds: the length that the container declares, or None.
        start, end: the range of the visible or audible packets.
        first: the time of the first packet, hidden ones included.
        covered_seconds: the length of all packets, including those that an edit list hides.
        timestamps, key_flags: of every visible or audible packet, unsorted.
        packets: the number of visible packets that must decode to a frame.
        restarts: where the time stamps restart; `start`, `end`, `first` and `timestamps` continue there.
    """

    index: int
    declared_seconds: float | None
    start: float = math.inf
    end: float = -math.inf
    first: float = math.inf
    covered_seconds: float = 0.0
    timestamps: list[float] = field(default_factory=list)
    key_flags: list[bool] = field(default_factory=list)
    packets: int = 0
    restarts: Restarts = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of the visible or audible part."""
        return max(0.0, self.end - self.start)

    def add_packet(self, time: float, length: float, packet: Any) -> None:
        """Count one packet."""
        self.first = min(self.first, time)
        self.covered_seconds = max(self.covered_seconds, time + length - self.first)
        if packet.is_discard:
            return
        self.start, self.end = min(self.start, time), max(self.end, time + length)
        self.timestamps.append(time)
        self.key_flags.append(bool(packet.is_keyframe))
        self.packets += packet.size > _PLACEHOLDER_BYTES or self.packets == 0


def read_packets(opened: Any, demuxer: str) -> dict[int, StreamPackets]:
    """Read every packet of all picture and sound streams, without decoding, by stream index.

    An avi stores no time stamps. FFmpeg's guesses are wrong if frames are stored out of order; only the positions of
    the packets (dts) are reliable.
    """
    streams = [*opened.streams.video, *opened.streams.audio]
    tracks = {stream.index: StreamPackets(stream.index, _declared_seconds(stream)) for stream in streams}
    frame_seconds = {stream.index: _frame_seconds(stream) for stream in streams}
    finder = RestartFinder()
    if not streams:
        return tracks
    try:
        for packet in opened.demux(streams):
            stamp = packet.pts
            if stamp is None or demuxer == "avi":
                stamp = packet.dts
            length = frame_seconds[packet.stream_index]
            if packet.duration:
                length = float(packet.duration * packet.time_base)
            shift = 0.0
            if demuxer in RESTARTING_DEMUXERS:
                shift = finder.shift(packet.stream_index, _seconds(packet.dts, packet.time_base), length)
            if stamp is None or not packet.size:
                continue
            tracks[packet.stream_index].add_packet(float(stamp * packet.time_base) + shift, length, packet)
    except av.FFmpegError:
        # The file ends here; the comparison with the announced size finds what is missing.
        pass
    for index, restarts in finder.restarts.items():
        tracks[index].restarts = restarts
    return tracks


def _seconds(stamp: int | None, time_base: Any) -> float | None:
    if stamp is None:
        return None
    return float(stamp * time_base)


def check_complete(opened: Any, tracks: Sequence[StreamPackets], header: ContainerHeader, long: float) -> None:
    """Compare the used tracks with the size and length that the container announces.

    Args:
        opened: the container.
        tracks: the packets of the used streams.
        header: the announcements of the file's own header.
        long: length limit of a clip, seconds.

    Raises:
        Damaged: the file contains less than it announces, or nothing, or is longer than the limit.
    """
    if max((track.covered_seconds for track in tracks), default=0.0) <= 0:
        raise Damaged("contains no picture and no sound that can be read; download or convert it again")
    # A track that begins hours after the other one makes the clip hours long.
    total = max(track.first + track.covered_seconds for track in tracks) - min(track.first for track in tracks)
    declared = _declared_length(opened, tracks, header)
    if header.missing_bytes:
        if declared > total:
            raise _cut_short(declared, total)
        raise Damaged(
            f"is cut short: after {total:.1f} s, {header.missing_bytes} bytes that it announces are missing; "
            "download or convert it again"
        )
    if (header.seconds is not None or header.is_duration_exact) and declared - total > max(0.1, 0.005 * total):
        raise _cut_short(declared, total)
    if total > long:
        raise Damaged(f"is {total:.0f} s long, more than the allowed {long:.0f} s; cut out the part you ask about")


def _declared_length(opened: Any, tracks: Sequence[StreamPackets], header: ContainerHeader) -> float:
    """The greatest length that the container declares, 0 if it declares none."""
    lengths = [header.seconds or 0.0, *(track.declared_seconds or 0.0 for track in tracks)]
    if opened.duration:
        lengths.append(float(opened.duration) / av.time_base)
    return max(lengths)


def _cut_short(declared: float, found: float) -> Damaged:
    return Damaged(
        f"is cut short: it declares {declared:.1f} s but contains only {found:.1f} s; download or convert it again"
    )


def decode_timestamps(path: str, demuxer: str, track: StreamPackets) -> Vector:
    """Decode the whole picture to check it.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        track: the packets of the picture.

    Returns:
        The ascending time stamps of the frames, container time in seconds, float64[n].

    Raises:
        Damaged: a frame is damaged. Frames before the first whole one are no damage: a piece of a recording can begin
            in the middle of a group of pictures.
    """
    stamps: list[float] = []
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(True)
    with open_container(path, demuxer) as opened:
        stream = opened.streams[track.index]
        stream.codec_context.thread_count = 1
        # Loop filtering changes only how a picture looks; without it the check takes a third less time.
        stream.codec_context.options = {"skip_loop_filter": "all"}
        reports = _error_count()
        corrupt: float | None = None
        for packet in demux_stream(opened, stream, track.restarts):
            for frame in _frames(stream, packet, bool(stamps)):
                if corrupt is not None:
                    raise _lost_part(corrupt - track.start)
                time = math.nan
                if frame.pts is not None:
                    time = float(frame.pts * stream.time_base)
                if frame.is_corrupt and (stamps or frame.key_frame):
                    corrupt = time
                stamps.append(time)
        if corrupt is not None and demuxer not in RESTARTING_DEMUXERS:
            # A piece of a stream can end within a frame, but other containers hold whole frames.
            raise _lost_part(corrupt - track.start)
        reports = _error_count() - reports
    found = np.sort(np.array(stamps, np.float64))
    _check_frame_count(found, track, reports)
    return found


def _lost_part(time: float) -> Damaged:
    return Damaged(f"is damaged: part of its picture is lost at {time:.1f} s; download or convert it again")


def _check_frame_count(found: Vector, track: StreamPackets, reports: int) -> None:
    """Refuse a picture of which frames are missing, if the decoder complained."""
    if not len(found):
        raise Damaged("has a picture in which no frame decodes; download or convert it again")
    shown = np.sort(np.array(track.timestamps))
    expected = min(track.packets, int(np.count_nonzero(shown >= found[0] - 1e-6)) or track.packets)
    if reports and len(found) < expected:
        raise Damaged(
            f"is damaged: {expected - len(found)} of {expected} frames of its picture do not decode; "
            "download or convert it again"
        )


def _error_count() -> int:
    return int(av.logging.get_last_error()[0])


def _frames(stream: Any, packet: Any, has_begun: bool) -> list[Any]:
    try:
        return decode_packet(stream, packet)
    except Undecodable as error:
        if not has_begun and packet.size:
            return []
        time = float((packet.pts or 0) * stream.time_base)
        raise Damaged(
            f"is damaged: a frame of its picture cannot be decoded at {time:.1f} s; download or convert it again"
        ) from error


def _declared_seconds(stream: Any) -> float | None:
    if not stream.duration or stream.duration < 0:
        return None
    return float(stream.duration * stream.time_base)


def _frame_seconds(stream: Any) -> float:
    rate = getattr(stream, "average_rate", None)
    if not rate:
        return 0.0
    return 1 / float(rate)
