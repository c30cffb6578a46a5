"""Small files that become large: enormous pictures, hours, tables and headers that inflate, tracks without number.

Run by itself it is the process under attack, with tight limits: each bomb goes through the intake, and what is let in
is then asked a question about, so that what the main process does with a clip is measured as well.
"""

import asyncio
import struct
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.media.pool import close_decode_pools, shared_decode_pool
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import GIB, Settings
from benchmarks.attack.elements import elements, replaced
from benchmarks.attack.intake import held, looked_at, peak, summary, tell, wrong_with
from state.context import make_context
from tests.support import clips

BOMB_BYTES, BOMB_SECONDS = 2 * GIB, 10.0
"""Limits of a decoding child while bombs are taken in."""
BOMB_MAIN_MB = 2048


def _packets(path: Path, codec: str, size: tuple[int, int], stamps: list[int], options: dict[str, str]) -> Path:
    """A film of one black key frame, shown again and again at some milliseconds."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(25), options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb24" if codec in ("qtrle", "png") else "yuv420p"
        frame = av.VideoFrame(*size, stream.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = 0
        (packet,) = [*stream.encode(frame), *stream.encode(None)]
        for stamp in stamps:
            again = av.Packet(bytes(packet))
            again.stream, again.time_base, again.is_keyframe = stream, Fraction(1, 1000), True
            again.pts = again.dts = stamp
            out.mux(again)
    return path


def _huge(path: Path) -> Path:
    return _packets(path, "libx264", (8192, 8192), list(range(0, 10_000, 40)), {"preset": "ultrafast", "coder": "1"})


def _gigapixel(path: Path) -> Path:
    return _packets(path, "qtrle", (16_000, 16_000), [0, 40, 80], {})


def _strip(path: Path) -> Path:
    return _packets(path, "qtrle", (16_000, 180), list(range(0, 39_000, 80)), {})


def _hours(path: Path) -> Path:
    return _packets(path, "mpeg4", (64, 48), [0, 36_000_000], {})


def _hour_of_frames(path: Path) -> Path:
    return _packets(path, "mpeg4", (64, 48), list(range(0, 3_500_000, 10)), {})


def _silence(path: Path, seconds: int, rate: int = 8000) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=rate, layout="mono")
        block = np.zeros((1, rate), np.int16)
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, second * rate, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _long_silence(path: Path) -> Path:
    return _silence(path, 4 * 3600)


def _allowed_silence(path: Path) -> Path:
    return _silence(path, 3590)


def _late(path: Path) -> Path:
    """Half a second of one sense, and half a second of the other one five hours later."""
    film = clips.film(path.with_name("early.mkv"), seconds=0.5, fps=10, size=(64, 48), sound_seconds=0.5)
    with av.open(str(film)) as given, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is None:
                continue
            late = int(18_000 / packet.time_base) if packet.stream.type in path.name else 0
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.stream = streams[packet.stream_index]
            out.mux(packet)
    film.unlink()
    # No length in a header that could give it away.
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATIVE").replace(b"\x44\x89", b"\x44\x8e"))
    return path


def _wide_pixels(path: Path) -> Path:
    """A small picture whose pixels are said to be 60,000 times as wide as high."""
    data = clips.film(path, seconds=30, fps=12, size=(64, 48)).read_bytes()
    shape = _box(b"pasp", struct.pack(">II", 60_000, 1))
    path.write_bytes(_within(data, b"avc1", lambda body: _box(b"avc1", body + shape)))
    return path


def _within(data: bytes, kind: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A file whose first part of a kind is another one, made from its content."""
    parts = elements(data)
    number = next(number for number, part in enumerate(parts) if part.kind == kind)
    return replaced(data, parts, number, change(data[parts[number].body : parts[number].end]))


def _film(path: Path) -> bytes:
    return clips.film(path, seconds=0.4, fps=10, size=(64, 48)).read_bytes()


def _table(path: Path) -> Path:
    """A sample table that promises a quarter of a billion frames without bytes."""
    table = struct.pack(">I4sIII", 20, b"stsz", 0, 0, 0x0FFFFFFF)
    path.write_bytes(_within(_film(path), b"stsz", lambda body: table))
    return path


def _samples(path: Path) -> Path:
    """Two billion frames of one byte, each as long as the film."""
    sizes = struct.pack(">I4sIII", 20, b"stsz", 0, 1, 0x7FFFFFFF)
    times = struct.pack(">I4sIIII", 24, b"stts", 0, 1, 0x7FFFFFFF, 1)
    data = _within(_film(path), b"stsz", lambda body: sizes)
    path.write_bytes(_within(data, b"stts", lambda body: times))
    return path


