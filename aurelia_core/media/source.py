"""A file as a decoding child process opens it: the very file that the guard saw, with one demuxer, and nothing else.

Runs in the child processes of `aurelia_core.media.pool`; imports only numpy and av, so that a child starts quickly.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av


class Damaged(Exception):
    """What is wrong with a clip's content, as a sentence without its subject: 'is cut short: ...'."""


class Unwritten(Exception):
    """What the system said when the cache could not be written."""


class Changed(Exception):
    """The file is not the one that the guard saw."""


@dataclass(frozen=True, slots=True)
class DecodeSource:
    """What a child needs to open a clip: `stamp` is (device, inode, size, mtime_ns, ctime_ns)."""

    path: str
    stamp: tuple[int, int, int, int, int]
    demuxer: str


@contextmanager
def open_verified(source: DecodeSource) -> Iterator[str]:
    """Open the file once, compare it with the stamp, and give a path that can only mean this open file.

    Raises:
        Changed: it is gone or not the file that the guard saw.
    """
    try:
        fd = os.open(source.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Changed from error
    try:
        status = os.fstat(fd)
        found = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if found != source.stamp:
            raise Changed
        pinned = Path(f"/proc/self/fd/{fd}")
        yield str(pinned) if pinned.exists() else source.path
    finally:
        os.close(fd)


@contextmanager
def open_container(path: str, demuxer: str) -> Iterator[Any]:
    """The opened container (av.container.InputContainer); FFmpeg may follow no reference to any other place.

    Raises:
        Damaged: FFmpeg cannot make sense of it.
    """
    try:
        # Nothing that a clip says of itself is read, so a title in another alphabet must not stop it.
        opened = av.open(
            f"file:{path}", format=demuxer, options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except av.error.MemoryError as error:
        raise MemoryError from error
    except (av.FFmpegError, ValueError) as error:
        raise Damaged(
            f"cannot be opened as a clip ({ffmpeg_reason(error)}); it is damaged or was not finished"
        ) from error
    try:
        yield opened
    finally:
        opened.close()


def ffmpeg_reason(error: Exception) -> str:
    """FFmpeg's own words, without the path."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def find_video_stream(opened: Any) -> Any | None:
    """The video stream, or None; an embedded cover picture is none."""
    for stream in opened.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def find_audio_stream(opened: Any) -> Any | None:
    """The first audio stream, or None."""
    return next(iter(opened.streams.audio), None)
