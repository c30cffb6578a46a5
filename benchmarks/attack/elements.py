"""The parts that a container file is nested from (mp4 boxes, Matroska elements, RIFF chunks), found and resized.

It knows where each part's length stands, no more: enough to lie about lengths, and to repeat and nest parts while the
lengths around them stay true.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

_BOXES = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"edts": 0, b"udta": 0, b"dinf": 0, b"mvex": 0}
_BOXES |= {b"moof": 0, b"traf": 0, b"mfra": 0, b"ilst": 0, b"meta": 4, b"stsd": 8, b"dref": 8}
_BOXES |= {b"avc1": 78, b"mp4v": 78, b"mp4a": 28}
_MASTERS = {"1a45dfa3", "18538067", "1549a966", "114d9b74", "4dbb", "1654ae6b", "ae", "e0", "e1", "1f43b675", "a0"}
_MASTERS |= {"1c53bb6b", "bb", "b7", "1254c367", "7373", "63c0", "67c8"}
_LISTS = (b"RIFF", b"LIST")


class Element(NamedTuple):
    """One part of a file.

    Attributes:
        kind: its type, as it stands in the file.
        at: offset of its first byte.
        size_at: offset of the field that holds its length.
        width: bytes of that field.
        body: offset of its content.
        end: offset behind it.
        parent: number of the part around it, or -1.
        form: box, ebml or riff.
    """

    kind: bytes
    at: int
    size_at: int
    width: int
    body: int
    end: int
    parent: int
    form: str


_Child = tuple[Element, int]


def elements(data: bytes) -> list[Element]:
    """All parts of a file, each after the one around it; none for containers that nest nothing."""
    parse: Callable[[bytes, int, int, int], Iterator[_Child]]
    if data[4:8] == b"ftyp":
        parse = _boxes
    elif data.startswith(b"\x1aE\xdf\xa3"):
        parse = _ebml
    elif data.startswith(b"RIFF"):
        parse = _riff
    else:
        return []
    found: list[Element] = []
    todo = [(0, len(data), -1)]
    while todo:
        start, end, parent = todo.pop()
        for element, inside in parse(data, start, end, parent):
            found.append(element)
            if inside >= 0:
                todo.append((element.body + inside, element.end, len(found) - 1))
    return found


def sized(data: bytearray, element: Element, length: int) -> None:
    """Write a length of the content into an element's size field, cut to what the field can hold."""
    if element.form == "ebml":
        most = (1 << 7 * element.width) - 1
        value = (length & most) | 1 << 7 * element.width
        data[element.size_at : element.size_at + element.width] = value.to_bytes(element.width, "big")
        return
    around = element.body - element.at if element.form == "box" else 0
    packed = struct.pack(">I" if element.form == "box" else "<I", (length + around) & 0xFFFFFFFF)
    data[element.size_at : element.size_at + 4] = packed


def grown(data: bytearray, parts: list[Element], number: int, by: int) -> None:
    """Correct the lengths of everything around an element whose place grew by some bytes."""
    parent = parts[number].parent
    while parent >= 0:
        sized(data, parts[parent], parts[parent].end - parts[parent].body + by)
        parent = parts[parent].parent


def header(element: Element, data: bytes, length: int) -> bytes:
    """The head of another element of the same type, for so many bytes of content."""
    head = bytearray(data[element.at : element.body])
    moved = element._replace(at=0, size_at=element.size_at - element.at, body=len(head))
    if element.form == "ebml" and length >= 1 << 7 * element.width:
        return bytes(head[: element.size_at - element.at]) + ((1 << 56) | length).to_bytes(8, "big")
    sized(head, moved, length)
    return bytes(head)


def replaced(data: bytes, parts: list[Element], number: int, content: bytes) -> bytes:
    """A file with other bytes in the place of one part, and true lengths around them."""
    part = parts[number]
    at, end = part.at, part.end
    while part.parent >= 0:
        part = parts[part.parent]
        body = data[part.body : at] + content + data[end : part.end]
        content = header(part, data, len(body)) + body
        at, end = part.at, part.end
    return data[:at] + content + data[end:]


def _boxes(data: bytes, at: int, end: int, parent: int) -> Iterator[_Child]:
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            return
        yield Element(kind, at, at, 4, at + 8, at + size, parent, "box"), _BOXES.get(kind, -1)
        at += size


def _riff(data: bytes, at: int, end: int, parent: int) -> Iterator[_Child]:
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        stop = min(at + 8 + size, end)
        yield Element(kind, at, at + 4, 4, at + 8, stop, parent, "riff"), 4 if kind in _LISTS else -1
        at = stop + size % 2


def _ebml(data: bytes, at: int, end: int, parent: int) -> Iterator[_Child]:
    while at + 2 <= end:
        named = _width(data[at])
        sizing = _width(data[at + named]) if at + named < end else 0
        body = at + named + sizing
        if not named or not sizing or body > end:
            return
        value = int.from_bytes(data[at + named : body], "big") - (1 << 7 * sizing)
        stop = end if value == (1 << 7 * sizing) - 1 else body + value
        if stop > end:
            return
        kind = data[at : at + named]
        yield Element(kind, at, at + named, sizing, body, stop, parent, "ebml"), 0 if kind.hex() in _MASTERS else -1
        at = stop


def _width(first: int) -> int:
    """Bytes of a variable-length number by its first byte; 0: none."""
    return 9 - first.bit_length() if first else 0
