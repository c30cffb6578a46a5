"""What Gemini is sent of a clip: its own file with picture and sound, closer looks at the same file, separate tracks.

The head (clip, tracks, "About the clip") is byte for byte the same for every role and attempt; closer looks at the
windows of the latest attempt come after it, before the role's text. It sends nothing itself.
"""

import io
import math
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from langchain_core.messages import BaseMessage
from PIL import Image

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.media.guard import detect_demuxer
from aurelia_core.models.capabilities import Capability, find_capability
from aurelia_core.models.google.files import FileUploads
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import ClipRequest, RoleRequest
from aurelia_core.types import MediaRef, Window

_MAX_INLINE_BYTES = 1_000_000
"""Bytes up to which a file travels inside the request; larger ones are uploaded once."""

_SHORT_CLIP_FRAMES = 16
_LONG_CLIP_FRAMES = 1200
_MOST_FPS = 24.0
_MOST_STILLS = 96
_LONGEST_CUT = 60.0
_RATE = 16_000
_SOUNDS = {"wav": "audio/wav", "mp3": "audio/mp3", "flac": "audio/flac", "ogg": "audio/ogg"}

_GeminiBlock = str | dict[str, Any]


class WholeFile(NamedTuple):
    """A file as Gemini may be given it."""

    path: Path
    mime: str
    size: int


