"""Still and animated images: upright, over black where they are transparent, in the colours of any kind of file."""

import numpy as np
import pytest
from PIL import Image

from tests.media.makers import number_in, picture, thirds_in

NUMBER = 165
PICTURE = Image.fromarray(picture(NUMBER))
ORIENTED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: np.rot90(image, 2),
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image, 3),
}
"""How an upright image is stored with each EXIF orientation."""


def shown(store, path):
    """The image that the store shows; Pillow tells what it is."""
    ref = store.admit(path)
    assert (ref["duration"], ref["fps"], ref["has_audio"]) == (0.0, None, False)
    (image,) = store.frames(ref, [], 4).images
    assert (ref["width"], ref["height"]) == (image.shape[1], image.shape[0])
    return image


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation(store, tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](picture(NUMBER))))
    stored.save(tmp_path / name, exif=exif, quality=95)
    image = shown(store, tmp_path / name)
    assert number_in(image) == NUMBER
    assert np.abs(np.array(thirds_in(image)) - thirds_in(picture(NUMBER))).max() < 10


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "1", "I;16", "RGBA", "LA", "PA"])
def test_kinds_of_pixels(store, tmp_path, name, mode):
    """Transparent pixels are over black, as Pillow puts them there."""
    image = PICTURE
    if mode.endswith("A"):
        image = image.convert("RGBA")
        image.putalpha(Image.fromarray(np.linspace(0, 255, 160).astype(np.uint8)[None].repeat(96, 0)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode != "PA":
        image = image.convert(mode)
    else:
        image = image.quantize(64)
    try:
        image.save(tmp_path / name, quality=95, lossless=True)
    except OSError as error:
        pytest.skip(f"Pillow: {error}")
    with Image.open(tmp_path / name) as opened:
        if opened.mode.startswith("I"):
            expected = np.asarray(PICTURE.convert("L").convert("RGB"))
        else:
            black = Image.new("RGBA", opened.size, "black")
            expected = np.asarray(Image.alpha_composite(black, opened.convert("RGBA")).convert("RGB"))
    difference = np.abs(shown(store, tmp_path / name).astype(int) - expected)
    assert difference.mean() < 3


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_an_animation_is_a_film(store, tmp_path, name):
    frames = [Image.fromarray(picture(number)) for number in range(6)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=200)
    ref = store.admit(tmp_path / name)
    assert (ref["duration"], ref["fps"]) == (pytest.approx(1.2), 5.0)
    seen = store.frames(ref, [], 100)
    assert [number_in(image) for image in seen.images] == list(range(6))
    np.testing.assert_allclose(seen.times, np.arange(6) / 5)
