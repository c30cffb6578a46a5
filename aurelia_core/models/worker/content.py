"""Decodes the media of a request for a worker: frames as PNG files, sound as WAV files, in a folder of the request."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage
from PIL import Image

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.measured_text import measured_picture_text, measured_sound_text, measured_still_text
from aurelia_core.models.media_encoding import encode_audio
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.models.worker.setup import WorkerSetup
from aurelia_core.types import MediaRef, Sense, Window

# The encoders of the research models read pictures of 224 to 448 pixels.
_HEIGHT = 512


class WorkerContent:
    """Converts requests to the argument of a script's `answer` (docs/workers.md)."""

    def __init__(self, store: ClipStore, model_id: str, setup: WorkerSetup) -> None:
        """Read nothing."""
        self._store = store
        self._model_id = model_id
        self._setup = setup

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        return media.missing_modalities(sees=self._setup.sees, hears=self._setup.sounds > 0)

    def check_clip(self, media: MediaRequest) -> None:
        """Refuse a clip that the model does not accept.

        Raises:
            InputError: the message names the remedy.
        """
        media.check(self._model_id, self.missing_modalities(media))
        count = len(media.sound_sources)
        if 0 < self._setup.sounds < count:
            raise InputError(
                f"{self._model_id} takes {self._setup.sounds} sound in one request, and this one has {count}: choose"
                " another model for the role."
            )

    def request(self, messages: Sequence[BaseMessage], folder: Path) -> dict[str, Any]:
        """The argument of a script's `answer`.

        Args:
            messages: the messages of one request.
            folder: an empty folder for its files.

        Raises:
            InputError: the model does not accept the request.
            MediaError: the clip cannot be decoded.
        """
        asked = request_of(messages)
        prompt = [_texts(message)[-1:] for message in messages if message.type != "system"]
        found: dict[str, Any] = {
            "role": asked.role,
            "system": "\n".join(message.text for message in messages if message.type == "system"),
            "facts": "",
            "text": "\n\n".join(text for texts in prompt for text in texts),
            "question": getattr(asked, "question", ""),
            "choices": list(getattr(asked, "choices", ())),
            "duration": getattr(asked, "duration", 0.0),
            "images": [],
            "sound": None,
            "sounds": [],
            "windows": [],
            "decoding": {name: value for name, value in (asked.decoding or {}).items() if name != "system"},
        }
        if isinstance(asked, ClipRequest) and asked.media:
            texts = texts_of(messages)
            first = next(message for message in messages if message.type != "system")
            found["facts"] = "\n".join(_texts(first)[:-1])
            found |= self._media(asked.media, folder, texts)
            found["windows"] = self._windows(asked.media, list(asked.closer_look), folder)
            replaced = self._replacements(asked.media, texts)
            found["text"] = "\n\n".join([*replaced, found["text"]])
        return found

    def _media(self, media: MediaRequest, folder: Path, texts: RequestTexts) -> dict[str, Any]:
        self.check_clip(media)
        images = []
        if self._setup.sees and media.shows_video:
            images = self._frames(media, [], self._frame_count(media), folder / "frame")
        if self._setup.sees:
            for number, picture in enumerate(media.stills):
                images += self._frames_of(picture, [], 1, folder / f"picture{number}", timed=False)
        sounds = []
        if self._setup.sounds:
            for number, source in enumerate(media.sound_sources):
                sounds += self._sounds(source, [], folder / f"sound{number}")
        sound = None
        if len(sounds) == 1:
            sound = sounds[0]
        return {"images": images, "sound": sound, "sounds": sounds}

    def _windows(self, media: MediaRequest, windows: list[Window], folder: Path) -> list[dict[str, Any]]:
        if windows and not self._setup.windows:
            raise InputError(
                f"{self._model_id} does not take closer looks at parts of a clip: use it as the target, or extend its"
                " script (docs/workers.md) and write windows = true."
            )
        found = []
        for number, window in enumerate(windows):
            count = max(1, self._frame_count(media) // len(windows))
            images = []
            sounds = []
            if self._setup.sees and media.shows_video:
                images = self._frames(media, [window], count, folder / f"window{number}")
            if self._setup.sounds and media.sound_sources:
                sounds = self._sounds(media.sound_sources[0], [window], folder / f"window{number}")
            found.append({**window, "images": images, "sound": next(iter(sounds), None)})
        return found

    def _frame_count(self, media: MediaRequest) -> int:
        return self._setup.frames or media.frame_count

    def _frames(self, media: MediaRequest, windows: list[Window], count: int, stem: Path) -> list[dict[str, Any]]:
        return self._frames_of(media.clip, windows, count, stem, timed=True)

    def _frames_of(
        self, ref: MediaRef, windows: list[Window], count: int, stem: Path, *, timed: bool
    ) -> list[dict[str, Any]]:
        frames = self._store.frames(ref, windows, count, height=_HEIGHT)
        found: list[dict[str, Any]] = []
        for number, (time, pixels) in enumerate(zip(frames.times, frames.images, strict=True)):
            path = stem.with_name(f"{stem.name}-{number:04d}.png")
            Image.fromarray(np.asarray(pixels)).save(path, compress_level=1)
            found.append({"path": str(path), "time": round(float(time), 3) if timed else None})
        return found

    def _sounds(self, source: MediaRef, windows: list[Window], stem: Path) -> list[str]:
        found = []
        for number, part in enumerate(encode_audio(self._store, source, windows)):
            path = stem.with_name(f"{stem.name}-{number}.wav")
            path.write_bytes(part.wav)
            found.append(str(path))
        return found

    def _replacements(self, media: MediaRequest, texts: RequestTexts) -> list[str]:
        """The texts in place of the senses that the model does not accept."""
        found = []
        missing = self.missing_modalities(media)
        if "picture" in missing:
            if media.shows_video:
                count = max(2, self._frame_count(media))
                text = media.replacement_text(
                    "picture", lambda: measured_picture_text(self._store, media.clip, [], count, texts)
                )
                found.append(texts.replacement(texts.sense_name("picture"), text))
            for number, still in enumerate(media.stills):
                name = texts.picture_name(number, len(media.stills))
                found.append(texts.replacement(name, measured_still_text(self._store, still, texts)))
        if "sound" in missing:
            if "sound" in media.described:
                return [*found, texts.replacement(texts.sense_name("sound"), media.quoted_description("sound"))]
            for number, source in enumerate(media.sound_sources):
                name = media.sound_name(number, texts)
                found.append(texts.replacement(name, measured_sound_text(self._store, source, texts)))
        return found


def _texts(message: BaseMessage) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    found = []
    for block in message.content:
        if isinstance(block, str):
            found.append(block)
        elif block["type"] == "text":
            found.append(block["text"])
    return found
