"""Damage that no reading would notice by itself: an index that hides replies, a row that lacks parts or a text."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.messages import HumanMessage

from aurelia.run.checkpointers import open_checkpointer
from aurelia_core.errors import ModelError, StorageError
from aurelia_core.models.call_ledger import CallLedger, ModelCall
from aurelia_core.sqlite import parse_stored_json, storage_errors
from tests.support.scripted import scripted

CONFIG: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}


async def asked(path: Path, model: Any, count: int) -> list[str]:
    book = CallLedger(path)
    try:
        told = {"request": {"role": "target", "reasoning": None}}
        calls = [[HumanMessage(f"{number} " * 200, additional_kwargs=told)] for number in range(count)]
        return [
            (await book.call(ModelCall(model, "scripted:one", "target", "run", 0, call))).message.text for call in calls
        ]
    finally:
        book.close()


def blank_index(path: Path) -> None:
    """Zeroes what the index of the calls holds, but not where it says that it lies: SQLite reads it as empty keys."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_calls_1'"
        page = connection.execute(query).fetchone()[0]
    content = bytearray(path.read_bytes())
    end = page * size
    content[end - size // 2 : end] = bytes(size // 2)
    path.write_bytes(content)


async def test_a_reply_that_damage_hides_is_not_paid_for_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    await asked(path, scripted(target=lambda fields, messages: "paid"), 30)
    blank_index(path)
    again = scripted(target=["paid again"] * 30)
    with pytest.raises(StorageError, match="The call ledger 'ledger.sqlite' is damaged .*move it away"):
        await asked(path, again, 30)
    assert again.said["target"] == 0


async def test_a_whole_ledger_is_looked_through_once_before_anything_is_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aurelia_core.models import call_ledger as ledger

    looks, whole = [], ledger.check_integrity
    monkeypatch.setattr(ledger, "check_integrity", lambda connection: looks.append(1) or whole(connection))
    await asked(tmp_path / "ledger.sqlite", scripted(target=lambda fields, messages: "paid"), 3)
    assert len(looks) == 1
    await asked(tmp_path / "ledger.sqlite", scripted(target=[ModelError("is not asked")]), 3)
    assert len(looks) == 1, "what is stored is read without a look"


@pytest.mark.parametrize("missing", ["channel_versions", "versions_seen", "channel_values", "id", None])
async def test_a_state_that_lacks_parts_is_refused(tmp_path: Path, missing: str | None) -> None:
    path = tmp_path / "threads.sqlite"
    async with open_checkpointer(path) as keep:
        empty: Any = {"v": 4, "id": "1", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
        await keep.aput(CONFIG, empty, {}, {})
    state: Any = {name: value for name, value in empty.items() if name != missing} if missing else ["no state"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE checkpoints SET type = 'msgpack', checkpoint = ?", (ormsgpack.packb(state),))
    async with open_checkpointer(path) as keep:
        with pytest.raises(StorageError, match="The stored thread is damaged .*start another one with --thread"):
            await keep.aget_tuple(CONFIG)
        with pytest.raises(StorageError, match="The stored thread is damaged"):
            [found async for found in keep.alist(CONFIG)]


def test_a_text_that_is_missing_is_damage(tmp_path: Path) -> None:
    assert parse_stored_json('{"a": 1}') == {"a": 1}
    for text in (None, 3, "{"):
        with (
            pytest.raises(StorageError, match="The run file 'x.run' is damaged .*: go on"),
            storage_errors(tmp_path / "x.run", "The run file", "go on"),
        ):
            parse_stored_json(text)
