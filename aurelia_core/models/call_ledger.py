"""The call ledger: retries, counts and stores every model call, so that no call is paid twice.

Each call is one SQLite row, written before the reply is used. Its key is a hash of model, settings, messages
(clips by id) and rollout number. The table serves as resume, cache, budget and bill. A try that was billed without
a usable reply has its own row in `unanswered`, so that an interruption does not lose its cost.
"""

import asyncio
import hashlib
import json
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, closing, nullcontext
from contextvars import ContextVar
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableConfig

from aurelia_core.errors import ModelError
from aurelia_core.models.provider_errors import as_model_error
from aurelia_core.models.registry import model_display_name
from aurelia_core.sanitize import redact, sanitize_json
from aurelia_core.sqlite import check_integrity, parse_stored_json, storage_errors
from aurelia_core.types import NO_USAGE, Usage, add_usage, is_media_reference

_Result = TypeVar("_Result")
MAX_TRIES = 4
CACHED_TAG = "cached"
"""Tag and metadata of a span whose reply was stored already."""
MAX_RUNS = 1000
"""Number of runs whose marks are stored in memory; above it those of the oldest run are dropped."""
_MAX_RETRY_WAIT_SECONDS = 120.0
_MAX_BACKOFF_SECONDS = 30.0

_TABLES = """CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, created REAL NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL, spec TEXT NOT NULL,
    rollout INTEGER NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL, usage TEXT NOT NULL,
    tries INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS unanswered (
    key TEXT NOT NULL, created REAL NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL, spec TEXT NOT NULL,
    usage TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS unanswered_by_key ON unanswered (key);"""


class ModelCall(NamedTuple):
    """One call: the model and its `model_id`, the role, the run that is billed, the rollout number and the messages."""

    model: BaseChatModel
    model_id: str
    role: str
    run: str
    rollout: int
    messages: Sequence[AnyMessage]


CURRENT_CALL: ContextVar[ModelCall] = ContextVar("current_call")
"""The call that is being made; for adapters that hand it on whole."""
LedgerRow: TypeAlias = tuple[Any, ...]
"""A row of the table `calls`."""


class LedgerReply(NamedTuple):
    """A reply, its key, and its usage; the usage is zero if a run has already been billed for it."""

    message: AIMessage
    usage: Usage
    key: str


