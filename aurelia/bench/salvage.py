"""Reads what is whole in a damaged run file into a new one, row by row; a damaged page costs the rows on it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.run_schema import CREATE_TABLES
from aurelia_core.errors import InputError

_MAX_ROWID = 2**62
_MAX_PROBES = 200_000
_NEEDED = ("meta", "records")


class SalvagedRows(NamedTuple):
    """Rows of a table that were read, and how many of its row numbers could not be (about the rows lost)."""

    read: int
    lost: int


def salvage_run(path: Path, out: Path) -> dict[str, SalvagedRows]:
    """Copies the readable rows of all tables.

    Args:
        path: Damaged run file; it is only read.
        out: New run file.

    Returns:
        The rows by table.

    Raises:
        InputError: `out` exists, the file is missing or no database, or its settings or records cannot be read.
    """
    if out.exists():
        raise InputError(f"{out.name} exists already: name a new file.")
    if not path.is_file():
        raise InputError(f"There is no run file {path.name!r}: check its path.")
    counts: dict[str, SalvagedRows] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as damaged, closing(sqlite3.connect(out)) as whole:
        try:
            tables = damaged.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        except sqlite3.DatabaseError as fault:
            out.unlink(missing_ok=True)
            raise InputError(f"{path.name} cannot be salvaged: its list of tables is not readable ({fault}).") from None
        whole.executescript(CREATE_TABLES)
        for name, sql in tables:
            if name.startswith("sqlite_"):
                continue
            whole.execute(sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
            counts[name] = _copy_table(damaged, whole, name)
        whole.commit()
    if any(name not in counts or not counts[name].read for name in _NEEDED):
        out.unlink()
        raise InputError(f"{path.name} cannot be salvaged: its settings or its records are not readable.")
    return counts


def _copy_table(damaged: sqlite3.Connection, whole: sqlite3.Connection, name: str) -> SalvagedRows:
    read = 0
    seen: set[int] = set()
    for rowid, *values in _readable_rows(damaged, name, seen):
        places = ", ".join("?" * len(values))
        try:
            whole.execute(f'INSERT OR IGNORE INTO "{name}" VALUES ({places})', values)
        except sqlite3.IntegrityError:
            continue
        seen.add(rowid)
        read += 1
    lost = 0
    if seen:
        lost = max(seen) - min(seen) + 1 - len(seen)
    return SalvagedRows(read, lost)


def _readable_rows(damaged: sqlite3.Connection, name: str, seen: set[int]) -> Iterator[tuple[Any, ...]]:
    """The rows from the beginning to the first damage, from the end to the last, and those between one by one."""
    forward = yield from _until_damage(damaged, name, "ASC", 0)
    if forward is None:
        return
    backward = yield from _until_damage(damaged, name, "DESC", _MAX_ROWID)
    end = backward
    if end is None or end >= _MAX_ROWID:
        end = forward + _MAX_PROBES
    for rowid in range(forward + 1, min(end, forward + _MAX_PROBES)):
        if rowid in seen:
            continue
        try:
            row = damaged.execute(f'SELECT rowid, * FROM "{name}" WHERE rowid = ?', (rowid,)).fetchone()
        except sqlite3.DatabaseError:
            continue
        if row:
            yield row


def _until_damage(damaged: sqlite3.Connection, name: str, order: str, start: int) -> Any:
    """Yields rows in the order of their numbers until one cannot be read; returns the last number, None at the end."""
    last = start
    try:
        for row in damaged.execute(f'SELECT rowid, * FROM "{name}" ORDER BY rowid {order}'):
            last = row[0]
            yield row
    except sqlite3.DatabaseError:
        return last
    return None
