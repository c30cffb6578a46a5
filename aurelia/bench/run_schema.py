"""The SQLite side of a run file: its tables, its connections, and SQLite's errors as errors that name the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.sqlite import parse_stored_json, storage_errors

RUN_FORMAT = 1
CREATE_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (position INTEGER NOT NULL, id TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    record TEXT NOT NULL, arm TEXT NOT NULL, rollout INTEGER NOT NULL, state TEXT NOT NULL, answer TEXT, choice TEXT,
    result TEXT, error TEXT, tries INTEGER NOT NULL, seconds REAL NOT NULL, usage TEXT NOT NULL, created REAL NOT NULL,
    PRIMARY KEY (record, arm, rollout));
CREATE TABLE IF NOT EXISTS marks (
    record TEXT NOT NULL, arm TEXT NOT NULL, rollout INTEGER NOT NULL, metric TEXT NOT NULL, value REAL,
    how TEXT NOT NULL, said TEXT, PRIMARY KEY (record, arm, rollout, metric));
CREATE TABLE IF NOT EXISTS sessions (number INTEGER PRIMARY KEY, started REAL NOT NULL, last REAL NOT NULL);
"""


def connect_run_file(path: Path) -> sqlite3.Connection:
    """Opens a connection that any thread may use, to a file that other processes may read meanwhile (WAL)."""
    connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def read_run_format(path: Path) -> Any:
    """The format of the run in this file, None if the file holds no run yet.

    Raises:
        InputError: The file is another database.
    """
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "meta" not in tables:
            raise InputError(f"{path.name} is not a run file but another database: name a file that bench run made.")
        if not tables:
            return None
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if row is None:
        return None
    return parse_stored_json(row[0])


@contextmanager
def run_file_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into errors that name the file.

    Raises:
        InputError: The file is not a SQLite file.
        StorageError: The file cannot be read or written, or is damaged.
    """
    with storage_errors(path, "The run file", "use a copy of it, or name another file"):
        try:
            yield
        except sqlite3.DatabaseError as fault:
            if getattr(fault, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
                raise
            raise InputError(f"{path.name} is not a run file ({fault}): name one that bench run made.") from None
