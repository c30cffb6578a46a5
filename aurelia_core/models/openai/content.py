"""Turns a request's clip references into the content parts of OpenAI's chat completions. It sends nothing.

The head (media, then what every role is told of the clip) depends on clip, tracks and budgets alone: it is the same for
every role and attempt, so that a provider's prompt cache can hit. A closer look stands behind it.
"""

import base64
import mimetypes
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, ConfigDict

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import VisualInput
from aurelia_core.models.measured_text import measured_picture_text, measured_sound_text
from aurelia_core.models.media_encoding import EncodedAudio, EncodedFrame, encode_audio, encode_frames
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.types import MediaRef, Sense, Window

_WirePart = dict[str, Any]
_AudioPartType = Literal["none", "input_audio", "audio_url"]


def text_part(text: str) -> _WirePart:
    """Text."""
    return {"type": "text", "text": text}


def frame_parts(taken: list[EncodedFrame], texts: RequestTexts) -> list[_WirePart]:
    """Each frame after its time."""
    parts = []
    for picture in taken:
        parts.append(text_part(texts.frame_time(picture.time)))
        parts.append({"type": "image_url", "image_url": {"url": _data_url("image/jpeg", picture.jpeg)}})
    return parts


def audio_part(wave: EncodedAudio, kind: _AudioPartType) -> _WirePart:
    """Sound as WAV, in the part that the server takes."""
    if kind == "audio_url":
        return {"type": "audio_url", "audio_url": {"url": _data_url("audio/wav", wave.wav)}}
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(wave.wav).decode(), "format": "wav"}}


def video_part(file: Path, clip: MediaRef) -> _WirePart:
    """The clip's own file."""
    # Containers whose type this Python does not know by their ending (mkv before 3.13) go as mp4; servers look inside.
    kind = mimetypes.guess_type(clip["name"])[0] or "video/mp4"
    return {"type": "video_url", "video_url": {"url": _data_url(kind, file.read_bytes())}}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def part_payload(part: _WirePart) -> str:
    """What of a part weighs: its text, its address or its data."""
    body = part[part["type"]]
    return body if isinstance(body, str) else str(body.get("url") or body.get("data") or "")


_KEPT_HEADS = 4


class MediaLimits(BaseModel):
    """What the model `model_id` is given, and in which parts.

    Attributes:
        model_id: the model, for messages.
        sees: none, images (frames as `image_url`) or video (the file as `video_url`).
        sound: none, or the part that carries it.
        needs_audio: whether it refuses a request without sound.
        most_frames, audio_seconds, request_mb: limits of one request; None: none known.
    """

    model_config = ConfigDict(frozen=True)

    model_id: str
    sees: VisualInput
    sound: _AudioPartType
    needs_audio: bool = False
    most_frames: int | None = None
    audio_seconds: float | None = None
    request_mb: float | None = None


class WireMessages(NamedTuple):
    """Messages as they go out, how many media files they carry, and what was put in place of what (for the result)."""

    messages: list[BaseMessage]
    media: int
    notes: list[str]


