"""How long a file's own header says that it is, where FFmpeg corrects or guesses in silence: mp4, mp3, wav, avi, ogg.

A few fixed fields are read; nothing is decoded.
"""

import struct
from pathlib import Path
from typing import NamedTuple

_MAX_HEADER_BYTES = 1 << 24
"""Bytes of a movie header that are looked at."""


class ContainerHeader(NamedTuple):
    """What a header declares.

    Attributes:
        seconds: the length, or None where nothing is declared.
        exact: whether less than this is a loss; a movie header may be a little off and do no harm.
        estimated: whether the length that FFmpeg reports is only its own estimate.
        has_end_mark: whether the end mark is there, for containers that have one.
    """

    seconds: float | None = None
    exact: bool = True
    estimated: bool = False
    has_end_mark: bool = True


def has_index(path: str, demuxer: str) -> bool:
    """Whether an mp4 or mov has the index (moov) that a recorder writes last; other containers need none."""
    return demuxer != "mov" or bool(_box(path, b"moov"))


def read_container_header(path: str, demuxer: str) -> ContainerHeader:
    """What the header of a file declares, beyond what FFmpeg tells faithfully."""
    if demuxer == "mov":
        movie = _box(path, b"moov")
        lengths = [_seconds(movie, at) for box in (b"mvhd", b"mdhd") for at in _places(movie, box)]
        return ContainerHeader(max((length for length in lengths if length is not None), default=None), exact=False)
    if demuxer == "wav":
        return ContainerHeader(_wave_seconds(_head(path)))
    if demuxer == "avi":
        return ContainerHeader(_avi_seconds(_head(path)), estimated=True)
    if demuxer == "mp3":
        return ContainerHeader(estimated=not _counts_its_frames(path))
    return ContainerHeader(has_end_mark=demuxer != "ogg" or _ends_properly(path))


def _ends_properly(path: str) -> bool:
    """Whether the last page of an ogg file carries the end-of-stream mark; a file that was cut does not."""
    with Path(path).open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - (1 << 17)))
        tail = file.read()
    at = tail.rfind(b"OggS")
    return at >= 0 and len(tail) > at + 5 and bool(tail[at + 5] & 4)


def _counts_its_frames(path: str) -> bool:
    """Whether an mp3 says how many frames it has (a Xing, Info or VBRI header); else its length is only an estimate."""
    with Path(path).open("rb") as file:
        head = file.read(10)
        skip = 0
        if head[:3] == b"ID3" and len(head) == 10:
            skip = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(skip)
        first = file.read(4096)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(1 << 16)


def _wave_seconds(head: bytes) -> float | None:
    """Length by the sizes of a wav's chunks; recorders that stream write no size."""
    rate, at = 0, 12
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        if kind == b"fmt " and at + 20 <= len(head):
            (rate,) = struct.unpack_from("<I", head, at + 16)
        if kind == b"data":
            return size / rate if rate and 0 < size < 2**32 - 1 else None
        at += 8 + size + size % 2
    return None


def _avi_seconds(head: bytes) -> float | None:
    at = head.find(b"avih")
    if at < 0 or at + 28 > len(head):
        return None
    (each,), (frames,) = struct.unpack_from("<I", head, at + 8), struct.unpack_from("<I", head, at + 24)
    return each * frames / 1e6 if each and frames else None


def _box(path: str, wanted: bytes) -> bytes:
    """The content of a top-level box of an mp4, or nothing."""
    with Path(path).open("rb") as file:
        while len(header := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            used = 8
            if size == 1:
                wide = file.read(8)
                size, used = (struct.unpack(">Q", wide)[0], 16) if len(wide) == 8 else (0, 16)
            if kind == wanted:
                return file.read(min(size - used, _MAX_HEADER_BYTES) if size else _MAX_HEADER_BYTES)
            if size < used:
                break
            file.seek(size - used, 1)
    return b""


def _places(data: bytes, box: bytes) -> list[int]:
    places, at = [], data.find(box)
    while at >= 0:
        places.append(at + 4)
        at = data.find(box, at + 4)
    return places


def _seconds(data: bytes, at: int) -> float | None:
    """The duration in an mvhd or mdhd box whose content starts at `at`; None when unknown or not plausible."""
    wide = data[at : at + 1] == b"\x01"
    layout, offset, unknown = (">IQ", 20, 2**64 - 1) if wide else (">II", 12, 2**32 - 1)
    if len(data) < at + offset + struct.calcsize(layout) or data[at] > 1:
        return None
    units, length = struct.unpack_from(layout, data, at + offset)
    return length / units if units and length != unknown else None