class GeminiContentBuilder:
    """Turns one request's clip references into Gemini's parts.

    Attributes:
        contents: the ids of what was sent as uploaded files.
    """

    def __init__(self, store: ClipStore, uploads: FileUploads) -> None:
        """Reads nothing yet."""
        self._store = store
        self._uploads = uploads
        self.contents: list[str] = []

    def content(
        self,
        blocks: Sequence[_GeminiBlock],
        request: RoleRequest,
        texts: RequestTexts,
        *,
        headless: bool = False,
    ) -> list[_GeminiBlock]:
        """The blocks of one message with media in place of references; others are left as they are.

        Args:
            blocks: a message's content; the first reference is the clip, the others its separate tracks, and the last
                block is the role's text.
            request: the request, of which the closer look and the number of frames are read.
            texts: the words around the media.
            headless: leaves out the head, because it lies in a context cache.
        """
        refs = block_references(blocks)
        if not refs:
            return list(blocks)
        clip, tracks = refs[0], refs[1:]
        whole = self.whole(clip, tracks)
        frames = _SHORT_CLIP_FRAMES
        if isinstance(request, ClipRequest) and request.media:
            frames = request.media.frame_count
        windows = list(request.closer_look)
        closer = self._closer(clip, tracks, whole, windows, frames, texts)
        head = [] if headless else self.head(blocks, texts)
        return [*head, *closer, *blocks[-1:]]

    def head(self, blocks: Sequence[_GeminiBlock], request_texts: RequestTexts) -> list[_GeminiBlock]:
        """What all requests on the clip begin with: its media, and what every role is told of it."""
        refs = block_references(blocks)
        clip, tracks = refs[0], refs[1:]
        texts = [block for block in blocks if not (isinstance(block, dict) and "clip" in block)]
        media = [*self._clip(clip, tracks, request_texts), *self._tracks(tracks, request_texts)]
        return [*media, *texts[:-1]]

    def whole(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> WholeFile | None:
        """The clip's file if it travels whole: with separate tracks its own sound must not come along."""
        return None if tracks and clip["has_audio"] else self._whole(clip)

    def frames(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> int:
        """Pictures that the clip comes to in the head."""
        if self.whole(clip, tracks):
            return math.ceil(_head_fps(clip["duration"]) * clip["duration"])
        return min(_MOST_STILLS, max(_SHORT_CLIP_FRAMES, round(clip["duration"])))

    def _clip(self, clip: MediaRef, tracks: list[MediaRef], texts: RequestTexts) -> Iterator[_GeminiBlock]:
        whole = self.whole(clip, tracks)
        if whole:
            yield {**self._file(clip, whole), "video_metadata": {"fps": _head_fps(clip["duration"])}}
            return
        # A clip whose own sound does not count must not bring it along: its picture goes as frames. One whose container
        # Gemini does not read goes as frames and sound.
        yield from self._stills(clip, [], self.frames(clip, tracks), texts)
        if clip["has_audio"] and not tracks:
            yield self._sound(clip)

    def _tracks(self, tracks: list[MediaRef], texts: RequestTexts) -> Iterator[_GeminiBlock]:
        for number, track in enumerate(tracks):
            yield _text(texts.track_heading(number, len(tracks)))
            whole = self._whole(track)
            yield self._file(track, whole) if whole else self._sound(track)

    def _closer(
        self,
        clip: MediaRef,
        tracks: list[MediaRef],
        whole: WholeFile | None,
        windows: list[Window],
        frames: int,
        texts: RequestTexts,
    ) -> Iterator[_GeminiBlock]:
        length = sum(window["end"] - window["start"] for window in windows)
        for window in windows:
            yield _text(texts.file_look(window))
            if whole:
                cut = {"start_offset": f"{window['start']:.3f}s", "end_offset": f"{window['end']:.3f}s"}
                fps = min(_MOST_FPS, max(frames / length, _head_fps(clip["duration"])))
                yield {**self._file(clip, whole), "video_metadata": {**cut, "fps": round(fps, 3)}}
            else:
                yield from self._stills(clip, [window], max(2, frames // len(windows)), texts)
                if clip["has_audio"] and not tracks:
                    yield self._cut(clip, window, texts.sound_cut(None, 0, window), texts)
            for number, track in enumerate(tracks):
                yield self._cut(track, window, texts.sound_cut(number, len(tracks), window), texts)

    def _cut(self, ref: MediaRef, window: Window, title: str, texts: RequestTexts) -> _GeminiBlock:
        end = min(window["end"], ref["audio_seconds"] or ref["duration"])
        if end <= window["start"]:
            return _text(texts.sound_cut_ended(title))
        if end - window["start"] > _LONGEST_CUT:
            return _text(texts.sound_cut_long(title))
        return _media("audio/wav", self._wav(ref, [{"start": window["start"], "end": end}]))

    def _stills(self, clip: MediaRef, windows: list[Window], count: int, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        frames = self._store.frames(clip, windows, count, height=512)
        for time, image in zip(frames.times, frames.images, strict=True):
            packed = io.BytesIO()
            Image.fromarray(np.asarray(image)).save(packed, "JPEG", quality=85)
            yield _text(texts.frame_time(float(time)))
            yield _media("image/jpeg", packed.getvalue())

    def _file(self, ref: MediaRef, whole: WholeFile) -> dict[str, Any]:
        if whole.size <= _MAX_INLINE_BYTES:
            return _media(whole.mime, whole.path.read_bytes())
        return self._uploaded(ref["id"], whole.mime, lambda: whole.path.open("rb"))

    def _sound(self, ref: MediaRef) -> dict[str, Any]:
        """The sound of a file that also holds a picture, or that Gemini does not read: 16 kHz, mono, as it hears."""
        if (ref["audio_seconds"] or ref["duration"]) * 2 * _RATE <= _MAX_INLINE_BYTES:
            return _media("audio/wav", self._wav(ref, []))
        return self._uploaded(f"{ref['id']}:wav", "audio/wav", lambda: io.BytesIO(self._wav(ref, [])))

    def _uploaded(self, content: str, mime: str, opened: Callable[[], IO[bytes]]) -> dict[str, Any]:
        self.contents.append(content)
        handle = self._uploads.handle(content, mime, opened)
        return {"type": "media", "mime_type": handle.mime, "file_uri": handle.uri}

    def _wav(self, ref: MediaRef, windows: list[Window]) -> bytes:
        packed = io.BytesIO()
        with wave.open(packed, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_RATE)
            for piece in self._store.audio(ref, windows, _RATE):
                file.writeframes((np.clip(piece.samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
        return packed.getvalue()

    def _whole(self, ref: MediaRef) -> WholeFile | None:
        """The reference's own file, or None where Gemini would not read it, or would see what it is only to hear."""
        path = self._store.verified_path(ref)
        with path.open("rb") as file:
            head = file.read(4096)
        demuxer = detect_demuxer(head, ref["name"])
        mime = _SOUNDS.get(demuxer) if ref["width"] is None else _video_mime(demuxer, head)
        return WholeFile(path, mime, path.stat().st_size) if mime else None


def referenced_media(messages: Sequence[BaseMessage]) -> list[MediaRef]:
    """The media that these messages refer to."""
    return [
        ref for message in messages if isinstance(message.content, list) for ref in block_references(message.content)
    ]


def block_references(blocks: Sequence[_GeminiBlock]) -> list[MediaRef]:
    """The clip and the separate tracks that a message refers to."""
    return [block["clip"] for block in blocks if isinstance(block, dict) and "clip" in block]


def _video_mime(demuxer: str, head: bytes) -> str | None:
    if demuxer == "mov":
        return "video/mov" if head[8:12] == b"qt  " or head[4:8] != b"ftyp" else "video/mp4"
    if demuxer == "matroska":
        return "video/webm" if b"webm" in head[:64] else None
    return {"avi": "video/avi"}.get(demuxer)


def _head_fps(duration: float) -> float:
    """Frames a second of the whole clip: Gemini's one, more for a short clip and fewer for an hour."""
    wanted = max(_SHORT_CLIP_FRAMES / duration, min(1.0, _LONG_CLIP_FRAMES / duration))
    return round(min(_MOST_FPS, wanted), 3)


def _media(mime: str, data: bytes) -> dict[str, Any]:
    return {"type": "media", "mime_type": mime, "data": data}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


MAX_FILE_BYTES = 2_000_000_000
"""The largest file that Google's file store takes."""

# Google counts 258 tokens for a frame at the usual resolution (newer models fewer), and 32 for a second of sound.
_FRAME_TOKENS = 258
_SOUND_TOKENS = 32


def gemini_capability(model: str) -> Capability:
    """What the model can carry.

    Raises:
        InputError: it is no model for questions about clips; the message says which is.
    """
    return find_capability(f"google_genai:{model.removeprefix('models/')}")


def check_modalities(model_id: str, profile: Mapping[str, Any] | None, media: Sequence[MediaRef]) -> None:
    """Refuses a clip of which the model cannot take a part at all.

    Raises:
        InputError: the model takes no video, or no sound.
    """
    seen = any(ref["width"] is not None for ref in media)
    needed = [*(["audio"] if any(ref["has_audio"] or ref["width"] is None for ref in media) else [])]
    for sense in [*needed, *(["video"] if seen else [])]:
        if profile and profile.get(f"{sense}_inputs") is False:
            remedy = "Use a Gemini model that can for the roles that are shown the clip."
            raise InputError(f"{model_id} cannot take {sense}. {remedy}")


def check_size(
    model_id: str, row: Capability, whole: Sequence[MediaRef], sounds: Sequence[MediaRef], frames: int
) -> None:
    """Refuses what is too large or too long.

    Args:
        model_id: the model, for messages.
        row: what it can carry.
        whole: what goes to Google as a file.
        sounds: what is heard.
        frames: pictures that the clip comes to.

    Raises:
        InputError: a file is larger than Google's store takes, or the clip is longer than the model can take.
    """
    for ref in whole:
        if ref["bytes"] > MAX_FILE_BYTES:
            raise InputError(
                f"{model_id} takes files of {MAX_FILE_BYTES / 1e9:.0f} GB, and {ref['name']!r} has"
                f" {ref['bytes'] / 1e9:.2f} GB: give a shorter clip, or one in a smaller format."
            )
    seconds = sum(ref["audio_seconds"] or ref["duration"] for ref in sounds)
    if row.audio_seconds is not None and seconds > row.audio_seconds:
        raise InputError(
            f"{model_id} takes {row.audio_seconds:.0f} s of sound in one request, and this is {seconds:.0f} s: give a"
            " shorter clip, or fewer sound tracks."
        )
    tokens = frames * _FRAME_TOKENS + int(seconds * _SOUND_TOKENS)
    if row.context is not None and tokens > row.context:
        raise InputError(
            f"{model_id} reads {row.context} tokens at once, and this clip comes to about {tokens}: give a shorter one."
        )


def check_request_size(model_id: str, row: Capability, blocks: Sequence[Any]) -> None:
    """Refuses a message whose media, as they travel inside the request, weigh too much.

    Raises:
        InputError: it weighs more than the provider takes.
    """
    data = [block["data"] for block in blocks if isinstance(block, dict) and isinstance(block.get("data"), bytes)]
    megabytes = sum(len(part) for part in data) * 4 / 3 / 1e6
    if row.request_mb is not None and megabytes > row.request_mb:
        raise InputError(
            f"{model_id} takes requests of {row.request_mb:.0f} MB, and this clip makes one of {megabytes:.0f} MB: give it"
            " fewer sound tracks, fewer frames or a shorter clip."
        )
