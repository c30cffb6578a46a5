"""Clips with known content for the witnesses: synthetic speech against other sounds, drawn text, cuts and fades."""

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from scipy.signal import resample_poly

from aurelia_core.types import Span
from benchmarks.offline.schedules import RATE, MemoryStore
from benchmarks.offline.truthful import FPS, Images, Wave, make, plain, texture

SENTENCES = (
    "Good morning, everybody.", "The train to Hamburg leaves at seven.", "Could you open the window, please?",
    "I have never seen a bird like this before.", "Turn left at the second light.", "It is going to rain tonight.",
    "Please mind the gap.", "She bought three apples and a loaf of bread.",
)  # fmt: skip
WORDS = (
    "EXIT 24", "Platform 9", "OPEN", "No smoking", "Gate B12", "Welcome", "SALE 50%", "Main Street", "Bakery",
    "Episode 3", "Please wait", "LIVE", "Room 101", "Thank you", "Episode 7", "Slow down",
)  # fmt: skip
VOICES = (b"en-us", b"en-gb", b"en-us+f3", b"en-gb+m4")


class Heard(NamedTuple):
    """A sound at 16 kHz, what is beside the speech, and where somebody speaks, seconds."""

    samples: npt.NDArray[np.float32]
    beside: str
    speech: tuple[Span, ...]


class Shown(NamedTuple):
    """A clip with text, how high its letters are (a share of the picture's height), and the text ("": none)."""

    store: MemoryStore
    height: float
    text: str


class Edited(NamedTuple):
    """A clip with the times of its cuts, and of its fades to black."""

    store: MemoryStore
    kind: str
    cuts: tuple[float, ...]
    fades: tuple[float, ...]


