"""The SQLite checkpointer: when what a node wrote reaches the file."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import ERROR, INTERRUPT, empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from aurelia.run.sqlite_saver import ThreadedSqliteSaver


def _writes_in(file: Path) -> int:
    return int(sqlite3.connect(file).execute("SELECT count(*) FROM writes").fetchone()[0])


async def _with_saver(file: Path, use: Any) -> None:
    saver = ThreadedSqliteSaver(file, JsonPlusSerializer())
    try:
        config: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
        await use(saver, await saver.aput(config, empty_checkpoint(), {}, {}))
    finally:
        await saver.aclose()


def test_what_a_node_wrote_is_read_at_once_and_stored_with_the_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "threads.sqlite"

    async def use(saver: ThreadedSqliteSaver, config: Any) -> None:
        await saver.aput_writes(config, [("answer", "right")], "task")
        assert _writes_in(file) == 0
        await saver.aput(config, empty_checkpoint(), {}, {})
        assert _writes_in(file) == 1
        await saver.aput_writes(config, [("answer", "left")], "another")
        found = await saver.aget_tuple(config)
        assert found and {value for _, _, value in found.pending_writes or []} == {"right", "left"}

    asyncio.run(_with_saver(file, use))


@pytest.mark.parametrize("channel", [ERROR, INTERRUPT])
def test_an_error_and_a_pause_are_stored_at_once_with_what_else_the_step_wrote(tmp_path: Path, channel: str) -> None:
    file = tmp_path / "threads.sqlite"

    async def use(saver: ThreadedSqliteSaver, config: Any) -> None:
        await saver.aput_writes(config, [("zero_shot", "right")], "ended")
        await saver.aput_writes(config, [(channel, "why")], "stopped")
        assert _writes_in(file) == 2

    asyncio.run(_with_saver(file, use))


def test_closing_stores_what_still_waits(tmp_path: Path) -> None:
    file = tmp_path / "threads.sqlite"

    async def use(saver: ThreadedSqliteSaver, config: Any) -> None:
        await saver.aput_writes(config, [("answer", "right")], "task")

    asyncio.run(_with_saver(file, use))
    assert _writes_in(file) == 1
