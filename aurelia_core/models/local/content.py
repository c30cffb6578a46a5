"""Turns a request into chat turns with pictures and sounds, as processors of local weights take them. It runs no model.

What every seeing role is shown (the head: system text, clip, what is request of it) depends on clip, tracks and budgets
alone, so that its encoding can be kept; a closer look stands behind it, what the role is asked comes last.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from langchain_core.messages import BaseMessage
from PIL import Image

from aurelia_core.arrays import Samples
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.local.processor import ModelSenses
from aurelia_core.models.measured_text import measured_picture_text, measured_sound_text
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.types import MediaRef, Sense, Window

ContentBlock = dict[str, str]
# A stretch of sound shorter than this is nothing that an encoder could hear.
_SHORTEST_SECONDS = 0.05


class VideoClip(NamedTuple):
    """Frames for a video processor.

    Attributes:
        images: uint8[N, H, W, 3].
        seconds: the length that they spread over.
        sound: what is heard meanwhile; None when it stands beside the video, or there is none.
    """

    images: npt.NDArray[np.uint8]
    seconds: float
    sound: Samples | None


class MediaParts(NamedTuple):
    """Template blocks and the media that they stand for, each kind in its order."""

    blocks: list[ContentBlock]
    images: list[Image.Image]
    sounds: list[Samples]
    films: list[VideoClip]

    @property
    def media(self) -> int:
        """How many pictures, sounds and films there are."""
        return len(self.images) + len(self.sounds) + len(self.films)


NO_PARTS = MediaParts([], [], [], [])


class ChatRequest(NamedTuple):
    """One request, taken apart.

    Attributes:
        system: the system text.
        clip: what the role sees; None for one that sees nothing.
        about: what is request of the clip in words; the last text of the head.
        look: a closer look, behind the head.
        turns: role and text of every turn; the first one's text stands behind head and look.
        notes: which text replaced which sense.
        texts: the words around the clip; None for a role that sees nothing.
    """

    system: str
    clip: MediaRequest | None
    about: str
    look: MediaParts
    turns: list[tuple[str, str]]
    notes: list[str]
    texts: RequestTexts | None = None


class RequestConverter:
    """Takes requests apart and decodes what they refer to."""

    def __init__(self, store: ClipStore, model_id: str, senses: ModelSenses) -> None:
        """Reads nothing yet."""
        self._store = store
        self._model_id = model_id
        self._senses = senses

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses what the model cannot carry, before anything is decoded.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """
        if sees_clip:
            self._check(media, [])

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take."""
        return media.missing_modalities(sees=self._senses.sees != "none", hears=self._senses.hears)

    def parse(self, messages: Sequence[BaseMessage]) -> ChatRequest:
        """The request as turns; the clip's head is decoded only when somebody asks for it (`head`).

        Raises:
            InputError: the model cannot carry what the request holds.
            MediaError: a closer look cannot be decoded.
        """
        request = request_of(messages)
        system = "\n\n".join(message.text for message in messages if message.type == "system")
        clip, about, look, turns = None, "", NO_PARTS, []
        texts: RequestTexts | None = None
        for message in messages:
            words = [block["text"] for block in _blocks(message) if block["type"] == "text"]
            if isinstance(request, ClipRequest) and request.media and _has_clip(message):
                clip, texts = request.media, texts_of(messages)
                windows = list(request.closer_look)
                self._check(clip, windows)
                about, words = "\n".join(words[:-1]), words[-1:]
                look = self._look(clip, windows, texts) if windows else NO_PARTS
            if message.type != "system":
                turns.append(("assistant" if message.type == "ai" else "user", "\n".join(words)))
        notes = clip.notes(self._model_id, self.missing_modalities(clip)) if clip else []
        return ChatRequest(system, clip, about, look, turns, notes, texts)

    def head(self, request: ChatRequest) -> MediaParts:
        """The whole clip as the model is shown it.

        Raises:
            MediaError: it cannot be decoded.
        """
        clip, texts = request.clip, request.texts
        if clip is None or texts is None:
            return NO_PARTS
        return join_parts([self._picture(clip, [], self._most(clip), texts), *self._sounds(clip, [], texts)])

    def _look(self, clip: MediaRequest, windows: list[Window], texts: RequestTexts) -> MediaParts:
        share = max(1, self._most(clip) // len(windows))
        parts = []
        for window in windows:
            parts.append(_said(f"{texts.closer_look(window)} "))
            # What was written of the picture, or measured in the sound, already stands whole in the head.
            if self._senses.sees != "none" or "picture" not in clip.described:
                parts.append(self._picture(clip, [window], share, texts))
            parts += self._sounds(clip, [window], texts) if self._senses.hears else []
        return join_parts([*parts, _said("\n\n")])

    def _most(self, clip: MediaRequest) -> int:
        return min(clip.frame_count, self._senses.row.frames or clip.frame_count)

    def _picture(self, clip: MediaRequest, windows: list[Window], count: int, texts: RequestTexts) -> MediaParts:
        sees = self._senses.sees
        if not clip.shows_picture:
            return NO_PARTS
        if sees == "none":
            text = clip.replacement_text(
                "picture", lambda: measured_picture_text(self._store, clip.clip, windows, max(2, count), texts)
            )
            return _said(f"{texts.replacement(texts.sense_name('picture'), text)}\n")
        taken = self._store.frames(clip.clip, windows, count, height=self._senses.row.height)
        times = [float(time) for time in taken.times]
        if sees == "video":
            seconds = sum(window["end"] - window["start"] for window in windows) or clip.clip["duration"]
            film = VideoClip(np.asarray(taken.images), seconds, self._inside(clip, windows, seconds))
            heading = texts.video_heading(with_sound=film.sound is not None)
            return MediaParts([_text(f"{heading} "), {"type": "video"}, _text("\n")], [], [], [film])
        blocks = [_text(f"{texts.frames_heading(len(times))}\n")]
        for time in times:
            blocks += [_text(f"{texts.frame_time(time)}: "), {"type": "image"}, _text("\n")]
        return MediaParts(blocks, [Image.fromarray(np.asarray(image)) for image in taken.images], [], [])

    def _inside(self, clip: MediaRequest, windows: list[Window], seconds: float) -> Samples | None:
        """The sound that goes into the video; None when it stands beside it."""
        if not self._goes_inside(clip):
            return None
        heard = self._heard(clip.clip, windows)
        # Silence where the sound track has ended: a model takes sound in all of a request's videos, or in none.
        return heard[0][1] if heard else np.zeros(int(seconds * self._senses.rate), np.float32)

    def _goes_inside(self, clip: MediaRequest) -> bool:
        senses = self._senses
        if not senses.interleaved or clip.tracks or not clip.sound_sources or not clip.shows_picture:
            return False
        return senses.part_seconds is None or (clip.clip["audio_seconds"] or 0.0) <= senses.part_seconds

    def _sounds(self, clip: MediaRequest, windows: list[Window], texts: RequestTexts) -> list[MediaParts]:
        if self._goes_inside(clip):
            return []
        if not self._senses.hears and clip.sound_sources and "sound" in clip.described:
            return [_said(f"{texts.replacement(texts.sense_name('sound'), clip.quoted_description('sound'))}\n")]
        found = []
        for number, source in enumerate(clip.sound_sources):
            name = texts.sound_name(number if clip.tracks else None, len(clip.tracks))
            if not self._senses.hears:
                text = measured_sound_text(self._store, clip.clip, source if clip.tracks else None, texts)
                found.append(_said(f"{texts.replacement(name, text)}\n"))
                continue
            for start, samples in self._heard(source, windows):
                end = start + len(samples) / self._senses.rate
                blocks = [_text(f"{texts.sound_heading(name, start, end)} "), {"type": "audio"}, _text("\n")]
                found.append(MediaParts(blocks, [], [samples], []))
        return found

    def _heard(self, source: MediaRef, windows: list[Window]) -> list[tuple[float, Samples]]:
        """Stretches of sound at the model's rate, none longer than one part may be."""
        length = max(source["duration"], source["audio_seconds"] or 0.0)
        inside = [Window(start=w["start"], end=min(w["end"], length)) for w in windows if w["start"] < length]
        if windows and not inside:
            return []
        rate, longest = self._senses.rate, self._senses.part_seconds
        parts = []
        for sound in self._store.audio(source, inside):
            samples = resample_to(sound.samples, sound.rate, rate)
            step = int(longest * rate) if longest else max(1, len(samples))
            for first in range(0, len(samples), step):
                piece = samples[first : first + step]
                if len(piece) >= _SHORTEST_SECONDS * rate:
                    parts.append((sound.start + first / rate, piece))
        return parts

    def _check(self, clip: MediaRequest, windows: list[Window]) -> None:
        senses, row = self._senses, self._senses.row
        clip.check(self._model_id, self.missing_modalities(clip))
        most = self._most(clip)
        count = most + max(1, most // max(1, len(windows))) * len(windows)
        if senses.sees != "none" and row.most_frames is not None and count > row.most_frames:
            raise InputError(
                f"{self._model_id} takes {row.most_frames} images in one request, and this one has {count}:"
                " lower frames in the settings."
            )


def resample_to(samples: Samples, rate: int, wanted: int) -> Samples:
    """Sound at another rate (samples a second)."""
    if rate == wanted or not len(samples):
        return samples
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(samples, wanted, rate), np.float32)


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [_text(message.content)]
    return [block if isinstance(block, dict) else _text(block) for block in message.content]


def _has_clip(message: BaseMessage) -> bool:
    return any(block["type"] == "clip" for block in _blocks(message))


def join_parts(parts: Sequence[MediaParts]) -> MediaParts:
    """Several parts as one."""
    return MediaParts(
        [block for part in parts for block in part.blocks],
        [image for part in parts for image in part.images],
        [sound for part in parts for sound in part.sounds],
        [film for part in parts for film in part.films],
    )


def _said(text: str) -> MediaParts:
    return MediaParts([_text(text)], [], [], [])


def _text(text: str) -> ContentBlock:
    return {"type": "text", "text": text}
