"""The cache of decoded clips: one folder for each clip, named by the SHA-256 of its file. It is safe to delete.

An entry is written to a temporary folder and then renamed, so it is never incomplete, and threads and processes can
share the cache. An unreadable entry counts as missing and is made again. Above the size limit, the entries of the least
recently used clips are deleted.
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
"""Size limit of all decoded clips, in bytes."""
_STALE_SECONDS = 3600.0
"""Seconds after which an unfinished folder of another process counts as abandoned."""
CLIP_ID_PATTERN = re.compile(r"[0-9a-f]{64}")
PATHS_FOLDER = "paths"
"""The folder that records which clip a path had; the only folder that belongs to no clip."""


class ClipCache:
    """A folder of decoded clips, safe for threads and for several processes."""

    def __init__(self, folder: Path, limit: int = _DEFAULT_LIMIT_BYTES) -> None:
        """Use a folder, created at the first write, with a size limit in bytes."""
        self.folder = folder
        self.limit = limit
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def entry_path(self, clip_id: str, entry: str) -> Path:
        """The path of an entry of a clip, whether or not it exists.

        Raises:
            MediaError: `clip_id` is not an id (an invented reference).
        """
        if clip_id != PATHS_FOLDER and not CLIP_ID_PATTERN.fullmatch(clip_id):
            raise MediaError(f"{clip_id[:12]!r} is no id of a clip; give the clip again")
        return self.folder / clip_id / entry

    @contextmanager
    def lock(self, clip_id: str) -> Iterator[None]:
        """Allow only one thread of this process to make entries of this clip."""
        with self._guard:
            lock = self._locks.setdefault(clip_id, threading.Lock())
        with lock:
            yield

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A temporary folder on the cache's file system for unfinished entries.

        Raises:
            StorageError: the folder, or a file inside the block, cannot be written.
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

    def store_entry(self, finished: Path, clip_id: str, entry: str) -> None:
        """Move a finished file to its path; an existing entry is replaced."""
        path = self.entry_path(clip_id, entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(finished, path)

    def write_json(self, clip_id: str, entry: str, data: Any) -> None:
        """Store an entry of JSON data."""
        with self.workspace() as folder:
            finished = folder / "entry.json"
            finished.write_text(json.dumps(data), encoding="utf-8")
            self.store_entry(finished, clip_id, entry)

    def read_json(self, clip_id: str, entry: str) -> dict[str, Any] | None:
        """A JSON object, or None if the entry is missing or unreadable."""
        try:
            data = json.loads(self.entry_path(clip_id, entry).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(data, dict):
            return None
        return data

    def list_entries(self, clip_id: str, folder: str) -> list[str]:
        """The entries of a clip that lie in one folder of its own, in order of name."""
        return sorted(f"{folder}/{entry.name}" for entry in _scan(self.entry_path(clip_id, folder)))

    def read_array(self, clip_id: str, entry: str, shape: tuple[int, ...], kind: type) -> npt.NDArray[Any] | None:
        """An array, mapped from disk, or None if it is missing, unreadable or of another shape or type."""
        try:
            array = np.load(self.entry_path(clip_id, entry), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.dtype(kind):
            return None
        return array

    def touch(self, clip_id: str) -> None:
        """Mark a clip as used now."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / clip_id)

    def trim(self, spare: str) -> None:
        """Delete frames and sound of the least recently used clips, but not of `spare`, down to the size limit."""
        clips = []
        for entry in _scan(self.folder):
            if CLIP_ID_PATTERN.fullmatch(entry.name):
                arrays = [file for file in _scan(Path(entry.path)) if file.name.endswith(".npy")]
                clips.append((_last_use(entry), entry.name, arrays, sum(_size(file) for file in arrays)))
            elif entry.name.startswith(".making-") and time.time() - _last_use(entry) > _STALE_SECONDS:
                shutil.rmtree(entry.path, ignore_errors=True)
        total = sum(size for *_, size in clips)
        for _, clip_id, arrays, size in sorted(clips, key=lambda item: item[0]):
            if total <= self.limit:
                return
            if clip_id != spare:
                total -= size
                for file in arrays:
                    Path(file.path).unlink(missing_ok=True)


def cache_write_error(reason: str) -> StorageError:
    """The error of a cache that cannot be written, with the operating system's reason."""
    return StorageError(
        f"The cache cannot be written ({reason}): make room on its disk, or set AURELIA_HOME elsewhere."
    )


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _last_use(entry: "os.DirEntry[str]") -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return time.time()


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
