"""A run's questions as saved threads: one thread for each arm of each question, resumed at the node where it stopped.

The run file remains the record of the run. Threads are saved beside it in a SQLite file or a PostgreSQL database
(`aurelia.run.checkpointers`), with every node of every question.
"""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from aurelia.bench.run_file import Arm, RunFile
from aurelia.run.checkpointers import checkpoint_exists, is_postgres_error, open_checkpointer
from aurelia.run.history import ThreadTrace, read_thread
from aurelia.run.threads import MAX_THREAD_NAME
from graph.build import build_graph

BENCH_CHECKPOINT_VARIABLE = "AURELIA_BENCH_CHECKPOINT"


class RunThreads:
    """The saved threads of one run.

    Attributes:
        saver: The checkpointer.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        """Belongs to no run until `attach_to`."""
        self.saver = saver
        self._run = ""

    def attach_to(self, run: RunFile) -> None:
        """Attaches to a run: thread names are those of this run."""
        self._run = run_tag(run)

    def name(self, record: str, arm: Arm, rollout: int) -> str:
        """Name of a question's thread."""
        return question_thread_name(self._run, record, arm, rollout)


def run_tag(run: RunFile) -> str:
    """Prefix of the names of a run's threads; it stays the same if the run file is moved."""
    identity = f"{run.meta['created']!r} {run.meta['records_sha256']}"
    return f"bench-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def question_thread_name(tag: str, record: str, arm: Arm, rollout: int) -> str:
    """Name of the thread of one arm of one question; too long a name is hashed."""
    name = f"{tag}/{record}/{arm}/{rollout}"
    if len(name) <= MAX_THREAD_NAME:
        return name
    return f"{tag}/{hashlib.sha256(name.encode()).hexdigest()}/{arm}"


def is_checkpointer_error(fault: Exception) -> bool:
    """Whether the checkpointer failed: an error that every other question would meet too."""
    return isinstance(fault, sqlite3.Error) or is_postgres_error(fault)


@asynccontextmanager
async def open_run_threads(where: str | None) -> AsyncIterator[RunThreads | None]:
    """Opens the saved threads of a run; None if none are saved.

    Args:
        where: A SQLite file, a PostgreSQL URL, or None.

    Raises:
        InputError: The file or database cannot be opened.
        AureliaError: The connection is lost during use.
    """
    if where is None:
        yield None
        return
    async with open_checkpointer(where) as saver:
        yield RunThreads(saver)


async def read_question_thread(path: Path, record: str, where: str) -> ThreadTrace | None:
    """Reads a question's latest thread node by node: of the arm `aurelia`, or else of `zero_shot`, or None.

    Args:
        path: Run file.
        record: Id of the record.
        where: SQLite file or PostgreSQL URL with the threads.

    Raises:
        InputError: There is no such run, or the file or database cannot be opened.
    """
    with RunFile.open(path) as run:
        tag = run_tag(run)
        rollouts = {found.rollout for found in run.outcome_summaries() if found.record == record} | {0}
    if not checkpoint_exists(where):
        return None
    arms: tuple[Arm, ...] = ("aurelia", "zero_shot")
    async with open_checkpointer(where) as saver:
        graph = build_graph(checkpointer=saver)
        for arm in arms:
            for rollout in sorted(rollouts, reverse=True):
                name = question_thread_name(tag, record, arm, rollout)
                if await saver.aget_tuple({"configurable": {"thread_id": name}}):
                    return await read_thread(graph, name)
    return None
