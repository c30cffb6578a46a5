"""Odd clips for tests, made with PyAV, and jobs that misbehave in a decoding child."""

import math
import os
import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, BLUE = (220, 20, 20), (30, 60, 220)


def picture(index, width, height):
    """Upper left quarter red, the rest blue, with a white column that tells the frame's number."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = BLUE
    image[: height // 2, : width // 2] = RED
    left = (index * 8) % max(1, width - 8)
    image[height // 2 :, left : left + 8] = 255
    return image


def film(
    path,
    *,
    seconds=2.0,
    fps=24,
    size=(320, 240),
    codec="libx264",
    container=None,
    stamps=None,
    sound_seconds=None,
    sound_codec="aac",
    layout="mono",
    tone=440.0,
    options=None,
    pix_fmt="yuv420p",
    gop=None,
    preset=None,
    metadata=None,
):
    """A video; `stamps` (milliseconds) makes its frame rate variable, `sound_seconds` gives it a sound track."""
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        out.metadata.update(metadata or {})
        video = out.add_stream(codec, rate=rate, options={"preset": preset} if preset else {})
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        if gop:
            video.codec_context.gop_size = gop
        base = Fraction(1, 1000) if stamps else 1 / rate
        video.codec_context.time_base = base
        sound = out.add_stream(sound_codec, rate=48000, layout=layout) if sound_seconds else None
        for number, stamp in enumerate(stamps or range(max(1, round(seconds * fps)))):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            _sing(out, sound, sound_seconds, layout, tone)
    return Path(path)


def tune(path, *, seconds=1.0, codec="pcm_s16le", container=None, layout="mono", tone=440.0, rate=48000, metadata=None):
    """A sound file."""
    with av.open(str(path), "w", format=container) as out:
        out.metadata.update(metadata or {})
        _sing(out, out.add_stream(codec, rate=rate, layout=layout), seconds, layout, tone)
    return Path(path)


def _sing(out, stream, seconds, layout, tone):
    rate = stream.codec_context.sample_rate
    channels = av.AudioLayout(layout).nb_channels
    count = round(seconds * rate)
    wave = (0.25 * np.sin(2 * np.pi * tone * np.arange(count) / rate)).astype(np.float32)
    for start in range(0, count, 1024):
        block = np.repeat(wave[None, start : start + 1024], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def turned(path, quarter_turns):
    """Write a rotation (clockwise quarter turns) into the track header of an mp4 made by `film`."""
    angle = math.radians(90 * quarter_turns)
    cos, sin = round(math.cos(angle)) * 65536, round(math.sin(angle)) * 65536
    data = bytearray(Path(path).read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    Path(path).write_bytes(data)
    return Path(path)


def declared(path, seconds):
    """Make every header of an mp4 made by `film` promise this many seconds."""
    data = bytearray(Path(path).read_bytes())
    for box, offset, scale in ((b"mvhd", 16, 12), (b"mdhd", 16, 12)):
        at = data.find(box)
        while at >= 0:
            (units,) = struct.unpack_from(">I", data, at + 4 + scale)
            struct.pack_into(">I", data, at + 4 + offset, min(round(seconds * units), 2**32 - 1))
            at = data.find(box, at + 4)
    movie = data.index(b"mvhd")
    (units,) = struct.unpack_from(">I", data, movie + 4 + 12)
    at = data.find(b"tkhd")
    while at >= 0:
        struct.pack_into(">I", data, at + 4 + 20, round(seconds * units))
        at = data.find(b"tkhd", at + 4)
    at = data.find(b"elst")
    while at >= 0:
        struct.pack_into(">I", data, at + 4 + 8, round(seconds * units))
        at = data.find(b"elst", at + 4)
    Path(path).write_bytes(data)
    return Path(path)


def hang(_source):
    """A decoder that never comes back."""
    time.sleep(600)


def die(_source):
    """A decoder that aborts."""
    os.abort()


def swell(_source):
    """A decoder that asks for more memory than it may have."""
    return len(np.ones(1 << 33, np.uint8))


def whoami(_source):
    """A decoder that works: its process id, and whether the parent's main module ran in it."""
    import sys

    return os.getpid(), hasattr(sys.modules["__main__"], "AURELIA_TEST_MAIN")
