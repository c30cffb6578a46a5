"""Turns a request's clip references into the content parts of OpenAI's chat completions. It sends nothing.

The head (media, then what every role is told of the clip) depends on clip, tracks and budgets alone: it is the same for
every role and attempt, so that a provider's prompt cache can hit. A closer look stands behind it.
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

from aurelia.errors import InputError
from aurelia.media import ClipStore
from aurelia.models.capabilities import Sees
from aurelia.models.encode import Picture, Wave, pictures, waves
from aurelia.models.evidence import picture_evidence, sound_evidence
from aurelia.models.messages import CANDIDATES
from state.schema import MediaRef, Window

Part = dict[str, Any]
Sound = Literal["none", "input_audio", "audio_url"]
FRAMES = 16
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


class _Clip(NamedTuple):
    """The media of a request and what the request says of them."""

    clip: MediaRef
    tracks: list[MediaRef]
    frames: int
    evidence: bool

    @property
    def sounding(self) -> list[MediaRef]:
        """The sounds that count: separate tracks, or else the clip's own."""
        return self.tracks or ([self.clip] if self.clip["has_audio"] else [])

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.clip["id"], *(track["id"] for track in self.tracks), self.frames)


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
        seen: _Clip | None = None
        out: list[BaseMessage] = []
        for message in messages:
            refs = _references(message)
            if refs:
                seen = _clip(refs[0], refs[1:], fields)
                message = HumanMessage(self._content(message, seen, _closer(fields)))
            out.append(message)
        self._check_heard(seen)
        return Wired(out, self._carried(seen), self._notes(seen))

    def refuse(self, fields: Mapping[str, Any], sees_clip: bool) -> None:
        """Refuses what the model cannot carry, from a request's fields alone: before a run pays for anything.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """
        seen = _clip(fields["clip"], list(fields["tracks"]), fields) if sees_clip else None
        if seen:
            self._check(seen, [])
        self._check_heard(seen)

    def _check_heard(self, seen: _Clip | None) -> None:
        if self._carrier.needs_audio and not (seen and seen.sounding):
            raise InputError(
                f"{self._carrier.spec} answers only requests that carry sound, and this one has none: give the clip"
                " a sound track, and roles that hear nothing (summarizer, feedback) another model."
            )

    def _content(self, message: BaseMessage, seen: _Clip, closer: list[Window]) -> list[str | dict[str, Any]]:
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

    def _check(self, seen: _Clip, closer: list[Window]) -> None:
        """Refuses what the model cannot carry, before anything is decoded."""
        carrier = self._carrier
        if carrier.sees == "none" and not seen.evidence:
            raise InputError(_cannot(carrier.spec, "see", "picture"))
        if carrier.sound == "none" and seen.sounding and not seen.evidence:
            raise InputError(_cannot(carrier.spec, "hear", "sound"))
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
        weight = sum(len(_payload(part)) for part in parts) / 1e6
        if limit is not None and weight > limit:
            raise InputError(
                f"{self._carrier.spec} takes requests of {limit:.0f} MB, and this clip makes one of {weight:.0f} MB:"
                " give it fewer frames or a shorter clip."
            )

    def _pictures(self, seen: _Clip, windows: list[Window]) -> list[Part]:
        sees = self._carrier.sees
        if sees == "video":
            return [_text("The clip:"), _video(self._store.file(seen.clip), seen.clip)]
        if sees == "none":
            text = picture_evidence(self._store, seen.clip, windows, seen.frames)
            return [_text(f"The picture cannot be given to you; this stands in its place. {text}")]
        taken = pictures(self._store, seen.clip, windows, seen.frames)
        return [_text(f"The clip's picture as {len(taken)} frames, each after its time:"), *_frames(taken)]

    def _sounds(self, seen: _Clip, windows: list[Window]) -> Iterator[Part]:
        for number, source in enumerate(seen.sounding):
            name = "The clip's sound"
            if seen.tracks:
                name = "The sound track" if len(seen.tracks) == 1 else f"Candidate sound track {CANDIDATES[number]}"
            if self._carrier.sound == "none":
                text = sound_evidence(self._store, seen.clip, source if seen.tracks else None)
                yield _text(f"{name} cannot be given to you; this stands in its place. {text}")
                continue
            for wave in waves(self._store, source, windows):
                yield _text(f"{name}, {wave.start:.2f}-{wave.end:.2f} s:")
                yield _audio(wave, self._carrier.sound)

    def _look(self, seen: _Clip, window: Window, looks: int) -> list[Part]:
        stretch, share = f"{window['start']:.2f}-{window['end']:.2f} s", _share(seen, [window] * looks)
        parts = [_text(f"A closer look at {stretch} of the clip:")]
        if self._carrier.sees == "none":
            parts.append(_text(picture_evidence(self._store, seen.clip, [window], max(2, share))))
        else:
            parts += _frames(pictures(self._store, seen.clip, [window], share))
        # What was measured of the sound already stands whole, at its finest, in the head.
        return parts if self._carrier.sound == "none" else [*parts, *self._sounds(seen, [window])]

    def _carried(self, seen: _Clip | None) -> int:
        if seen is None:
            return 0
        sees, hears = self._carrier.sees != "none", self._carrier.sound != "none"
        own = sees or (hears and not seen.tracks and seen.clip["has_audio"])
        return int(own) + (len(seen.tracks) if hears else 0)

    def _notes(self, seen: _Clip | None) -> list[str]:
        if seen is None:
            return []
        notes = []
        if self._carrier.sees == "none":
            notes.append(f"{self._carrier.spec} does not see: what was measured in the picture stood in its place.")
        if self._carrier.sound == "none" and seen.sounding:
            notes.append(f"{self._carrier.spec} does not hear: what was measured in the sound stood in its place.")
        return notes


