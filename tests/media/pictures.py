"""Situations: orientation, pixel aspect, interlacing, colours, alpha, slides; and channels of the sound."""

import struct
from fractions import Fraction

import numpy as np
from av.video.reformatter import ColorRange

from tests.media.makers import BEEPS, SIZE, at_seconds, film, joined_bytes, patched, picture
from tests.media.row import EVEN, Row

ONE = 65536
TURNED = SIZE[::-1]
MATRICES = {
    "turned by 90 degrees": ((0, ONE, -ONE, 0), TURNED, lambda image: np.rot90(image, 1)),
    "turned by 180 degrees": ((-ONE, 0, 0, -ONE), SIZE, lambda image: np.rot90(image, 2)),
    "turned by 270 degrees": ((0, -ONE, ONE, 0), TURNED, lambda image: np.rot90(image, 3)),
    "mirrored left to right": ((-ONE, 0, 0, ONE), SIZE, lambda image: image[:, ::-1]),
    "mirrored top to bottom": ((ONE, 0, 0, -ONE), SIZE, lambda image: image[::-1]),
    "mirrored along the diagonal": ((0, ONE, ONE, 0), TURNED, lambda image: image.swapaxes(0, 1)),
    "mirrored along the other diagonal": ((0, -ONE, -ONE, 0), TURNED, lambda image: np.rot90(image, 2).swapaxes(0, 1)),
}


def with_matrix(name, matrix, size, view):
    """A row of a film with a display matrix."""

    def change(data):
        a, b, c, d = matrix
        at = data.index(b"tkhd") + 4 + 40
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)

    return Row(name, patched(f"{name}.mp4".replace(" ", "_"), film("base.mp4"), change), size=size, view=view)


def woven(number, size):
    """An interlaced frame: the next picture is in its bottom field."""
    image = picture(number, size)
    image[1::2] = picture(number + 1, size)[1::2]
    return image


def interlaced(name, *arguments, **more):
    """A row of an interlaced film."""
    return Row(
        name,
        film(*arguments, draw=woven, field_order="tff", pix_fmt="yuv420p", **more),
        as_ffmpeg=False,
    )


ROWS = [
    *(with_matrix(name, *rest) for name, rest in MATRICES.items()),
    Row("pixels 4:3 wide", film("wide.mp4", codec={"sample_aspect_ratio": Fraction(4, 3)}), size=(213, 96)),
    Row(
        "pixels 4:3 wide in mkv",
        film("wide.mkv", sound="flac", codec={"sample_aspect_ratio": Fraction(4, 3)}),
        size=(213, 96),
    ),
    Row("pixels 3:4 narrow", film("narrow.mp4", codec={"sample_aspect_ratio": Fraction(3, 4)}), size=(120, 96)),
    interlaced("interlaced h264 (MBAFF)", "mbaff.mp4", codec_options={"flags": "+ildct+ilme"}),
    interlaced(
        "interlaced mpeg2",
        "mpeg2i.ts",
        "mpeg2video",
        "mp2",
        codec={"bit_rate": 3_000_000},
        codec_options={"flags": "+ildct+ilme"},
    ),
    interlaced("interlaced ffv1", "ffv1i.mkv", "ffv1", "flac", codec_options={"flags": "+ildct"}),
    Row(
        "untagged HD is BT.709",
        film(
            "hd.mkv",
            "libx264",
            "flac",
            size=(1280, 720),
            codec_options={"preset": "ultrafast"},
            frames=10,
            matrix="ITU709",
        ),
        numbers=range(10),
        times=EVEN[:10],
        size=(1280, 720),
        duration=0.4,
    ),
    Row("untagged SD is BT.601", film("sd.mkv", "libx264", "flac", matrix="ITU601")),
    Row("SD tagged BT.709", film("sd709.mp4", matrix="ITU709", codec={"colorspace": 1}, tag=1)),
    Row("full range", film("full.mp4", pix_fmt="yuvj420p", codec={"color_range": int(ColorRange.JPEG)})),
    Row("one frame under sound", film("one.mp4", frames=1), numbers=(0,), times=(0.0,)),
    Row("one frame under sound (mkv)", film("one.mkv", sound="flac", frames=1), numbers=(0,), times=(0.0,)),
    Row("slides under sound", film("slides.mp4", stamps=at_seconds((0, 1, 2))), numbers=range(3), times=(0, 1, 2)),
    Row(
        "slides under sound (webm)",
        film("slides.webm", "libvpx", "libopus", stamps=at_seconds((0, 0.9, 1.9))),
        numbers=range(3),
        times=(0, 0.9, 1.9),
    ),
    Row(
        "size changes in the middle (ts)",
        joined_bytes("sizes.ts", film("a.ts"), film("smaller.ts", first=75, size=(128, 80))),
        numbers=range(150),
        times=[n / 25 for n in range(150)],
        beeps=(*BEEPS, *(3 + beep for beep in BEEPS)),
        duration=6.0,
        as_ffmpeg=False,
    ),
    Row("opposite phase", film("phase.mp4", layout="stereo", pan=(1, -1))),
    Row("opposite phase, a little louder on the right", film("phase2.mp4", layout="stereo", pan=(0.9, -1))),
    Row("right channel only", film("right.mp4", layout="stereo", pan=(0, 1))),
    Row("5.1, in the centre", film("centre.mp4", layout="5.1", pan=(0, 0, 1, 0, 0, 0))),
    Row("5.1, in the rear", film("rear.mp4", layout="5.1", pan=(0, 0, 0, 0, 1, -1))),
    Row("6.1, at the sides", film("side.mkv", sound="flac", layout="6.1", pan=(0, 0, 0, 0, 0, 1, 0))),
    Row("beeps of -60 dBFS", film("faint.mkv", sound="flac", level=0.0025)),
    Row("beeps of -60 dBFS, 24 bit", film("faint.mov", sound="pcm_s24le", level=0.0025)),
    Row("8 kHz", film("eight.mkv", sound="pcm_s16le", rate=8000)),
    Row("96 kHz", film("high.mkv", sound="flac", rate=96000)),
    Row("11.025 kHz, 8 bit", film("low.avi", "mjpeg", "pcm_u8", rate=11025, pix_fmt="yuvj420p")),
]
