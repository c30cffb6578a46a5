"""The owners of the clips that were uploaded: who may use a clip, and under which name.

The clips are in the store (`aurelia_core.media`), one copy per content; this module only records who may use them. Its
methods block: call them from a thread.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.cache import CLIP_ID_PATTERN
from aurelia_core.media.guard import detect_demuxer, display_name
from aurelia_core.types import MediaRef, is_still

ClipKind = Literal["video", "audio", "image"]
_KINDS: tuple[ClipKind, ...] = ("video", "audio", "image")
_STORE_KINDS: tuple[Literal["video", "audio"], ...] = ("video", "audio")
_FILE_KINDS: dict[str, ClipKind] = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg"), "video"),
    **dict.fromkeys((".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".aac"), "audio"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp"), "image"),
}
_SUBTYPES = {
    "wav": "wav",
    "mp3": "mpeg",
    "flac": "flac",
    "ogg": "ogg",
    "matroska": "webm",
    "avi": "x-msvideo",
    "mpegts": "mp2t",
    "mpeg": "mpeg",
    "png_pipe": "png",
    "jpeg_pipe": "jpeg",
    "webp_pipe": "webp",
    "mov": "mp4",
}
"""Second part of the media type, by FFmpeg demuxer."""
MAX_LISTED = 200
"""Most clips in one list."""
STALE_UPLOAD_SECONDS = 24 * 3600.0
"""Age in seconds at which an unfinished upload is deleted, because its server must have stopped."""


class OwnedClip(NamedTuple):
    """A clip under its owner's name for it, and its use."""

    ref: MediaRef
    kind: ClipKind


