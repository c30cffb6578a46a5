"""Turns a request's clip references into the content parts of OpenAI's chat completions. It sends nothing.

The head (media, then what every role is told of the clip) depends on clip, tracks and budgets alone: it is the same for
every role and attempt, so that a provider's prompt cache can hit. A closer look stands behind it.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, ConfigDict

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.capabilities import Sees
from aurelia_core.models.measured_text import picture_evidence, sound_evidence
from aurelia_core.models.media_encoding import pictures, waves
from aurelia_core.models.media_request import Seen
from aurelia_core.models.media_request import seen as seen_by
from aurelia_core.models.messages import CANDIDATES
from aurelia_core.models.openai.blocks import Part, Sound, audio_part, frame_parts, payload, text_part, video_part
from aurelia_core.types import MediaRef, Sense, Window

_KEPT_HEADS = 4


class Carrier(BaseModel):
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
    sound: Sound
    needs_audio: bool = False
    most_frames: int | None = None
    audio_seconds: float | None = None
    request_mb: float | None = None


class Wired(NamedTuple):
    """Messages as they go out, how many media files they carry, and what was put in place of what (for the result)."""

    messages: list[BaseMessage]
    media: int
    notes: list[str]


class Wirer:
    """Puts the media of requests into parts; keeps the latest heads, so that a clip is encoded once for all roles."""

    def __init__(self, store: ClipStore, carrier: Carrier) -> None:
        """Reads nothing yet."""
        self._store = store
        self._carrier = carrier
        self._heads: OrderedDict[tuple[Any, ...], list[Part]] = OrderedDict()
        self._lock = threading.Lock()

    def wire(self, messages: Sequence[BaseMessage]) -> Wired:
        """The messages with every clip reference replaced by what the model takes.

        Raises:
            InputError: the model cannot carry what the request holds; the message says what to do.
            MediaError: the clip cannot be read.
        """
        fields = messages[-1].additional_kwargs.get("request") or {} if messages else {}
        seen: Seen | None = None
        out: list[BaseMessage] = []
        for message in messages:
            refs = _references(message)
            if refs:
                seen = seen_by(fields, refs)
                message = HumanMessage(self._content(message, seen, _closer(fields)))
            out.append(message)
        self._check_heard(seen)
        return Wired(out, self._carried(seen), self._notes(seen))

    def refuse(self, fields: Mapping[str, Any], sees_clip: bool) -> None:
        """Refuses what the model cannot carry, from a request's fields alone: before a run pays for anything.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """
        seen = seen_by(fields) if sees_clip else None
        if seen:
            self._check(seen, [])
        self._check_heard(seen)

    def lacks(self, seen: Seen) -> list[Sense]:
        """What of the media the model cannot take."""
        return seen.lacking(sees=self._carrier.sees != "none", hears=self._carrier.sound != "none")

    def _check_heard(self, seen: Seen | None) -> None:
        if self._carrier.needs_audio and not (seen and seen.sounding):
            raise InputError(
                f"{self._carrier.spec} answers only requests that carry sound, and this one has none: give the clip"
                " a sound track, and roles that hear nothing (summarizer, feedback) another model."
            )

    def _content(self, message: BaseMessage, seen: Seen, closer: list[Window]) -> list[str | dict[str, Any]]:
        self._check(seen, closer)
        with self._lock:
            head = self._heads.get(seen.key)
        if head is None:
            head = [*self._pictures(seen, []), *self._sounds(seen, [])]
            with self._lock:
                self._heads[seen.key] = head
                while len(self._heads) > _KEPT_HEADS:
                    self._heads.popitem(last=False)
        look = [part for window in closer for part in self._look(seen, window, len(closer))]
        self._weigh([*head, *look])
        texts = [block for block in message.content if not (isinstance(block, dict) and block.get("type") == "clip")]
        return [*head, *texts[:-1], *look, *texts[-1:]]

    def _check(self, seen: Seen, closer: list[Window]) -> None:
        """Refuses what the model cannot carry, before anything is decoded."""
        carrier = self._carrier
        seen.refuse(carrier.spec, self.lacks(seen))
        count = (seen.frames if carrier.sees == "images" else 0) + (_share(seen, closer) * len(closer))
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

    def _weigh(self, parts: list[Part]) -> None:
        limit = self._carrier.request_mb
        weight = sum(len(payload(part)) for part in parts) / 1e6
        if limit is not None and weight > limit:
            raise InputError(
                f"{self._carrier.spec} takes requests of {limit:.0f} MB, and this clip makes one of {weight:.0f} MB:"
                " give it fewer frames or a shorter clip."
            )

    def _pictures(self, seen: Seen, windows: list[Window]) -> list[Part]:
        sees = self._carrier.sees
        if not seen.visible:
            return []
        if sees == "video":
            return [text_part("The clip:"), video_part(self._store.verified_path(seen.clip), seen.clip)]
        if sees == "none":
            text = seen.stand_in("picture", lambda: picture_evidence(self._store, seen.clip, windows, seen.frames))
            return [text_part(f"The picture cannot be given to you; this stands in its place. {text}")]
        taken = pictures(self._store, seen.clip, windows, seen.frames)
        return [text_part(f"The clip's picture as {len(taken)} frames, each after its time:"), *frame_parts(taken)]

    def _sounds(self, seen: Seen, windows: list[Window]) -> Iterator[Part]:
        if self._carrier.sound == "none" and seen.sounding and "sound" in seen.described:
            yield text_part(f"The sound cannot be given to you; this stands in its place. {seen.written('sound')}")
            return
        for number, source in enumerate(seen.sounding):
            name = "The clip's sound"
            if seen.tracks:
                name = "The sound track" if len(seen.tracks) == 1 else f"Candidate sound track {CANDIDATES[number]}"
            if self._carrier.sound == "none":
                text = sound_evidence(self._store, seen.clip, source if seen.tracks else None)
                yield text_part(f"{name} cannot be given to you; this stands in its place. {text}")
                continue
            for wave in waves(self._store, source, windows):
                yield text_part(f"{name}, {wave.start:.2f}-{wave.end:.2f} s:")
                yield audio_part(wave, self._carrier.sound)

    def _look(self, seen: Seen, window: Window, looks: int) -> list[Part]:
        stretch, share = f"{window['start']:.2f}-{window['end']:.2f} s", _share(seen, [window] * looks)
        parts = [text_part(f"A closer look at {stretch} of the clip:")]
        if self._carrier.sees == "none":
            if "picture" in seen.described:
                # What was written of the picture already stands whole in the head.
                return [] if self._carrier.sound == "none" else [*parts, *self._sounds(seen, [window])]
            parts.append(text_part(picture_evidence(self._store, seen.clip, [window], max(2, share))))
        else:
            parts += frame_parts(pictures(self._store, seen.clip, [window], share))
        # What was measured of the sound already stands whole, at its finest, in the head.
        return parts if self._carrier.sound == "none" else [*parts, *self._sounds(seen, [window])]

    def _carried(self, seen: Seen | None) -> int:
        if seen is None:
            return 0
        sees, hears = self._carrier.sees != "none" and seen.visible, self._carrier.sound != "none"
        own = sees or (hears and not seen.tracks and seen.clip["has_audio"])
        return int(own) + (len(seen.tracks) if hears else 0)

    def _notes(self, seen: Seen | None) -> list[str]:
        return seen.notes(self._carrier.spec, self.lacks(seen)) if seen else []


def _references(message: BaseMessage) -> list[MediaRef]:
    blocks = message.content if isinstance(message.content, list) else []
    return [block["clip"] for block in blocks if isinstance(block, dict) and block.get("type") == "clip"]


def _closer(fields: Mapping[str, Any]) -> list[Window]:
    """The windows of the latest attempt; [] for a role or an attempt that looks at everything."""
    looks = fields.get("looks") or [[]]
    return list(looks[-1])


def _share(seen: Seen, windows: list[Window]) -> int:
    return max(1, seen.frames // max(1, len(windows)))
