"""Converts a request to chat turns with images and sounds, for the processors of local weights.

The head (system text, clip, facts about the clip) depends only on clip, tracks and budgets, so that its encoding can be
cached. A closer look follows it; the role's text comes last.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from langchain_core.messages import BaseMessage
from PIL import Image

from aurelia_core.arrays import Samples
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.local.processor import ModelSenses
from aurelia_core.models.measured_text import measured_picture_text, measured_sound_text, measured_still_text
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.types import MediaRef, Sense, Window, windows_before

ContentBlock = dict[str, str]
# Shorter parts of sound are left out: encoders do not accept them.
_MIN_PART_SECONDS = 0.05
_LAST_SECONDS = 0.1


class VideoClip(NamedTuple):
    """Frames for a video processor.

    Attributes:
        images: uint8[N, H, W, 3].
        seconds: duration that the frames cover.
        sound: sound of the video, float32[S]; None if it is a separate part, or if there is none.
    """

    images: npt.NDArray[np.uint8]
    seconds: float
    sound: Samples | None


class MediaParts(NamedTuple):
    """Template blocks and their media, each kind in order."""

    blocks: list[ContentBlock]
    images: list[Image.Image]
    sounds: list[Samples]
    videos: list[VideoClip]

    @property
    def media_count(self) -> int:
        """Number of images, sounds and videos."""
        return len(self.images) + len(self.sounds) + len(self.videos)


NO_PARTS = MediaParts([], [], [], [])


class ChatRequest(NamedTuple):
    """The parts of one request.

    Attributes:
        system: the system text.
        clip: the clip; None for a role without the clip.
        clip_facts: facts about the clip; the last text of the head.
        closer_look: a closer look, after the head.
        turns: role and text of every turn; the first turn's text follows the head and the closer look.
        notes: which text replaced which sense.
        texts: the texts around the clip; None for a role without the clip.
        sampling: the role's decoding settings by name.
    """

    system: str
    clip: MediaRequest | None
    clip_facts: str
    closer_look: MediaParts
    turns: list[tuple[str, str]]
    notes: list[str]
    texts: RequestTexts | None = None
    sampling: Mapping[str, Any] = MappingProxyType({})


class RequestConverter:
    """Converts requests to their parts and decodes their media."""

    def __init__(self, store: ClipStore, model_id: str, senses: ModelSenses) -> None:
        """Read nothing."""
        self._store = store
        self._model_id = model_id
        self._senses = senses

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before decoding.

        Raises:
            InputError: the model does not accept the clip; the message names the remedy.
        """
        if sees_clip:
            self._check(media, [])

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        return media.missing_modalities(sees=self._senses.sees != "none", hears=self._senses.hears)

    def parse(self, messages: Sequence[BaseMessage]) -> ChatRequest:
        """The request as turns; only `head` decodes the clip's head.

        Raises:
            InputError: the model does not accept the request.
            MediaError: a closer look cannot be decoded.
        """
        request = request_of(messages)
        system = "\n\n".join(message.text for message in messages if message.type == "system")
        converted = ChatRequest(system, None, "", NO_PARTS, [], [], sampling=request.decoding or {})
        for message in messages:
            if message.type == "system":
                continue
            blocks_text = [block["text"] for block in _blocks(message) if block["type"] == "text"]
            if isinstance(request, ClipRequest) and request.media and _has_clip(message):
                windows = list(request.closer_look)
                self._check(request.media, windows)
                texts = texts_of(messages)
                converted = converted._replace(
                    clip=request.media,
                    clip_facts="\n".join(blocks_text[:-1]),
                    closer_look=self._closer_look(request.media, windows, texts),
                    notes=request.media.notes(self._model_id, self.missing_modalities(request.media)),
                    texts=texts,
                )
                blocks_text = blocks_text[-1:]
            role = {"ai": "assistant"}.get(message.type, "user")
            converted.turns.append((role, "\n".join(blocks_text)))
        return converted

    def head(self, request: ChatRequest) -> MediaParts:
        """The whole clip in the form that the model receives.

        Raises:
            MediaError: the clip cannot be decoded.
        """
        clip, texts = request.clip, request.texts
        if clip is None or texts is None:
            return NO_PARTS
        picture = self._picture(clip, [], self._frame_count(clip), texts)
        return join_parts([picture, *self._stills(clip, texts), *self._sounds(clip, [], texts)])

    def _closer_look(self, clip: MediaRequest, windows: list[Window], texts: RequestTexts) -> MediaParts:
        if not windows or not (clip.shows_video or self._senses.hears):
            return NO_PARTS
        frame_count = max(1, self._frame_count(clip) // len(windows))
        parts = []
        for window in windows:
            parts.append(_text_parts(f"{texts.closer_look(window)} "))
            # The head contains the description of the picture and the measurements of the whole sound.
            if self._senses.sees != "none" or "picture" not in clip.described:
                parts.append(self._picture(clip, [window], frame_count, texts))
            if self._senses.hears:
                parts += self._sounds(clip, [window], texts)
        return join_parts([*parts, _text_parts("\n\n")])

    def _frame_count(self, clip: MediaRequest) -> int:
        return min(clip.frame_count, self._senses.family.frames or clip.frame_count)

    def _picture(self, clip: MediaRequest, windows: list[Window], count: int, texts: RequestTexts) -> MediaParts:
        sees = self._senses.sees
        end = clip.clip["duration"]
        shown = windows_before(windows, end)
        if windows and not shown and self._has_video_sound(clip):
            # The sound of the window travels with a video: the last picture stays, as in a player.
            shown = [Window(start=max(0.0, end - _LAST_SECONDS), end=end)]
        if not clip.shows_video or (windows and not shown):
            return NO_PARTS
        if sees == "none":
            text = clip.replacement_text(
                "picture", lambda: measured_picture_text(self._store, clip.clip, shown, max(2, count), texts)
            )
            return _text_parts(f"{texts.replacement(texts.sense_name('picture'), text)}\n")
        height = self._senses.family.height
        frames = self._store.frames(clip.clip, shown, count, height=height, shift=clip.frame_shift)
        times = [float(time) for time in frames.times]
        if sees == "video":
            seconds = sum(window["end"] - window["start"] for window in windows) or clip.clip["duration"]
            video = VideoClip(np.asarray(frames.images), seconds, self._video_sound(clip, windows, seconds))
            heading = texts.video_heading(with_sound=video.sound is not None)
            return MediaParts([_text(f"{heading} "), {"type": "video"}, _text("\n")], [], [], [video])
        blocks = [_text(f"{texts.frames_heading(len(times))}\n")]
        for time in times:
            blocks += [_text(f"{texts.frame_time(time)}: "), {"type": "image"}, _text("\n")]
        return MediaParts(blocks, [Image.fromarray(np.asarray(image)) for image in frames.images], [], [])

    def _video_sound(self, clip: MediaRequest, windows: list[Window], seconds: float) -> Samples | None:
        """The sound inside the video; None if it is a separate part."""
        if not self._has_video_sound(clip):
            return None
        parts = self._sound_parts(clip.clip, windows)
        if parts:
            _, samples = parts[0]
            return samples
        # Silence after the end of the sound: a model accepts sound in all videos of a request, or in none.
        return np.zeros(int(seconds * self._senses.sample_rate), np.float32)

    def _has_video_sound(self, clip: MediaRequest) -> bool:
        senses = self._senses
        if not senses.audio_in_video or clip.tracks or not clip.sound_sources or not clip.shows_video:
            return False
        return senses.part_seconds is None or (clip.clip["audio_seconds"] or 0.0) <= senses.part_seconds

    def _stills(self, clip: MediaRequest, texts: RequestTexts) -> list[MediaParts]:
        if self._senses.sees == "none" and clip.stills and "picture" in clip.described:
            if clip.shows_video:
                return []
            text = texts.replacement(texts.sense_name("picture"), clip.quoted_description("picture"))
            return [_text_parts(f"{text}\n")]
        parts = []
        for number, picture in enumerate(clip.stills):
            name = texts.picture_name(number, len(clip.stills))
            if self._senses.sees == "none":
                text = texts.replacement(name, measured_still_text(self._store, picture, texts))
                parts.append(_text_parts(f"{text}\n"))
                continue
            pixels = self._store.frames(picture, [], 1, height=self._senses.family.height).images[0]
            blocks = [_text(f"{name}: "), {"type": "image"}, _text("\n")]
            parts.append(MediaParts(blocks, [Image.fromarray(np.asarray(pixels))], [], []))
        return parts

    def _sounds(self, clip: MediaRequest, windows: list[Window], texts: RequestTexts) -> list[MediaParts]:
        if self._has_video_sound(clip):
            return []
        if not self._senses.hears and clip.sound_sources and "sound" in clip.described:
            return [_text_parts(f"{texts.replacement(texts.sense_name('sound'), clip.quoted_description('sound'))}\n")]
        parts = []
        for number, source in enumerate(clip.sound_sources):
            name = clip.sound_name(number, texts)
            if not self._senses.hears:
                text = measured_sound_text(self._store, source, texts)
                parts.append(_text_parts(f"{texts.replacement(name, text)}\n"))
                continue
            for start, samples in self._sound_parts(source, windows):
                end = start + len(samples) / self._senses.sample_rate
                blocks = [_text(f"{texts.sound_heading(name, start, end)} "), {"type": "audio"}, _text("\n")]
                parts.append(MediaParts(blocks, [], [samples], []))
        return parts

    def _sound_parts(self, source: MediaRef, windows: list[Window]) -> list[tuple[float, Samples]]:
        """Start (seconds) and samples of each part of the sound, at the model's rate and within its longest part."""
        inside = windows_before(windows, max(source["duration"], source["audio_seconds"] or 0.0))
        if windows and not inside:
            return []
        rate = self._senses.sample_rate
        parts = []
        for sound in self._store.audio(source, inside):
            samples = resample_to(sound.samples, sound.rate, rate)
            step = max(1, len(samples))
            if self._senses.part_seconds:
                step = int(self._senses.part_seconds * rate)
            for first in range(0, len(samples), step):
                piece = samples[first : first + step]
                if len(piece) >= _MIN_PART_SECONDS * rate:
                    parts.append((sound.start + first / rate, piece))
        return parts

    def _check(self, clip: MediaRequest, windows: list[Window]) -> None:
        limit = self._senses.family.most_frames
        clip.check(self._model_id, self.missing_modalities(clip))
        count = len(clip.stills)
        if clip.shows_video:
            frame_count = self._frame_count(clip)
            count += frame_count + max(1, frame_count // max(1, len(windows))) * len(windows)
        if self._senses.sees != "none" and limit is not None and count > limit:
            raise InputError(
                f"{self._model_id} takes {limit} images in one request, and this one has {count}:"
                " lower frames in the settings, or give fewer images."
            )


def resample_to(samples: Samples, rate: int, wanted: int) -> Samples:
    """The sound at another rate, samples per second."""
    if rate == wanted or not len(samples):
        return samples
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(samples, wanted, rate), np.float32)


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [_text(message.content)]
    blocks: list[dict[str, Any]] = []
    for block in message.content:
        if isinstance(block, str):
            block = _text(block)
        blocks.append(block)
    return blocks


def _has_clip(message: BaseMessage) -> bool:
    return any(block["type"] == "clip" for block in _blocks(message))


def join_parts(parts: Sequence[MediaParts]) -> MediaParts:
    """Several parts as one."""
    joined = MediaParts([], [], [], [])
    for part in parts:
        joined.blocks.extend(part.blocks)
        joined.images.extend(part.images)
        joined.sounds.extend(part.sounds)
        joined.videos.extend(part.videos)
    return joined


def _text_parts(text: str) -> MediaParts:
    return MediaParts([_text(text)], [], [], [])


def _text(text: str) -> ContentBlock:
    return {"type": "text", "text": text}
