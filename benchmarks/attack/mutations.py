"""Damage done to a valid clip, by kind, always the same for the same seed and number."""

import random
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.attack.elements import Element, elements, grown, header, sized
from benchmarks.attack.seeds import MARK, Seed

_ODD = (0, 1, 2, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 16, 1 << 24, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFE, 0xFFFFFFFF)
_MEDIA = (b"mdat", b"\xa3", b"data", b"00dc", b"01wb")
_TRACKS = (b"trak", b"\xae", b"strl")
_CLOCKS = (
    b"mvhd",
    b"mdhd",
    b"tkhd",
    b"stts",
    b"ctts",
    b"elst",
    b"avih",
    b"strh",
    b"fmt ",
    b"\x44\x89",
    b"sidx",
    b"trun",
)
_SHAPES = (b"tkhd", b"avc1", b"mp4v", b"mp4a", b"sowt", b"strf", b"fmt ", b"\xb0", b"\xba", b"\xe0", b"\xe1", b"stsd")
_COUNTS = (b"stsz", b"stsc", b"stco", b"stts", b"stss", b"trun", b"idx1", b"tfhd", b"esds", b"avcC", b"dref", b"elst")
LARGEST = 8_000_000
"""Bytes that a mutant may have."""


class Mutant(NamedTuple):
    """A damaged clip: what was done to it, the ending of its name, its bytes, and what it is used as."""

    kind: str
    ending: str
    data: bytes
    use: str


_Work = Callable[[random.Random, bytearray, list[Element], Sequence[Seed]], bytearray]


def mutant(seeds: Sequence[Seed], seed: int, number: int) -> Mutant:
    """Mutant `number` of a seed."""
    rng = random.Random(seed * 1_000_003 + number)
    chosen = rng.choice(seeds)
    kind, work = rng.choices(list(KINDS.items()), WEIGHTS)[0]
    data = work(rng, bytearray(chosen.data), elements(chosen.data), seeds)
    if data and rng.random() < 0.1:
        data = _flip(rng, data, [], seeds)
    use = "audio" if rng.random() < 0.1 else chosen.kind
    return Mutant(kind, chosen.ending, bytes(data[:LARGEST]), use)


