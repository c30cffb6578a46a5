"""LangGraph's SQLite checkpointer for asynchronous graphs, in one thread of its own.

LangGraph's `AsyncSqliteSaver` passes every statement of a checkpoint to a thread and back, and flushes the disk twice a
step; that was a third of the time of a model call. Here a step is one trip to a thread: what its nodes wrote waits in
memory for the step's checkpoint, except an error or a pause, which are stored at once. A checkpoint survives the end of
the process at once, and a power failure once SQLite has flushed its log (at the latest when the file is closed). What a
kill or a power failure takes is repeated without cost, because the call ledger flushes every paid reply.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite import SqliteSaver

_Result = TypeVar("_Result")
_Writes = tuple[RunnableConfig, Sequence[tuple[str, Any]], str, str]
"""Arguments of `put_writes`."""


class ThreadedSqliteSaver(SqliteSaver):
    """The saver of an open file. Close it with `aclose`."""

    def __init__(self, path: Path, serde: SerializerProtocol) -> None:
        """Opens the file, or creates it with its folders.

        Raises:
            OSError: A folder cannot be created.
            sqlite3.Error: The file cannot be opened.
        """
        path = path.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(sqlite3.connect(path, timeout=60, check_same_thread=False), serde=serde)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._waiting: defaultdict[str, list[_Writes]] = defaultdict(list)

    def setup(self) -> None:
        """Creates the tables if they are missing."""
        if not self.is_setup:
            super().setup()
            self.conn.execute("PRAGMA synchronous=NORMAL")

    async def in_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """The result of `work`, run in the saver's thread; work that has begun ends even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _after_writes(
        self, config: RunnableConfig | None, work: Callable[..., _Result], *arguments: Any
    ) -> _Result:
        """The result of `work` after the waiting writes of the config's thread (None: of all threads) are stored."""
        threads = [*self._waiting] if config is None else [str(config["configurable"]["thread_id"])]
        waiting = [writes for thread in threads for writes in self._waiting.pop(thread, ())]

        def run() -> _Result:
            for writes in waiting:
                self.put_writes(*writes)
            return work(*arguments)

        return await self.in_thread(run)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """One checkpoint; None: there is none."""
        return await self._after_writes(config, self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The checkpoints of a thread, the newest first."""
        # All at once: an unfinished list would lock the file for every write.
        read = partial(self.list, config, filter=filter, before=before, limit=limit)
        found = await self._after_writes(config, lambda: [*read()])
        for checkpoint in found:
            yield checkpoint

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint."""
        return await self._after_writes(config, self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores what a node wrote before its step ends: an error or a pause at once, the rest with the checkpoint."""
        self._waiting[str(config["configurable"]["thread_id"])].append((config, writes, task_id, task_path))
        if any(channel in WRITES_IDX_MAP for channel, _ in writes):
            await self._after_writes(config, lambda: None)

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes all checkpoints of a thread."""
        self._waiting.pop(thread_id, None)
        await self.in_thread(self.delete_thread, thread_id)

    async def aclose(self) -> None:
        """Closes the file when the work that has begun has ended."""
        try:
            await self._after_writes(None, lambda: None)
        finally:
            await self.in_thread(self._close)
            self._thread.shutdown()

    def _close(self) -> None:
        # An interrupted write, whose cursor would lock the file after the close.
        with suppress(sqlite3.Error):
            self.conn.rollback()
        self.conn.close()
