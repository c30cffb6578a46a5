"""The two jobs of a decoding child: `ingest` (probe a clip and decode its sound) and `decode_frames`.

Results are files in a folder of the parent process, and plain data; the parent process moves the files to the cache.
"""

import math
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import av
import numpy as np

from aurelia_core.arrays import Mask, Samples, Vector
from aurelia_core.media import readers
from aurelia_core.media.header import has_index, read_container_header
from aurelia_core.media.probe import StreamPackets, check_against_header, decode_timestamps, read_packets
from aurelia_core.media.sampling import FULL_GRID_SECONDS
from aurelia_core.media.source import (
    Damaged,
    DecodeSource,
    find_audio_stream,
    find_video_stream,
    open_container,
    open_verified,
)

STORED_SAMPLE_RATE = 16000
_STREAM_NAMES = {"video": "a picture", "audio": "sound"}
RESAMPLE_BATCH_SAMPLES = 1024
"""Samples that are resampled together: single packets can be as short as one sample, which would be slow."""
_PRIMING_SECONDS = 0.1
"""Seconds by which sound can start before the picture because of its codec."""


class ClipFacts(TypedDict):
    """Properties of a clip in seconds, pixels and frames a second.

    `origin` is the container time of the clip's 0 s. `ordinal` means that the container has no time stamps (avi), so
    frames are found by counting. `samples` is the length of the decoded sound.
    """

    duration: float
    origin: float
    width: int | None
    height: int | None
    rotation: int
    ordinal: bool
    fps: float | None
    audio_channels: int | None
    audio_seconds: float | None
    samples: int


def ingest(source: DecodeSource, folder: str, long: float, pictures: bool) -> ClipFacts:
    """Probe a clip and decode its sound.

    Args:
        source: the file.
        folder: the folder for `index.npz` (times float64[n] from the clip's start, keys bool[n]) and `audio.npy`
            (float32[samples], mono, 16 kHz, from the clip's start), each only with such a stream.
        long: length limit of a clip, seconds.
        pictures: False reads the sound only.

    Raises:
        Damaged: the clip differs from what its container declares, or cannot be decoded.
    """
    with open_verified(source) as path, _open_with_index(path, source.demuxer) as opened:
        picture = find_video_stream(opened)
        sound = find_audio_stream(opened)
        used = [stream for stream in (picture, sound) if stream is not None]
        if sound is None and not (pictures and picture is not None):
            raise Damaged("has no sound track; give a file that has one")
        for stream in used:
            if stream.codec_context is None:
                raise Damaged(
                    f"has {_STREAM_NAMES[stream.type]} in a format that cannot be decoded here; convert it to mp4"
                )
        tracks = read_packets(opened, used, source.demuxer)
        check_against_header(opened, list(tracks.values()), read_container_header(path, source.demuxer), long)
        audio_track = None
        if sound is not None and tracks[sound.index].timestamps:
            audio_track = tracks[sound.index]
        facts = _empty_facts()
        if pictures and picture is not None:
            video_track = tracks[picture.index]
            facts = _picture_facts(opened, picture, video_track)
            facts["origin"] = _origin(video_track, audio_track)
            times, keys = _frame_table(path, source.demuxer, video_track)
            facts["duration"] = round(video_track.end - facts["origin"], 6)
            np.savez(Path(folder) / "index.npz", times=times - facts["origin"], keys=keys)
        elif audio_track is not None:
            facts["origin"] = audio_track.start
        if audio_track is not None:
            _decode_audio(opened, sound, audio_track, facts, Path(folder) / "audio.npy")
        return facts


