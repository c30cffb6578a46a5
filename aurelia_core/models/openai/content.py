"""Converts a request's clip references to the content parts of OpenAI's chat completions.

The head (media, then the facts about the clip) depends only on clip, tracks and budgets. It is the same for every role
and attempt, so that a provider's prompt cache can hit. A closer look follows it.
"""

import base64
import mimetypes
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, ConfigDict

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import VisualInput
from aurelia_core.models.measured_text import measured_picture_text, measured_sound_text, measured_still_text
from aurelia_core.models.media_encoding import (
    EncodedAudio,
    EncodedFrame,
    encode_audio,
    encode_frames,
    encode_still,
    frame_size,
    still_size,
)
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.media_tokens import check_context, find_media_tokens
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.types import MediaRef, Sense, Window

_WirePart = dict[str, Any]
_AudioPartType = Literal["none", "input_audio", "audio_url"]


def text_part(text: str) -> _WirePart:
    """A part with text."""
    return {"type": "text", "text": text}


def frame_parts(frames: list[EncodedFrame], texts: RequestTexts) -> list[_WirePart]:
    """Two parts per frame: its time, then its image."""
    parts = []
    for frame in frames:
        parts.append(text_part(texts.frame_time(frame.time)))
        parts.append(still_part(frame.jpeg))
    return parts


def still_part(jpeg: bytes) -> _WirePart:
    """A still picture."""
    return {"type": "image_url", "image_url": {"url": _data_url("image/jpeg", jpeg)}}


def audio_part(wave: EncodedAudio, kind: _AudioPartType) -> _WirePart:
    """Sound as WAV, in a part of the type that the server accepts."""
    if kind == "audio_url":
        return {"type": "audio_url", "audio_url": {"url": _data_url("audio/wav", wave.wav)}}
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(wave.wav).decode(), "format": "wav"}}


def video_part(file: Path, clip: MediaRef) -> _WirePart:
    """The clip's own file."""
    # Python does not know the type of every container (mkv before 3.13): mp4 then, because servers inspect the content.
    kind = mimetypes.guess_type(clip["name"])[0] or "video/mp4"
    return {"type": "video_url", "video_url": {"url": _data_url(kind, file.read_bytes())}}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def part_payload(part: _WirePart) -> str:
    """The text, address or data of a part, for its size."""
    body = part[part["type"]]
    if isinstance(body, str):
        return body
    return str(body.get("url") or body.get("data") or "")


_MAX_CACHED_HEADS = 4


class MediaLimits(BaseModel):
    """The parts and limits of a clip in the requests of a model.

    Attributes:
        model_id: the model, for messages.
        sees: none, images (frames as `image_url`) or video (the file as `video_url`).
        sound: none, or the type of the part with the sound.
        own_sound: whether the video part carries the clip's sound; then no other part is sent.
        needs_audio: whether the model refuses a request without sound.
        most_frames, audio_seconds, request_mb, context: limits of one request (its tokens); None: no known limit.
    """

    model_config = ConfigDict(frozen=True)

    model_id: str
    sees: VisualInput
    sound: _AudioPartType
    own_sound: bool = False
    needs_audio: bool = False
    most_frames: int | None = None
    audio_seconds: float | None = None
    request_mb: float | None = None
    context: int | None = None


class WireMessages(NamedTuple):
    """Messages in wire format, their number of media files, and notes on replaced senses for the result."""

    messages: list[BaseMessage]
    media_count: int
    notes: list[str]


