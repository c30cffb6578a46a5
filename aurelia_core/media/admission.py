"""Registration of a checked file: its SHA-256, the server's copy of it, and the facts of earlier probes."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

from aurelia_core.errors import MediaError
from aurelia_core.media.cache import ClipCache
from aurelia_core.media.guard import FileStamp, GuardedFile
from aurelia_core.media.ingest import ClipFacts
from aurelia_core.settings import Settings

PROBE_VERSION = 2
"""Version of the probed facts; facts of another version are probed again."""
_READ_BLOCK_BYTES = 1 << 20


class StoredFile(NamedTuple):
    """A registered file: SHA-256 (hex) of its content, the path to open from now on, and the stamp of that file."""

    clip_id: str
    path: Path
    stamp: FileStamp


def hash_file(file: GuardedFile) -> str:
    """SHA-256 (hex) of an open file."""
    sha = hashlib.sha256()
    for block in _blocks(file.fd):
        sha.update(block)
    return sha.hexdigest()


def copy_into_store(file: GuardedFile, store: Path | None) -> StoredFile:
    """Read a file once: compute its SHA-256 and, with a store, copy it to a file of that name.

    Args:
        file: the checked file.
        store: the folder of copies; None keeps the file where it is.

    Raises:
        MediaError: the file changed while it was read, or the store cannot be written.
    """
    if store is None:
        clip_id = hash_file(file)
        _require_unchanged(file)
        return StoredFile(clip_id, file.path, file.stamp)
    try:
        store.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".taking-", dir=store)
        try:
            sha = hashlib.sha256()
            with os.fdopen(handle, "wb") as target:
                for block in _blocks(file.fd):
                    sha.update(block)
                    target.write(block)
            _require_unchanged(file)
            target_path = store.resolve() / sha.hexdigest()
            os.chmod(partial, 0o440)
            os.replace(partial, target_path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MediaError(f"The media store cannot be written ({error.strerror}); make room on its disk") from error
    return StoredFile(sha.hexdigest(), target_path, FileStamp.of(os.stat(target_path)))


def settings_for_copies(settings: Settings) -> Settings:
    """The settings to open a server's own copy again: it must lie in the store of copies."""
    return replace(settings, allow_any_file=False, media_roots=(settings.home / "media-store",))


def read_cached_facts(cache: ClipCache, clip_id: str, kind: str) -> ClipFacts | None:
    """The facts of an earlier probe, or None."""
    record = cache.read_json(clip_id, f"{kind}.json")
    if record is None or record.pop("version", None) != PROBE_VERSION or set(record) != set(ClipFacts.__annotations__):
        return None
    return cast(ClipFacts, record)


def _blocks(fd: int) -> Iterator[bytes]:
    offset = 0
    while block := os.pread(fd, _READ_BLOCK_BYTES, offset):
        yield block
        offset += len(block)


def _require_unchanged(file: GuardedFile) -> None:
    if FileStamp.of(os.fstat(file.fd)) != file.stamp:
        raise MediaError(f"{file.path.name} changed while it was read; give it again when nothing writes to it")
