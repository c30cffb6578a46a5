"""Opening of a clip in a decoding child: only the file that was checked, with only the detected demuxer.

Runs in the child processes of `aurelia_core.media.pool`. Imports only av, so that a child starts quickly.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from aurelia_core.errors import system_reason


class Damaged(Exception):
    """A clip's content is damaged; the message is a sentence without its subject: 'is cut short: ...'."""


class Unwritten(Exception):
    """The cache could not be written; the message is the operating system's reason."""


class Undecodable(Exception):
    """A packet does not decode; the message is FFmpeg's reason."""


class Changed(Exception):
    """The file is not the one that was checked."""


@dataclass(frozen=True, slots=True)
class DecodeSource:
    """The data that a child needs to open a clip; `stamp` is (device, inode, size, mtime_ns, ctime_ns)."""

    path: str
    stamp: tuple[int, int, int, int, int]
    demuxer: str


@contextmanager
def open_verified(source: DecodeSource) -> Iterator[str]:
    """Open the file once, compare its stamp, and yield a path of this open file, where the system has such paths.

    Raises:
        Changed: the file is missing or is not the one that was checked.
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
        if pinned.exists():
            yield str(pinned)
        else:
            yield source.path
    finally:
        os.close(fd)


@contextmanager
def open_container(path: str, demuxer: str) -> Iterator[Any]:
    """The opened container (av.container.InputContainer). FFmpeg may not follow references to other files or URLs.

    Raises:
        Damaged: FFmpeg cannot read the container.
    """
    try:
        # The metadata is not used, so a title in an unknown encoding must not be an error.
        opened = av.open(
            f"file:{path}", format=demuxer, options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except av.error.MemoryError as error:
        raise MemoryError from error
    except (av.FFmpegError, ValueError) as error:
        raise Damaged(f"cannot be opened as a clip ({system_reason(error)}); it is damaged or incomplete") from error
    try:
        yield opened
    finally:
        opened.close()


def decode_packet(stream: Any, packet: Any) -> list[Any]:
    """The frames that a packet completes. The empty packet that ends a stream gives those that the decoder still holds.

    Raises:
        Undecodable: the packet does not decode.
    """
    try:
        return list(stream.codec_context.decode(packet if packet.size else None))
    except av.error.EOFError:
        return []
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.FFmpegError as error:
        raise Undecodable(system_reason(error)) from error
