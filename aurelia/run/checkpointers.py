"""Where runs are kept between nodes: a SQLite file or a PostgreSQL database. It reads back plain data and no objects.

A LangGraph server brings a checkpointer of its own and needs nothing of this.
"""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from aurelia_core.errors import AureliaError, InputError, StorageError
from aurelia_core.sqlite import as_storage_error

_PARTS = {"id", "channel_values", "channel_versions", "versions_seen"}
_FOLDER = re.compile(r'"/[^"]*"')
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class _PlainDataSerializer(JsonPlusSerializer):
    """Says in our words what it cannot read back."""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        try:
            return super().loads_typed(data)
        except (ValueError, TypeError, KeyError, NotImplementedError) as fault:
            said = type(fault).__name__
            raise StorageError(f"What is kept of a thread is damaged ({said}): start another with --thread.") from None


class _CheckedSaver(BaseCheckpointSaver[Any]):
    """Gives no state out that lacks a part, which LangGraph would stumble over."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await super().aget_tuple(config)
        return found and _checked_tuple(found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        async for found in super().alist(config, filter=filter, before=before, limit=limit):
            yield _checked_tuple(found)


def _checked_tuple(found: CheckpointTuple) -> CheckpointTuple:
    if not isinstance(found.checkpoint, dict) or not found.checkpoint.keys() >= _PARTS:
        raise StorageError("What is kept of a thread is damaged (it lacks parts): start another with --thread.")
    return found


def plain_data_serializer() -> JsonPlusSerializer:
    """A serializer that makes no object of what it reads but those that LangGraph itself lists as safe.

    The state of a run is JSON; whoever can write to the file or the database must not be able to run code by it.
    """
    return _PlainDataSerializer(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)


def checkpoint_exists(where: str) -> bool:
    """Whether a thread may be looked for there without making anything: in a database, or a file that exists."""
    return where.startswith(POSTGRES_SCHEMES) or Path(where.removeprefix("sqlite:///")).expanduser().exists()


@asynccontextmanager
async def open_checkpointer(where: str | Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Opens a checkpointer, and makes its tables if need be.

    Args:
        where: a SQLite file (a path, or `sqlite:///` and a path), or the URL of a PostgreSQL database.

    Raises:
        InputError: it cannot be opened, or lacks a package; the message holds no password and no folder.
        AureliaError: the database refuses its tables, or goes away while it is in use.
    """
    text = str(where)
    if text.startswith(POSTGRES_SCHEMES):
        opened = _open_postgres(text)
    elif "://" in text and not text.startswith("sqlite:///"):
        raise InputError("Threads are kept in a SQLite file or at a postgresql:// URL: give one of these.")
    else:
        opened = _open_sqlite(Path(text.removeprefix("sqlite:///")))
    async with opened as saver:
        yield saver


@asynccontextmanager
async def _open_sqlite(path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    class Saver(_CheckedSaver, AsyncSqliteSaver):
        pass

    try:
        connection = await aiosqlite.connect(_create_file(path), timeout=60)
    except (OSError, sqlite3.Error) as fault:
        raise _file_error(path.name, fault) from None
    saver = Saver(connection, serde=plain_data_serializer())
    try:
        try:
            await saver.setup()
        except sqlite3.Error as fault:
            raise _file_error(path.name, fault) from None
        yield saver
    except (sqlite3.Error, json.JSONDecodeError, UnicodeDecodeError) as fault:
        # Its disk fills up, or it turns out to be damaged, in the middle of a run.
        raise as_storage_error(fault, path, "The threads file", "name another with --checkpoint") from None
    finally:
        # A cancelled run may leave a write half done, whose cursor would keep the file locked beyond the close; with
        # the saver's own lock in hand no other one begins meanwhile.
        async with saver.lock:
            with suppress(sqlite3.Error):
                await connection.rollback()
            await connection.close()


def _create_file(path: Path) -> Path:
    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A connection of aiosqlite's that cannot be opened leaves its thread behind.
    sqlite3.connect(path).close()
    return path


def _file_error(name: str, fault: Exception) -> InputError:
    said = fault.strerror if isinstance(fault, OSError) else fault
    return InputError(f"Threads cannot be kept in {name!r}: {said}. Name another file with --checkpoint.")


@asynccontextmanager
async def _open_postgres(url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    try:
        import psycopg
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError:
        raise InputError("A PostgreSQL URL needs a package: pip install -e '.[postgres]'.") from None

    class Saver(_CheckedSaver, AsyncPostgresSaver):
        pass

    opening = Saver.from_conn_string(url, serde=plain_data_serializer())
    try:
        saver = await opening.__aenter__()
    except psycopg.Error as fault:
        raise InputError(_postgres_message(url, fault)) from None
    try:
        await saver.setup()
        yield saver
    except psycopg.Error as fault:
        # Also when it goes away in the middle of a run.
        raise AureliaError(_postgres_message(url, fault)) from None
    finally:
        await opening.__aexit__(None, None, None)


def is_postgres_error(fault: Exception) -> bool:
    """Whether a PostgreSQL database has failed, of the threads that are kept there."""
    try:
        import psycopg
    except ImportError:
        return False
    return isinstance(fault, psycopg.Error)


def _postgres_message(url: str, fault: Exception) -> str:
    """What the database said, unless that quotes a URL that it could not read; never the password nor a folder."""
    try:
        secret = urlsplit(url).password
    except ValueError:
        secret = url
    said = " ".join(str(fault).split()) or type(fault).__name__
    shown = _FOLDER.sub('"…"', said.replace(secret, "…") if secret else said).rstrip(".?")
    readable = type(fault).__name__ != "ProgrammingError"
    return f"The PostgreSQL database cannot be used: {shown if readable else 'its URL cannot be read'}."