def _clip(clip: MediaRef, tracks: list[MediaRef], fields: Mapping[str, Any]) -> _Clip:
    return _Clip(clip, tracks, int(fields.get("frames") or FRAMES), fields.get("when_deaf") == "evidence")


def _references(message: BaseMessage) -> list[MediaRef]:
    blocks = message.content if isinstance(message.content, list) else []
    return [block["clip"] for block in blocks if isinstance(block, dict) and block.get("type") == "clip"]


def _closer(fields: Mapping[str, Any]) -> list[Window]:
    """The windows of the latest attempt; [] for a role or an attempt that looks at everything."""
    looks = fields.get("looks") or [[]]
    return list(looks[-1])


def _share(seen: _Clip, windows: list[Window]) -> int:
    return max(1, seen.frames // max(1, len(windows)))


def _cannot(spec: str, verb: str, what: str) -> str:
    return (
        f"{spec} does not {verb}, and this clip has {what}: give the role a model that does, or set"
        f' when_deaf = "evidence" in the profile to give it what is measured in the {what} as text.'
    )


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _frames(taken: list[Picture]) -> list[Part]:
    parts = []
    for picture in taken:
        parts.append(_text(f"at {picture.time:.2f} s"))
        parts.append({"type": "image_url", "image_url": {"url": _data_url("image/jpeg", picture.jpeg)}})
    return parts


def _audio(wave: Wave, kind: Sound) -> Part:
    if kind == "audio_url":
        return {"type": "audio_url", "audio_url": {"url": _data_url("audio/wav", wave.wav)}}
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(wave.wav).decode(), "format": "wav"}}


def _video(file: Path, clip: MediaRef) -> Part:
    # Containers whose type this Python does not know by their ending (mkv before 3.13) go as mp4; servers look inside.
    kind = mimetypes.guess_type(clip["name"])[0] or "video/mp4"
    return {"type": "video_url", "video_url": {"url": _data_url(kind, file.read_bytes())}}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _payload(part: Part) -> str:
    body = part[part["type"]]
    return body if isinstance(body, str) else str(body.get("url") or body.get("data") or "")