def _packed_header(path: Path) -> Path:
    """A compressed movie header of 900 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(900)) + packer.flush()
    header = _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", struct.pack(">I", 900 << 20) + packed))
    path.write_bytes(_within(_film(path), b"moov", lambda body: _box(b"moov", header)))
    return path


def _packed_frames(path: Path) -> Path:
    """Matroska frames of 9 MB of nothing each, packed to 9 kB."""
    film = _film(path)
    packed = b"\x6d\x80\x8b\x62\x40\x88\x50\x34\x85\x42\x54\x82\x00\x00"
    data = _within(film, b"\xae", lambda body: _ebml(b"\xae", body + packed))
    bomb = zlib.compress(bytes(9_000_000), 9)
    block = next(part for part in elements(data) if part.kind == b"\xa3")
    frames = _ebml(b"\xa3", data[block.body : block.body + 4] + bomb) * 300
    path.write_bytes(_within(data, b"\xa3", lambda body: frames))
    return path


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _ebml(kind: bytes, content: bytes) -> bytes:
    return kind + ((1 << 56) | len(content)).to_bytes(8, "big") + content


def _tracks(path: Path) -> Path:
    """10,000 tracks."""
    path.write_bytes(_within(_film(path), b"trak", lambda body: _box(b"trak", body) * 10_000))
    return path


def _boxes(path: Path) -> Path:
    """A million empty boxes before the header."""
    film = _film(path)
    path.write_bytes(film[:32] + struct.pack(">I4s", 8, b"free") * 1_000_000 + film[32:])
    return path


BOMBS: dict[str, Callable[[Path], Path]] = {
    "huge.mp4": _huge,
    "gigapixel.mov": _gigapixel,
    "strip.mov": _strip,
    "hours.mkv": _hours,
    "frames.mkv": _hour_of_frames,
    "silence.flac": _long_silence,
    "hour.flac": _allowed_silence,
    "late-audio.mkv": _late,
    "late-video.mkv": _late,
    "late-video.mp4": _late,
    "wide.mp4": _wide_pixels,
    "table.mp4": _table,
    "samples.mp4": _samples,
    "header.mp4": _packed_header,
    "packed.mkv": _packed_frames,
    "tracks.mp4": _tracks,
    "boxes.mp4": _boxes,
}
QUICK = ("hours.mkv", "late-video.mkv", "wide.mp4", "samples.mp4")
"""Those that are made and refused at once."""


def _asked(store: ClipStore, settings: Settings, path: Path) -> None:
    """One question about a clip that was let in, by the keyless roles."""
    question: Any = {"video": str(path), "question": "How many sounds are heard?"}
    desk = ModelClient(settings, store=store)
    try:
        asyncio.run(answer_question(question, make_context({"profile": "offline"}), client=desk))
    finally:
        desk.ledger.close()


def write(folder: Path, names: Sequence[str] = ()) -> None:
    """Writes bombs, all of them if none is named, where `main` finds them; done elsewhere, as it takes memory."""
    (folder / "clips").mkdir()
    for number, name in enumerate(names or BOMBS):
        BOMBS[name](folder / "clips" / f"m{number}.{name}")


def main() -> None:
    """Takes in the bombs that lie in FOLDER, for SECONDS at most."""
    folder, until = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    limits: dict[str, Any] = {"decode_seconds": BOMB_SECONDS, "decode_bytes": BOMB_BYTES, "decode_workers": 1}
    settings = Settings(home=folder / "home", media_roots=(folder / "clips",), **limits)
    store = ClipStore(settings)
    # What a program opens once is no leak.
    shared_decode_pool(settings).run("nothing", BOMB_SECONDS, clips.whoami, None)
    close_decode_pools()
    before = held()
    for path in sorted((folder / "clips").iterdir()):
        number = int(path.name[1:].partition(".")[0])
        if time.monotonic() > until:
            break
        tell(begun=number, kind=path.name, bytes=path.stat().st_size)
        began, end, wrong = time.monotonic(), "", ""
        try:
            looked_at(store, path, "audio" if path.suffix == ".flac" else "video")
            seconds = time.monotonic() - began
            if path.suffix != ".flac":
                _asked(store, settings, path)
        except Exception as error:
            seconds = time.monotonic() - began
            end, wrong = str(error)[:300], wrong_with(error, folder)
        most = peak() >> 20
        tell(ended=number, seconds=seconds, kind=path.name, error=end, wrong=wrong, megabytes=most)
    close_decode_pools()
    summary(before, [path.name for path in settings.cache_folder.glob(".making-*")])


if __name__ == "__main__":
    main()
