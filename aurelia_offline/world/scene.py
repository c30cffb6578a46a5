"""Scenes with known content, rendered to a real mp4 (H.264 and AAC), for tests, benchmarks and the demo.

A scene lists the shapes with their positions and motions, the sounds, and the times of cuts and flashes. The renderer
adds only a noise floor of about -75 dBFS.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from aurelia_core.errors import InputError
from aurelia_offline.world.synth import RENDER_RATE, Voice, synthesize

FrameImage = npt.NDArray[np.uint8]
AudioSamples = npt.NDArray[np.float32]
Colour = Literal["black", "white", "grey", "red", "green", "blue", "yellow", "orange", "purple", "cyan", "magenta"]

NOISE_FLOOR_DB = -75.0
BOUNCE_HEIGHT = 0.08
"""Height of a bounce as a fraction of the picture height."""
BOUNCES_PER_SECOND = 3.7
"""About 4 Hz, and no divisor of a common frame rate: otherwise a shape would look still in sampled frames."""

RGB: dict[Colour, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 20, 20),
    "green": (20, 170, 40),
    "blue": (30, 60, 220),
    "yellow": (245, 225, 30),
    "orange": (250, 140, 20),
    "purple": (128, 30, 160),
    "cyan": (20, 215, 225),
    "magenta": (235, 30, 200),
}


class SceneError(InputError):
    """A scene that cannot be rendered; the message names the wrong value and its place."""


def _check_span(value: tuple[float, float]) -> tuple[float, float]:
    if value[1] <= value[0]:
        raise ValueError(f"it ends ({value[1]}) before it starts ({value[0]})")
    return value


SceneSeconds = Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)]
UnitFraction = Annotated[float, Field(ge=0, le=1)]
TimeSpan = Annotated[tuple[SceneSeconds, SceneSeconds], AfterValidator(_check_span)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Part):
    """A coloured shape: centre (x, y) and size as fractions of the picture (size: of its height), y downwards."""

    colour: Colour
    shape: Literal["circle", "square", "triangle"] = "circle"
    x: UnitFraction
    y: UnitFraction
    size: float = Field(default=0.25, gt=0, le=1)
    moves: list[TimeSpan] = Field(
        default=[], description="Time spans, in seconds, in which it bounces; otherwise it is still"
    )
    rise: UnitFraction = Field(
        default=0.0, description="Height above its place at which it bounces, as a fraction of the picture height"
    )


class SoundEvent(_Part):
    """A sound: `level` in dBFS RMS over its length; `pitch` in Hz, required for tone, reed and bell."""

    start: SceneSeconds
    end: SceneSeconds
    voice: Voice
    pitch: float | None = Field(default=None, ge=30, le=12000)
    level: float = Field(default=-18.0, ge=-70, le=-3)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_span((self.start, self.end))
        if self.pitch is None and self.voice in ("tone", "reed", "bell"):
            raise ValueError(f"a {self.voice} needs a pitch in Hz")
        return self


class Cut(_Part):
    """A cut: from `time` the background has another colour."""

    time: SceneSeconds
    background: Colour


class Scene(_Part):
    """A whole scene; with `audible` False the clip has no sound track."""

    seconds: float = Field(gt=0, le=600)
    fps: float = Field(default=24, ge=1, le=120)
    width: int = Field(default=320, ge=16, le=3840, multiple_of=2)
    height: int = Field(default=240, ge=16, le=2160, multiple_of=2)
    background: Colour = "black"
    shapes: list[Shape] = []
    sounds: list[SoundEvent] = []
    cuts: list[Cut] = []
    flashes: list[SceneSeconds] = []
    audible: bool = True

    @model_validator(mode="after")
    def _inside(self) -> Self:
        ends = [sound.end for sound in self.sounds] + [span[1] for shape in self.shapes for span in shape.moves]
        ends += [cut.time for cut in self.cuts] + list(self.flashes)
        if ends and max(ends) > self.seconds + 1e-6:
            raise ValueError(f"something happens at {max(ends)} s, but the scene ends at {self.seconds} s")
        if self.sounds and not self.audible:
            raise ValueError("a scene that is not audible cannot have sounds")
        return self


class RenderedScene(NamedTuple):
    """Frames (uint8[H, W, 3] RGB, one every 1/fps s) and samples (float32[n], mono, 48 kHz, -1..1)."""

    frames: Iterator[FrameImage]
    samples: AudioSamples


def parse_scene(data: dict[str, Any]) -> Scene:
    """A scene from JSON data.

    Raises:
        SceneError: the data is not a valid scene; the message names the place.
    """
    try:
        return Scene.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "as a whole"
        raise SceneError(f"This scene cannot be rendered: {where}: {first['msg']}") from error


def render_scene(scene: Scene) -> RenderedScene:
    """The frames and samples of a scene, identical in every call.

    Raises:
        SceneError: the sounds together are louder than full scale.
    """
    return RenderedScene(_render_frames(scene), _render_samples(scene))


def write_scene(scene: Scene, path: Path | str) -> None:
    """Write a scene as mp4 (H.264 yuv420p, AAC mono 48 kHz); picture and sound start and end together.

    Args:
        scene: the scene to render.
        path: the file to write; an existing file is replaced.

    Raises:
        SceneError: the sounds together are louder than full scale.
    """
    frames, samples = render_scene(scene)
    encode_clip(frames, samples if scene.audible else None, scene.fps, (scene.width, scene.height), path)


def encode_clip(
    frames: Iterable[FrameImage], samples: AudioSamples | None, fps: float, size: tuple[int, int], path: Path | str
) -> None:
    """Write frames and sound as mp4 (H.264 yuv420p, AAC mono 48 kHz).

    Args:
        frames: uint8[H, W, 3] RGB, one every 1/fps s.
        samples: float32[n], mono, 48 kHz, -1..1; None: no sound track.
        fps: frames a second.
        size: width and height in pixels, even numbers.
        path: the file to write; an existing file is replaced.
    """
    import av

    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast", "threads": "2"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.time_base = video.codec_context.time_base = 1 / rate
        sound, wave = None, np.zeros(0, np.float32)
        if samples is not None:
            wave = samples
            sound = container.add_stream("aac", rate=RENDER_RATE, layout="mono")
            sound.bit_rate = 192000
        heard = 0
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base, frame.duration = index, 1 / rate, 1
            container.mux(video.encode(frame))
            while sound is not None and heard < min(len(wave), (index + 1) / fps * RENDER_RATE):
                block = av.AudioFrame.from_ndarray(wave[None, heard : heard + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = RENDER_RATE, heard, Fraction(1, RENDER_RATE)
                container.mux(sound.encode(block))
                heard += 1024
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))


def _render_frames(scene: Scene) -> Iterator[FrameImage]:
    count = max(1, round(scene.seconds * scene.fps))
    white = np.full((scene.height, scene.width, 3), 255, np.uint8)
    flashing = {index for flash in scene.flashes for index in _flash_frames(flash, scene.fps)}
    for index in range(count):
        yield white.copy() if index in flashing else draw_frame(scene, index / scene.fps)


def _flash_frames(time: float, fps: float) -> tuple[int, ...]:
    """The frames of a flash: one, or two from 20 frames per second, so that sampling at 12 Hz cannot miss it."""
    first = math.ceil(time * fps - 1e-6)
    if fps >= 20:
        return (first, first + 1)
    return (first,)


def draw_frame(scene: Scene, time: float) -> FrameImage:
    """The frame at `time` (seconds) without flashes, uint8[H, W, 3]."""
    background: Colour = scene.background
    for cut in sorted(scene.cuts, key=lambda cut: cut.time):
        if cut.time <= time + 1e-6:
            background = cut.background
    picture = np.empty((scene.height, scene.width, 3), np.uint8)
    picture[:] = RGB[background]
    for shape in scene.shapes:
        _draw_shape(picture, shape, _lift(shape, time))
    return picture


def _lift(shape: Shape, time: float) -> float:
    """The height of the shape above its place at `time`, as a fraction of the picture height."""
    for start, end in shape.moves:
        if start <= time < end:
            return shape.rise + BOUNCE_HEIGHT * abs(math.sin(math.pi * BOUNCES_PER_SECOND * (time - start)))
    return 0.0


def _draw_shape(picture: FrameImage, shape: Shape, lift: float) -> None:
    height, width = picture.shape[:2]
    side = max(2, round(shape.size * height))
    mask = _shape_mask(shape.shape, side)
    left = round(shape.x * width - side / 2)
    top = round((shape.y - lift) * height - side / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        return
    cover = mask[y0 - top : y1 - top, x0 - left : x1 - left, None]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = np.rint(under * (1 - cover) + np.asarray(RGB[shape.colour]) * cover).astype(np.uint8)


@lru_cache(maxsize=256)
def _shape_mask(shape: str, side: int) -> npt.NDArray[np.float64]:
    """Coverage 0..1 of a shape in its square box, float64[side, side]; the edges are anti-aliased."""
    line = np.arange(side) + 0.5 - side / 2
    x, y = np.meshgrid(line, line)
    half = side / 2
    if shape == "circle":
        inside = half - np.hypot(x, y)
    elif shape == "square":
        inside = np.full_like(x, half)
    else:
        slope = math.sqrt(5.0)
        inside = np.minimum(half - y, (half + y - 2 * np.abs(x)) / slope)
    cover: npt.NDArray[np.float64] = np.clip(inside + 0.5, 0.0, 1.0)
    return cover


def _render_samples(scene: Scene) -> AudioSamples:
    count = round(scene.seconds * RENDER_RATE)
    rng = np.random.default_rng(20250603)
    mix = rng.standard_normal(count) * 10 ** (NOISE_FLOOR_DB / 20)
    for sound in scene.sounds:
        start, end = round(sound.start * RENDER_RATE), min(round(sound.end * RENDER_RATE), count)
        if end <= start:
            raise SceneError(f"The sound at {sound.start} s is shorter than one sample; give it a longer span")
        wave = synthesize(sound.voice, sound.pitch or 0.0, end - start, rng)
        mix[start:end] += wave * (10 ** (sound.level / 20) / math.sqrt(float(np.mean(wave**2)) + 1e-20))
    peak = float(np.abs(mix).max(initial=0.0))
    if peak > 1.0:
        raise SceneError(f"The sounds peak {20 * math.log10(peak):.1f} dB above full scale; lower their levels")
    return mix.astype(np.float32)
