"""The content-addressed cache of decoded clips: one folder a clip, named by the SHA-256 of its file; safe to delete.

Every entry appears whole or not at all (written beside its place, then renamed), so that threads and processes may
share the cache; what cannot be read back counts as absent and is made again. The least recently used clips go first.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aurelia_core.errors import MediaError, StorageError
from aurelia_core.settings import GIB

_DEFAULT_LIMIT_BYTES = 4 * GIB
"""Bytes that decoded clips may take."""
_STALE_SECONDS = 3600.0
"""Seconds after which another process's unfinished work is taken for abandoned."""
CLIP_ID_PATTERN = re.compile(r"[0-9a-f]{64}")
PATHS_FOLDER = "paths"
"""Where it stands which files were seen: the one folder that is no clip's."""


class ClipCache:
    """A folder of decoded clips, safe for threads and for several processes."""

    def __init__(self, folder: Path, limit: int = _DEFAULT_LIMIT_BYTES) -> None:
        """Use a folder; it is made at the first write."""
        self.folder = folder
        self.limit = limit
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def entry_path(self, clip: str, entry: str) -> Path:
        """Where an entry of a clip lies, whether or not it exists.

        Raises:
            MediaError: `clip` is no id (a reference that somebody made up).
        """
        if clip != PATHS_FOLDER and not CLIP_ID_PATTERN.fullmatch(clip):
            raise MediaError(f"{clip[:12]!r} is no id of a clip; give the clip again")
        return self.folder / clip / entry

    @contextmanager
    def lock(self, clip: str) -> Iterator[None]:
        """Only one thread of this process makes entries of this clip."""
        with self._guard:
            lock = self._locks.setdefault(clip, threading.Lock())
        with lock:
            yield

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A fresh folder on the cache's own file system for unfinished entries, removed afterwards.

        Raises:
            StorageError: it cannot be made, or what is done within cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".making-", dir=self.folder))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise cache_write_error(error.strerror or str(error)) from error

    def store_entry(self, made: Path, clip: str, entry: str) -> None:
        """Move a finished file into its place, replacing what is there."""
        place = self.entry_path(clip, entry)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(made, place)

    def write_json(self, clip: str, entry: str, data: Any) -> None:
        """Store plain data."""
        with self.workspace() as folder:
            made = folder / "entry.json"
            made.write_text(json.dumps(data), encoding="utf-8")
            self.store_entry(made, clip, entry)

    def read_json(self, clip: str, entry: str) -> dict[str, Any] | None:
        """Plain data, or None when absent or unreadable."""
        try:
            data = json.loads(self.entry_path(clip, entry).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) else None

    def read_array(self, clip: str, entry: str, shape: tuple[int, ...], kind: type) -> npt.NDArray[Any] | None:
        """An array, mapped from disk, or None when it is absent, unreadable or not of this shape and type."""
        try:
            array = np.load(self.entry_path(clip, entry), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(array, np.ndarray):
            return None
        return array if array.shape == shape and array.dtype == np.dtype(kind) else None

    def touch(self, clip: str) -> None:
        """Mark a clip as just used."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / clip)

    def trim(self, spare: str) -> None:
        """Drop decoded frames and sound of the least recently used clips until the rest fits; `spare` stays."""
        clips = []
        for entry in _scan(self.folder):
            if CLIP_ID_PATTERN.fullmatch(entry.name):
                arrays = [file for file in _scan(Path(entry.path)) if file.name.endswith(".npy")]
                clips.append((_used(entry), entry.name, arrays, sum(_size(file) for file in arrays)))
            elif entry.name.startswith(".making-") and time.time() - _used(entry) > _STALE_SECONDS:
                shutil.rmtree(entry.path, ignore_errors=True)
        total = sum(size for *_, size in clips)
        for _, clip, arrays, size in sorted(clips, key=lambda item: item[0]):
            if total <= self.limit:
                return
            if clip != spare:
                total -= size
                for file in arrays:
                    Path(file.path).unlink(missing_ok=True)


def cache_write_error(said: str) -> StorageError:
    """The error of a cache that cannot be written, for what the system said."""
    return StorageError(f"The cache cannot be written ({said}): make room on its disk, or set AURELIA_HOME elsewhere.")


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _used(entry: "os.DirEntry[str]") -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return time.time()


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
