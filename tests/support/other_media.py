"""Sounds and still pictures for tests, made with soundfile and Pillow."""

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

RATE = 16_000
Tone = tuple[float, float, float, float]
"""Start and end in seconds, Hz, amplitude."""


def write_sound(path: Path, tones: list[Tone], seconds: float = 2.0) -> Path:
    """A sound file of these tones, with silence between them; the suffix names the format."""
    times = np.arange(round(seconds * RATE)) / RATE
    samples = np.zeros(len(times), np.float32)
    for start, end, pitch, loud in tones:
        inside = (times >= start) & (times < end)
        samples[inside] += (loud * np.sin(2 * np.pi * pitch * times[inside])).astype(np.float32)
    soundfile.write(path, samples, RATE)
    return path


def write_picture(path: Path, colour: tuple[int, int, int], spot: tuple[int, int, int] | None = None) -> Path:
    """A picture of 160x120 in one colour, with a spot of another one; the suffix names the format."""
    pixels = np.empty((120, 160, 3), np.uint8)
    pixels[:] = colour
    if spot:
        pixels[40:80, 60:100] = spot
    Image.fromarray(pixels).save(path)
    return path