def _reserve_disk_space(target: str) -> None:
    """Reserve the file's disk space: on a full disk, a later write to the memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with open(target, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def decode_frames(
    source: DecodeSource,
    target: str,
    wanted: readers.FrameRequest,
    check: tuple[float, float, int] | None,
    reader: str,
) -> int:
    """Decode frames into one .npy file, uint8[n, height, width, 3].

    Args:
        source: the file.
        target: the file to write.
        wanted: the requested frames, in container time.
        check: (start, end, frames), a range of container time that must decode completely, or None.
        reader: auto, decord or pyav.

    Returns:
        The number of written frames.

    Raises:
        Damaged: a frame is missing or damaged.
    """
    with open_verified(source) as path:
        if check is not None:
            start, end, frames = check
            missing = frames - len(decode_timestamps(path, source.demuxer, start, end))
            if missing > 0:
                raise Damaged(f"is damaged: {missing} of {frames} frames do not decode")
        shape = (len(wanted.times), wanted.height, wanted.width, 3)
        images = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
        _reserve_disk_space(target)
        count = 0
        for picture in readers.read_frames(path, source.demuxer, wanted, reader):
            images[count] = picture
            count += 1
        images.flush()
    if count != len(wanted.times):
        raise Damaged(f"is damaged: {len(wanted.times) - count} of {len(wanted.times)} frames do not decode")
    return count


def _open_with_index(path: str, demuxer: str) -> AbstractContextManager[Any]:
    if not has_index(path, demuxer):
        raise Damaged("is incomplete or cut short: it has no index (moov); record, download or convert it again")
    return open_container(path, demuxer)


def _empty_facts() -> ClipFacts:
    return ClipFacts(
        duration=0.0,
        origin=0.0,
        width=None,
        height=None,
        rotation=0,
        ordinal=False,
        fps=None,
        audio_channels=None,
        audio_seconds=None,
        samples=0,
    )


def _picture_facts(opened: Any, stream: Any, track: StreamPackets) -> ClipFacts:
    """Size and rotation of the first frame that decodes, and the mean frame rate."""
    opened.seek(0)
    try:
        frame = next(iter(opened.decode(stream)))
    except (StopIteration, av.FFmpegError) as error:
        raise Damaged("has a picture in which no frame decodes; download or convert it again") from error
    facts = _empty_facts()
    facts["rotation"] = round((frame.rotation or 0) / 90) % 4 * 90
    pixel_aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    facts["width"] = max(1, round(frame.width * pixel_aspect))
    facts["height"] = frame.height
    if facts["rotation"] % 180:
        facts["width"], facts["height"] = facts["height"], facts["width"]
    facts["ordinal"] = "avi" in opened.format.name
    if track.seconds:
        facts["fps"] = round(len(track.timestamps) / track.seconds, 3)
    return facts


def _origin(video: StreamPackets, audio: StreamPackets | None) -> float:
    """The clip starts with its picture, or with sound that starts clearly before the picture."""
    if audio is not None and audio.start < video.start - _PRIMING_SECONDS:
        return audio.start
    return video.start


def _frame_table(path: str, demuxer: str, track: StreamPackets) -> tuple[Vector, Mask]:
    """Time stamps and key flags of all frames; a short clip is decoded to verify them."""
    order = np.argsort(track.timestamps, kind="stable")
    times = np.array(track.timestamps)[order]
    keys = np.array(track.key_flags)[order]
    if track.seconds > FULL_GRID_SECONDS:
        return times, keys
    found = decode_timestamps(path, demuxer)
    if len(found) < track.packets:
        raise Damaged(
            f"is damaged: {track.packets - len(found)} of {track.packets} frames do not decode; "
            "download or convert it again"
        )
    if demuxer == "avi":
        return times, keys
    return found, np.isin(found, times[keys])


def _decode_audio(opened: Any, stream: Any, track: StreamPackets, facts: ClipFacts, target: Path) -> None:
    """Decode the sound to mono at 16 kHz and align it with the clip's start."""
    decoded = _resample_stream(opened, stream, track)
    length = decoded.seconds
    if decoded.seconds - track.seconds < _PRIMING_SECONDS:
        # A codec fills its last block: sound beyond the container's length is padding.
        length = track.seconds
    samples = np.concatenate(decoded.parts)[: round(length * STORED_SAMPLE_RATE)]
    decoded.parts.clear()
    np.clip(samples, -1.0, 1.0, out=samples)
    lead = round((decoded.start - facts["origin"]) * STORED_SAMPLE_RATE)
    # Sound before the clip's start is cut off; a gap before the sound is filled with silence.
    samples = samples[max(0, -lead) :]
    if lead > 0:
        samples = np.concatenate([np.zeros(lead, np.float32), samples])
    np.save(target, samples.astype(np.float32, copy=False))
    facts["audio_channels"] = stream.codec_context.channels
    facts["audio_seconds"] = round(length, 6)
    facts["samples"] = len(samples)
    facts["duration"] = facts["duration"] or round(length, 6)


class _DecodedSound(NamedTuple):
    """Resampled parts of a stream, the container time of the first one, and the decoded length in seconds."""

    parts: list[Samples]
    start: float
    seconds: float


def _resample_stream(opened: Any, stream: Any, track: StreamPackets) -> _DecodedSound:
    """Decode a whole stream and resample it in batches.

    Raises:
        Damaged: a packet does not decode, or the stream has much less or much more sound than its packets declare.
    """
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=STORED_SAMPLE_RATE)
    waiting = av.AudioFifo()
    parts: list[Samples] = []
    start = math.nan
    seconds = 0.0
    lost_packets = 0
    opened.seek(0)
    for number, packet in enumerate(opened.demux(stream)):
        frames = _decode_packet(stream, packet)
        # A damaged first packet alone is accepted; the length is checked below.
        lost_packets += frames is None and number > 0
        for frame in frames or []:
            if math.isnan(start):
                start = float(frame.time or 0.0)
            seconds += frame.samples / frame.sample_rate
            if seconds > 2 * track.seconds + 10:
                raise Damaged("decodes to far more sound than it declares; download or convert it again")
            frame.pts = None
            waiting.write(frame)
            if waiting.samples >= RESAMPLE_BATCH_SAMPLES:
                parts += _mono(resampler, waiting.read())
    if waiting.samples:
        parts += _mono(resampler, waiting.read())
    if lost_packets or not parts or track.seconds - seconds > _PRIMING_SECONDS:
        raise Damaged(
            f"is damaged: of {track.seconds:.1f} s of sound only {seconds:.1f} s decode ({lost_packets} packets do not)"
            "; download or convert it again"
        )
    return _DecodedSound(parts + _mono(resampler, None), start, seconds)


def _decode_packet(stream: Any, packet: Any) -> list[Any] | None:
    """The frames of one packet; None if it is damaged."""
    try:
        return list(stream.codec_context.decode(packet if packet.size else None))
    except av.error.EOFError:
        return []
    except av.FFmpegError:
        return None


def _mono(resampler: Any, frame: Any) -> list[Samples]:
    return [part.to_ndarray()[0] for part in resampler.resample(frame)]