class CallLedger:
    """The store of all calls in one SQLite file (WAL); safe for several threads, event loops and processes."""

    def __init__(
        self,
        path: Path,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        gate: Callable[[str], AbstractAsyncContextManager[None]] = lambda model_id: nullcontext(),
        max_tries: int = MAX_TRIES,
    ) -> None:
        """Open nothing; the first call creates the file.

        Args:
            path: the SQLite file.
            sleep: waits between tries (tests do not wait).
            gate: context manager around every try, called with the model's id; it may wait, and receives the try's
                error.
            max_tries: most tries of a call that fails transiently.
        """
        self._path = path
        self._max_tries = max_tries
        self._sleep = sleep
        self._gate = gate
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._connection: sqlite3.Connection | None = None
        self._integrity_checked = False
        self._connection_lock = threading.Lock()
        self._billed: dict[str, set[str]] = {}
        self._reported: dict[str, set[str]] = {}
        self._call_locks: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def call(self, call: ModelCall, config: RunnableConfig | None = None) -> LedgerReply:
        """Return the stored reply, or make the call, retry transient errors and store the reply.

        The usage includes billed tries without a usable reply.

        Raises:
            ModelError: all tries failed; its `usage` is their sum.
            StorageError: the file cannot be read or written.
        """
        request = _canonical(call.messages)
        key = _key_of(call, request)
        lock = self._call_locks.setdefault((id(asyncio.get_running_loop()), key), asyncio.Lock())
        async with lock:
            found = await self.run_in_writer_thread(self._find, key, call.run)
            if not isinstance(found, LedgerReply):
                return await self._call_model(key, call, request, found, config)
        await _show_stored_reply(call, found.message, config)
        return found

    async def _call_model(
        self, key: str, call: ModelCall, request: str, spent: Usage, config: RunnableConfig | None
    ) -> LedgerReply:
        began = time.perf_counter()
        tries = 1
        while True:
            try:
                async with self._gate(call.model_id):
                    message = await _invoke(call, config)
                break
            except ModelError as fault:
                if fault.usage:
                    spent = add_usage(spent, fault.usage)
                    await self._store_unanswered(key, call, fault.usage)
                if tries == self._max_tries or not _is_retryable(fault):
                    fault.usage = spent
                    _marks(self._reported, call.run).add(key)
                    raise
                await self._sleep(_retry_wait(fault, tries))
                tries += 1
        usage = message_usage(message)
        row = (key, time.time(), call.run, call.role, call.model_id, call.rollout, request, message.model_dump_json())
        how: LedgerRow = (json.dumps(usage), tries, time.perf_counter() - began)
        await self.run_in_writer_thread(self.import_calls, [row + how])
        self._on_spent(usage)
        return LedgerReply(message, add_usage(spent, usage), key)

    async def _store_unanswered(self, key: str, call: ModelCall, usage: Usage) -> None:
        row = (key, time.time(), call.run, call.role, call.model_id, json.dumps(usage))
        await self.run_in_writer_thread(self._write, "INSERT INTO unanswered VALUES (?, ?, ?, ?, ?, ?)", row)
        self._on_spent(usage)

    def _on_spent(self, usage: Usage) -> None:
        """Hook for subclasses: called with each usage after it is stored."""

    def _usable(self) -> AbstractContextManager[None]:
        """A context in which a database error becomes a StorageError that names the file."""
        return storage_errors(
            self._path, "The call ledger", "move it away; the calls that it holds are then made and paid again"
        )

    async def run_in_writer_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run `work` in the ledger's own thread, one at a time; cancellation does not stop queued work."""
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        # Reads the exception of a cancelled caller's work; asyncio would log it as "never retrieved".
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        return await asyncio.shield(done)

    def _find(self, key: str, run: str) -> LedgerReply | Usage:
        """The stored reply, else the usage of earlier tries that an interrupted run did not report."""
        with self._connection_lock, self._usable():
            row = self._open().execute("SELECT reply, usage, run FROM calls WHERE key = ?", (key,)).fetchone()
            if row is None:
                # Damage may hide stored replies, which would be paid again: check once before the first paid call.
                if not self._integrity_checked:
                    check_integrity(self._open())
                    self._integrity_checked = True
                return self._unreported_usage(key, run)
            message = AIMessage.model_validate_json(row[0])
            if row[2] != run or key in self._billed.get(run, ()):
                return LedgerReply(message, NO_USAGE, key)
            # A row of an older version may lack some keys.
            usage: Usage = {**NO_USAGE, **parse_stored_json(row[1])}
            return LedgerReply(message, add_usage(self._unreported_usage(key, run), usage), key)

    def _unreported_usage(self, key: str, run: str) -> Usage:
        """Usage of earlier billed tries of this call that an interrupted run did not report."""
        if key in self._reported.get(run, ()):
            return NO_USAGE
        rows = self._open().execute("SELECT usage FROM unanswered WHERE key = ? AND run = ?", (key, run)).fetchall()
        return reduce(add_usage, (parse_stored_json(text) for (text,) in rows), NO_USAGE)

    def mark_billed(self, run: str, *replies: LedgerReply) -> None:
        """Mark these replies as billed to the run: the same request in that run then has zero usage.

        A stored reply that an interrupted run did not use stays unmarked; the resumed run is billed for it.
        """
        _marks(self._billed, run).update(reply.key for reply in replies)

    @asynccontextmanager
    async def bill_together(self, run: str) -> AsyncIterator[None]:
        """A context whose calls are billed only if all of it succeeds; no other call of that run is under way."""
        marks = [(of_runs, set(of_runs.get(run, ()))) for of_runs in (self._billed, self._reported)]
        try:
            yield
        except BaseException:
            for of_runs, before in marks:
                of_runs[run] = before
            raise

    def forget_run(self, run: str) -> None:
        """Delete the marks of a run that has ended."""
        self._billed.pop(run, None)
        self._reported.pop(run, None)

    def export_calls(self) -> list[LedgerRow]:
        """All stored calls, for `import_calls` of another ledger."""
        with self._connection_lock, self._usable():
            return self._open().execute("SELECT * FROM calls").fetchall()

    def import_calls(self, rows: Sequence[LedgerRow]) -> None:
        """Store calls; a call that is stored already stays as it is."""
        with self._connection_lock, self._usable(), self._open() as connection:
            for row in rows:
                connection.execute(f"INSERT OR IGNORE INTO calls VALUES ({','.join('?' * len(row))})", row)

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        with self._connection_lock, self._usable(), self._open() as connection:
            connection.execute(statement, row)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=60, check_same_thread=False)
            try:
                with closing(connection.cursor()) as cursor:
                    cursor.execute("PRAGMA journal_mode=WAL")
                    cursor.executescript(_TABLES)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
            self._integrity_checked = False
        return self._connection

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._connection_lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _marks(of_runs: dict[str, set[str]], run: str) -> set[str]:
    """The marks of a run, as the newest; a run that nobody has ended must not stay in memory for ever."""
    marks = of_runs.pop(run, set())
    of_runs[run] = marks
    while len(of_runs) > MAX_RUNS:
        del of_runs[next(iter(of_runs))]
    return marks


