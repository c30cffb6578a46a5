"""Turns a request's clip references into the content parts of OpenAI's chat completions. It sends nothing.

The head (media, then what every role is told of the clip) depends on clip, tracks and budgets alone: it is the same for
every role and attempt, so that a provider's prompt cache can hit. A closer look stands behind it.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, ConfigDict

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import Sees
from aurelia_core.models.measured_text import measured_picture, measured_sound
from aurelia_core.models.media_encoding import encode_audio, encode_frames
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.openai.blocks import (
    SoundForm,
    WirePart,
    audio_part,
    frame_parts,
    part_payload,
    text_part,
    video_part,
)
from aurelia_core.models.request_texts import RequestTexts, texts_of
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.types import Sense, Window

_KEPT_HEADS = 4


class MediaLimits(BaseModel):
    """What the model `spec` is given, and in which parts.

    Attributes:
        spec: the model, for messages.
        sees: none, images (frames as `image_url`) or video (the file as `video_url`).
        sound: none, or the part that carries it.
        needs_audio: whether it refuses a request without sound.
        most_frames, audio_seconds, request_mb: limits of one request; None: none known.
    """

    model_config = ConfigDict(frozen=True)

    spec: str
    sees: Sees
    sound: SoundForm
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

    def __init__(self, store: ClipStore, carrier: MediaLimits) -> None:
        """Reads nothing yet."""
        self._store = store
        self._carrier = carrier
        self._heads: OrderedDict[tuple[Any, ...], list[WirePart]] = OrderedDict()
        self._lock = threading.Lock()

    def wire(self, messages: Sequence[BaseMessage]) -> WireMessages:
        """The messages with every clip reference replaced by what the model takes.

        Raises:
            InputError: the model cannot carry what the request holds; the message says what to do.
            MediaError: the clip cannot be read.
        """
        request = request_of(messages)
        seen: MediaRequest | None = None
        out: list[BaseMessage] = []
        for message in messages:
            if _has_clip(message) and isinstance(request, ClipRequest) and request.media:
                seen = request.media
                message = HumanMessage(self._content(message, seen, list(request.closer_look), texts_of(messages)))
            out.append(message)
        self._check_heard(seen)
        return WireMessages(out, self._carried(seen), self._notes(seen))

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses what the model cannot carry, before a run pays for anything.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """
        if sees_clip:
            self._check(media, [])
        self._check_heard(media if sees_clip else None)

    def missing_modalities(self, seen: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take."""
        return seen.missing_modalities(sees=self._carrier.sees != "none", hears=self._carrier.sound != "none")

    def _check_heard(self, seen: MediaRequest | None) -> None:
        if self._carrier.needs_audio and not (seen and seen.sounding):
            raise InputError(
                f"{self._carrier.spec} answers only requests that carry sound, and this one has none: give the clip"
                " a sound track, and roles that hear nothing (summarizer, feedback) another model."
            )

    def _content(
        self, message: BaseMessage, seen: MediaRequest, closer: list[Window], texts: RequestTexts
    ) -> list[str | dict[str, Any]]:
        self._check(seen, closer)
        with self._lock:
            head = self._heads.get(seen.key)
        if head is None:
            head = [*self._pictures(seen, [], texts), *self._sounds(seen, [], texts)]
            with self._lock:
                self._heads[seen.key] = head
                while len(self._heads) > _KEPT_HEADS:
                    self._heads.popitem(last=False)
        look = [part for window in closer for part in self._look(seen, window, len(closer), texts)]
        self._weigh([*head, *look])
        words = [block for block in message.content if not (isinstance(block, dict) and block.get("type") == "clip")]
        return [*head, *words[:-1], *look, *words[-1:]]

    def _check(self, seen: MediaRequest, closer: list[Window]) -> None:
        """Refuses what the model cannot carry, before anything is decoded."""
        carrier = self._carrier
        seen.check(carrier.spec, self.missing_modalities(seen))
        count = (seen.frame_count if carrier.sees == "images" else 0) + (_share(seen, closer) * len(closer))
        if carrier.sees != "none" and carrier.most_frames is not None and count > carrier.most_frames:
            raise InputError(
                f"{carrier.spec} takes {carrier.most_frames} images in one request, and this one has {count}:"
                " lower frames in the settings."
            )
        seconds = sum(source["audio_seconds"] or source["duration"] for source in seen.sounding)
        if carrier.sound != "none" and carrier.audio_seconds is not None and seconds > carrier.audio_seconds:
            raise InputError(
                f"{carrier.spec} takes {carrier.audio_seconds:.0f} s of sound, and this clip has {seconds:.0f} s:"
                " give a shorter clip."
            )

    def _weigh(self, parts: list[WirePart]) -> None:
        limit = self._carrier.request_mb
        weight = sum(len(part_payload(part)) for part in parts) / 1e6
        if limit is not None and weight > limit:
            raise InputError(
                f"{self._carrier.spec} takes requests of {limit:.0f} MB, and this clip makes one of {weight:.0f} MB:"
                " give it fewer frames or a shorter clip."
            )

    def _pictures(self, seen: MediaRequest, windows: list[Window], texts: RequestTexts) -> list[WirePart]:
        sees = self._carrier.sees
        if not seen.visible:
            return []
        if sees == "video":
            heading = text_part(texts.video_heading(with_sound=False))
            return [heading, video_part(self._store.file(seen.clip), seen.clip)]
        if sees == "none":
            text = seen.stand_in(
                "picture", lambda: measured_picture(self._store, seen.clip, windows, seen.frame_count, texts)
            )
            return [text_part(texts.replacement(texts.sense_name("picture"), text))]
        taken = encode_frames(self._store, seen.clip, windows, seen.frame_count)
        return [text_part(texts.frames_heading(len(taken))), *frame_parts(taken, texts)]

    def _sounds(self, seen: MediaRequest, windows: list[Window], texts: RequestTexts) -> Iterator[WirePart]:
        deaf = self._carrier.sound == "none"
        if deaf and seen.sounding and "sound" in seen.described:
            yield text_part(texts.replacement(texts.sense_name("sound"), seen.described_text("sound")))
            return
        for number, source in enumerate(seen.sounding):
            name = texts.sound_name(number if seen.tracks else None, len(seen.tracks))
            if deaf:
                text = measured_sound(self._store, seen.clip, source if seen.tracks else None, texts)
                yield text_part(texts.replacement(name, text))
                continue
            for wave in encode_audio(self._store, source, windows):
                yield text_part(texts.sound_heading(name, wave.start, wave.end))
                yield audio_part(wave, self._carrier.sound)

    def _look(self, seen: MediaRequest, window: Window, looks: int, texts: RequestTexts) -> list[WirePart]:
        share = _share(seen, [window] * looks)
        parts = [text_part(texts.closer_look(window))]
        # What was measured in the sound stands whole, at its finest, in the head already.
        sounds = [] if self._carrier.sound == "none" else list(self._sounds(seen, [window], texts))
        if self._carrier.sees != "none":
            return [*parts, *frame_parts(encode_frames(self._store, seen.clip, [window], share), texts), *sounds]
        if "picture" in seen.described:
            # The description of the picture stands whole in the head already.
            return [*parts, *sounds] if sounds or self._carrier.sound != "none" else []
        parts.append(text_part(measured_picture(self._store, seen.clip, [window], max(2, share), texts)))
        return [*parts, *sounds]

    def _carried(self, seen: MediaRequest | None) -> int:
        if seen is None:
            return 0
        sees, hears = self._carrier.sees != "none" and seen.visible, self._carrier.sound != "none"
        own = sees or (hears and not seen.tracks and seen.clip["has_audio"])
        return int(own) + (len(seen.tracks) if hears else 0)

    def _notes(self, seen: MediaRequest | None) -> list[str]:
        return seen.notes(self._carrier.spec, self.missing_modalities(seen)) if seen else []


def _has_clip(message: BaseMessage) -> bool:
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, dict) and block.get("type") == "clip" for block in blocks)


def _share(seen: MediaRequest, windows: list[Window]) -> int:
    return max(1, seen.frame_count // max(1, len(windows)))
