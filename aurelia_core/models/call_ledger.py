"""The call ledger: one layer that retries, counts and stores every model call, so that nothing is paid for twice.

One SQLite row a call, keyed by model, its settings, the messages (clips by their id) and the rollout number, written
before the reply is used. It is the resume, the cache, the budget and the bill at once. A try that was billed and gave
no usable reply has a row of its own, so that the bill survives what happens next. It knows no prompts, no schemas.
"""

import asyncio
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing, nullcontext
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from aurelia_core.errors import ModelError
from aurelia_core.models.provider_errors import as_model_error
from aurelia_core.models.registry import model_display_name
from aurelia_core.sanitize import redact, sanitize_json
from aurelia_core.sqlite import check_integrity, parse_stored_json, storage_errors
from aurelia_core.types import NO_USAGE, Usage, add_usage

_Result = TypeVar("_Result")
MAX_TRIES = 4
_MAX_RETRY_WAIT_SECONDS = 120.0
_backoff = wait_random_exponential(multiplier=1.0, max=30.0)

_TABLES = """CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, created REAL NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL, spec TEXT NOT NULL,
    rollout INTEGER NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL, usage TEXT NOT NULL,
    tries INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS unanswered (
    key TEXT NOT NULL, created REAL NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL, spec TEXT NOT NULL,
    usage TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS unanswered_by_key ON unanswered (key);"""


class ModelCall(NamedTuple):
    """One call to be made: which model (`model_id` names it), for which role and run, and what is said to it."""

    model: BaseChatModel
    model_id: str
    role: str
    run: str
    rollout: int
    messages: Sequence[AnyMessage]


class LedgerReply(NamedTuple):
    """What came back, under which key, and what it cost: nothing when another run, or this one before, has paid."""

    message: AIMessage
    usage: Usage
    key: str


