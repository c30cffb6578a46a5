"""Decoding of a clip's sound: each decoded block at its own time stamp, mixed to mono at 16 kHz.

Gaps between time stamps become silence. Where blocks overlap, the later block is kept. Containers round time stamps and
recorders jitter them, so stamps are smoothed over neighbouring blocks and a block moves only if it is off by 2 ms.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.media.probe import StreamPackets
from aurelia_core.media.restarts import demux_stream
from aurelia_core.media.source import Damaged, Undecodable, decode_packet, open_container

STORED_SAMPLE_RATE = 16000
RESAMPLE_BATCH_SAMPLES = 1024
"""Samples that are resampled together: single packets can be as short as one sample, which would be slow."""
_STAMP_TOLERANCE = 0.002
"""Distance from its smoothed time stamp at which a block is moved, seconds."""
_BREAK_SECONDS = 0.03
"""Step of the time stamps that is a gap or an overlap, not jitter."""
_SMOOTHED_BLOCKS = 12
"""Blocks before and after a block over which time stamps are smoothed."""
_MAX_STEP_BACK = 1.0
"""Time stamps that run back farther than this are a new recording; its sound follows after the old one, seconds."""
_WITHOUT_CLOCK = ("aac", "mp3", "amr")
"""Containers without time stamps; FFmpeg computes some from the first frame's sample rate."""
_MAX_LOST_SECONDS = 0.1
"""Sound that may be lost in packets that do not decode, seconds in all."""
_PADDING_SECONDS = 0.1
"""Longest sound beyond the container's length that is padding of the codec, seconds."""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """The stored sound: channels of the stream, samples at 16 kHz, and the time at which it ends, seconds."""

    channels: int
    samples: int
    seconds: float


@dataclass(slots=True)
class _Block:
    """One decoded frame; `delay` is its time stamp minus the length of all sound before it, seconds."""

    frame: Any
    delay: float
    elapsed: float


def decode_sound(path: str, demuxer: str, track: StreamPackets, origin: float, target: Path, long: float) -> SoundFacts:
    """Decode a sound track into `target`, float32[samples], mono, -1..1, 16 kHz, from the clip's start.

    Args:
        path: the file.
        demuxer: the only demuxer that may read it.
        track: the packets of the track.
        origin: container time of the clip's start, seconds.
        target: the .npy file to write.
        long: length limit of a clip, seconds.

    Raises:
        Damaged: a packet does not decode, or the track decodes to much more sound than its packets declare.
    """
    with open_container(path, demuxer) as opened:
        stream = opened.streams[track.index]
        blocks = _decode_blocks(opened, stream, track, origin)
        first = next(blocks, None)
        if first is None:
            raise Damaged("has a sound track in which nothing decodes; download or convert it again")
        # A stream does not know its channels before it decodes, if it begins late in the file.
        channels = first.frame.layout.nb_channels
        writer = _SoundFile(target, min(channels, 2), long)
        line = _Timeline(writer, origin)
        for block in _smooth(chain([first], blocks)):
            line.place(block)
        line.finish()
    end = max(0, round((track.end - origin) * STORED_SAMPLE_RATE))
    if writer.end - end < _PADDING_SECONDS * STORED_SAMPLE_RATE:
        # A codec fills its last block: sound beyond the container's length is padding.
        writer.end = min(writer.end, end)
    writer.close()
    return SoundFacts(channels, writer.end, round(writer.end / STORED_SAMPLE_RATE, 6))


def first_sample_time(path: str, demuxer: str, track: StreamPackets) -> float:
    """Container time of the first sample that is heard, seconds; the delay of the codec is removed."""
    with open_container(path, demuxer) as opened:
        block = next(_decode_blocks(opened, opened.streams[track.index], track, 0.0), None)
    if block is None:
        return track.start
    return block.delay


def _decode_blocks(opened: Any, stream: Any, track: StreamPackets, origin: float) -> Iterator[_Block]:
    """The decoded frames with their time stamps."""
    elapsed = 0.0
    losses = _Losses(origin)
    first: float | None = None
    has_clock = opened.format.name not in _WITHOUT_CLOCK
    for packet in demux_stream(opened, stream, track.restarts):
        for frame in _decode_or_lose(stream, packet, losses):
            stamp = _stamp(frame, track, elapsed)
            if first is None:
                first = stamp
                # A piece of a recording can begin with a fragment.
                losses = _Losses(origin)
            losses.end_at(stamp)
            if not has_clock:
                stamp = first + elapsed
            yield _Block(frame, stamp - elapsed, elapsed)
            elapsed += frame.samples / frame.sample_rate
            if elapsed > 2 * track.covered_seconds + 10:
                raise Damaged("decodes to far more sound than it declares; download or convert it again")
    if elapsed and track.covered_seconds - elapsed > _PADDING_SECONDS:
        losses.end_at(math.inf)


