"""Taking a guarded file on record: its digest, the server's copy of it, and what was surveyed before."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from aurelia_core.errors import MediaError
from aurelia_core.media.cache import ClipCache
from aurelia_core.media.guard import FileStamp, GuardedFile
from aurelia_core.media.ingest import ClipFacts
from aurelia_core.settings import Settings

PROBE_VERSION = 1
"""Of what a survey records; an older record is made again."""
_READ_BLOCK_BYTES = 1 << 20


class StoredFile(NamedTuple):
    """A file on record: SHA-256 (hex) of its content, where it is opened from now on, and that file's stamp."""

    clip: str
    path: Path
    stamp: FileStamp


def hash_file(file: GuardedFile) -> str:
    """SHA-256 (hex) of an open file."""
    sha = hashlib.sha256()
    for block in _blocks(file.fd):
        sha.update(block)
    return sha.hexdigest()


def copy_into_store(file: GuardedFile, store: Path | None) -> StoredFile:
    """Read a file once: for its digest, and into a content-addressed store if one is given.

    Args:
        file: what passed the guard.
        store: the folder of copies, or None to go on reading the file in its place.

    Raises:
        MediaError: the file changed while it was read, or the store cannot be written.
    """
    if store is None:
        clip = hash_file(file)
        _unchanged(file)
        return StoredFile(clip, file.path, file.stamp)
    try:
        store.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(prefix=".taking-", dir=store)
        try:
            sha = hashlib.sha256()
            with os.fdopen(handle, "wb") as target:
                for block in _blocks(file.fd):
                    sha.update(block)
                    target.write(block)
            _unchanged(file)
            place = store.resolve() / sha.hexdigest()
            os.chmod(made, 0o440)
            os.replace(made, place)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MediaError(f"The media store cannot be written ({error.strerror}); make room on its disk") from error
    return StoredFile(sha.hexdigest(), place, FileStamp.of(os.stat(place)))


def settings_for_record(settings: Settings, record: Mapping[str, Any]) -> Settings:
    """The limits under which a file on record is opened again: a copy of ours lies in the store and nowhere else."""
    if not record.get("copied"):
        return settings
    return replace(settings, allow_any_file=False, media_roots=(settings.home / "media-store",))


def read_cached_facts(cache: ClipCache, clip: str, kind: str) -> ClipFacts | None:
    """What an earlier survey found, or None."""
    record = cache.read_json(clip, f"{kind}.json")
    if record is None or record.pop("version", None) != PROBE_VERSION or set(record) != set(ClipFacts.__annotations__):
        return None
    return cast(ClipFacts, record)


def _blocks(fd: int) -> Iterator[bytes]:
    offset = 0
    while block := os.pread(fd, _READ_BLOCK_BYTES, offset):
        yield block
        offset += len(block)


def _unchanged(file: GuardedFile) -> None:
    if FileStamp.of(os.fstat(file.fd)) != file.stamp:
        raise MediaError(f"{file.path.name} changed while it was read; give it again when nothing writes to it")