class CallLedger:
    """The store of all calls in one SQLite file (WAL); may be shared by threads, event loops and processes."""

    def __init__(
        self,
        path: Path,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        gate: Callable[[str], AbstractAsyncContextManager[None]] = lambda model_id: nullcontext(),
    ) -> None:
        """Opens nothing yet; the file is made by the first call.

        Args:
            path: the SQLite file.
            sleep: how to wait between tries (tests do not wait).
            gate: entered with the model's name for every single try; it may wait, and sees what the try raises.
        """
        self._path = path
        self._sleep = sleep
        self._gate = gate
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._connection: sqlite3.Connection | None = None
        self._looked_through = False
        self._guard = threading.Lock()
        self._billed: dict[str, set[str]] = {}
        self._reported: dict[str, set[str]] = {}
        self._under_way: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def call(self, call: ModelCall, config: RunnableConfig | None = None) -> LedgerReply:
        """Answers from the store, or makes the call, retrying what is transient, and stores the reply.

        A try that was billed and then refused counts too: in the reply's usage, or in the error's when none was usable.

        Raises:
            ModelError: the model did not answer, after all tries; `usage` is what they cost together.
            StorageError: the file cannot be read or written.
        """
        key = call_key(call)
        lock = self._under_way.setdefault((id(asyncio.get_running_loop()), key), asyncio.Lock())
        async with lock:
            stored = await self.run_in_writer_thread(self._find, key, call.run)
            return stored or await self._pay(key, call, config)

    async def _pay(self, key: str, call: ModelCall, config: RunnableConfig | None) -> LedgerReply:
        began = time.perf_counter()
        tries, spent = 0, await self.run_in_writer_thread(self._unreported_usage, key, call.run)
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(MAX_TRIES),
                wait=_wait,
                retry=retry_if_exception(_worth_another_try),
                sleep=self._sleep,
                reraise=True,
            ):
                with attempt:
                    tries += 1
                    try:
                        async with self._gate(call.model_id):
                            message = await _invoke(call, config)
                    except ModelError as fault:
                        if fault.usage:
                            spent = add_usage(spent, fault.usage)
                            await self._store_unanswered(key, call, fault.usage)
                        raise
        except ModelError as fault:
            fault.usage = spent
            self._reported.setdefault(call.run, set()).add(key)
            raise
        usage = message_usage(message)
        await self.run_in_writer_thread(self._store, key, call, message, usage, tries, time.perf_counter() - began)
        self._on_spent(usage)
        return LedgerReply(message, add_usage(spent, usage), key)

    async def _store_unanswered(self, key: str, call: ModelCall, usage: Usage) -> None:
        row = (key, time.time(), call.run, call.role, call.model_id, json.dumps(usage))
        await self.run_in_writer_thread(self._write, "INSERT INTO unanswered VALUES (?, ?, ?, ?, ?, ?)", row)
        self._on_spent(usage)

    def _on_spent(self, usage: Usage) -> None:
        """Is told of everything that is spent, once it is stored."""

    def _usable(self) -> AbstractContextManager[None]:
        """What is done with the file within fails with an error that names it."""
        return storage_errors(
            self._path, "The call ledger", "move it away, and what it holds is asked and paid for again"
        )

    async def run_in_writer_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Does work on the file in the ledger's own thread, in turn; once begun or queued, it is done in any case."""
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        # Whoever was cancelled meanwhile does not hear of a failure, and asyncio would print it as nobody's.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        return await asyncio.shield(done)

    def _find(self, key: str, run: str) -> LedgerReply | None:
        with self._guard, self._usable():
            row = self._open().execute("SELECT reply, usage, run FROM calls WHERE key = ?", (key,)).fetchone()
            if row is None:
                # What damage hides would be paid for again: the first call that a process pays for waits for a look.
                if not self._looked_through:
                    check_integrity(self._open())
                    self._looked_through = True
                return None
            message = AIMessage.model_validate_json(row[0])
            if row[2] != run or key in self._billed.get(run, ()):
                return LedgerReply(message, NO_USAGE, key)
            # A row of an older ledger may know less of its bill.
            usage: Usage = {**NO_USAGE, **parse_stored_json(row[1])}
        return LedgerReply(message, add_usage(self._unreported_usage(key, run), usage), key)

    def _unreported_usage(self, key: str, run: str) -> Usage:
        """What earlier tries of this call cost that run, where it was stopped before it was told."""
        if key in self._reported.get(run, ()):
            return NO_USAGE
        with self._guard, self._usable():
            rows = self._open().execute("SELECT usage FROM unanswered WHERE key = ? AND run = ?", (key, run)).fetchall()
            return reduce(add_usage, (parse_stored_json(text) for (text,) in rows), NO_USAGE)

    def mark_billed(self, run: str, *replies: LedgerReply) -> None:
        """Notes that these replies are on the run's bill: the same request again in that run costs nothing.

        A reply that was paid for but never used, because its run was stopped, stays to be settled when it goes on.
        """
        self._billed.setdefault(run, set()).update(reply.key for reply in replies)

    def forget_run(self, run: str) -> None:
        """Drops what was noted for a run that has ended."""
        self._billed.pop(run, None)
        self._reported.pop(run, None)

    def _store(self, key: str, call: ModelCall, message: AIMessage, usage: Usage, tries: int, seconds: float) -> None:
        row = (
            key,
            time.time(),
            call.run,
            call.role,
            call.model_id,
            call.rollout,
            _canonical(call.messages),
            message.model_dump_json(),
            json.dumps(usage),
            tries,
            seconds,
        )
        self._write(f"INSERT OR IGNORE INTO calls VALUES ({','.join('?' * len(row))})", row)

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        with self._guard, self._usable(), self._open() as connection:
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
            self._connection, self._looked_through = connection, False
        return self._connection

    def close(self) -> None:
        """Closes the file; the next call opens it again."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def call_key(call: ModelCall) -> str:
    """The SHA-256 (hex) of everything that decides the reply: model, settings, messages with clips by id, rollout."""
    settings = call.model._identifying_params
    parts = {
        "spec": call.model_id,
        "settings": settings,
        "messages": _canonical(call.messages),
        "rollout": call.rollout,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def message_usage(message: AIMessage) -> Usage:
    """The bill of one reply: tokens as the provider counted them; dollars and uploads as the adapter stated them."""
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


async def _invoke(call: ModelCall, config: RunnableConfig | None) -> AIMessage:
    try:
        message = await call.model.ainvoke(list(call.messages), config)
    except Exception as fault:
        # A log of the chain would show what the provider said, which may quote the key.
        raise as_model_error(fault, model_display_name(call.model_id)) from (
            fault if redact(str(fault)) == str(fault) else None
        )
    said = {name: getattr(message, name) for name in ("content", "additional_kwargs", "response_metadata")}
    return message.model_copy(update=sanitize_json(said))


def _worth_another_try(fault: BaseException) -> bool:
    return isinstance(fault, ModelError) and fault.transient and (fault.retry_after or 0.0) <= _MAX_RETRY_WAIT_SECONDS


def _wait(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ModelError) else None
    return asked if asked is not None else _backoff(state)


def _canonical(messages: Sequence[AnyMessage]) -> str:
    said = [[message.type, message.content, _deciding(message)] for message in messages]
    return json.dumps(_by_id(said), sort_keys=True)


def _deciding(message: AnyMessage) -> Any:
    """The fields of a message's request without `reuse`, which says how it is paid for and decides no reply."""
    fields = message.additional_kwargs.get("request")
    return {name: value for name, value in fields.items() if name != "reuse"} if isinstance(fields, dict) else fields


def _by_id(value: Any) -> Any:
    """The same value with every media reference replaced by its id: a file's name decides nothing."""
    if isinstance(value, dict):
        if {"id", "name", "bytes"} <= value.keys():
            return {"id": value["id"]}
        return {name: _by_id(part) for name, part in value.items()}
    return [_by_id(part) for part in value] if isinstance(value, list | tuple) else value