def _decode_or_lose(stream: Any, packet: Any, losses: "_Losses") -> list[Any]:
    try:
        return decode_packet(stream, packet)
    except Undecodable as error:
        losses.begin_at(float((packet.pts or 0) * packet.time_base), str(error))
        return []


class _Losses:
    """Packets that do not decode. A player skips a tag or a fragment too: losses are damage above a limit."""

    def __init__(self, origin: float) -> None:
        """Start without a loss.

        Args:
            origin: container time of the clip's start, seconds.
        """
        self._origin = origin
        self._seconds = 0.0
        self._time: float | None = None
        self._reason = ""

    def begin_at(self, time: float, reason: str) -> None:
        """A packet with this time stamp does not decode."""
        if self._time is None:
            self._time, self._reason = time, reason

    def end_at(self, time: float) -> None:
        """The next frame has this time stamp.

        Raises:
            Damaged: too much is lost.
        """
        if self._time is None:
            return
        self._seconds += max(0.0, time - self._time)
        if self._seconds > _MAX_LOST_SECONDS:
            raise Damaged(
                f"is damaged: its sound does not decode at {self._time - self._origin:.2f} s ({self._reason}); "
                "download or convert it again"
            )
        self._time = None


def _stamp(frame: Any, track: StreamPackets, elapsed: float) -> float:
    """Time stamp of a frame; one without it follows the frame before."""
    if frame.pts is not None:
        return float(frame.pts * frame.time_base)
    return track.start + elapsed


def _smooth(blocks: Iterator[_Block]) -> Iterator[_Block]:
    """The blocks with their delays smoothed by a running median that does not reach across gaps."""
    waiting: list[_Block] = []
    done = 0
    for block in blocks:
        if waiting and abs(block.delay - waiting[-1].delay) > _BREAK_SECONDS:
            yield from _medians(waiting, done, len(waiting))
            waiting, done = [], 0
        waiting.append(block)
        if len(waiting) - done > _SMOOTHED_BLOCKS:
            yield from _medians(waiting, done, done + 1)
            done += 1
        if done > _SMOOTHED_BLOCKS:
            del waiting[0]
            done -= 1
    yield from _medians(waiting, done, len(waiting))


def _medians(blocks: list[_Block], first: int, end: int) -> Iterator[_Block]:
    delays = [block.delay for block in blocks]
    for number in range(first, end):
        half = min(_SMOOTHED_BLOCKS, number, len(blocks) - 1 - number)
        middle = median(delays[number - half : number + half + 1])
        yield _Block(blocks[number].frame, middle, blocks[number].elapsed)


class _Timeline:
    """Joins blocks to runs without gaps, resamples each run, and writes it at its time."""

    def __init__(self, writer: "_SoundFile", origin: float) -> None:
        """Start before the first block."""
        self._writer = writer
        self._origin = origin
        self._cursor: float | None = None
        self._shift = 0.0
        self._form: tuple[Any, ...] = ()
        self._resampler: Any = None
        self._waiting: Any = None

    def place(self, block: _Block) -> None:
        """Add one block."""
        frame = block.frame
        start = block.elapsed + block.delay + self._shift
        form = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._cursor is not None and start < self._cursor - _MAX_STEP_BACK:
            self._shift += self._cursor - start
            start = self._cursor
        if self._cursor is None or form != self._form or abs(start - self._cursor) > _STAMP_TOLERANCE:
            self.finish()
            self._form = form
            self._cursor = start
            self._writer.seek(round((start - self._origin) * STORED_SAMPLE_RATE))
            layout = ("mono", "stereo")[self._writer.channels - 1]
            self._resampler = av.AudioResampler(format="flt", layout=layout, rate=STORED_SAMPLE_RATE)
            self._waiting = av.AudioFifo()
        self._cursor += frame.samples / frame.sample_rate
        frame.pts = None
        self._waiting.write(frame)
        if self._waiting.samples >= RESAMPLE_BATCH_SAMPLES:
            self._resample(self._waiting.read())

    def finish(self) -> None:
        """End the current run."""
        if self._resampler is None:
            return
        if self._waiting.samples:
            self._resample(self._waiting.read())
        self._resample(None)
        self._resampler = None

    def _resample(self, frame: Any) -> None:
        for part in self._resampler.resample(frame):
            self._writer.write(part.to_ndarray().reshape(-1, self._writer.channels))