class ContentBuilder:
    """Converts the media of requests to parts; the latest heads are cached, so that all roles share an encoding."""

    def __init__(self, store: ClipStore, limits: MediaLimits) -> None:
        """Read nothing."""
        self._store = store
        self._limits = limits
        self._heads: OrderedDict[tuple[Any, ...], list[_WirePart]] = OrderedDict()
        self._lock = threading.Lock()

    def build(self, messages: Sequence[BaseMessage]) -> WireMessages:
        """The messages with every clip reference replaced by parts that the model accepts.

        Raises:
            InputError: the model does not accept the request; the message names the remedy.
            MediaError: the clip cannot be read.
        """
        request = request_of(messages)
        media: MediaRequest | None = None
        out: list[BaseMessage] = []
        for message in messages:
            if _has_clip(message) and isinstance(request, ClipRequest) and request.media:
                media = request.media
                windows, decoding = list(request.closer_look), request.decoding or {}
                check_context(self._limits.model_id, self._limits.context, self.count_tokens(media, decoding, windows))
                content = self._content(message, media, windows, texts_of(messages))
                message = HumanMessage(_with_detail(content, decoding.get("detail")))
            out.append(_as_plain_text(message))
        self._check_needs_audio(media)
        if media is None:
            return WireMessages(out, 0, [])
        notes = media.notes(self._limits.model_id, self.missing_modalities(media))
        return WireMessages(out, self._media_count(media), notes)

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the first paid call.

        Raises:
            InputError: the model does not accept the clip; the message names the remedy.
        """
        if sees_clip:
            self._check(media, [])
            self._check_needs_audio(media)
        else:
            self._check_needs_audio(None)

    def sends_frames(self, media: MediaRequest) -> bool:
        """Whether the clip is sent as frames."""
        if self._limits.sees == "video" and self._store.is_usual(media.clip):
            return False
        return media.shows_video and self._limits.sees != "none"

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        hears = self._limits.sound != "none" or self._hears_video(media)
        return media.missing_modalities(sees=self._limits.sees != "none", hears=hears)

    def count_tokens(
        self, media: MediaRequest, decoding: Mapping[str, Any], windows: Sequence[Window] = ()
    ) -> int | None:
        """About how many input tokens the media of one request cost; None: unknown."""
        rates = find_media_tokens(self._limits.model_id)
        if rates is None:
            return None
        sizes = []
        if self._limits.sees != "none":
            sizes = [still_size(picture) for picture in media.stills]
            sizes += [frame_size(media.clip)] * self._frame_count(media, windows)
        heard = 0.0
        if self._limits.sound != "none":
            lengths = [source["audio_seconds"] or source["duration"] for source in media.sound_sources]
            heard = sum(lengths) + len(lengths) * sum(window["end"] - window["start"] for window in windows)
        return rates.pictures(sizes, decoding) + rates.seconds(heard)

    def _frame_count(self, media: MediaRequest, windows: Sequence[Window]) -> int:
        """Most frames of the clip in one request."""
        if not media.shows_video:
            return 0
        count = _frames_per_window(media, windows) * len(windows)
        if self._limits.sees == "images":
            count += media.frame_count
        return count

    def _hears_video(self, media: MediaRequest) -> bool:
        """Whether the model hears the clip's sound inside its video."""
        return self._limits.own_sound and media.has_video and not media.tracks and self._store.is_usual(media.clip)

    def _check_needs_audio(self, media: MediaRequest | None) -> None:
        if self._limits.needs_audio and not (media and media.sound_sources):
            raise InputError(
                f"{self._limits.model_id} answers only requests with sound, and this one has none: give the clip a"
                " sound track, and choose another model for roles without the clip (summarizer, feedback)."
            )

    def _content(
        self, message: BaseMessage, media: MediaRequest, closer: list[Window], texts: RequestTexts
    ) -> list[str | dict[str, Any]]:
        self._check(media, closer)
        with self._lock:
            head = self._heads.get(media.cache_key)
        if head is None:
            head = [*self._pictures(media, [], texts), *self._stills(media, texts), *self._sounds(media, [], texts)]
            with self._lock:
                self._heads[media.cache_key] = head
                while len(self._heads) > _MAX_CACHED_HEADS:
                    self._heads.popitem(last=False)
        look: list[_WirePart] = []
        for window in closer:
            look += self._look(media, window, len(closer), texts)
        self._check_size([*head, *look])
        text = [block for block in message.content if not (isinstance(block, dict) and block.get("type") == "clip")]
        return [*head, *text[:-1], *look, *text[-1:]]

    def _check(self, media: MediaRequest, closer: list[Window]) -> None:
        """Refuse a clip that the model does not accept, before decoding."""
        limits = self._limits
        media.check(limits.model_id, self.missing_modalities(media))
        if limits.own_sound and media.has_video and media.tracks:
            raise InputError(
                f"{limits.model_id} hears the sound inside the video, and this clip has separate sound tracks: set"
                " AURELIA_COMPATIBLE_MEDIA to video+audio or video+input_audio, or choose another model."
            )
        count = len(media.stills) + self._frame_count(media, closer)
        if limits.sees != "none" and limits.most_frames is not None and count > limits.most_frames:
            raise InputError(
                f"{limits.model_id} takes {limits.most_frames} images in one request, and this one has {count}:"
                " lower frames in the settings, or give fewer images."
            )
        seconds = sum(source["audio_seconds"] or source["duration"] for source in media.sound_sources)
        if limits.sound != "none" and limits.audio_seconds is not None and seconds > limits.audio_seconds:
            raise InputError(
                f"{limits.model_id} takes {limits.audio_seconds:.0f} s of sound, and this clip has {seconds:.0f} s:"
                " give a shorter clip."
            )

    def _check_size(self, parts: list[_WirePart]) -> None:
        limit = self._limits.request_mb
        size = sum(len(part_payload(part)) for part in parts) / 1e6
        if limit is not None and size > limit:
            raise InputError(
                f"{self._limits.model_id} takes requests of {limit:.0f} MB, and this clip makes one of {size:.0f} MB:"
                " give it fewer frames or a shorter clip."
            )

    def _pictures(self, media: MediaRequest, windows: list[Window], texts: RequestTexts) -> list[_WirePart]:
        sees = self._limits.sees
        if not media.shows_video and not self._hears_video(media):
            return []
        if sees == "video" and self._store.is_usual(media.clip):
            with_sound = self._hears_video(media) and bool(media.sound_sources)
            heading = text_part(texts.video_heading(with_sound=with_sound))
            return [heading, video_part(self._store.verified_path(media.clip), media.clip)]
        if sees == "none":
            text = media.replacement_text(
                "picture", lambda: measured_picture_text(self._store, media.clip, windows, media.frame_count, texts)
            )
            return [text_part(texts.replacement(texts.sense_name("picture"), text))]
        frames = encode_frames(self._store, media.clip, windows, media.frame_count, media.frame_shift)
        return [text_part(texts.frames_heading(len(frames))), *frame_parts(frames, texts)]

    def _stills(self, media: MediaRequest, texts: RequestTexts) -> Iterator[_WirePart]:
        if self._limits.sees == "none" and media.stills and "picture" in media.described:
            if not media.shows_video:
                yield text_part(texts.replacement(texts.sense_name("picture"), media.quoted_description("picture")))
            return
        for number, picture in enumerate(media.stills):
            name = texts.picture_name(number, len(media.stills))
            if self._limits.sees == "none":
                yield text_part(texts.replacement(name, measured_still_text(self._store, picture, texts)))
            else:
                yield text_part(f"{name}:")
                yield still_part(encode_still(self._store, picture))

    def _sounds(self, media: MediaRequest, windows: list[Window], texts: RequestTexts) -> Iterator[_WirePart]:
        if self._hears_video(media):
            return
        deaf = self._limits.sound == "none"
        if deaf and media.sound_sources and "sound" in media.described:
            yield text_part(texts.replacement(texts.sense_name("sound"), media.quoted_description("sound")))
            return
        for number, source in enumerate(media.sound_sources):
            name = media.sound_name(number, texts)
            if deaf:
                text = measured_sound_text(self._store, source, texts)
                yield text_part(texts.replacement(name, text))
                continue
            for wave in encode_audio(self._store, source, windows):
                yield text_part(texts.sound_heading(name, wave.start, wave.end))
                yield audio_part(wave, self._limits.sound)

    def _look(self, media: MediaRequest, window: Window, looks: int, texts: RequestTexts) -> list[_WirePart]:
        if self._hears_video(media):
            return [text_part(texts.look_again(window))]
        frame_count = max(1, media.frame_count // looks)
        is_seen = media.shows_video and window["start"] < media.clip["duration"]
        hears = self._limits.sound != "none"
        parts = [text_part(texts.closer_look(window))]
        # The head contains the description of the picture and the measurements of the whole sound.
        if is_seen and self._limits.sees != "none":
            frames = encode_frames(self._store, media.clip, [window], frame_count, media.frame_shift)
            parts += frame_parts(frames, texts)
        elif is_seen and "picture" not in media.described:
            frame_count = max(2, frame_count)
            parts.append(text_part(measured_picture_text(self._store, media.clip, [window], frame_count, texts)))
        elif not hears:
            return []
        if hears:
            parts += self._sounds(media, [window], texts)
        return parts

    def _media_count(self, media: MediaRequest) -> int:
        """How many media files the request holds: those of which the picture or the sound is sent."""
        if self._hears_video(media):
            return 1 + len(media.pictures)
        shown: list[MediaRef] = []
        if self._limits.sees != "none" and media.shows_picture:
            shown = [ref for ref in (media.clip, *media.pictures) if ref["width"] is not None]
        if self._limits.sound != "none":
            shown += media.sound_sources
        return len({ref["id"] for ref in shown})


def _as_plain_text(message: BaseMessage) -> BaseMessage:
    """The message with one string in place of text parts alone: many servers' templates take no list of parts."""
    if isinstance(message.content, str):
        return message
    texts = [block if isinstance(block, str) else block.get("text") for block in message.content]
    if any(text is None for text in texts):
        return message
    return message.model_copy(update={"content": "\n\n".join(map(str, texts))})


def _with_detail(content: list[str | dict[str, Any]], detail: str | None) -> list[str | dict[str, Any]]:
    """The parts, with the detail of each image if one is set."""
    if detail is None:
        return content
    changed: list[str | dict[str, Any]] = []
    for part in content:
        if isinstance(part, dict) and part.get("type") == "image_url":
            part = {**part, "image_url": {**part["image_url"], "detail": detail}}
        changed.append(part)
    return changed


def _has_clip(message: BaseMessage) -> bool:
    if isinstance(message.content, str):
        return False
    return any(isinstance(block, dict) and block.get("type") == "clip" for block in message.content)


def _frames_per_window(media: MediaRequest, windows: Sequence[Window]) -> int:
    return max(1, media.frame_count // max(1, len(windows)))
