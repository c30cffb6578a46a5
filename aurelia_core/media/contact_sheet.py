"""A contact sheet: a clip at a glance as one JPEG, its frames with their times over the wave of its sound."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aurelia_core.arrays import Samples
from aurelia_core.media.store import ClipStore
from aurelia_core.types import MediaRef

_FRAME_COUNT = 12
_COLUMN_COUNT = 4
_FRAME_HEIGHT, _MAX_FRAME_WIDTH = 180, 400
_WAVE_WIDTH, _WAVE_HEIGHT = 640, 120
_WAVE_SAMPLE_RATE = 4000
_GROUND, _INK, _WAVE, _LINE = (24, 24, 27), (228, 228, 231), (94, 234, 212), (63, 63, 70)
_MARGIN, _LABEL = 8, 18


def render_contact_sheet(store: ClipStore, ref: MediaRef) -> bytes:
    """The contact sheet of a clip as JPEG.

    Args:
        store: where the clip lies.
        ref: a clip or sound that was admitted; what it lacks, picture or sound, is left out of the sheet.

    Raises:
        MediaError: the clip cannot be decoded.
    """
    parts = [_frames(store, ref)] if ref["width"] is not None else []
    if ref["has_audio"]:
        parts.append(_wave(store, ref, max([_WAVE_WIDTH, *(part.width for part in parts)])))
    width = max(part.width for part in parts) + 2 * _MARGIN
    height = sum(part.height + _MARGIN for part in parts) + _MARGIN
    page = Image.new("RGB", (width, height), _GROUND)
    top = _MARGIN
    for part in parts:
        page.paste(part, (_MARGIN, top))
        top += part.height + _MARGIN
    made = io.BytesIO()
    page.save(made, "JPEG", quality=82)
    return made.getvalue()


def waveform_peaks(samples: Samples, columns: int) -> Samples:
    """The largest magnitude in each of so many equal stretches, float32[columns], 0..1; fewer samples leave zeros."""
    found = np.zeros(columns, np.float32)
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    for column, (start, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        if end > start:
            found[column] = np.abs(samples[start:end]).max()
    return found


def _frames(store: ClipStore, ref: MediaRef) -> Image.Image:
    times, images = store.frames(ref, [], _FRAME_COUNT, _FRAME_HEIGHT)
    pictures = [Image.fromarray(np.asarray(image)) for image in images]
    for picture in pictures:
        picture.thumbnail((_MAX_FRAME_WIDTH, _FRAME_HEIGHT))
    wide, tall = pictures[0].size
    columns = min(_COLUMN_COUNT, len(times))
    rows = -(-len(times) // columns)
    page = Image.new("RGB", (columns * (wide + _MARGIN) - _MARGIN, rows * (tall + _LABEL)), _GROUND)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default()
    for number, (time, picture) in enumerate(zip(times, pictures, strict=True)):
        left, top = number % columns * (wide + _MARGIN), number // columns * (tall + _LABEL)
        page.paste(picture, (left, top))
        draw.text((left, top + tall + 2), f"{time:.2f} s", _INK, font)
    return page


def _wave(store: ClipStore, ref: MediaRef, width: int) -> Image.Image:
    seconds = max(ref["duration"], ref["audio_seconds"] or 0.0)
    page = Image.new("RGB", (width, _WAVE_HEIGHT + _LABEL), _GROUND)
    draw, font, middle = ImageDraw.Draw(page), ImageFont.load_default(), _WAVE_HEIGHT // 2
    for mark in range(5):
        text, left = f"{seconds * mark / 4:.1f} s", mark * (width - 1) // 4
        draw.line([(left, 0), (left, _WAVE_HEIGHT)], _LINE)
        draw.text((min(left, width - 8 * len(text)), _WAVE_HEIGHT + 2), text, _INK, font)
    samples = np.concatenate(
        [part.samples for part in store.audio(ref, [], _WAVE_SAMPLE_RATE)] or [np.zeros(1, np.float32)]
    )
    found = waveform_peaks(samples, min(width, max(1, round(len(samples) / _WAVE_SAMPLE_RATE / seconds * width))))
    loudest = float(found.max())
    for column, peak in enumerate(found / loudest if loudest else found):
        draw.line([(column, middle - peak * (middle - 1)), (column, middle + peak * (middle - 1))], _WAVE)
    level = f"peak {20 * np.log10(loudest):.0f} dBFS" if loudest else "silent"
    draw.text((4, 2), level, _INK, font)
    return page