class ClipOwners:
    """Records the owners of clips in files of AURELIA_HOME; several processes may use it at once."""

    def __init__(self, store: ClipStore) -> None:
        """Open nothing yet.

        Args:
            store: the clip store of the graph; uploaded clips are added to it.
        """
        self.store = store
        self._home = store.settings.home
        self._inbox = self._home / "inbox"
        self._owners = self._home / "owners"

    def is_full(self) -> bool:
        """Whether the copies of clips use all the space that the operator allows."""
        files = [*_files(self._home / "media-store"), *_files(self._inbox, deep=True)]
        return sum(map(_size, files)) >= self.store.settings.max_store_bytes

    @contextmanager
    def upload_folder(self) -> Iterator[Path]:
        """A new folder for one upload, deleted afterwards with its content."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        for other in self._inbox.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - other.stat().st_mtime > STALE_UPLOAD_SECONDS:
                    shutil.rmtree(other, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="clip-", dir=self._inbox)).resolve()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, file: Path, owner: str, name: str, kind: ClipKind | None) -> OwnedClip:
        """Add an uploaded file to the store, after the checks of every file that is opened.

        Args:
            file: a file in a folder of `upload_folder`.
            owner: the sender.
            name: the owner's name for it; only the owner sees it.
            kind: its use; None: what it is, and audio for a container that holds only sound.

        Raises:
            MediaError: it is not a clip, is damaged, too long or too large, or is not what `kind` says.
        """
        label = display_name(name) if name else "The upload"
        ref = self._admitted(file, kind or "video", label)
        found = _kind_of(ref)
        if kind and kind != found:
            lack = "has no picture that moves"
            if kind == "image":
                lack = "is not a still picture"
            raise MediaError(f"{label} {lack}: upload it with kind={found}, or give another file")
        record = {"name": display_name(name) if name else ref["name"], "kind": found}
        self._write(self._owners / ref["id"], f"{owner}.json", record)
        return OwnedClip({**ref, "name": str(record["name"])}, found)

    def may_use(self, clip: str, owner: str) -> bool:
        """Whether an owner may use the clip with this id: it is the owner's, or nobody uploaded it."""
        if not CLIP_ID_PATTERN.fullmatch(clip):
            return False
        return self._record(clip, owner) is not None or not _files(self._owners / clip)

    def find(self, clip: str, owner: str, kind: ClipKind | None = None) -> OwnedClip | None:
        """A clip and what it holds; None if there is no such clip, or the owner may not use it.

        Args:
            clip: its id.
            owner: the sender of the request.
            kind: its use; None: the use that it was uploaded for.
        """
        if not self.may_use(clip, owner):
            return None
        record = self._record(clip, owner) or {}
        recorded = kind or record.get("kind")
        for use in _STORE_KINDS:
            if recorded in _KINDS and use != _store_kind(recorded):
                continue
            with contextlib.suppress(MediaError):
                ref = self.store.admit(clip, use)
                return OwnedClip({**ref, "name": str(record.get("name") or ref["name"])}, _kind_of(ref))
        return None

    def usable_clips(self, owner: str) -> list[dict[str, Any]]:
        """What an owner may name in a question: own uploads by id, and the files of the allowed folders by name.

        Returns:
            One dict a clip, newest first, at most `MAX_LISTED`: video (what to write), name, kind, bytes, own (whether
            the owner uploaded it). A file is not opened, so it may still prove to be damaged.
        """
        found = [*self._uploads(owner), *self._folder_clips()]
        found.sort(key=lambda one: -one[0])
        return [clip for _, clip in found[:MAX_LISTED]]

    def stored_file(self, clip: str) -> Path | None:
        """The stored copy of a clip; None if there is none. Whether an owner may read it is `find`'s business."""
        file = self._home / "media-store" / clip
        if CLIP_ID_PATTERN.fullmatch(clip) and file.is_file() and not file.is_symlink():
            return file
        return None

    def _uploads(self, owner: str) -> Iterator[tuple[float, dict[str, Any]]]:
        for record in self._owners.glob(f"*/{owner}.json"):
            clip = record.parent.name
            stored = self._home / "media-store" / clip
            known = self._record(clip, owner)
            if known and stored.is_file() and CLIP_ID_PATTERN.fullmatch(clip):
                said = {"video": clip, "name": known.get("name"), "kind": known.get("kind"), "bytes": _size(stored)}
                yield record.stat().st_mtime, {**said, "own": True}

    def _folder_clips(self) -> Iterator[tuple[float, dict[str, Any]]]:
        for root in self.store.settings.media_roots:
            for file in _files(root, deep=True):
                kind = _FILE_KINDS.get(file.suffix.casefold())
                name = file.relative_to(root)
                hidden = any(part.startswith(".") for part in name.parts)
                if kind and not hidden and not file.is_symlink():
                    said = {"video": str(name), "name": file.name, "kind": kind, "bytes": _size(file)}
                    yield file.stat().st_mtime, {**said, "own": False}

    def _admitted(self, file: Path, kind: ClipKind, label: str) -> MediaRef:
        digest = _sha256(file)
        with contextlib.suppress(MediaError):
            return self.store.admit(digest, _store_kind(kind))
        # The store holds one name per clip, which others may see; the owner's name stays in the owner's record.
        neutral = file.with_name(f"clip-{digest[:12]}")
        os.replace(file, neutral)
        settings = replace(self.store.settings, allow_any_file=False, media_roots=(file.parent,))
        try:
            return ClipStore(settings, copy=True).admit(neutral, _store_kind(kind))
        except MediaError as fault:
            raise MediaError(str(fault).replace(neutral.name, label)) from None

    def _record(self, clip: str, owner: str) -> dict[str, Any] | None:
        try:
            record = json.loads((self._owners / clip / f"{owner}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _write(self, folder: Path, name: str, record: dict[str, Any]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".making-", dir=self._owners)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(record, file)
            os.replace(temporary, folder / name)
        except OSError as error:
            raise MediaError(f"The clip cannot be recorded ({error.strerror}); ask the operator for room") from error


def media_type(file: Path, kind: ClipKind) -> str:
    """The media type of a clip, by the content of its file.

    Raises:
        MediaError: it is no clip any more.
    """
    with file.open("rb") as opened:
        demuxer = detect_demuxer(opened.read(4096), "The clip")
    if demuxer in _SUBTYPES:
        return f"{kind}/{_SUBTYPES[demuxer]}"
    return "application/octet-stream"


def _kind_of(ref: MediaRef) -> ClipKind:
    if ref["width"] is None:
        return "audio"
    return "image" if is_still(ref) else "video"


def _store_kind(kind: ClipKind) -> Literal["video", "audio"]:
    return "audio" if kind == "audio" else "video"


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _files(folder: Path, deep: bool = False) -> list[Path]:
    pattern = "**/*" if deep else "*"
    try:
        return [path for path in folder.glob(pattern) if path.is_file()]
    except OSError:
        return []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
