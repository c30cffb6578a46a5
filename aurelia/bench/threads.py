"""A run's questions as kept threads: each arm of each question is one, and goes on in its middle if it was stopped.

The run file stays what a run is gone on with and read from; threads stand beside it, in a SQLite file or a PostgreSQL
database (`aurelia.run.checkpointers`), with every node of every question.
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
    """Where the threads of one run are kept.

    Attributes:
        saver: the checkpointer.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        """Belongs to no run yet (`belong`)."""
        self.saver = saver
        self._run = ""

    def belong(self, run: RunFile) -> None:
        """From now on the threads are those of this run."""
        self._run = run_tag(run)

    def name(self, record: str, arm: Arm, rollout: int) -> str:
        """The name of a question's thread."""
        return question_thread_name(self._run, record, arm, rollout)


def run_tag(run: RunFile) -> str:
    """What parts a run's threads from those of others in the same place; it stays when the run file is moved."""
    made = f"{run.meta['created']!r} {run.meta['records_sha256']}"
    return f"bench-{hashlib.sha256(made.encode()).hexdigest()[:12]}"


def question_thread_name(tag: str, record: str, arm: Arm, rollout: int) -> str:
    """The name of the thread of one arm of one question."""
    name = f"{tag}/{record}/{arm}/{rollout}"
    return name if len(name) <= MAX_THREAD_NAME else f"{tag}/{hashlib.sha256(name.encode()).hexdigest()}/{arm}"


def is_checkpointer_error(fault: Exception) -> bool:
    """Whether this is the checkpointer's fault, which all other questions would meet too."""
    return isinstance(fault, sqlite3.Error) or is_postgres_error(fault)


@asynccontextmanager
async def open_run_threads(where: str | None) -> AsyncIterator[RunThreads | None]:
    """Opens the place; None where no threads are kept.

    Raises:
        InputError: it cannot be opened.
        AureliaError: it goes away while it is in use.
    """
    if where is None:
        yield None
        return
    async with open_checkpointer(where) as saver:
        yield RunThreads(saver)


async def read_question_thread(path: Path, record: str, where: str) -> ThreadTrace | None:
    """A question's latest thread, node by node: that of the arm `aurelia`, or else of `zero_shot`; None without any.

    Args:
        path: the run file.
        record: the record's id.
        where: where the threads are kept.

    Raises:
        InputError: there is no such run, or the place cannot be opened.
    """
    with RunFile.open(path) as run:
        tag = run_tag(run)
        rollouts = {found.rollout for found in run.standings() if found.record == record} | {0}
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
