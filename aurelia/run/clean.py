"""What is stored of this machine and can be deleted: ledger, clips, decoded frames, threads, uploads at Google.

Nothing here is needed for a correct answer: without a stored reply a call is paid again, without a decoded clip it is
decoded again, and an uploaded clip has to be uploaded again. A deleted thread cannot be resumed.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from aurelia_core.errors import InputError
from aurelia_core.models.google.cleanup import delete_uploads, list_uploads
from aurelia_core.settings import Settings
from aurelia_core.sqlite import storage_errors

StoredKind = Literal["ledger", "clips", "cache", "threads", "uploads"]
_CALL_BYTES = "length(request) + length(reply)"
_THREADS = """SELECT thread_id, sum(bytes), max(checkpoint_id) FROM (
    SELECT thread_id, length(checkpoint) + length(metadata) AS bytes, checkpoint_id FROM checkpoints
    UNION ALL SELECT thread_id, length(value), checkpoint_id FROM writes) GROUP BY thread_id"""
_UUID_EPOCH_TICKS = 0x01B21DD213814000
"""100 ns between 1582-10-15, where the time of a UUID begins, and 1970."""


class StoredItem(NamedTuple):
    """One thing that can be deleted: a stored reply, a clip, a decoded clip, a thread, an upload.

    `bytes` is its size on this machine, `age` the time since it was written in seconds.
    """

    kind: StoredKind
    name: str
    bytes: int
    age: float


def list_stored(settings: Settings, kinds: Collection[str], older_than: float = 0.0) -> list[StoredItem]:
    """What is stored, the oldest first.

    Args:
        settings: the operator's settings.
        kinds: what to look at, of `STORED_KINDS`.
        older_than: smallest age in seconds.

    Raises:
        InputError: there is no such kind.
        StorageError: a database cannot be read.
    """
    if unknown := sorted(set(kinds) - set(STORED_KINDS)):
        raise InputError(
            f"There is nothing stored as {unknown[0]!r}: name {', '.join(STORED_KINDS)}, or nothing for all."
        )
    found = [item for kind in STORED_KINDS if kind in kinds for item in _KINDS[kind](settings)]
    return sorted((item for item in found if item.age >= older_than), key=lambda item: -item.age)


def delete_stored(settings: Settings, items: Collection[StoredItem]) -> int:
    """Delete what `list_stored` found.

    Returns:
        How many uploads remain at Google: those of another key, and those that Google did not delete.

    Raises:
        InputError: the package that deletes uploads is missing.
        StorageError: a database cannot be written.
    """
    names: dict[str, list[str]] = {kind: [item.name for item in items if item.kind == kind] for kind in STORED_KINDS}
    for name in names["clips"]:
        (settings.home / "media-store" / name).unlink(missing_ok=True)
        shutil.rmtree(settings.home / "owners" / name, ignore_errors=True)
    for name in names["cache"]:
        _remove(settings.cache_folder / name)
    _delete_rows(settings.ledger_file, "The call ledger", [("calls", "key")], names["ledger"])
    tables = [("checkpoints", "thread_id"), ("writes", "thread_id")]
    _delete_rows(settings.threads_file, "The threads file", tables, names["threads"])
    return delete_uploads(settings, names["uploads"]).remaining


def _replies(settings: Settings) -> Iterator[StoredItem]:
    query = f"SELECT key, {_CALL_BYTES}, created FROM calls"
    for key, size, created in _rows(settings.ledger_file, "The call ledger", query):
        yield StoredItem("ledger", key, size, time.time() - created)


def _clips(settings: Settings) -> Iterator[StoredItem]:
    yield from _entries("clips", settings.home / "media-store")


def _decoded(settings: Settings) -> Iterator[StoredItem]:
    yield from _entries("cache", settings.cache_folder)


def _threads(settings: Settings) -> Iterator[StoredItem]:
    for thread, size, newest in _rows(settings.threads_file, "The threads file", _THREADS):
        yield StoredItem("threads", thread, size, time.time() - _uuid6_seconds(newest))


def _uploads(settings: Settings) -> Iterator[StoredItem]:
    for upload in list_uploads(settings):
        yield StoredItem("uploads", upload.name, 0, upload.age)


def _uuid6_seconds(checkpoint_id: str) -> float:
    """The time of a checkpoint (RFC 9562, UUID version 6), in seconds since 1970."""
    value = UUID(checkpoint_id).int
    ticks = (value >> 80) << 12 | value >> 64 & 0x0FFF
    return (ticks - _UUID_EPOCH_TICKS) / 1e7


def _entries(kind: StoredKind, folder: Path) -> Iterator[StoredItem]:
    """The entries of a folder; an entry that disappears meanwhile is left out."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        try:
            size = sum(file.stat().st_size for file in [entry, *entry.rglob("*")] if file.is_file())
            yield StoredItem(kind, entry.name, size, time.time() - entry.stat().st_mtime)
        except OSError:
            continue


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _rows(file: Path, what: str, query: str) -> list[Any]:
    if not file.exists():
        return []
    with storage_errors(file, what, "move it away"), closing(sqlite3.connect(file, timeout=60)) as database:
        return database.execute(query).fetchall()


def _delete_rows(file: Path, what: str, tables: Sequence[tuple[str, str]], names: Sequence[str]) -> None:
    """Delete the rows with these names and give the space back to the disk."""
    if not names:
        return
    with storage_errors(file, what, "move it away"), closing(sqlite3.connect(file, timeout=60)) as database:
        for table, column in tables:
            database.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(name,) for name in names])
        database.commit()
        database.execute("VACUUM")


_KINDS: dict[StoredKind, Callable[[Settings], Iterator[StoredItem]]] = {
    "ledger": _replies,
    "clips": _clips,
    "cache": _decoded,
    "threads": _threads,
    "uploads": _uploads,
}
STORED_KINDS = tuple(_KINDS)
"""What can be deleted: stored replies, clips, decoded clips, threads of the command line, uploads at Google."""
