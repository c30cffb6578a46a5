"""Restarts of the clock inside a transport or program stream: joined pieces, or a recording that was interrupted.

The time stamps after a restart continue where those before it ended, as with the ffmpeg program and players.
"""

from collections.abc import Iterator, Mapping
from typing import Any

RESTARTING_DEMUXERS = ("mpegts", "mpeg")
"""Containers without one clock for the whole file."""
_MAX_STEP_BACK = 1.0
"""Largest step back of decoding time stamps that is no restart, seconds."""
_MAX_STEP_AHEAD = 10.0
"""Largest step ahead that is a gap and no restart, seconds (ffmpeg's dts_delta_threshold)."""

Restarts = Mapping[int, float]
"""Of one stream: seconds to add to the time stamps from the packet with this number on."""


class RestartFinder:
    """Finds restarts in the packets of all streams, in the order of the file. All streams share the same shifts."""

    def __init__(self) -> None:
        """Start before the first packet."""
        self.restarts: dict[int, dict[int, float]] = {}
        self._shifts = [0.0]
        self._epochs: dict[int, int] = {}
        self._ends: dict[int, float] = {}
        self._counts: dict[int, int] = {}

    def shift(self, stream: int, time: float | None, length: float) -> float:
        """Seconds to add to the time stamps of the next packet of a stream.

        Args:
            stream: index of the stream.
            time: decoding time stamp of the packet, seconds, or None.
            length: of the packet, seconds.
        """
        count = self._counts.get(stream, 0)
        self._counts[stream] = count + 1
        epoch = self._epochs.setdefault(stream, len(self._shifts) - 1)
        if count == 0 and epoch:
            self.restarts.setdefault(stream, {})[0] = self._shifts[epoch]
        end = self._ends.get(stream)
        if time is None:
            if end is not None:
                self._ends[stream] = end + length
            return self._shifts[epoch]
        if end is not None and self._is_restart(time + self._shifts[epoch], end):
            epoch += 1
            if epoch == len(self._shifts):
                self._shifts.append(end - time)
            self._epochs[stream] = epoch
            self.restarts.setdefault(stream, {})[count] = self._shifts[epoch]
        self._ends[stream] = time + self._shifts[epoch] + length
        return self._shifts[epoch]

    def _is_restart(self, time: float, end: float) -> bool:
        return time < end - _MAX_STEP_BACK or time > max(self._ends.values()) + _MAX_STEP_AHEAD


def demux_stream(opened: Any, stream: Any, restarts: Restarts) -> Iterator[Any]:
    """The packets of one stream; after restarts, their time stamps continue. The container is at its start then."""
    shift = 0
    for number, packet in enumerate(opened.demux(stream)):
        if number in restarts:
            shift = round(restarts[number] / stream.time_base)
        if shift and packet.pts is not None:
            packet.pts += shift
        if shift and packet.dts is not None:
            packet.dts += shift
        yield packet