class ContentBuilder:
    """Puts the media of requests into parts; keeps the latest heads, so that a clip is encoded once for all roles."""

    def __init__(self, store: ClipStore, limits: MediaLimits) -> None:
        """Reads nothing yet."""
        self._store = store
        self._limits = limits
        self._heads: OrderedDict[tuple[Any, ...], list[_WirePart]] = OrderedDict()
        self._lock = threading.Lock()

    def build(self, messages: Sequence[BaseMessage]) -> WireMessages:
        """The messages with every clip reference replaced by what the model takes.

        Raises:
            InputError: the model cannot carry what the request holds; the message says what to do.
            MediaError: the clip cannot be read.
        """
        request = request_of(messages)
        media: MediaRequest | None = None
        out: list[BaseMessage] = []
        for message in messages:
            if _has_clip(message) and isinstance(request, ClipRequest) and request.media:
                media = request.media
                message = HumanMessage(self._content(message, media, list(request.closer_look), texts_of(messages)))
            out.append(message)
        self._check_heard(media)
        return WireMessages(out, self._carried(media), self._notes(media))

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses what the model cannot carry, before a run pays for anything.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """
        if sees_clip:
            self._check(media, [])
        self._check_heard(media if sees_clip else None)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take."""
        return media.missing_modalities(sees=self._limits.sees != "none", hears=self._limits.sound != "none")

    def _check_heard(self, media: MediaRequest | None) -> None:
        if self._limits.needs_audio and not (media and media.sound_sources):
            raise InputError(
                f"{self._limits.model_id} answers only requests that carry sound, and this one has none: give the clip"
                " a sound track, and roles that hear nothing (summarizer, feedback) another model."
            )

    def _content(
        self, message: BaseMessage, media: MediaRequest, closer: list[Window], texts: RequestTexts
    ) -> list[str | dict[str, Any]]:
        self._check(media, closer)
        with self._lock:
            head = self._heads.get(media.cache_key)
        if head is None:
            head = [*self._pictures(media, [], texts), *self._sounds(media, [], texts)]
            with self._lock:
                self._heads[media.cache_key] = head
                while len(self._heads) > _KEPT_HEADS:
                    self._heads.popitem(last=False)
        look = [part for window in closer for part in self._look(media, window, len(closer), texts)]
        self._weigh([*head, *look])
        words = [block for block in message.content if not (isinstance(block, dict) and block.get("type") == "clip")]
        return [*head, *words[:-1], *look, *words[-1:]]

    def _check(self, media: MediaRequest, closer: list[Window]) -> None:
        """Refuses what the model cannot carry, before anything is decoded."""
        limits = self._limits
        media.check(limits.model_id, self.missing_modalities(media))
        count = (media.frame_count if limits.sees == "images" else 0) + (_share(media, closer) * len(closer))
        if limits.sees != "none" and limits.most_frames is not None and count > limits.most_frames:
            raise InputError(
                f"{limits.model_id} takes {limits.most_frames} images in one request, and this one has {count}:"
                " lower frames in the settings."
            )
        seconds = sum(source["audio_seconds"] or source["duration"] for source in media.sound_sources)
        if limits.sound != "none" and limits.audio_seconds is not None and seconds > limits.audio_seconds:
            raise InputError(
                f"{limits.model_id} takes {limits.audio_seconds:.0f} s of sound, and this clip has {seconds:.0f} s:"
                " give a shorter clip."
            )

    def _weigh(self, parts: list[_WirePart]) -> None:
        limit = self._limits.request_mb
        weight = sum(len(part_payload(part)) for part in parts) / 1e6
        if limit is not None and weight > limit:
            raise InputError(
                f"{self._limits.model_id} takes requests of {limit:.0f} MB, and this clip makes one of {weight:.0f} MB:"
                " give it fewer frames or a shorter clip."
            )

    def _pictures(self, media: MediaRequest, windows: list[Window], texts: RequestTexts) -> list[_WirePart]:
        sees = self._limits.sees
        if not media.shows_picture:
            return []
        if sees == "video":
            heading = text_part(texts.video_heading(with_sound=False))
            return [heading, video_part(self._store.verified_path(media.clip), media.clip)]
        if sees == "none":
            text = media.replacement_text(
                "picture", lambda: measured_picture_text(self._store, media.clip, windows, media.frame_count, texts)
            )
            return [text_part(texts.replacement(texts.sense_name("picture"), text))]
        taken = encode_frames(self._store, media.clip, windows, media.frame_count)
        return [text_part(texts.frames_heading(len(taken))), *frame_parts(taken, texts)]

    def _sounds(self, media: MediaRequest, windows: list[Window], texts: RequestTexts) -> Iterator[_WirePart]:
        deaf = self._limits.sound == "none"
        if deaf and media.sound_sources and "sound" in media.described:
            yield text_part(texts.replacement(texts.sense_name("sound"), media.quoted_description("sound")))
            return
        for number, source in enumerate(media.sound_sources):
            name = texts.sound_name(number if media.tracks else None, len(media.tracks))
            if deaf:
                text = measured_sound_text(self._store, media.clip, source if media.tracks else None, texts)
                yield text_part(texts.replacement(name, text))
                continue
            for wave in encode_audio(self._store, source, windows):
                yield text_part(texts.sound_heading(name, wave.start, wave.end))
                yield audio_part(wave, self._limits.sound)

    def _look(self, media: MediaRequest, window: Window, looks: int, texts: RequestTexts) -> list[_WirePart]:
        share = _share(media, [window] * looks)
        parts = [text_part(texts.closer_look(window))]
        # What was measured in the sound stands whole, at its finest, in the head already.
        sounds = [] if self._limits.sound == "none" else list(self._sounds(media, [window], texts))
        if self._limits.sees != "none":
            return [*parts, *frame_parts(encode_frames(self._store, media.clip, [window], share), texts), *sounds]
        if "picture" in media.described:
            # The description of the picture stands whole in the head already.
            return [*parts, *sounds] if sounds or self._limits.sound != "none" else []
        parts.append(text_part(measured_picture_text(self._store, media.clip, [window], max(2, share), texts)))
        return [*parts, *sounds]

    def _carried(self, media: MediaRequest | None) -> int:
        if media is None:
            return 0
        sees, hears = self._limits.sees != "none" and media.shows_picture, self._limits.sound != "none"
        own = sees or (hears and not media.tracks and media.clip["has_audio"])
        return int(own) + (len(media.tracks) if hears else 0)

    def _notes(self, media: MediaRequest | None) -> list[str]:
        return media.notes(self._limits.model_id, self.missing_modalities(media)) if media else []


def _has_clip(message: BaseMessage) -> bool:
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, dict) and block.get("type") == "clip" for block in blocks)


def _share(media: MediaRequest, windows: list[Window]) -> int:
    return max(1, media.frame_count // max(1, len(windows)))
