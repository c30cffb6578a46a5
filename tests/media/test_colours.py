"""HDR and wide colours are shown as on an ordinary screen: near what the ffmpeg program's reference filters give."""

import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc

from tests.media.makers import THIRDS, made_once, number_in, picture, run_ffmpeg, thirds_in, write_frames

NUMBER = 165
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0001], [0.0332, 0.9669, -0.0001], [0.0171, 0.0724, 0.9105]])
LUMA = np.array([0.2627, 0.678, 0.0593])
REFERENCE = [[174, 24, 24], [28, 163, 25], [24, 24, 176]]
"""Of a picture with white at 203 cd/m2, by ffmpeg 5.1: zscale=t=linear:npl=100, primaries, tonemap=hable:desat=0."""
REFERENCE_WHITE = 193


def pq(light):
    """PQ codes of light in cd/m2 (SMPTE 2084)."""
    power = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light):
    """HLG codes of light in cd/m2 on a screen with 1,000 (BT.2100)."""
    scene = light / 1000 * np.maximum((light / 1000) @ LUMA, 1e-9)[..., None] ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


def coloured(name, transfer, primaries, codes):
    """A maker of frames of RGB codes, 0..1, as 10 bit BT.2020 luma and chroma."""
    luma = codes @ LUMA
    planes = [64 + 876 * luma, 512 + 896 * (codes[..., 2] - luma) / 1.8814, 512 + 896 * (codes[..., 0] - luma) / 1.4746]
    return made_once(name, lambda path: write_frames(path, [np.round(planes)] * 5, int(transfer), int(primaries)))


def shown(store, path):
    """The frame that the store shows."""
    ref = store.admit(path)
    image = store.frames(ref, [], 1).images[0]
    assert number_in(image) == NUMBER
    return image


LIGHT = (picture(NUMBER) / 255) ** 2.4


@pytest.mark.parametrize(
    ("name", "transfer", "codes"),
    [
        ("pq.mkv", ColorTrc.SMPTE2084, pq(203 * LIGHT @ TO_2020.T)),
        ("hlg.mkv", ColorTrc.ARIB_STD_B67, hlg(203 * LIGHT @ TO_2020.T)),
    ],
)
def test_hdr(store, folder, name, transfer, codes):
    image = shown(store, coloured(name, transfer, ColorPrimaries.BT2020, codes)(folder))
    assert np.abs(np.array(thirds_in(image)) - REFERENCE).max() < 8
    assert image[20:30, 5:15].mean() == pytest.approx(REFERENCE_WHITE, abs=4)


@pytest.mark.parametrize(
    ("name", "primaries", "matrix"),
    [("2020.mkv", ColorPrimaries.BT2020, TO_2020), ("p3.mkv", ColorPrimaries.SMPTE432, TO_P3)],
)
def test_wide_colours(store, folder, name, primaries, matrix):
    codes = np.clip(LIGHT @ matrix.T, 0, 1) ** (1 / 2.4)
    image = shown(store, coloured(name, ColorTrc.BT709, primaries, codes)(folder))
    assert np.abs(np.array(thirds_in(image)) - THIRDS).max() < 8


def test_the_reference_is_what_the_ffmpeg_program_gives(folder):
    path = coloured("pq.mkv", ColorTrc.SMPTE2084, ColorPrimaries.BT2020, pq(203 * LIGHT @ TO_2020.T))(folder)
    filters = (
        "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
        "zscale=t=bt709:m=bt709:r=tv,format=yuv444p,scale=out_range=pc,format=rgb24"
    )
    done = run_ffmpeg("-i", path, "-vf", filters, "-frames:v", 1, "-f", "rawvideo", "-")
    image = np.frombuffer(done.stdout, np.uint8).reshape(96, 160, 3)
    assert np.abs(np.array(thirds_in(image)) - REFERENCE).max() < 4