@cache
def _synthesizer() -> Any:
    """The library of espeak-ng with its rate and a list that receives the samples.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(1, 0, espeakng_loader.get_data_path().encode(), 0)
    parts: list[npt.NDArray[np.int16]] = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

    def receive(wave: Any, count: int, events: Any) -> int:
        del events
        if wave and count > 0:
            parts.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    callback = kind(receive)
    library.espeak_SetSynthCallback(callback)
    return library, rate, parts, callback


def speak(text: str, voice: bytes = b"en-us", level: float = -20.0) -> Wave:
    """A sentence by espeak-ng at 16 kHz; `level` in dBFS RMS."""
    library, rate, parts, _ = _synthesizer()
    parts.clear()
    library.espeak_SetVoiceByName(voice)
    given = text.encode()
    library.espeak_Synth(given, ctypes.c_size_t(len(given) + 1), 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    wave = resample_poly(np.concatenate(parts) / 32768.0, RATE, rate)
    audible = np.flatnonzero(np.abs(wave) > 0.01)
    wave = wave[audible[0] : audible[-1] + 1]
    return np.asarray(wave * 10 ** (level / 20) / wave.std(), np.float64)


def beside(kind: str, seconds: float, rng: np.random.Generator, level: float = -30.0) -> Wave:
    """Silence, noise, music, clicks, rumble or a siren, at a level in dBFS RMS."""
    clock = np.arange(round(seconds * RATE)) / RATE
    wave = 1e-9 * rng.standard_normal(len(clock))
    if kind == "noise":
        wave = rng.standard_normal(len(clock))
    elif kind == "music":
        for start in np.arange(0, seconds, 0.4):
            for pitch in rng.choice([196, 220, 262, 330, 392, 440, 523], 3, replace=False):
                since = np.clip(clock - start, 0, None)
                overtones = sum(np.sin(2 * np.pi * pitch * n * since) / n**1.5 for n in range(1, 6))
                wave += np.where((clock >= start) & (since < 1.5), overtones * np.exp(-since / 0.5), 0)
    elif kind == "clicks":
        for start in np.arange(0.2, seconds - 0.1, 0.5):
            first = round(start * RATE)
            wave[first : first + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
    elif kind == "rumble":
        wave = gaussian_filter(rng.standard_normal(len(clock)), RATE / (2 * np.pi * 60))
    elif kind == "siren":
        wave = np.sin(2 * np.pi * (700 * clock + 40 * np.sin(2 * np.pi * 0.5 * clock)))
    else:
        return np.asarray(wave, np.float64)
    return np.asarray(wave * 10 ** (level / 20) / wave.std(), np.float64)


def heard_clips(seeds: int) -> Iterator[Heard]:
    """For each seed a clip of 10 s with two sentences, and one without speech, beside each kind of sound."""
    for seed in range(seeds):
        for place, kind in enumerate(("silence", "noise", "music", "clicks", "rumble", "siren")):
            rng = np.random.default_rng([seed, place])
            ground = beside(kind, 10.0, rng)
            yield Heard(np.clip(ground, -1, 1).astype(np.float32), kind, ())
            spans = []
            for start in (float(rng.uniform(0.5, 1.5)), float(rng.uniform(5.5, 6.5))):
                wave = speak(str(rng.choice(SENTENCES)), VOICES[int(rng.integers(len(VOICES)))])
                first = round(start * RATE)
                wave = wave[: len(ground) - first]
                ground[first : first + len(wave)] += wave
                spans.append((start, start + len(wave) / RATE))
            yield Heard(np.clip(ground, -1, 1).astype(np.float32), kind, tuple(spans))


def shown_clips(
    seeds: int, heights: Sequence[float] = (1 / 40, 1 / 25, 1 / 18, 1 / 12, 1 / 8, 1 / 5)
) -> Iterator[Shown]:
    """For each seed a clip of 4 s a height with text on a filmed or plain ground, and one without text."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 77])
        for height in (*heights, 0.0):
            ground = np.zeros((360, 640, 3)) + rng.integers(0, 110, 3)
            if rng.random() < 0.5:
                ground = texture(rng, rng.integers(30, 110, 3), 360, 640)
            image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
            text = str(rng.choice(WORDS)) if height else ""
            if text:
                font = ImageFont.load_default(height * 360 / 0.7)
                draw = ImageDraw.Draw(image)
                wide = draw.textlength(text, font)
                place = (float(rng.uniform(10, max(11, 620 - wide))), float(rng.uniform(10, 260)))
                draw.text(place, text, font=font, fill=(245, 245, 235))
            else:
                for _ in range(6):
                    x, y = rng.integers(0, 560), rng.integers(0, 300)
                    shape = (int(x), int(y), int(x) + 60, int(y) + 50)
                    ImageDraw.Draw(image).ellipse(shape, fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
            images = np.repeat(np.asarray(image)[None], 4 * FPS, axis=0)
            yield Shown(MemoryStore(None, np.arange(len(images)) / FPS, images, 4.0), height, text)


def edited_clips(seeds: int) -> Iterator[Edited]:
    """For each seed: cuts under a panning camera, a pan alone, fades to black between shots, flashes and a still."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 99])
        count = int(rng.integers(2, 8))
        yield Edited(make(None, _panned(rng, count)), "cuts and pans", tuple(map(float, range(1, count + 1))), ())
        yield Edited(make(None, _panned(rng, 0, 6)), "pan", (), ())
        yield Edited(make(None, _faded(rng)), "fades", (), (2.0, 5.0))
        flashed = np.repeat(np.clip(texture(rng, (90, 90, 120)), 0, 255).astype(np.uint8)[None], 6 * FPS, axis=0)
        for moment in (1.5, 3.0, 4.5):
            flashed[round(moment * FPS)] = 255
        yield Edited(make(None, flashed), "flashes", (), ())
        yield Edited(make(None, plain(6.0, rng.integers(0, 255, 3))), "still", (), ())


def _panned(rng: np.random.Generator, cuts: int, shot: int = 1) -> Images:
    frames = []
    for _ in range(cuts + 1):
        pace = rng.uniform(0.5, 3.0)
        farthest = round(pace * shot * FPS)
        ground = texture(rng, rng.integers(60, 200, 3), 180 + farthest, 320 + 2 * farthest)
        for step in range(shot * FPS):
            shift = round(pace * step)
            frames.append(ground[shift : shift + 180, 2 * shift : 2 * shift + 320])
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def _faded(rng: np.random.Generator) -> Images:
    """Two shots that each fade to black at 2 s and 5 s; the second one fades in."""
    times = np.arange(6 * FPS) / FPS
    light = np.where(times < 3, np.clip(2.5 - times, 0, 1), np.clip(times - 3, 0, 1) * np.clip(5.5 - times, 0, 1))
    shots = [texture(rng, rng.integers(80, 200, 3)) for _ in range(2)]
    frames = [shots[int(time >= 3)] * part for time, part in zip(times, light, strict=True)]
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)
