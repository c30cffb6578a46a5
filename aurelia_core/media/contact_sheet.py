"""The contact sheet of a question's media: one JPEG with frames and their times, images, and waveforms below."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aurelia_core.arrays import Samples
from aurelia_core.media.store import ClipStore
from aurelia_core.types import MediaRef, is_still

_FRAME_COUNT = 12
_COLUMN_COUNT = 4
_FRAME_HEIGHT, _MAX_FRAME_WIDTH = 180, 400
_WAVE_WIDTH, _WAVE_HEIGHT = 640, 120
_WAVE_SAMPLE_RATE = 4000
_BACKGROUND = (24, 24, 27)
_TEXT_COLOUR = (228, 228, 231)
_WAVE_COLOUR = (94, 234, 212)
_GRID_COLOUR = (63, 63, 70)
_MARGIN = 8
_LABEL_HEIGHT = 18


def render_contact_sheet(store: ClipStore, *refs: MediaRef) -> bytes:
    """The contact sheet of a clip as JPEG.

    Args:
        store: the store of the clip.
        refs: videos, sounds and still pictures, one below the other; a missing picture or sound is left out.

    Raises:
        MediaError: the clip cannot be decoded.
    """
    parts = [_frames(store, ref) for ref in refs if ref["width"] is not None]
    width = max([_WAVE_WIDTH, *(part.width for part in parts)])
    parts += [_waveform(store, ref, width) for ref in refs if ref["has_audio"]]
    width = max(part.width for part in parts) + 2 * _MARGIN
    height = sum(part.height + _MARGIN for part in parts) + _MARGIN
    page = Image.new("RGB", (width, height), _BACKGROUND)
    top = _MARGIN
    for part in parts:
        page.paste(part, (_MARGIN, top))
        top += part.height + _MARGIN
    jpeg = io.BytesIO()
    page.save(jpeg, "JPEG", quality=82)
    return jpeg.getvalue()


def waveform_peaks(samples: Samples, columns: int) -> Samples:
    """The largest magnitude in each of `columns` equal parts, float32[columns], 0..1; a part without samples is 0."""
    peaks = np.zeros(columns, np.float32)
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    for column, (start, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        if end > start:
            peaks[column] = np.abs(samples[start:end]).max()
    return peaks


def _frames(store: ClipStore, ref: MediaRef) -> Image.Image:
    times, images = store.frames(ref, [], _FRAME_COUNT, _FRAME_HEIGHT)
    pictures = [Image.fromarray(np.asarray(image)) for image in images]
    for picture in pictures:
        picture.thumbnail((_MAX_FRAME_WIDTH, _FRAME_HEIGHT))
    width, height = pictures[0].size
    columns = min(_COLUMN_COUNT, len(times))
    rows = -(-len(times) // columns)
    page = Image.new("RGB", (columns * (width + _MARGIN) - _MARGIN, rows * (height + _LABEL_HEIGHT)), _BACKGROUND)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default()
    for number, (time, picture) in enumerate(zip(times, pictures, strict=True)):
        left = number % columns * (width + _MARGIN)
        top = number // columns * (height + _LABEL_HEIGHT)
        page.paste(picture, (left, top))
        label = f"{time:.2f} s"
        if is_still(ref):
            label = "image"
        draw.text((left, top + height + 2), label, _TEXT_COLOUR, font)
    return page


def _waveform(store: ClipStore, ref: MediaRef, width: int) -> Image.Image:
    seconds = max(ref["duration"], ref["audio_seconds"] or 0.0)
    page = Image.new("RGB", (width, _WAVE_HEIGHT + _LABEL_HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default()
    middle = _WAVE_HEIGHT // 2
    for quarter in range(5):
        label = f"{seconds * quarter / 4:.1f} s"
        left = quarter * (width - 1) // 4
        draw.line([(left, 0), (left, _WAVE_HEIGHT)], _GRID_COLOUR)
        draw.text((min(left, width - 8 * len(label)), _WAVE_HEIGHT + 2), label, _TEXT_COLOUR, font)
    samples = np.concatenate(
        [part.samples for part in store.audio(ref, [], _WAVE_SAMPLE_RATE)] or [np.zeros(1, np.float32)]
    )
    peaks = waveform_peaks(samples, min(width, max(1, round(len(samples) / _WAVE_SAMPLE_RATE / seconds * width))))
    loudest = float(peaks.max())
    level = "silent"
    if loudest:
        peaks = peaks / loudest
        level = f"peak {20 * np.log10(loudest):.0f} dBFS"
    for column, peak in enumerate(peaks):
        draw.line([(column, middle - peak * (middle - 1)), (column, middle + peak * (middle - 1))], _WAVE_COLOUR)
    draw.text((4, 2), level, _TEXT_COLOUR, font)
    return page
