"""Encodes the frames of a clip and still pictures as JPEG, and sound as WAV. Wire formats are elsewhere."""

import io
import wave
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from aurelia_core.media import ClipStore
from aurelia_core.models.media_tokens import PictureSize
from aurelia_core.types import MediaRef, Window, windows_before

_FRAME_HEIGHT = 512
_STILL_HEIGHT = 1024
_JPEG_QUALITY = 85


class EncodedFrame(NamedTuple):
    """One frame: seconds from the start of the clip, and its JPEG."""

    time: float
    jpeg: bytes


class EncodedAudio(NamedTuple):
    """The sound from `start` to `end` (seconds) as a WAV file: mono, 16 bits."""

    start: float
    end: float
    wav: bytes


def encode_frames(
    store: ClipStore, clip: MediaRef, windows: Sequence[Window], count: int, shift: float = 0.0
) -> list[EncodedFrame]:
    """At most `count` frames spread over the windows ([]: the whole clip), at most 512 pixels high.

    None of windows after the end of the picture. `shift` is that of `ClipStore.frames`.

    Raises:
        MediaError: the clip cannot be decoded.
    """
    inside = windows_before(windows, clip["duration"])
    if windows and not inside:
        return []
    frames = store.frames(clip, inside, count, height=_FRAME_HEIGHT, shift=shift)
    return [
        EncodedFrame(float(time), _jpeg(np.asarray(image)))
        for time, image in zip(frames.times, frames.images, strict=True)
    ]


def frame_size(clip: MediaRef) -> PictureSize:
    """The size at which `encode_frames` sends a frame of the clip, pixels."""
    return PictureSize(clip["width"] or 0, clip["height"] or 0).of_height(_FRAME_HEIGHT)


def still_size(picture: MediaRef) -> PictureSize:
    """The size at which `encode_still` sends a picture, pixels."""
    return PictureSize(picture["width"] or 0, picture["height"] or 0).of_height(_STILL_HEIGHT)


def encode_still(store: ClipStore, picture: MediaRef) -> bytes:
    """A still picture as JPEG, at most 1024 pixels high.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    return _jpeg(np.asarray(store.frames(picture, [], 1, height=_STILL_HEIGHT).images[0]))


def encode_audio(store: ClipStore, source: MediaRef, windows: Sequence[Window]) -> list[EncodedAudio]:
    """The sound of the windows ([]: all of it) at 16 kHz, one file per window; none for a window without sound.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    inside = windows_before(windows, max(source["duration"], source["audio_seconds"] or 0.0))
    if windows and not inside:
        return []
    return [
        EncodedAudio(part.start, part.start + len(part.samples) / part.rate, _wav(part.samples, part.rate))
        for part in store.audio(source, inside)
        if len(part.samples)
    ]


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _wav(samples: npt.NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
    return file.getvalue()
