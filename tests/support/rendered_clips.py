"""Film-like clips with known truth: a textured ground, a camera that may drift, a big textured body, ambience."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.ndimage import gaussian_filter

HEIGHT, WIDTH, FPS, RATE = 180, 320, 24, 48000
GREY, ORANGE = (150, 150, 155), (235, 130, 30)


@dataclass(frozen=True)
class Film:
    """What is in a clip.

    Attributes:
        drift: pixels a second that the whole picture shifts, down and to the right.
        body: centre of the body, fractions of the picture; None for none.
        moves: seconds in which the body turns and changes its outline.
        grain: levels of 255 by which each pixel flickers.
        thump: when a low thump of a tenth of a second falls, seconds.
        swell: when a low sound swells, seconds.
    """

    seconds: float = 5.0
    drift: tuple[float, float] = (0.0, 0.0)
    body: tuple[float, float] | None = (0.28, 0.5)
    colour: tuple[int, int, int] = GREY
    moves: tuple[float, float] | None = (0.0, 5.0)
    grain: float = 0.0
    thump: float | None = 1.5
    swell: float | None = None
    seed: int = 1


def textured(rng: np.random.Generator, shape: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """A texture of that colour, coarse and fine at once, float64[rows, columns, 3]."""
    coarse, fine = (gaussian_filter(rng.standard_normal(shape), sigma) for sigma in (14, 1.6))
    light = 1 + 0.28 * coarse / coarse.std() + 0.22 * fine / fine.std()
    return np.asarray(colour) * np.clip(light, 0.1, 2.0)[..., None]


def frames_of(film: Film):
    """The frames, uint8[HEIGHT, WIDTH, 3] each."""
    rng = np.random.default_rng(film.seed)
    ground = textured(rng, (HEIGHT + 80, WIDTH + 80), (70, 115, 50))
    skin = textured(rng, (HEIGHT + 80, WIDTH + 80), film.colour) * 0.85
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(round(film.seconds * FPS)):
        time = number / FPS
        down, right = (round(40 - part * time) for part in film.drift)
        picture = ground[down : down + HEIGHT, right : right + WIDTH].copy()
        if film.body is not None:
            phase = 0.0 if film.moves is None else float(np.clip(time, *film.moves) - film.moves[0])
            x = film.body[0] * WIDTH + (40 - right) + 14 * np.sin(2.1 * phase)
            y = film.body[1] * HEIGHT + (40 - down) + 10 * np.sin(3.3 * phase)
            angle = np.arctan2(rows - y, columns - x)
            edge = 38 * (1 + 0.25 * np.sin(3 * angle + 2.5 * phase))
            inside = np.hypot(rows - y, columns - x) < edge
            shift = (round(y) - HEIGHT // 2, round(x) - WIDTH // 2)
            picture[inside] = np.roll(skin[40:-40, 40:-40], shift, axis=(0, 1))[inside]
        picture += film.grain * rng.standard_normal(picture.shape)
        yield np.clip(picture, 0, 255).astype(np.uint8)


def sound_of(film: Film) -> np.ndarray:
    """The samples, float32[n]: a faint hum and hiss beneath a thump and a swell."""
    rng = np.random.default_rng(film.seed + 7)
    clock = np.arange(round(film.seconds * RATE)) / RATE
    wave = 0.0012 * np.sin(2 * np.pi * 830 * clock) * (1 + 0.4 * np.sin(2 * np.pi * 0.7 * clock))
    wave += 0.001 * rng.standard_normal(len(clock))
    if film.thump is not None:
        since = clock - film.thump
        wave += np.where(since > 0, 0.3 * np.sin(2 * np.pi * 42 * since) * np.exp(-since / 0.035), 0.0)
    if film.swell is not None:
        since = np.clip(clock - film.swell, 0, None)
        level = 0.05 * np.minimum(since / 0.3, 1) * np.exp(-since / 1.1)
        wave += level * np.sin(2 * np.pi * (140 * since + 60 * np.sin(2.3 * since) + 45 * since**2))
    return wave.astype(np.float32)


def shot(film: Film, path: Path) -> Path:
    """Write the film as mp4 (h264 and aac)."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast", "threads": "1"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        for picture in frames_of(film):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        samples = sound_of(film)
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path
