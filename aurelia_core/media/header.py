"""The length that a file's own header declares, for mp4, mp3, wav, avi and ogg, where FFmpeg silently corrects it.

Only a few fixed fields are read; nothing is decoded.
"""

import re
import struct
from pathlib import Path
from typing import NamedTuple

_MAX_HEADER_BYTES = 1 << 24
"""Bytes of a movie header that are read at most."""


class ContainerHeader(NamedTuple):
    """The declarations of a header.

    Attributes:
        seconds: the declared length, or None.
        exact: whether less content than this means a loss; the length in a movie header may be a little off.
        estimated: whether the length that FFmpeg reports is only its own estimate.
        has_end_mark: whether the end mark is present; True for containers without end marks.
    """

    seconds: float | None = None
    exact: bool = True
    estimated: bool = False
    has_end_mark: bool = True


def has_index(path: str, demuxer: str) -> bool:
    """Whether an mp4 or mov has its index (moov), which a recorder writes last; True for other containers."""
    return demuxer != "mov" or bool(_read_box(path, b"moov"))


def read_container_header(path: str, demuxer: str) -> ContainerHeader:
    """Read the declarations that FFmpeg does not report faithfully."""
    if demuxer == "mov":
        movie = _read_box(path, b"moov")
        starts = _box_starts(movie, b"mvhd") + _box_starts(movie, b"mdhd")
        lengths = [_box_seconds(movie, start) for start in starts]
        return ContainerHeader(max((length for length in lengths if length is not None), default=None), exact=False)
    if demuxer == "wav":
        return ContainerHeader(_wav_seconds(_read_head(path)))
    if demuxer == "avi":
        return ContainerHeader(_avi_seconds(_read_head(path)), estimated=True)
    if demuxer == "mp3":
        return ContainerHeader(estimated=not _declares_frame_count(path))
    return ContainerHeader(has_end_mark=demuxer != "ogg" or _has_end_of_stream(path))


def _has_end_of_stream(path: str) -> bool:
    """Whether the last page of an ogg file has the end-of-stream mark; in a file that was cut it is missing."""
    with Path(path).open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - (1 << 17)))
        tail = file.read()
    at = tail.rfind(b"OggS")
    return at >= 0 and len(tail) > at + 5 and bool(tail[at + 5] & 4)


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


def _read_head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(1 << 16)


def _wav_seconds(head: bytes) -> float | None:
    """The length by the chunk sizes of a wav, or None: streaming recorders write no size."""
    rate = 0
    at = 12
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        if kind == b"fmt " and at + 20 <= len(head):
            (rate,) = struct.unpack_from("<I", head, at + 16)
        if kind == b"data":
            if rate and 0 < size < 2**32 - 1:
                return float(size / rate)
            return None
        at += 8 + size + size % 2
    return None


def _avi_seconds(head: bytes) -> float | None:
    at = head.find(b"avih")
    if at < 0 or at + 28 > len(head):
        return None
    (frame_microseconds,) = struct.unpack_from("<I", head, at + 8)
    (frames,) = struct.unpack_from("<I", head, at + 24)
    return frame_microseconds * frames / 1e6 or None


def _read_box(path: str, wanted: bytes) -> bytes:
    """The content of a top-level box of an mp4, or b""."""
    with Path(path).open("rb") as file:
        while len(header := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            header_bytes = 8
            if size == 1:
                # A size of 1 announces a 64-bit size; a file that ends in it has no further box.
                header_bytes = 16
                size = int.from_bytes(file.read(8).ljust(8, b"\0"), "big")
            if kind == wanted:
                content_bytes = max(0, size - header_bytes)
                if size == 0:
                    # The box extends to the end of the file.
                    content_bytes = _MAX_HEADER_BYTES
                return file.read(min(content_bytes, _MAX_HEADER_BYTES))
            if size < header_bytes:
                break
            file.seek(size - header_bytes, 1)
    return b""


def _box_starts(data: bytes, box: bytes) -> list[int]:
    """The positions after each occurrence of a box name."""
    return [match.end() for match in re.finditer(re.escape(box), data)]


def _box_seconds(data: bytes, at: int) -> float | None:
    """The duration in an mvhd or mdhd box whose content starts at `at`; None if it is unknown or not plausible."""
    layout, offset, unknown = ">II", 12, 2**32 - 1
    if data[at : at + 1] == b"\x01":
        layout, offset, unknown = ">IQ", 20, 2**64 - 1
    if len(data) < at + offset + struct.calcsize(layout) or data[at] > 1:
        return None
    units, length = struct.unpack_from(layout, data, at + offset)
    if not units or length == unknown:
        return None
    return float(length / units)
