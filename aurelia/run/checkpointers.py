"""Checkpointers that store threads in a SQLite file or a PostgreSQL database. They read plain data and no objects.

A LangGraph server has its own checkpointer and does not use these.
"""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from aurelia_core.errors import AureliaError, InputError, StorageError
from aurelia_core.installation import install_command
from aurelia_core.sqlite import as_storage_error

_PARTS = {"id", "channel_values", "channel_versions", "versions_seen"}
_FOLDER = re.compile(r'"/[^"]*"')
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class _PlainDataSerializer(JsonPlusSerializer):
    """Reports data that cannot be read back as a `StorageError`."""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        try:
            return super().loads_typed(data)
        except (ValueError, TypeError, KeyError, NotImplementedError) as fault:
            kind = type(fault).__name__
            raise StorageError(f"The stored thread is damaged ({kind}): start another one with --thread.") from None


class _CheckedSaver(BaseCheckpointSaver[Any]):
    """Refuses a stored state that lacks a part; LangGraph would fail on it without a clear message."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await super().aget_tuple(config)
        if found is None:
            return None
        return _checked_tuple(found)

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
        raise StorageError("The stored thread is damaged (it lacks parts): start another one with --thread.")
    return found


def plain_data_serializer() -> JsonPlusSerializer:
    """A serializer that creates only the objects that LangGraph lists as safe.

    The state of a run is JSON. A person who can write to the file or the database must not be able to run code with it.
    """
    return _PlainDataSerializer(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)


def checkpoint_exists(where: str) -> bool:
    """Whether opening `where` creates no file: it is a database URL, or a file that exists."""
    return where.startswith(POSTGRES_SCHEMES) or Path(where.removeprefix("sqlite:///")).expanduser().exists()


@asynccontextmanager
async def open_checkpointer(where: str | Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open a checkpointer and create its tables if they are missing.

    Args:
        where: a SQLite file (a path, or `sqlite:///` and a path), or the URL of a PostgreSQL database.

    Raises:
        InputError: it cannot be opened, or a package is missing; the message holds no password and no folder.
        StorageError: the SQLite file is damaged or its disk is full.
        AureliaError: the database refuses the tables, or is lost while it is in use.
    """
    text = str(where)
    if text.startswith(POSTGRES_SCHEMES):
        opened = _open_postgres(text)
    elif "://" in text and not text.startswith("sqlite:///"):
        raise InputError("Threads are stored in a SQLite file or at a postgresql:// URL: give one of these.")
    else:
        opened = _open_sqlite(Path(text.removeprefix("sqlite:///")))
    async with opened as saver:
        yield saver


@asynccontextmanager
async def _open_sqlite(path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    from aurelia.run.sqlite_saver import ThreadedSqliteSaver

    class Saver(_CheckedSaver, ThreadedSqliteSaver):
        pass

    try:
        saver = Saver(path, plain_data_serializer())
    except (OSError, sqlite3.Error) as fault:
        raise _file_error(path.name, fault) from None
    try:
        try:
            await saver.in_thread(saver.setup)
        except sqlite3.Error as fault:
            raise _file_error(path.name, fault) from None
        yield saver
    except (sqlite3.Error, json.JSONDecodeError, UnicodeDecodeError) as fault:
        # The disk fills up, or the file proves to be damaged, in the middle of a run.
        raise as_storage_error(fault, path, "The threads file", "name another with --checkpoint") from None
    finally:
        await saver.aclose()


def _file_error(name: str, fault: Exception) -> InputError:
    reason: object = fault
    if isinstance(fault, OSError):
        reason = fault.strerror
    return InputError(f"Threads cannot be stored in {name!r}: {reason}. Name another file with --checkpoint.")


@asynccontextmanager
async def _open_postgres(url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    try:
        import psycopg
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError:
        raise InputError(f"A PostgreSQL URL needs a package: {install_command('postgres')}.") from None

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
        # Also when the connection is lost in the middle of a run.
        raise AureliaError(_postgres_message(url, fault)) from None
    finally:
        await opening.__aexit__(None, None, None)


def is_postgres_error(fault: Exception) -> bool:
    """Whether an error comes from the PostgreSQL database that stores threads."""
    try:
        import psycopg
    except ImportError:
        return False
    return isinstance(fault, psycopg.Error)


def _postgres_message(url: str, fault: Exception) -> str:
    """An error message without the password and without folders."""
    try:
        secret = urlsplit(url).password
    except ValueError:
        secret = url
    if type(fault).__name__ == "ProgrammingError":
        # The message quotes the URL, in which the password cannot be found.
        return "The PostgreSQL database cannot be used: its URL cannot be read."
    reason = " ".join(str(fault).split()) or type(fault).__name__
    if secret:
        reason = reason.replace(secret, "…")
    reason = _FOLDER.sub('"…"', reason).rstrip(".?")
    return f"The PostgreSQL database cannot be used: {reason}."
