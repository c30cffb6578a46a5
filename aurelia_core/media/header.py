"""What a file's own header announces: bytes that must follow, and a length, where FFmpeg silently corrects it.

Only a few fixed fields are read; nothing is decoded.
"""

import os
import struct
from pathlib import Path
from typing import IO, NamedTuple

_SEGMENT_ID = b"\x18\x53\x80\x67"
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_UNKNOWN_SIZE = 0x7FFF0000
"""Chunk sizes from here on are placeholders of programs that write to a pipe."""


class ContainerHeader(NamedTuple):
    """The announcements of a header.

    Attributes:
        seconds: the exact declared length, or None.
        missing_bytes: bytes that the container announces and the file does not have.
        is_duration_exact: whether the duration that FFmpeg reports counts every sample.
    """

    seconds: float | None = None
    missing_bytes: int = 0
    is_duration_exact: bool = False


def has_index(path: str, demuxer: str) -> bool:
    """Whether an mp4 or mov has its index (moov), which a recorder writes last; True for other containers."""
    if demuxer != "mov":
        return True
    with Path(path).open("rb") as file:
        return any(box.kind == b"moov" for box in _read_boxes(file))


def read_container_header(path: str, demuxer: str) -> ContainerHeader:
    """Read the announcements that FFmpeg does not report faithfully."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if demuxer == "mov":
            needed = max((box.end for box in _read_boxes(file) if box.kind in _MOVIE_BOXES), default=0)
            return ContainerHeader(missing_bytes=max(0, needed - size))
        if demuxer in _NEEDED_BYTES:
            needed = _NEEDED_BYTES[demuxer](file)
            # An avi has no time stamps: frames behind a hole would be shown too early.
            return ContainerHeader(missing_bytes=max(0, needed - size), is_duration_exact=demuxer == "avi")
        if demuxer == "jpeg_pipe":
            return ContainerHeader(missing_bytes=int(not _has_jpeg_end(file.read())))
        if demuxer == "wav":
            return ContainerHeader(_wav_seconds(file.read(1 << 16)))
    if demuxer == "mp3":
        return ContainerHeader(is_duration_exact=_declares_frame_count(path))
    return ContainerHeader(is_duration_exact=demuxer == "flac")


def _has_jpeg_end(data: bytes) -> bool:
    """Whether a JPEG has its end mark after the last scan; a thumbnail in its head has one of its own."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")


class _Box(NamedTuple):
    """A top-level box of an mp4: its kind, and the position behind it."""

    kind: bytes
    end: int


_MOVIE_BOXES = (b"moov", b"mdat", b"moof")


def _read_boxes(file: IO[bytes]) -> list[_Box]:
    """The top-level boxes of an mp4, up to the first one that is none."""
    boxes = []
    size = os.fstat(file.fileno()).st_size
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        least = 8
        if length == 1:
            # A size of 1 announces a 64-bit size; a file that ends in it has no further box.
            least = 16
            length = int.from_bytes(file.read(8).ljust(8, b"\0"), "big")
        elif length == 0:
            length = size - at
        if length < least:
            break
        at += length
        boxes.append(_Box(kind, at))
    return boxes


def _matroska_end(file: IO[bytes]) -> int:
    """The end of the segment of a mkv or webm; 0 if its size is unknown, as in a live recording."""
    head = file.read(4096)
    at = head.find(_SEGMENT_ID)
    if at < 0 or at + 12 > len(head):
        return 0
    first = head[at + 4]
    width = 9 - first.bit_length()
    size = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
    if not first or size == (1 << 7 * width) - 1:
        return 0
    return at + 4 + width + size


def _avi_end(file: IO[bytes]) -> int:
    """The end of the last RIFF chunk of an avi; a large avi has several."""
    size = os.fstat(file.fileno()).st_size
    at = 0
    while at + 12 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or not 0 < length < _UNKNOWN_SIZE:
            break
        at += 8 + length + length % 2
    return at - 1


def _aiff_end(file: IO[bytes]) -> int:
    _, length = struct.unpack(">4sI", file.read(8).ljust(8, b"\0"))
    if length >= _UNKNOWN_SIZE:
        return 0
    return int(8 + length)


def _ogg_end(file: IO[bytes]) -> int:
    """The end of the last page that begins in the file."""
    size = os.fstat(file.fileno()).st_size
    start = max(0, size - (1 << 17))
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    if len(tail) < at + 27:
        return size + 1
    lacing = tail[at + 27 : at + 27 + tail[at + 26]]
    return start + at + 27 + tail[at + 26] + sum(lacing)


def _caf_end(file: IO[bytes]) -> int:
    """The end of the last chunk of a caf; the size of the sound is -1 in a recording that was not finished."""
    size = os.fstat(file.fileno()).st_size
    at = 8
    while at + 12 <= size:
        file.seek(at + 4)
        (length,) = struct.unpack(">q", file.read(8))
        if length < 0:
            return 0
        at += 12 + length
    return at


def _asf_end(file: IO[bytes]) -> int:
    """The size of a wmv by its file properties; 0 for a broadcast, whose size is unknown."""
    head = file.read(1 << 16)
    at = head.find(_ASF_FILE_PROPERTIES)
    if at < 0 or at + 92 > len(head) or head[at + 88] & 1:
        return 0
    return int.from_bytes(head[at + 40 : at + 48], "little")


def _flv_end(file: IO[bytes]) -> int:
    """The size of a flv by its metadata; 0 if there is none."""
    head = file.read(4096)
    at = head.find(b"\0\x08filesize\0")
    if at < 0 or at + 19 > len(head):
        return 0
    (size,) = struct.unpack_from(">d", head, at + 11)
    return int(size) if 0 < size < 2**53 else 0


_NEEDED_BYTES = {
    "matroska": _matroska_end,
    "avi": _avi_end,
    "aiff": _aiff_end,
    "ogg": _ogg_end,
    "caf": _caf_end,
    "asf": _asf_end,
    "flv": _flv_end,
}


def _declares_frame_count(path: str) -> bool:
    """Whether an mp3 declares its number of frames (a Xing, Info or VBRI header); else its length is an estimate."""
    with Path(path).open("rb") as file:
        head = file.read(10)
        skip = 0
        if head[:3] == b"ID3" and len(head) == 10:
            skip = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(skip)
        first = file.read(4096)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _wav_seconds(head: bytes) -> float | None:
    """The length by the chunk sizes of a wav, or None: streaming recorders write no size."""
    rate = 0
    at = 12
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        if kind == b"fmt " and at + 20 <= len(head):
            (rate,) = struct.unpack_from("<I", head, at + 16)
        if kind == b"data":
            if rate and 0 < size < _UNKNOWN_SIZE:
                return float(size / rate)
            return None
        at += 8 + size + size % 2
    return None