def _flip(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _noise(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 16, 64, 256, 1024))
    fill = rng.choice((rng.randbytes(length), bytes(length), b"\xff" * length, MARK.encode() * (length // 4 + 1)))
    data[at : at + length] = fill[: max(0, min(length, len(data) - at))]
    return data


def _cut(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    at = rng.choice(parts).at if parts and rng.random() < 0.5 else rng.randrange(len(data))
    return data[: max(1, at + rng.choice((0, 0, 1, 4, 7, 8, 9)))]


def _hole(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    if parts and rng.random() < 0.5:
        number = rng.randrange(len(parts))
        part = parts[number]
        grown(data, parts, number, part.at - part.end)
        return data[: part.at] + data[part.end :]
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 4, 100, 1000)) :]


def _splice(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    other = rng.choice(seeds).data
    theirs = elements(other)
    if parts and theirs and rng.random() < 0.5:
        place, given = rng.choice(parts), rng.choice(theirs)
        return data[: place.at] + other[given.at : given.end] + data[place.end :]
    return data[: rng.randrange(16, len(data))] + other[rng.randrange(len(other)) :]


def _lengths(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    if not parts:
        return _numbers(rng, data, parts, seeds)
    for _ in range(rng.choice((1, 1, 2, 5))):
        part = rng.choice(parts)
        true = part.end - part.body
        sized(data, part, rng.choice((*_ODD, true - 1, true + 1, true + 8, 2 * true, rng.getrandbits(32), 1 << 48)))
        if part.form == "box" and rng.random() < 0.2:
            # A size of 1 says that eight bytes of size follow.
            data[part.at : part.at + 4] = struct.pack(">I", 1)
            data[part.body : part.body + 8] = struct.pack(">Q", rng.choice((0, 15, 1 << 40, 2**63, 2**64 - 1)))
    return data


def _written(rng: random.Random, data: bytearray, places: Sequence[Element]) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 4))):
        part = rng.choice(places)
        length = part.end - part.body
        width = min(rng.choice((1, 2, 4, 4, 8)), length)
        if width:
            at = part.body + rng.randrange(0, min(length - width, 200) + 1)
            at -= (at - part.body) % (4 if part.form != "ebml" and width >= 4 else 1)
            value = rng.choice((*_ODD, rng.getrandbits(32))) & ((1 << 8 * width) - 1)
            data[at : at + width] = value.to_bytes(width, "little" if part.form == "riff" else "big")
    return data


def _numbers(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    leaves = [part for part in parts if part.kind not in _MEDIA]
    whole = Element(b"", 0, 0, 0, 0, min(len(data), 400), -1, rng.choice(("box", "riff")))
    return _written(rng, data, leaves or [whole])


def _only(kinds: Sequence[bytes]) -> _Work:
    def work(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
        places = [part for part in parts if part.kind in kinds]
        return _written(rng, data, places) if places else _numbers(rng, data, parts, seeds)

    return work


def _repeat(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    if not parts:
        at = rng.randrange(len(data) - 64)
        return data[:at] + data[at : at + 64] * rng.choice((2, 10, 100, 1000)) + data[at:]
    number = rng.randrange(len(parts))
    return _copied(rng, data, parts, number, rng.choice((1, 2, 10, 100, 1000)))


def _copied(rng: random.Random, data: bytearray, parts: list[Element], number: int, times: int) -> bytearray:
    part = parts[number]
    times = min(times, LARGEST // max(1, part.end - part.at))
    copies = bytes(data[part.at : part.end]) * times
    if rng.random() < 0.85:
        grown(data, parts, number, len(copies))
    return data[: part.end] + copies + data[part.end :]


def _tracks(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    tracks = [number for number, part in enumerate(parts) if part.kind in _TRACKS]
    if not tracks:
        return _repeat(rng, data, parts, seeds)
    return _copied(rng, data, parts, rng.choice(tracks), rng.choice((10, 100, 900, 2000, 10_000)))


def _nest(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    if not parts:
        return _repeat(rng, data, parts, seeds)
    number = rng.randrange(len(parts))
    part = parts[number]
    inner = bytes(data[part.at : part.end])
    heads: list[bytes] = []
    length = len(inner)
    for _ in range(rng.choice((2, 10, 100, 2000, 20_000))):
        heads.append(header(part, bytes(data), length))
        length += len(heads[-1])
    grown(data, parts, number, length - len(inner))
    return data[: part.at] + b"".join(reversed(heads)) + inner + data[part.end :]


def _swap(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    if len(parts) < 2:
        return _hole(rng, data, parts, seeds)
    one, two = sorted(rng.sample(parts, 2), key=lambda part: part.at)
    if two.at < one.end:
        return data[: one.at] + data[two.at : two.end] + data[one.end :]
    between = data[one.end : two.at]
    return data[: one.at] + data[two.at : two.end] + between + data[one.at : one.end] + data[two.end :]


def _empty(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    """Frames of no size: an empty sample table, blocks and chunks without content."""
    tables = [part for part in parts if part.kind in (b"stsz", b"trun", b"idx1")]
    if tables and rng.random() < 0.7:
        part = rng.choice(tables)
        keep = rng.choice((8, 12, 16))
        data[part.body + keep : part.end] = bytes(max(0, part.end - part.body - keep))
        return data
    frames = [part for part in parts if part.kind in _MEDIA]
    if not frames:
        return _hole(rng, data, parts, seeds)
    for part in rng.sample(frames, rng.randint(1, len(frames))):
        sized(data, part, rng.choice((0, 0, 4)))
    return data


def _marked(rng: random.Random, data: bytearray, parts: list[Element], seeds: Sequence[Seed]) -> bytearray:
    """The mark as the name of a part, a codec or a handler, where a message could repeat it."""
    named = [part.at + 4 if part.form == "box" else part.at for part in parts]
    named += [part.body + at for part in parts if part.kind in (b"hdlr", b"strh", b"ftyp", b"\x86") for at in (0, 4, 8)]
    for at in rng.sample(named, min(len(named), rng.choice((1, 2, 5)))) if named else [rng.randrange(len(data))]:
        data[at : at + 4] = MARK.encode()
    return data


KINDS: dict[str, _Work] = {
    "bits flipped": _flip,
    "noise": _noise,
    "cut": _cut,
    "hole": _hole,
    "spliced": _splice,
    "lengths": _lengths,
    "numbers": _numbers,
    "clocks": _only(_CLOCKS),
    "shapes": _only(_SHAPES),
    "counts": _only(_COUNTS),
    "repeated": _repeat,
    "nested": _nest,
    "swapped": _swap,
    "no size": _empty,
    "marked": _marked,
    "tracks": _tracks,
}
WEIGHTS = [16, 10, 8, 6, 10, 12, 12, 8, 8, 8, 6, 4, 6, 5, 6, 1]