def call_key(call: ModelCall) -> str:
    """SHA-256 (hex) of everything that determines the reply: model, settings, messages with clips by id, rollout."""
    return _key_of(call, _canonical(call.messages))


def _key_of(call: ModelCall, request: str) -> str:
    settings = call.model._identifying_params
    parts = {"spec": call.model_id, "settings": settings, "messages": request, "rollout": call.rollout}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def message_usage(message: AIMessage) -> Usage:
    """Usage of one reply: tokens from the provider; dollars and uploads from the adapter's metadata."""
    tokens = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
    details: Any = tokens.get("input_token_details") or {}
    return {
        "calls": 1,
        "input_tokens": tokens["input_tokens"],
        "cached_tokens": details.get("cache_read") or 0,
        "output_tokens": tokens["output_tokens"],
        "cost_usd": message.response_metadata.get("cost_usd"),
        "media_uploads": message.response_metadata.get("media_uploads", 0),
    }


class _StoredReply(BaseCache):
    """LangChain's cache with one reply, whatever is asked: the model is then not called, but its span exists."""

    def __init__(self, message: AIMessage) -> None:
        self._message = message

    def lookup(self, prompt: str, llm_string: str) -> list[Generation]:
        return [ChatGeneration(message=self._message)]

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Nothing to do."""

    def clear(self, **kwargs: Any) -> None:
        """Nothing to do."""


async def _show_stored_reply(call: ModelCall, message: AIMessage, config: RunnableConfig | None) -> None:
    """Give traces and streams of messages the span of a stored reply: marked as cached, at no cost."""
    shown = message.model_copy(
        update={"response_metadata": {**message.response_metadata, "cost_usd": 0.0, "cached": True}}
    )
    config = config or {}
    marked: RunnableConfig = {
        **config,
        "tags": [*(config.get("tags") or []), CACHED_TAG],
        "metadata": {**(config.get("metadata") or {}), CACHED_TAG: True},
    }
    model = call.model.model_copy(update={"cache": _StoredReply(shown)})
    await model.ainvoke(list(call.messages), marked)


async def _invoke(call: ModelCall, config: RunnableConfig | None) -> AIMessage:
    CURRENT_CALL.set(call)
    try:
        message = await call.model.ainvoke(list(call.messages), config)
    except Exception as fault:
        cause: Exception | None = fault
        # A logged traceback shows the cause: drop a cause that quotes the key.
        if redact(str(fault)) != str(fault):
            cause = None
        raise as_model_error(fault, model_display_name(call.model_id)) from cause
    untrusted = {name: getattr(message, name) for name in ("content", "additional_kwargs", "response_metadata")}
    return message.model_copy(update=sanitize_json(untrusted))


def _is_retryable(fault: ModelError) -> bool:
    return fault.transient and (fault.retry_after or 0.0) <= _MAX_RETRY_WAIT_SECONDS


def _retry_wait(fault: ModelError, tries: int) -> float:
    """Seconds to wait after so many tries: what the provider asks for, else random, at most twice as long each time."""
    if fault.retry_after is not None:
        return fault.retry_after
    return random.uniform(0.0, min(_MAX_BACKOFF_SECONDS, 2.0 ** (tries - 1)))


def _canonical(messages: Sequence[AnyMessage]) -> str:
    parts = [[message.type, _with_media_ids(message.content), _request_fields(message)] for message in messages]
    return json.dumps(parts, sort_keys=True)


def _request_fields(message: AnyMessage) -> Any:
    """The fields of a message's request without `reuse`, which affects the price and not the reply."""
    fields = message.additional_kwargs.get("request")
    if not isinstance(fields, dict):
        return _with_media_ids(fields)
    # A reply's schema is most of the fields and refers to no media.
    return {
        name: value if name == "schema" else _with_media_ids(value) for name, value in fields.items() if name != "reuse"
    }


def _with_media_ids(value: Any) -> Any:
    """The same value with every media reference cut to its id and chosen track: a name does not affect the reply."""
    if isinstance(value, dict):
        if is_media_reference(value):
            return {name: part for name, part in value.items() if name in ("id", "audio_track")}
        return {name: _with_media_ids(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_media_ids(part) for part in value]
    return value
