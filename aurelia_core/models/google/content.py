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

from aurelia_core.media import ClipStore
from aurelia_core.media.guard import detect_demuxer
from aurelia_core.models.google.files import Uploads
from aurelia_core.models.messages import CANDIDATES
from aurelia_core.types import MediaRef, Window

INLINE = 1_000_000
"""Bytes up to which a file travels inside the request; larger ones are uploaded once."""

_SHORT_CLIP_FRAMES = 16
_LONG_CLIP_FRAMES = 1200
_MOST_FPS = 24.0
_MOST_STILLS = 96
_LONGEST_CUT = 60.0
_RATE = 16_000
_SOUNDS = {"wav": "audio/wav", "mp3": "audio/mp3", "flac": "audio/flac", "ogg": "audio/ogg"}

Block = str | dict[str, Any]


class Whole(NamedTuple):
    """A file as Gemini may be given it."""

    path: Path
    mime: str
    size: int


class Carrier:
    """Turns one request's clip references into Gemini's parts.

    Attributes:
        contents: the ids of what was sent as uploaded files.
    """

    def __init__(self, store: ClipStore, uploads: Uploads) -> None:
        """Reads nothing yet."""
        self._store = store
        self._uploads = uploads
        self.contents: list[str] = []

    def content(self, blocks: Sequence[Block], fields: Mapping[str, Any], *, headless: bool = False) -> list[Block]:
        """The blocks of one message with media in place of references; others are left as they are.

        Args:
            blocks: a message's content; the first reference is the clip, the others its separate tracks, and the last
                block is the role's text.
            fields: the request, of which the latest `looks` and `frames` are read.
            headless: leaves out the head, because it lies in a context cache.
        """
        refs = references(blocks)
        if not refs:
            return list(blocks)
        clip, tracks = refs[0], refs[1:]
        whole = self.whole(clip, tracks)
        looks = fields.get("looks") or [[]]
        closer = self._closer(clip, tracks, whole, looks[-1], int(fields.get("frames") or _SHORT_CLIP_FRAMES))
        return [*([] if headless else self.head(blocks)), *closer, *blocks[-1:]]

    def head(self, blocks: Sequence[Block]) -> list[Block]:
        """What all requests on the clip begin with: its media, and what every role is told of it."""
        refs = references(blocks)
        clip, tracks = refs[0], refs[1:]
        texts = [block for block in blocks if not (isinstance(block, dict) and "clip" in block)]
        return [*self._clip(clip, tracks, self.whole(clip, tracks)), *self._tracks(tracks), *texts[:-1]]

    def whole(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> Whole | None:
        """The clip's file if it travels whole: with separate tracks its own sound must not come along."""
        return None if tracks and clip["has_audio"] else self._whole(clip)

    def frames(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> int:
        """Pictures that the clip comes to in the head."""
        if self.whole(clip, tracks):
            return math.ceil(_head_fps(clip["duration"]) * clip["duration"])
        return min(_MOST_STILLS, max(_SHORT_CLIP_FRAMES, round(clip["duration"])))

    def _clip(self, clip: MediaRef, tracks: list[MediaRef], whole: Whole | None) -> Iterator[Block]:
        if whole:
            yield {**self._file(clip, whole), "video_metadata": {"fps": _head_fps(clip["duration"])}}
            return
        # A clip whose own sound does not count must not bring it along: its picture goes as frames. One whose container
        # Gemini does not read goes as frames and sound.
        yield from self._stills(clip, [], self.frames(clip, tracks))
        if clip["has_audio"] and not tracks:
            yield self._sound(clip)

    def _tracks(self, tracks: list[MediaRef]) -> Iterator[Block]:
        for letter, track in zip(CANDIDATES, tracks, strict=False):
            yield _text(f"Sound track {letter}:" if len(tracks) > 1 else "The sound track:")
            whole = self._whole(track)
            yield self._file(track, whole) if whole else self._sound(track)

    def _closer(
        self, clip: MediaRef, tracks: list[MediaRef], whole: Whole | None, windows: list[Window], frames: int
    ) -> Iterator[Block]:
        length = sum(window["end"] - window["start"] for window in windows)
        for window in windows:
            shown = f"from {window['start']:.2f} to {window['end']:.2f} s"
            yield _text(f"A closer look at the clip {shown}:")
            if whole:
                cut = {"start_offset": f"{window['start']:.3f}s", "end_offset": f"{window['end']:.3f}s"}
                fps = min(_MOST_FPS, max(frames / length, _head_fps(clip["duration"])))
                yield {**self._file(clip, whole), "video_metadata": {**cut, "fps": round(fps, 3)}}
            else:
                yield from self._stills(clip, [window], max(2, frames // len(windows)))
                if clip["has_audio"] and not tracks:
                    yield self._cut(clip, window, f"The clip's sound {shown}")
            for letter, track in zip(CANDIDATES, tracks, strict=False):
                yield self._cut(track, window, f"Sound track {letter if len(tracks) > 1 else ''} {shown}")

    def _cut(self, ref: MediaRef, window: Window, title: str) -> Block:
        title = " ".join(title.split())
        end = min(window["end"], ref["audio_seconds"] or ref["duration"])
        if end <= window["start"]:
            return _text(f"{title}: it has ended before.")
        if end - window["start"] > _LONGEST_CUT:
            return _text(f"{title}: listen to it again, above.")
        return _media("audio/wav", self._wav(ref, [{"start": window["start"], "end": end}]))

    def _stills(self, clip: MediaRef, windows: list[Window], count: int) -> Iterator[Block]:
        frames = self._store.frames(clip, windows, count, height=512)
        for time, image in zip(frames.times, frames.images, strict=True):
            packed = io.BytesIO()
            Image.fromarray(np.asarray(image)).save(packed, "JPEG", quality=85)
            yield _text(f"at {time:.2f} s")
            yield _media("image/jpeg", packed.getvalue())

    def _file(self, ref: MediaRef, whole: Whole) -> dict[str, Any]:
        if whole.size <= INLINE:
            return _media(whole.mime, whole.path.read_bytes())
        return self._uploaded(ref["id"], whole.mime, lambda: whole.path.open("rb"))

    def _sound(self, ref: MediaRef) -> dict[str, Any]:
        """The sound of a file that also holds a picture, or that Gemini does not read: 16 kHz, mono, as it hears."""
        if (ref["audio_seconds"] or ref["duration"]) * 2 * _RATE <= INLINE:
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

    def _whole(self, ref: MediaRef) -> Whole | None:
        """The reference's own file, or None where Gemini would not read it, or would see what it is only to hear."""
        path = self._store.verified_path(ref)
        with path.open("rb") as file:
            head = file.read(4096)
        demuxer = detect_demuxer(head, ref["name"])
        mime = _SOUNDS.get(demuxer) if ref["width"] is None else _video_mime(demuxer, head)
        return Whole(path, mime, path.stat().st_size) if mime else None


def shown(messages: Sequence[BaseMessage]) -> list[MediaRef]:
    """The media that these messages refer to."""
    return [ref for message in messages if isinstance(message.content, list) for ref in references(message.content)]


def references(blocks: Sequence[Block]) -> list[MediaRef]:
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
