"""Builds Gemini's content for a clip: its own file, closer looks at it, still pictures, separate tracks.

The head (clip, pictures, tracks, facts about the clip) is byte for byte the same for every role and attempt, so that a
cache can serve it. Closer looks at the windows of the latest attempt follow, then the role's text.
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
from aurelia_core.models.google.remux import remuxed_file
from aurelia_core.models.media_encoding import encode_still, still_size
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.media_tokens import MediaTokens, check_context
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.models.requests import ClipRequest, RoleRequest
from aurelia_core.types import Media, MediaRef, Window, arrange_media, content_key, is_still, is_video, windows_before

_MAX_INLINE_BYTES = 1_000_000
"""Largest file, bytes, that is sent inside the request; larger files are uploaded once."""

_SHORT_CLIP_FRAMES = 16
_LONG_CLIP_FRAMES = 1200
_MAX_FPS = 24.0
_MAX_STILLS = 96
_MAX_CUT_SECONDS = 60.0
_SAMPLE_RATE = 16_000
_AUDIO_MIMES = {"wav": "audio/wav", "mp3": "audio/mp3", "flac": "audio/flac", "ogg": "audio/ogg"}

_GeminiBlock = str | dict[str, Any]


class WholeFile(NamedTuple):
    """A file that Gemini can read; `size` in bytes, `content` is its id among the uploads."""

    path: Path
    mime: str
    size: int
    content: str


class GeminiContentBuilder:
    """Converts one request's clip references to Gemini's parts.

    Attributes:
        contents: ids of the contents that were sent as uploaded files.
    """

    def __init__(self, store: ClipStore, uploads: FileUploads, fps: float | None = None) -> None:
        """Read nothing; `fps` are the frames a second of the whole clip (None: by its length)."""
        self._store = store
        self._uploads = uploads
        self._fps = fps
        self.contents: list[str] = []

    def build_content(
        self,
        blocks: Sequence[_GeminiBlock],
        request: RoleRequest,
        texts: RequestTexts,
        *,
        headless: bool = False,
    ) -> list[_GeminiBlock]:
        """The blocks of one message with media in place of references; other messages are returned unchanged.

        Args:
            blocks: the message's content; the first reference is the clip, the others are pictures and separate
                tracks, and the last block is the role's text.
            request: the request, for the closer look and the number of frames.
            texts: the texts around the media.
            headless: leave out the head, because it is in a context cache.
        """
        refs = block_references(blocks)
        if not refs:
            return list(blocks)
        media = arrange_media(refs)
        frames = _SHORT_CLIP_FRAMES
        if isinstance(request, ClipRequest) and request.media:
            frames = request.media.frame_count
        windows = list(request.closer_look)
        closer = self._closer(media, windows, frames, texts)
        head: list[_GeminiBlock] = []
        if not headless:
            head = self.build_head(blocks, texts)
        return [*head, *closer, *blocks[-1:]]

    def build_head(self, blocks: Sequence[_GeminiBlock], request_texts: RequestTexts) -> list[_GeminiBlock]:
        """The first blocks of all requests on the clip: its media, and the facts about it."""
        media = arrange_media(block_references(blocks))
        texts = [block for block in blocks if not (isinstance(block, dict) and "clip" in block)]
        stills = self._still_pictures(media, request_texts)
        parts = [*self._clip(media, request_texts), *stills, *self._tracks(media, request_texts)]
        return [*parts, *texts[:-1]]

    def whole_file(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> WholeFile | None:
        """A file that holds the whole clip, remuxed where Gemini cannot read its own; None if there is none.

        Without its own sound if separate tracks replace it. None for a picture.
        """
        if is_still(clip):
            return None
        silent = bool(tracks) and clip["has_audio"]
        if not silent and (readable := self._readable_file(clip)):
            return readable
        if clip["width"] is None:
            return None
        path = remuxed_file(self._store, clip, with_sound=not silent)
        if path is None:
            return None
        content = f"{content_key(clip)}:mp4{'-silent' * silent}"
        return WholeFile(path, "video/mp4", path.stat().st_size, content)

    def head_frame_count(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> int:
        """Number of frames of the clip in the head."""
        if not is_video(clip):
            return int(is_still(clip))
        if self.whole_file(clip, tracks):
            return math.ceil(self._head_fps(clip["duration"]) * clip["duration"])
        return min(_MAX_STILLS, max(_SHORT_CLIP_FRAMES, round(clip["duration"])))

    def count_tokens(
        self, media: MediaRequest, rates: MediaTokens, decoding: Mapping[str, Any], windows: Sequence[Window]
    ) -> int:
        """About how many input tokens the media of one request cost."""
        clip, tracks = media.clip, list(media.tracks)
        stills = [still_size(picture) for picture in media.stills]
        frames = 0.0
        if media.has_video and self.whole_file(clip, tracks):
            frames = self.head_frame_count(clip, tracks)
            if windows:
                frames += self._closer_fps(clip, windows, media.frame_count) * total_seconds(windows)
        elif media.has_video:
            stills += [still_size(clip)] * self.head_frame_count(clip, tracks)
            stills += [still_size(clip)] * (len(windows) * max(2, media.frame_count // max(1, len(windows))))
        sounds = media.sound_sources
        heard = sum(ref["audio_seconds"] or ref["duration"] for ref in sounds) + len(sounds) * total_seconds(windows)
        return rates.frames(frames, decoding) + rates.pictures(stills, decoding) + rates.seconds(heard)

    def _clip(self, media: Media, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        clip, tracks = media.clip, media.tracks
        if not is_video(clip):
            if clip["has_audio"] and not tracks:
                yield self._sound_file(clip)
            return
        whole = self.whole_file(clip, tracks)
        if whole:
            yield {**self._file(clip, whole), "video_metadata": {"fps": self._head_fps(clip["duration"])}}
            return
        # Frames, and the clip's own sound, if Gemini reads neither the file nor a copy of its streams.
        yield from self._stills(clip, [], self.head_frame_count(clip, tracks), texts)
        if clip["has_audio"] and not tracks:
            yield self._sound(clip)

    def _still_pictures(self, media: Media, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        for number, picture in enumerate(media.stills):
            yield _text(f"{texts.picture_name(number, len(media.stills))}:")
            yield _media("image/jpeg", encode_still(self._store, picture))

    def _tracks(self, media: Media, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        for number, track in enumerate(media.tracks):
            yield _text(texts.track_heading(number, len(media.tracks), beside_video=is_video(media.clip)))
            yield self._sound_file(track)

    def _sound_file(self, ref: MediaRef) -> dict[str, Any]:
        """The file of a sound; its samples if Gemini cannot read the file."""
        whole = self._readable_file(ref)
        if whole:
            return self._file(ref, whole)
        return self._sound(ref)

    def _closer(self, media: Media, windows: list[Window], frames: int, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        clip, tracks = media.clip, media.tracks
        beside_video = is_video(clip)
        whole = None
        if beside_video:
            whole = self.whole_file(clip, tracks)
        end = clip["duration"]
        if whole and not tracks:
            # The file's own sound may go on after its picture.
            end = media.longest_seconds
        for window in windows:
            yield _text(texts.file_look(window))
            seen = windows_before([window], end)
            if whole and seen:
                cut = {"start_offset": f"{window['start']:.3f}s", "end_offset": f"{seen[0]['end']:.3f}s"}
                fps = self._closer_fps(clip, windows, frames)
                # By its address, also where the head holds the bytes: a request holds them once.
                yield {**self._uploaded_file(whole), "video_metadata": {**cut, "fps": round(fps, 3)}}
            elif beside_video and seen:
                yield from self._stills(clip, seen, max(2, frames // len(windows)), texts)
            if not whole and clip["has_audio"] and not tracks:
                yield self._cut(clip, window, texts.sound_cut(None, 0, window), texts)
            for number, track in enumerate(tracks):
                title = texts.sound_cut(number, len(tracks), window, beside_video=beside_video)
                yield self._cut(track, window, title, texts)

    def _cut(self, ref: MediaRef, window: Window, title: str, texts: RequestTexts) -> _GeminiBlock:
        end = min(window["end"], ref["audio_seconds"] or ref["duration"])
        if end <= window["start"]:
            return _text(texts.sound_cut_ended(title))
        if end - window["start"] > _MAX_CUT_SECONDS:
            return _text(texts.sound_cut_long(title))
        return _media("audio/wav", self._wav(ref, [{"start": window["start"], "end": end}]))

    def _stills(self, clip: MediaRef, windows: list[Window], count: int, texts: RequestTexts) -> Iterator[_GeminiBlock]:
        frames = self._store.frames(clip, windows, count, height=512)
        for time, image in zip(frames.times, frames.images, strict=True):
            jpeg = io.BytesIO()
            Image.fromarray(np.asarray(image)).save(jpeg, "JPEG", quality=85)
            yield _text(texts.frame_time(float(time)))
            yield _media("image/jpeg", jpeg.getvalue())

    def _file(self, ref: MediaRef, whole: WholeFile) -> dict[str, Any]:
        if whole.size <= _MAX_INLINE_BYTES:
            return _media(whole.mime, whole.path.read_bytes())
        return self._uploaded_file(whole)

    def _uploaded_file(self, whole: WholeFile) -> dict[str, Any]:
        return self._uploaded(whole.content, whole.mime, lambda: whole.path.open("rb"))

    def _sound(self, ref: MediaRef) -> dict[str, Any]:
        """The sound of a file with a picture, or of a file that Gemini cannot read: 16 kHz, mono."""
        if (ref["audio_seconds"] or ref["duration"]) * 2 * _SAMPLE_RATE <= _MAX_INLINE_BYTES:
            return _media("audio/wav", self._wav(ref, []))
        return self._uploaded(f"{ref['id']}:wav", "audio/wav", lambda: io.BytesIO(self._wav(ref, [])))

    def _uploaded(self, content: str, mime: str, open_content: Callable[[], IO[bytes]]) -> dict[str, Any]:
        self.contents.append(content)
        handle = self._uploads.ensure_uploaded(content, mime, open_content)
        return {"type": "media", "mime_type": handle.mime, "file_uri": handle.uri}

    def _wav(self, ref: MediaRef, windows: list[Window]) -> bytes:
        wav = io.BytesIO()
        with wave.open(wav, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_SAMPLE_RATE)
            for piece in self._store.audio(ref, windows, _SAMPLE_RATE):
                file.writeframes((np.clip(piece.samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
        return wav.getvalue()

    def _readable_file(self, ref: MediaRef) -> WholeFile | None:
        """The reference's own file; None if Gemini cannot read it, or would use other tracks of it."""
        if not self._store.is_usual(ref):
            return None
        path = self._store.verified_path(ref)
        with path.open("rb") as file:
            head = file.read(4096)
        demuxer = detect_demuxer(head, ref["name"])
        mime = _AUDIO_MIMES.get(demuxer)
        if ref["width"] is not None:
            mime = _video_mime(demuxer, head)
        if mime is None:
            return None
        return WholeFile(path, mime, path.stat().st_size, ref["id"])

    def _head_fps(self, duration: float) -> float:
        """Frames a second of the whole clip: the set value, else by the clip's length."""
        return self._fps or _default_fps(duration)

    def _closer_fps(self, clip: MediaRef, windows: Sequence[Window], frames: int) -> float:
        """Frames a second of a closer look at these windows, which share `frames`."""
        return min(_MAX_FPS, max(frames / total_seconds(windows), self._head_fps(clip["duration"])))


