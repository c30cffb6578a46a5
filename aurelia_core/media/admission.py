"""Taking a guarded file on record: its digest, the server's copy of it, and what was surveyed before."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from aurelia_core.errors import MediaError
from aurelia_core.media.cache import Cache
from aurelia_core.media.guard import Opened, Stamp
from aurelia_core.media.ingest import Facts
from aurelia_core.settings import Settings

VERSION = 1
"""Of what a survey records; an older record is made again."""
BLOCK = 1 << 20


class Taken(NamedTuple):
    """A file on record: SHA-256 (hex) of its content, where it is opened from now on, and that file's stamp."""

    clip: str
    path: Path
    stamp: Stamp


def digest(file: Opened) -> str:
    """SHA-256 (hex) of an open file."""
    sha = hashlib.sha256()
    for block in _blocks(file.fd):
        sha.update(block)
    return sha.hexdigest()


def take_in(file: Opened, store: Path | None) -> Taken:
    """Read a file once: for its digest, and into a content-addressed store if one is given.

    Args:
        file: what passed the guard.
        store: the folder of copies, or None to go on reading the file in its place.

    Raises:
        MediaError: the file changed while it was read, or the store cannot be written.
    """
    if store is None:
        clip = digest(file)
        _unchanged(file)
        return Taken(clip, file.path, file.stamp)
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
    return Taken(sha.hexdigest(), place, Stamp.of(os.stat(place)))


def guarded(settings: Settings, record: Mapping[str, Any]) -> Settings:
    """The limits under which a file on record is opened again: a copy of ours lies in the store and nowhere else."""
    if not record.get("copied"):
        return settings
    return replace(settings, any_file=False, media_roots=(settings.home / "media-store",))


def facts_in(cache: Cache, clip: str, kind: str) -> Facts | None:
    """What an earlier survey found, or None."""
    record = cache.read_json(clip, f"{kind}.json")
    if record is None or record.pop("version", None) != VERSION or set(record) != set(Facts.__annotations__):
        return None
    return cast(Facts, record)


def _blocks(fd: int) -> Iterator[bytes]:
    offset = 0
    while block := os.pread(fd, BLOCK, offset):
        yield block
        offset += len(block)


def _unchanged(file: Opened) -> None:
    if Stamp.of(os.fstat(file.fd)) != file.stamp:
        raise MediaError(f"{file.path.name} changed while it was read; give it again when nothing writes to it")