class _SoundFile:
    """Writes samples at any position; two channels are mixed when the file is closed. Memory stays flat."""

    def __init__(self, target: Path, channels: int, long: float) -> None:
        """Create the file.

        Args:
            target: the .npy file.
            channels: 1 or 2.
            long: length limit, seconds.
        """
        self.channels = channels
        self.end = 0
        self._target = target
        self._limit = round(long * STORED_SAMPLE_RATE)
        self._position = 0
        self._raw = target.with_suffix(".raw")
        self._file = self._raw.open("w+b")

    def seek(self, position: int) -> None:
        """Continue at a position in samples; a negative one drops sound before the clip's start."""
        self._position = position

    def write(self, samples: Samples) -> None:
        """Write float32[n, channels] at the position."""
        if self._position < 0:
            before = min(len(samples), -self._position)
            samples = samples[before:]
            self._position += before
        if not len(samples):
            return
        if self._position + len(samples) > self._limit:
            raise Damaged(
                f"has sound up to {self._position / STORED_SAMPLE_RATE:.0f} s, more than the allowed "
                f"{self._limit / STORED_SAMPLE_RATE:.0f} s; cut out the part you ask about"
            )
        self._file.seek(self._position * self.channels * 4)
        self._file.write(np.ascontiguousarray(samples, np.float32).tobytes())
        self._position += len(samples)
        self.end = max(self.end, self._position)

    def close(self) -> None:
        """Write the .npy file."""
        self._file.truncate(self.end * self.channels * 4)
        with self._target.open("wb") as out:
            np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (self.end,)})
            for block in _mono_blocks(self._file, self.channels):
                out.write(np.clip(block, -1.0, 1.0).astype("<f4").tobytes())
        self._file.close()
        self._raw.unlink()


_MIX_SAMPLES = 1 << 18
_FRAME = 1024
_HOP = _FRAME // 2


def _mono_blocks(file: Any, channels: int) -> Iterator[Samples]:
    """The mono sound of a file of float32[n, channels], block by block, with an overlap for the mixing filter."""
    file.seek(0, 2)
    total = file.tell() // (4 * channels)
    for start in range(0, total, _MIX_SAMPLES):
        stop = min(total, start + _MIX_SAMPLES)
        first = max(0, start - _FRAME)
        file.seek(first * channels * 4)
        block = np.frombuffer(file.read((min(total, stop + _FRAME) - first) * channels * 4), "<f4")
        if channels == 2:
            block = mix_to_mono(block.reshape(-1, 2))
        yield block[start - first : stop - first]


def mix_to_mono(stereo: Samples) -> Samples:
    """Mix two channels so that sound of opposite phase does not cancel.

    The mean of the channels, except for the frequencies where it loses most of the channels' power: there the left
    channel is taken, at the power of both.

    Args:
        stereo: float32[n, 2].

    Returns:
        float32[n].
    """
    middle: Samples = stereo.mean(axis=1, dtype=np.float32)
    side = (stereo[:, 0] - stereo[:, 1]) / 2
    # Nothing can cancel where the channels differ by less than a tenth.
    if float(np.dot(side, side)) <= 0.01 * float(np.dot(middle, middle)):
        return middle
    window = np.sqrt(np.hanning(_FRAME + 1)[:-1]).astype(np.float32)
    padded = np.pad(stereo, ((_HOP, _FRAME + (-len(stereo)) % _HOP), (0, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME, axis=0)[::_HOP]
    left, right = np.fft.rfft(frames[:, 0] * window), np.fft.rfft(frames[:, 1] * window)
    mixed = (left + right) / 2
    power = (np.abs(left) ** 2 + np.abs(right) ** 2) / 2
    kept = np.abs(mixed) ** 2 / np.maximum(power, 1e-12)
    weight = np.clip((0.3 - kept) / 0.2, 0.0, 1.0)
    if not (weight * power).any():
        return middle
    louder = left * (np.sqrt(power) / np.maximum(np.abs(left), 1e-9))
    change = np.fft.irfft(weight * (louder - mixed), _FRAME).astype(np.float32) * window
    sound = np.pad(middle, (_HOP, _FRAME + (-len(stereo)) % _HOP))
    for number, block in enumerate(change):
        sound[number * _HOP : number * _HOP + _FRAME] += block
    mono: Samples = sound[_HOP : _HOP + len(stereo)]
    return mono
