"""Makers of small media files with known content.

Frame n carries n as 8 bits in its upper half (most significant left), red, green and blue thirds below. Beeps of 0.1 s
begin at `BEEPS`. A maker takes a folder and returns the file in it, which is made once.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

Maker = Callable[[Path], Path]
SIZE = (160, 96)
FPS = 25
FRAMES = 75
BEEPS = (0.5, 1.3, 2.2)
BEEP_SECONDS = 0.1
THIRDS = ((220, 30, 30), (30, 200, 30), (30, 30, 220))
PITCH = 1500.0


def picture(number, size=SIZE):
    """The picture with a number, uint8[height, width, 3]."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(8):
        if number >> (7 - bit) & 1:
            image[: height // 2, bit * width // 8 : (bit + 1) * width // 8] = 255
    for third, colour in enumerate(THIRDS):
        image[height // 2 :, third * width // 3 : (third + 1) * width // 3] = colour
    return image


def number_in(image):
    """The number that a picture carries."""
    height, width = image.shape[:2]
    number = 0
    for bit in range(8):
        left, right = (bit * 8 + 2) * width // 64, (bit * 8 + 6) * width // 64
        number = number << 1 | int(image[height // 8 : 3 * height // 8, left:right].mean() > 127)
    return number


def thirds_in(image):
    """The mean colours of the three thirds."""
    height, width = image.shape[:2]
    return [
        image[5 * height // 8 : 7 * height // 8, (third * 6 + 2) * width // 18 : (third * 6 + 4) * width // 18].mean(
            (0, 1)
        )
        for third in range(3)
    ]


def beeping(seconds, beeps=BEEPS, rate=48000):
    """Silence with beeps, float32[n]."""
    clock = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(clock), np.float32)
    for start in beeps:
        inside = (clock >= start) & (clock < start + BEEP_SECONDS)
        wave[inside] = 0.4 * np.sin(2 * np.pi * PITCH * (clock[inside] - start))
    return wave


def onsets_in(samples, rate=16000):
    """The times at which beeps begin: their level over 4 ms crosses the half of the loudest after 30 ms below it."""
    around = round(0.004 * rate)
    level = np.sqrt(np.convolve(np.square(samples, dtype=np.float64), np.ones(around) / around, "same"))
    loud = np.flatnonzero(level > 0.5 * max(level.max(initial=0.0), 1e-5)) / rate
    return [float(time) for before, time in zip([-1.0, *loud], loud, strict=False) if time - before > 0.03]


def made_once(name, write):
    """A maker of a file that `write` writes to a path; a codec that is missing here skips the test."""

    def make(folder: Path) -> Path:
        path = folder / name
        if not path.exists():
            try:
                write(path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return path

    return make


def film(name, video: str | None = "libx264", sound: str | None = "aac", **more) -> Maker:
    """A maker of a file with a picture and a sound, by PyAV."""
    return made_once(name, lambda path: write_film(path, video, sound, **more))


def write_film(
    path, video, sound, *, container=None, options=None, metadata=None, frames=FRAMES, first=0, fps=FPS, size=SIZE,
    stamps=None, draw=picture, pix_fmt="yuv420p", gop=25, codec=None, codec_options=None, matrix=None, tag=2,
    field_order=None, seconds=3.0, beeps=BEEPS, level=1.0, rate=48000, layout="mono", pan=None,
):  # fmt: skip
    """Write a film.

    `stamps` are the frames' times in milliseconds, `codec` attributes of the picture's encoder, `matrix` and `tag` the
    colour space that is used and the one that is written down.
    """
    for wanted in (video, sound):
        if wanted is not None:
            require_encoder(wanted)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        out.metadata.update(metadata or {})
        if video is not None:
            stream = out.add_stream(video, rate=Fraction(fps), options=codec_options or {})
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            base = Fraction(1, 1000) if stamps else 1 / Fraction(fps)
            for key, value in {"time_base": base, "gop_size": gop, **(codec or {})}.items():
                setattr(stream.codec_context, key, value)
        if sound is not None:
            voice = out.add_stream(sound, rate=rate, layout=layout)
            if sound.startswith("wma"):
                voice.bit_rate = 128_000
        if video is not None:
            drawn = (draw(first + index, size) for index in range(len(stamps or range(frames))))
            for image, stamp in zip(drawn, stamps or range(frames), strict=True):
                frame = prepared(image, pix_fmt, matrix, tag, field_order)
                frame.pts, frame.time_base = stamp, base
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if sound is not None:
            wave = level * beeping(seconds, beeps, rate)
            channels = np.outer(pan or np.ones(av.AudioLayout(layout).nb_channels), wave).astype(np.float32)
            write_sound(out, voice, channels, rate, layout)


def prepared(image, pix_fmt, matrix, tag, field_order):
    """The frame of an image in a colour space and with a field order."""
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    if matrix is not None:
        frame = frame.reformat(format=pix_fmt, dst_colorspace=matrix)
        frame.colorspace = tag
    if field_order is None:
        return frame
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, FPS))
    graph.link_nodes(source, graph.add("setfield", field_order), graph.add("buffersink"))
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    return graph.pull()


def write_sound(out, voice, channels, rate, layout):
    """Encode float32[channels, n]."""
    for start in range(0, channels.shape[1], 1024):
        block = np.ascontiguousarray(channels[:, start : start + 1024])
        part = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        part.sample_rate, part.pts, part.time_base = rate, start, Fraction(1, rate)
        out.mux(voice.encode(part))
    out.mux(voice.encode(None))


def require_encoder(name):
    """Skip a test whose encoder is not in this build of PyAV."""
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"PyAV has no encoder {name}")


def remux(name, *sources: Maker, edit=None, container=None, options=None, filters=None) -> Maker:
    """A maker that copies the packets of all streams; `edit(packet, source)` gives seconds to shift, or None to drop.

    With several sources their packets follow each other in the first one's streams.
    """

    def write(path):
        with av.open(str(path), "w", format=container, options=options or {}) as out:
            streams = {}
            packets = []
            for source, maker in enumerate(sources):
                with av.open(str(maker(path.parent))) as opened:
                    for stream in opened.streams:
                        if stream.index not in streams:
                            streams[stream.index] = out.add_stream_from_template(stream)
                    for packet in opened.demux():
                        # The last packet of a stream is empty.
                        if packet.dts is None:
                            continue
                        moved = 0.0
                        if edit is not None:
                            moved = edit(packet, source)
                        if moved is None:
                            continue
                        step = round(moved / packet.time_base)
                        packet.pts, packet.dts = packet.pts + step, packet.dts + step
                        packets.append((float(packet.dts * packet.time_base), packet))
            for _, packet in sorted(packets, key=lambda one: one[0]):
                packet.stream = streams[packet.stream_index]
                out.mux(packet)

    return made_once(name, write)


def joined_bytes(name, *sources: Maker) -> Maker:
    """A maker that puts files one behind the other, as `cat` does."""
    return made_once(name, lambda path: path.write_bytes(b"".join(one(path.parent).read_bytes() for one in sources)))


def patched(name, source: Maker, change: Callable[[bytearray], object]) -> Maker:
    """A maker that changes bytes of a file."""

    def write(path):
        data = bytearray(source(path.parent).read_bytes())
        changed = change(data)
        path.write_bytes(data if changed is None else changed)

    return made_once(name, write)


def ff(name, arguments: str, **sources: Maker) -> Maker:
    """A maker by the ffmpeg program; `{key}` in the arguments is the file of that source."""

    def write(path):
        found = {key: maker(path.parent) for key, maker in sources.items()}
        run_ffmpeg(*(word.format(**found) for word in arguments.split()), path)

    return made_once(name, write)


def run_ffmpeg(*arguments) -> subprocess.CompletedProcess:
    """Run the ffmpeg program; skip where there is none or it lacks a part."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not on PATH")
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-y", "-hide_banner", *map(str, arguments)], capture_output=True, check=False
    )
    log = done.stderr.decode("utf-8", "replace")
    if done.returncode and ("Unknown encoder" in log or "No such filter" in log or "not found" in log):
        pytest.skip(f"this ffmpeg lacks a part: {log.strip().splitlines()[-1]}")
    assert done.returncode == 0, log[-600:]
    return done


def at_seconds(values: Sequence[float]):
    """The stamps of a film, milliseconds."""
    return [round(1000 * value) for value in values]


def ffmpeg_frames(path, stream, size, view):
    """Times (container time, seconds) and numbers of all frames, by the ffmpeg program."""
    done = run_ffmpeg(
        "-copyts", "-i", path, "-map", f"0:{stream}", "-fps_mode", "passthrough", "-enc_time_base", "1:90000",
        "-vf", f"showinfo,scale={size[0]}:{size[1]}:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
    )  # fmt: skip
    over, under = re.search(rb"config in time_base: (\d+)/(\d+)", done.stderr).groups()
    times = [int(found) * int(over) / int(under) for found in re.findall(rb"n: *\d+ pts: *(-?\d+) ", done.stderr)]
    images = np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 3)
    assert len(times) == len(images)
    return times, [number_in(view(image)) for image in images]


def ffmpeg_sound(path, stream):
    """Time of the first sample (container time, seconds) and samples at their time stamps, by the ffmpeg program."""
    rate = 48000
    done = run_ffmpeg(
        "-copyts", "-i", path, "-map", f"0:{stream}",
        "-af", f"aresample={rate},aformat=sample_fmts=flt,ashowinfo", "-f", "f32le", "-",
    )  # fmt: skip
    found = re.findall(rb" pts:(-?\d+) .*?nb_samples:(\d+)", done.stderr)
    blocks = [(int(time) / rate, int(count)) for time, count in found]
    channels = np.frombuffer(done.stdout, np.float32).reshape(sum(count for _, count in blocks), -1)
    samples = channels[:, np.abs(channels).max(0).argmax()]
    start = min(time for time, _ in blocks)
    placed = np.zeros(round((max(time + count / rate for time, count in blocks) - start) * rate) + 1, np.float32)
    at = 0
    for time, count in blocks:
        where = round((time - start) * rate)
        placed[where : where + count] = samples[at : at + count]
        at += count
    return start, placed, rate


def merged(name, *tracks, change=None, container=None, options=None) -> Maker:
    """A maker of a file with several tracks, each (maker, "video" or "audio", disposition, language)."""

    def write(path):
        with av.open(str(path), "w", format=container, options=options or {}) as out:
            packets = []
            for maker, kind, disposition, language in tracks:
                with av.open(str(maker(path.parent))) as opened:
                    source = next(stream for stream in opened.streams if stream.type == kind)
                    stream = out.add_stream_from_template(source)
                    stream.disposition = disposition
                    stream.metadata["language"] = language
                    found = [packet for packet in opened.demux(source) if packet.dts is not None]
                    packets += [(float(one.dts * one.time_base), one, stream) for one in found]
            if change is not None:
                change(out)
            for _, packet, stream in sorted(packets, key=lambda one: one[0]):
                packet.stream = stream
                out.mux(packet)

    return made_once(name, write)


def write_frames(path, frames, transfer, primaries):
    """Write ffv1 of 10 bit planes, uint16[3, height, width], in BT.2020 luma and chroma."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv444p10le"
        tags = {"color_trc": transfer, "color_primaries": primaries, "colorspace": 9, "color_range": 1}
        for key, value in tags.items():
            setattr(stream.codec_context, key, value)
        for number, planes in enumerate(frames):
            frame = av.VideoFrame(*SIZE, "yuv444p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                lines = np.zeros((SIZE[1], plane.line_size // 2), "<u2")
                lines[:, : SIZE[0]] = np.clip(values, 0, 1023)
                plane.update(lines.tobytes())
            for key, value in tags.items():
                setattr(frame, key, value)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