def total_seconds(windows: Sequence[Window]) -> float:
    """The length of the windows together."""
    return sum(window["end"] - window["start"] for window in windows)


def referenced_media(messages: Sequence[BaseMessage]) -> list[MediaRef]:
    """The media that these messages refer to."""
    refs = []
    for message in messages:
        if isinstance(message.content, list):
            refs += block_references(message.content)
    return refs


def block_references(blocks: Sequence[_GeminiBlock]) -> list[MediaRef]:
    """The clip, the pictures and the separate tracks that a message refers to."""
    return [block["clip"] for block in blocks if isinstance(block, dict) and "clip" in block]


def _video_mime(demuxer: str, head: bytes) -> str | None:
    if demuxer == "mov":
        is_quicktime = head[8:12] == b"qt  " or head[4:8] != b"ftyp"
        demuxer = "mov" if is_quicktime else "mp4"
    # Gemini reads WebM, but no other Matroska file.
    if demuxer == "matroska" and b"webm" in head[:64]:
        demuxer = "webm"
    if demuxer in ("mov", "mp4", "webm", "avi"):
        return f"video/{demuxer}"
    return None


def _default_fps(duration: float) -> float:
    """Frames per second of the whole clip: 1 as Gemini's default, more for a short clip, fewer for a very long one."""
    fps = max(_SHORT_CLIP_FRAMES / duration, min(1.0, _LONG_CLIP_FRAMES / duration))
    return round(min(_MAX_FPS, fps), 3)


