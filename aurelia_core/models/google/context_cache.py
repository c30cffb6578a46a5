"""Explicit context caches at Google: the head of all requests on a clip, kept for five minutes, billed for them.

Nothing is cached here unless a run asks for it (`prompt_cache = "explicit"`). Google caches a repeated head by itself
(implicit caching, on for every model from 2.5 on), at the same discount and without a fee for keeping it, but promises
no hit. An explicit cache promises the hits: its tokens are read once at the full price, are kept for a fee, and cost a
tenth in each request. So it is never cheaper than implicit hits that come; it pays where the bill shows that they do
not (`cached_tokens`), and only if the head is sure to be sent two or three times (`google_prices.cache_pays`). Too
short a head is refused by Google, free of charge, and sent as usual. (ai.google.dev/gemini-api/docs/caching, 2026-11.)

A short life stands in for deleting: an early end is said not to be paid back. It knows no prompts and no prices.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aurelia_core.errors import AureliaError
from aurelia_core.models.google.errors import typed_errors
from aurelia_core.models.google.files import REQUEST_SECONDS, open_handle_table

CACHE_LIFETIME_SECONDS = 300.0
_MARGIN = 45.0
_TABLE = """CREATE TABLE IF NOT EXISTS heads (
    owner TEXT, head TEXT, name TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (owner, head))"""


class ContextCaches:
    """The context caches of one key; safe to share between threads, and kept in the file of the uploads' handles."""

    def __init__(self, path: Path, client: Any, owner: str, model_id: str, key: str) -> None:
        """Opens nothing yet.

        Args:
            path: the SQLite file.
            client: a `google.genai.Client`.
            owner: a hash that stands for the key and the address.
            model_id: the model's name for messages.
            key: the key, which is cut out of any message.
        """
        self._path = path
        self._client = client
        self._owner = owner
        self._model_id = model_id
        self._key = key
        self._refused: dict[str, str] = {}
        self._unbilled: dict[str, int] = {}
        self._guard = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}

    def name(self, head: str, model: str, content: Callable[[], dict[str, Any]]) -> str | None:
        """The name of the cache of a head that lives long enough for a request; makes one only if there is none.

        Args:
            head: what stands for the head's content, the model's name and the system text.
            model: the model's name.
            content: the head as Google takes it (`contents`, `system_instruction`), if a cache must be made.

        Returns:
            None when Google keeps no cache of this head: the request goes out as usual.

        Raises:
            FileGone: a file of the head is not there.
        """
        with self._guard:
            lock = self._under_way.setdefault(head, threading.Lock())
        with lock:
            if head in self._refused:
                return None
            return self._find(head) or self._make(head, model, content())

    def why_not(self, head: str | None) -> str | None:
        """Why Google keeps no cache of this head, where it said so for good."""
        return self._refused.get(head) if head else None

    def drop(self, head: str) -> None:
        """Forgets a cache, because Google no longer has it."""
        with self._opened() as connection:
            connection.execute("DELETE FROM heads WHERE owner = ? AND head = ?", (self._owner, head))

    def bill(self, head: str | None) -> int:
        """Tokens that were read to make this head's cache and no reply has stated; from now on they count as stated."""
        with self._guard:
            return self._unbilled.pop(head, 0) if head else 0

    def _make(self, head: str, model: str, content: dict[str, Any]) -> str | None:
        options = {"timeout": int(REQUEST_SECONDS * 1000)}
        try:
            with typed_errors(self._model_id, self._key):
                made = self._client.caches.create(
                    model=model, config={**content, "ttl": f"{CACHE_LIFETIME_SECONDS:.0f}s", "http_options": options}
                )
        except AureliaError as fault:
            # A cache is a convenience: whatever speaks against it, the request itself will tell better.
            if not getattr(fault, "transient", False):
                self._refused[head] = str(fault)
            return None
        expires = made.expire_time.timestamp() if made.expire_time else time.time() + CACHE_LIFETIME_SECONDS
        tokens = made.usage_metadata.total_token_count if made.usage_metadata else 0
        with self._guard:
            self._unbilled[head] = self._unbilled.get(head, 0) + int(tokens or 0)
        with self._opened() as connection:
            connection.execute("DELETE FROM heads WHERE expires < ?", (time.time(),))
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?,?,?,?)", (self._owner, head, made.name, expires))
        return str(made.name)

    def _find(self, head: str) -> str | None:
        with self._opened() as connection:
            row = connection.execute(
                "SELECT name FROM heads WHERE owner = ? AND head = ? AND expires > ?",
                (self._owner, head, time.time() + _MARGIN),
            ).fetchone()
        return str(row[0]) if row else None

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_handle_table(self._path, _TABLE)
