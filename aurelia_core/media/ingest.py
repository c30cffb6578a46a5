"""The two jobs of a decoding child: `ingest` (probe a clip and decode its sound) and `decode_frames`.

Results are files in a folder of the parent process, and plain data; the parent process moves the files to the cache.

The clip's 0 s is its first visible frame, or its sound where that starts more than 0.1 s earlier. Every frame and every
sample stands at its own time stamp on this clock.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from aurelia_core.arrays import Mask, Vector
from aurelia_core.media import readers
from aurelia_core.media.guard import IMAGE_DEMUXERS
from aurelia_core.media.header import has_index, read_container_header
from aurelia_core.media.picture import Orientation
from aurelia_core.media.probe import StreamPackets, check_complete, decode_timestamps, read_packets
from aurelia_core.media.sampling import FULL_GRID_SECONDS
from aurelia_core.media.sound import STORED_SAMPLE_RATE, decode_sound, first_sample_time
from aurelia_core.media.source import Damaged, DecodeSource, open_container, open_verified
from aurelia_core.media.tracks import FirstFrame, TrackChoice, choose_tracks

_PRIMING_SECONDS = 0.1
"""Seconds by which sound can start before the picture because of its codec."""
_SLIDES_RATE = 2.0
"""Frames a second below which a picture is slides, as one frame always is: the last one stays while sound goes on."""


_NOTHING_TO_USE = {
    True: "has no picture and no sound that can be read; give a clip that has one",
    False: "has no sound track; give a file that has one",
}


class ClipFacts(TypedDict):
    """Properties of a clip in seconds, pixels and frames a second.

    `origin` is the container time of the clip's 0 s. `picture_stream` and `sound_stream` are the indices of the used
    streams. `orientation` has the fields of `picture.Orientation`. `ordinal` means that the container has no time
    stamps (avi), so frames are found by counting. `restarts` are those of the picture's time stamps. `samples` is the
    length of the stored sound. `is_usual` means that a program that opens the file by itself uses the same tracks.
    `tracks` lists all tracks, `notes` what a person should know about their choice.
    """

    duration: float
    origin: float
    picture_stream: int | None
    sound_stream: int | None
    width: int | None
    height: int | None
    orientation: list[bool]
    ordinal: bool
    restarts: list[tuple[int, float]]
    fps: float | None
    audio_channels: int | None
    audio_seconds: float | None
    samples: int
    is_usual: bool
    tracks: list[str]
    notes: list[str]


def ingest(source: DecodeSource, folder: str, long: float, pictures: bool, audio_track: str | None = None) -> ClipFacts:
    """Probe a clip and decode its sound.

    Args:
        source: the file.
        folder: the folder for `index.npz` (times float64[n] from the clip's start, keys bool[n]) and `audio.npy`
            (float32[samples], mono, 16 kHz, from the clip's start), each only with such a stream.
        long: length limit of a clip, seconds.
        pictures: False reads the sound only.
        audio_track: number or language of the sound track; None takes the container's default.

    Raises:
        Damaged: the clip contains less than its container announces, or cannot be decoded.
    """
    with open_verified(source) as path, _open_with_index(path, source.demuxer) as opened:
        packets = read_packets(opened, source.demuxer)
        choice = choose_tracks(path, source.demuxer, opened, packets, audio_track)
        picture, sound = None, None
        if pictures and choice.picture is not None:
            picture = packets[choice.picture]
        if choice.sound is not None:
            sound = packets[choice.sound]
        if picture is None and sound is None:
            raise Damaged(_NOTHING_TO_USE[pictures])
        facts = _empty_facts(choice)
        header = read_container_header(path, source.demuxer)
        if source.demuxer not in IMAGE_DEMUXERS:
            used = [track for track in (picture, sound) if track is not None]
            check_complete(opened, used, header, long)
        elif header.missing_bytes:
            raise Damaged("is cut short: the end of the picture is missing; download or convert it again")
        if sound is not None:
            sound.start = first_sample_time(path, source.demuxer, sound)
        if picture is not None and choice.first_picture is not None:
            _add_size(facts, choice.first_picture)
            _add_picture(facts, path, source.demuxer, picture, sound, Path(folder) / "index.npz")
        elif sound is not None:
            facts["origin"] = sound.start
        if sound is not None:
            found = decode_sound(path, source.demuxer, sound, facts["origin"], Path(folder) / "audio.npy", long)
            facts["audio_channels"] = found.channels
            facts["audio_seconds"] = found.seconds
            facts["samples"] = found.samples
            _extend_duration(facts)
        return facts


def _open_with_index(path: str, demuxer: str) -> AbstractContextManager[Any]:
    if not has_index(path, demuxer):
        raise Damaged("is incomplete or cut short: it has no index (moov); record, download or convert it again")
    return open_container(path, demuxer)


def _empty_facts(choice: TrackChoice) -> ClipFacts:
    return ClipFacts(
        duration=0.0,
        origin=0.0,
        picture_stream=choice.picture,
        sound_stream=choice.sound,
        width=None,
        height=None,
        orientation=[False, False, False],
        ordinal=False,
        restarts=[],
        fps=None,
        audio_channels=None,
        audio_seconds=None,
        samples=0,
        is_usual=choice.is_usual,
        tracks=choice.tracks,
        notes=choice.notes,
    )


def _add_picture(
    facts: ClipFacts, path: str, demuxer: str, track: StreamPackets, sound: StreamPackets | None, target: Path
) -> None:
    """Fill in the times of the picture, and write its table of frames."""
    facts["ordinal"] = demuxer == "avi"
    facts["restarts"] = list(track.restarts.items())
    times, keys = _frame_table(path, demuxer, track)
    start = float(times[0])
    facts["origin"] = start
    if sound is not None and sound.start < start - _PRIMING_SECONDS:
        facts["origin"] = sound.start
    if demuxer not in IMAGE_DEMUXERS:
        facts["duration"] = round(track.end - facts["origin"], 6)
        if track.end > start and len(times) > 1:
            facts["fps"] = round(len(times) / (track.end - start), 3)
    np.savez(target, times=times - facts["origin"], keys=keys)


def _add_size(facts: ClipFacts, first: FirstFrame) -> None:
    """Size and orientation of the upright picture, by its first frame."""
    orientation = Orientation.of(first.frame)
    width, height = max(1, round(first.frame.width * first.pixel_aspect)), first.frame.height
    if orientation.swapped:
        width, height = height, width
    facts["width"], facts["height"] = width, height
    facts["orientation"] = list(astuple(orientation))


def _frame_table(path: str, demuxer: str, track: StreamPackets) -> tuple[Vector, Mask]:
    """Container times and key flags of all frames; a short clip is decoded to verify them."""
    order = np.argsort(track.timestamps, kind="stable")
    times = np.array(track.timestamps)[order]
    keys = np.array(track.key_flags)[order]
    if track.seconds <= FULL_GRID_SECONDS:
        found = decode_timestamps(path, demuxer, track)
        if demuxer != "avi":
            times, keys = found, np.isin(found, times[keys])
    times, first = np.unique(times[~np.isnan(times)], return_index=True)
    return times, keys[first]


def _extend_duration(facts: ClipFacts) -> None:
    """A sound without a picture is as long as itself; slides under a sound are shown until it ends."""
    end = round(facts["samples"] / STORED_SAMPLE_RATE, 6)
    if facts["width"] is None:
        facts["duration"] = end
    elif facts["fps"] is None or facts["fps"] < _SLIDES_RATE:
        facts["duration"] = max(facts["duration"], end)


def _reserve_disk_space(target: str) -> None:
    """Reserve the file's disk space: on a full disk, a later write to the memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with open(target, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def decode_frames(source: DecodeSource, target: str, wanted: readers.FrameRequest, reader: str) -> int:
    """Decode frames into one .npy file, uint8[n, height, width, 3].

    Args:
        source: the file.
        target: the file to write.
        wanted: the requested frames, in container time.
        reader: pyav or decord.

    Returns:
        The number of written frames.

    Raises:
        Damaged: a frame is missing or damaged.
    """
    with open_verified(source) as path:
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