def _media(mime: str, data: bytes) -> dict[str, Any]:
    return {"type": "media", "mime_type": mime, "data": data}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


MAX_FILE_BYTES = 2_000_000_000
"""Largest file, bytes, in Google's file store."""


def gemini_capability(model: str) -> Capability:
    """The model's row in the capability table.

    Raises:
        InputError: the model does not answer questions about clips; the message names one that does.
    """
    return find_capability(f"google_genai:{model.removeprefix('models/')}")


def check_modalities(model_id: str, profile: Mapping[str, Any] | None, media: Sequence[MediaRef]) -> None:
    """Refuse a clip with a modality that the model does not accept.

    Raises:
        InputError: the model accepts no video, no pictures, or no audio.
    """
    modalities = {
        "audio": any(ref["has_audio"] or ref["width"] is None for ref in media),
        "video": any(map(is_video, media)),
        "image": any(map(is_still, media)),
    }
    for modality in [name for name, there in modalities.items() if there]:
        if profile and profile.get(f"{modality}_inputs") is False:
            remedy = "Use a Gemini model that does for the roles that receive the clip."
            raise InputError(f"{model_id} does not accept {modality}. {remedy}")


def check_size(
    model_id: str, row: Capability, whole: Sequence[MediaRef], sounds: Sequence[MediaRef], tokens: int | None
) -> None:
    """Refuse a clip that is too large or too long.

    Args:
        model_id: the model, for messages.
        row: its row in the capability table.
        whole: the media that are sent as files.
        sounds: the media with the sound.
        tokens: about how many input tokens the clip costs; None: unknown.

    Raises:
        InputError: a file exceeds the limit of Google's file store, or the clip exceeds the model's limits.
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
            f"{model_id} takes {row.audio_seconds:.0f} s of sound in one request, and this one has {seconds:.0f} s:"
            " give a shorter clip, or fewer sound tracks."
        )
    check_context(model_id, row.context, tokens)


def check_request_size(model_id: str, row: Capability, blocks: Sequence[Any]) -> None:
    """Refuse a message whose media inside the request are too large.

    Raises:
        InputError: they exceed the provider's limit.
    """
    data = [block["data"] for block in blocks if isinstance(block, dict) and isinstance(block.get("data"), bytes)]
    megabytes = sum(len(part) for part in data) * 4 / 3 / 1e6
    if row.request_mb is not None and megabytes > row.request_mb:
        raise InputError(
            f"{model_id} takes requests of {row.request_mb:.0f} MB, and this clip makes one of {megabytes:.0f} MB: give"
            " it fewer sound tracks, fewer frames or a shorter clip."
        )
