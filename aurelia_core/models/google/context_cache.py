"""Explicit context caches at Google: the head of all requests on a clip, stored for five minutes.

Used only if a run sets `prompt_cache = "explicit"`. Google caches a repeated head implicitly (models from 2.5 on), at
the same discount and without a storage fee, but does not guarantee hits. An explicit cache guarantees them: its tokens
cost the full price once, a storage fee, and a tenth of the price in each request. It is never cheaper than implicit
hits. Use it if `cached_tokens` in the usage shows no implicit hits, and if the head is sent at least two or three times
(`billing.cache_is_worthwhile`). Google refuses a head that is too short, free of charge; the request is then sent
without a cache. (ai.google.dev/gemini-api/docs/caching, 2026-11.)

Caches expire and are not deleted: Google does not refund an early end.
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
_MIN_REMAINING_SECONDS = 45.0
_TABLE = """CREATE TABLE IF NOT EXISTS heads (
    owner TEXT, head TEXT, name TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (owner, head))"""


class ContextCaches:
    """The context caches of one key; safe for several threads. Their names are stored in the file of the uploads."""

    def __init__(self, path: Path, client: Any, owner: str, model_id: str, key: str) -> None:
        """Open nothing.

        Args:
            path: the SQLite file.
            client: a `google.genai.Client`.
            owner: a hash of the key and the address.
            model_id: the model's name for messages.
            key: the key, which is removed from messages.
        """
        self._path = path
        self._client = client
        self._owner = owner
        self._model_id = model_id
        self._key = key
        self._refused: dict[str, str] = {}
        self._unbilled: dict[str, int] = {}
        self._guard = threading.Lock()
        self._head_locks: dict[str, threading.Lock] = {}

    def find_or_create(self, head: str, model: str, content: Callable[[], dict[str, Any]]) -> str | None:
        """The name of a cache of the head that lives long enough for a request; created if there is none.

        Args:
            head: a hash of the head's content, the model's name and the system text.
            model: the model's name.
            content: returns the head in Google's format (`contents`, `system_instruction`) for a new cache.

        Returns:
            None if Google refuses a cache of this head: send the request without one.

        Raises:
            FileGone: Google no longer has a file of the head.
        """
        with self._guard:
            lock = self._head_locks.setdefault(head, threading.Lock())
        with lock:
            if head in self._refused:
                return None
            return self._find(head) or self._create(head, model, content())

    def refusal_reason(self, head: str | None) -> str | None:
        """Why Google permanently refuses a cache of this head; None if it does not."""
        return self._refused.get(head or "")

    def drop(self, head: str) -> None:
        """Delete the name of a cache that Google no longer has."""
        with self._opened() as connection:
            connection.execute("DELETE FROM heads WHERE owner = ? AND head = ?", (self._owner, head))

    def take_unbilled_tokens(self, head: str | None) -> int:
        """Tokens of this head's cache that are not billed yet; marks them as billed."""
        with self._guard:
            return self._unbilled.pop(head or "", 0)

    def _create(self, head: str, model: str, content: dict[str, Any]) -> str | None:
        options = {"timeout": int(REQUEST_SECONDS * 1000)}
        try:
            with typed_errors(self._model_id, self._key):
                cache = self._client.caches.create(
                    model=model, config={**content, "ttl": f"{CACHE_LIFETIME_SECONDS:.0f}s", "http_options": options}
                )
        except AureliaError as fault:
            # A cache is optional: an error that matters also occurs in the request itself, which reports it.
            if not getattr(fault, "transient", False):
                self._refused[head] = str(fault)
            return None
        expires = time.time() + CACHE_LIFETIME_SECONDS
        if cache.expire_time:
            expires = cache.expire_time.timestamp()
        tokens = 0
        if cache.usage_metadata:
            tokens = int(cache.usage_metadata.total_token_count or 0)
        with self._guard:
            self._unbilled[head] = self._unbilled.get(head, 0) + tokens
        with self._opened() as connection:
            connection.execute("DELETE FROM heads WHERE expires < ?", (time.time(),))
            row = (self._owner, head, cache.name, expires)
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?,?,?,?)", row)
        return str(cache.name)

    def _find(self, head: str) -> str | None:
        with self._opened() as connection:
            row = connection.execute(
                "SELECT name FROM heads WHERE owner = ? AND head = ? AND expires > ?",
                (self._owner, head, time.time() + _MIN_REMAINING_SECONDS),
            ).fetchone()
        if row is None:
            return None
        return str(row[0])

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_handle_table(self._path, _TABLE)
