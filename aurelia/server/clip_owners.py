"""The clips that came over HTTP: who gave which, under what name, and what each holds.

The clips themselves are the store's (`aurelia_core.media`), one copy a content; here stands only who may use it. It is
synchronous: call it from a thread.
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
from aurelia_core.media.guard import AUDIO_ONLY_DEMUXERS, detect_demuxer, display_name
from aurelia_core.types import MediaRef

ClipKind = Literal["video", "audio"]
STALE_UPLOAD_SECONDS = 24 * 3600.0
"""Seconds after which an unfinished upload is taken for one whose server died."""


class OwnedClip(NamedTuple):
    """A clip as its owner knows it."""

    ref: MediaRef
    kind: ClipKind


class ClipOwners:
    """Who gave which clip, in files under the operator's home, safe for several processes."""

    def __init__(self, store: ClipStore) -> None:
        """Opens nothing.

        Args:
            store: where the graph finds its clips; the ones given here become known to it.
        """
        self.store = store
        self._home = store.settings.home
        self._inbox = self._home / "inbox"
        self._owners = self._home / "owners"

    def full(self) -> bool:
        """Whether the copies of clips take as much as the operator allows."""
        held = sum(_size(file) for file in (*_files(self._home / "media-store"), *_files(self._inbox, deep=True)))
        return held >= self.store.settings.max_store_bytes

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """A fresh folder for one upload, removed afterwards with all that is in it."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        for left in self._inbox.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_UPLOAD_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="clip-", dir=self._inbox)).resolve()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, file: Path, owner: str, name: str, kind: ClipKind | None) -> OwnedClip:
        """Takes a received file in, after every check that a file of the operator's has to pass.

        Args:
            file: in a folder of `receiving`.
            owner: who gave it.
            name: what its owner calls it; only its owner is shown it.
            kind: what it is to be used as; None: a container that holds only sound is audio, others are video.

        Raises:
            MediaError: it is no clip, is damaged, too long or too large, or does not hold what `kind` needs.
        """
        label = display_name(name) if name else "The upload"
        with file.open("rb") as opened:
            sound = detect_demuxer(opened.read(4096), label) in AUDIO_ONLY_DEMUXERS
        kind = kind or ("audio" if sound else "video")
        ref = self._admitted(file, kind, label)
        record = {"name": display_name(name) if name else ref["name"], "kind": kind}
        self._write(self._owners / ref["id"], f"{owner}.json", record)
        return OwnedClip({**ref, "name": str(record["name"])}, kind)

    def allowed(self, clip: str, owner: str) -> bool:
        """Whether somebody may use a clip by its id: its givers may, and all may where it is the operator's own."""
        if not CLIP_ID_PATTERN.fullmatch(clip):
            return False
        return self._record(clip, owner) is not None or not _files(self._owners / clip)

    def find(self, clip: str, owner: str, kind: ClipKind | None = None) -> OwnedClip | None:
        """What a clip holds; None where there is no such clip or somebody may not use it.

        Args:
            clip: its id.
            owner: who asks.
            kind: what it is used as; None: what it was given as.
        """
        if not self.allowed(clip, owner):
            return None
        record = self._record(clip, owner) or {}
        known = kind or record.get("kind")
        kinds: list[ClipKind] = [known] if known in ("video", "audio") else ["video", "audio"]
        for use in kinds:
            with contextlib.suppress(MediaError):
                ref = self.store.admit(clip, use)
                return OwnedClip({**ref, "name": str(record.get("name") or ref["name"])}, use)
        return None

    def _admitted(self, file: Path, kind: ClipKind, label: str) -> MediaRef:
        digest = _sha256(file)
        with contextlib.suppress(MediaError):
            return self.store.admit(digest, kind)
        # The store remembers a clip under one name; the owner's own stays between the owner and this library.
        neutral = file.with_name(f"clip-{digest[:12]}")
        os.replace(file, neutral)
        settings = replace(self.store.settings, allow_any_file=False, media_roots=(file.parent,))
        try:
            return ClipStore(settings, copy=True).admit(neutral, kind)
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
            handle, made = tempfile.mkstemp(prefix=".making-", dir=self._owners)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(record, file)
            os.replace(made, folder / name)
        except OSError as error:
            raise MediaError(f"The clip cannot be recorded ({error.strerror}); the operator makes room") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _files(folder: Path, deep: bool = False) -> list[Path]:
    try:
        return [path for path in (folder.rglob("*") if deep else folder.iterdir()) if path.is_file()]
    except OSError:
        return []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
