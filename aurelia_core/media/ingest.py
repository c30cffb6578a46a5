"""The two jobs of a decoding child: take a clip in (survey, verify, sound), and grab frames. Nothing else runs there.

Results travel as files in a folder that the parent names, and as plain data; the parent decides what is kept.
"""

import math
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypedDict

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
_SENSES = {"video": "a picture", "audio": "sound"}
RESAMPLE_BATCH_SAMPLES = 1024
"""Samples that are brought to another rate together: packets of one sample each would take many times as long."""
_PRIMING_SECONDS = 0.1
"""Seconds by which sound may start before the picture as a mere artefact of its codec."""


class ClipFacts(TypedDict):
    """What a clip holds; seconds, pixels, frames a second. `origin` is the container's time of the clip's 0 s.

    `ordinal` says that the container has no time stamps of its own (avi): frames are found by counting.
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
    """Survey a clip and decode its sound.

    Args:
        source: the file.
        folder: where `index.npz` (times float64[n] from the clip's start, keys bool[n]) and `audio.npy`
            (float32[samples], mono, 16 kHz, from the clip's start) are written, each only if there is such a
            stream.
        long: longest clip allowed, seconds.
        pictures: whether the picture is wanted; False takes the sound only.

    Raises:
        Damaged: it is not what its container promises, or cannot be decoded.
    """
    with open_verified(source) as path, _opened(path, source.demuxer) as opened:
        picture, sound = find_video_stream(opened), find_audio_stream(opened)
        used = [stream for stream in (picture, sound) if stream is not None]
        if sound is None and not (pictures and picture is not None):
            raise Damaged("has no sound track; give a file that has one")
        for stream in used:
            if stream.codec_context is None:
                raise Damaged(f"has {_SENSES[stream.type]} in a format that nothing here decodes; convert it to mp4")
        tracks = read_packets(opened, used, source.demuxer)
        check_against_header(opened, list(tracks.values()), read_container_header(path, source.demuxer), long)
        heard = tracks[sound.index] if sound is not None and tracks[sound.index].timestamps else None
        seen = tracks[picture.index] if picture is not None and pictures else None
        facts = _picture_facts(opened, picture, seen) if seen is not None else _no_picture()
        if seen is not None:
            facts["origin"] = _origin(seen, heard)
            times, keys = _index(path, source.demuxer, seen)
            facts["duration"] = round(seen.end - facts["origin"], 6)
            np.savez(Path(folder) / "index.npz", times=times - facts["origin"], keys=keys)
        elif heard is not None:
            facts["origin"] = heard.start
        if heard is not None:
            _decode_audio(opened, sound, heard, facts, Path(folder) / "audio.npy")
        return facts


def _reserve(target: str) -> None:
    """Takes the file's room on its disk now: where it is missing later, writing through a map ends the process."""
    if hasattr(os, "posix_fallocate"):
        with open(target, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def decode_frames(
    source: DecodeSource,
    target: str,
    wanted: readers.FrameRequest,
    stretch: tuple[float, float, int] | None,
    reader: str,
) -> int:
    """Decode frames into one .npy file, uint8[n, height, width, 3].

    Args:
        source: the file.
        target: the file to write.
        wanted: which frames, in the container's time.
        stretch: (start, end, frames) of container time that must decode without damage as well, or None.
        reader: auto, decord or pyav.

    Returns:
        How many frames were written.

    Raises:
        Damaged: a frame is missing or damaged.
    """
    with open_verified(source) as path:
        if stretch is not None:
            found = decode_timestamps(path, source.demuxer, stretch[0], stretch[1])
            if len(found) < stretch[2]:
                raise Damaged(f"is damaged: {stretch[2] - len(found)} of {stretch[2]} frames do not decode")
        shape = (len(wanted.times), wanted.height, wanted.width, 3)
        images = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
        _reserve(target)
        count = 0
        for picture in readers.read_frames(path, source.demuxer, wanted, reader):
            images[count] = picture
            count += 1
        images.flush()
    if count != len(wanted.times):
        raise Damaged(f"is damaged: {len(wanted.times) - count} of {len(wanted.times)} frames do not decode")
    return count


def _opened(path: str, demuxer: str) -> AbstractContextManager[Any]:
    if not has_index(path, demuxer):
        raise Damaged("was not finished or is cut short: it has no index (moov); record, download or convert it again")
    return open_container(path, demuxer)


def _no_picture() -> ClipFacts:
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
    """Size, rotation and rate, from the first frame that decodes."""
    opened.seek(0)
    try:
        frame = next(iter(opened.decode(stream)))
    except (StopIteration, av.FFmpegError) as error:
        raise Damaged("has a picture of which no frame decodes; download or convert it again") from error
    turn = round((frame.rotation or 0) / 90) % 4 * 90
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    size = (max(1, round(frame.width * aspect)), frame.height)
    facts = _no_picture()
    facts["width"], facts["height"] = size if turn % 180 == 0 else size[::-1]
    facts["rotation"] = turn
    facts["ordinal"] = "avi" in opened.format.name
    facts["fps"] = round(len(track.timestamps) / track.seconds, 3) if track.seconds else None
    return facts


def _origin(seen: StreamPackets, heard: StreamPackets | None) -> float:
    """The clip starts with its picture, unless real sound came before."""
    early = heard is not None and heard.start < seen.start - _PRIMING_SECONDS
    return heard.start if early and heard is not None else seen.start


def _index(path: str, demuxer: str, track: StreamPackets) -> tuple[Vector, Mask]:
    """Time stamps and key flags of all frames; a short clip is decoded to know them for certain."""
    order = np.argsort(track.timestamps, kind="stable")
    times, keys = np.array(track.timestamps)[order], np.array(track.key_flags)[order]
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
    """Decode the sound to mono at 16 kHz and place it on the clip's time line."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=STORED_SAMPLE_RATE)
    waiting, parts = av.AudioFifo(), list[Samples]()
    start, heard, lost = math.nan, 0.0, 0
    opened.seek(0)
    for number, packet in enumerate(opened.demux(stream)):
        try:
            frames = stream.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:
            frames = []
        except av.FFmpegError:
            frames, lost = [], lost + (number > 0)
        for frame in frames:
            start = float(frame.time or 0.0) if math.isnan(start) else start
            heard += frame.samples / frame.sample_rate
            if heard > 2 * track.seconds + 10:
                raise Damaged("decodes to far more sound than it says that it holds; download or convert it again")
            frame.pts = None
            waiting.write(frame)
            if waiting.samples >= RESAMPLE_BATCH_SAMPLES:
                parts += _mono(resampler, waiting.read())
    if waiting.samples:
        parts += _mono(resampler, waiting.read())
    if lost or not parts or track.seconds - heard > _PRIMING_SECONDS:
        raise Damaged(
            f"is damaged: of {track.seconds:.1f} s of sound {heard:.1f} s decode ({lost} packets do not); "
            "download or convert it again"
        )
    parts += _mono(resampler, None)
    # A codec fills its last block; what the container does not count is padding, no sound.
    length = track.seconds if heard - track.seconds < _PRIMING_SECONDS else heard
    samples = np.concatenate(parts)[: round(length * STORED_SAMPLE_RATE)]
    parts.clear()
    np.clip(samples, -1.0, 1.0, out=samples)
    lead = round((start - facts["origin"]) * STORED_SAMPLE_RATE)
    samples = np.concatenate([np.zeros(lead, np.float32), samples]) if lead > 0 else samples[-lead:]
    np.save(target, samples.astype(np.float32, copy=False))
    facts["audio_channels"] = stream.codec_context.channels
    facts["audio_seconds"] = round(length, 6)
    facts["samples"] = len(samples)
    facts["duration"] = facts["duration"] or round(length, 6)


def _mono(resampler: Any, frame: Any) -> list[Samples]:
    return [part.to_ndarray()[0] for part in resampler.resample(frame)]
