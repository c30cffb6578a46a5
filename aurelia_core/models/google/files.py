"""File uploads to Google: each content is uploaded once per key, and again after Google has deleted it.

The handles are stored in one SQLite file, under a hash of the key: Google's files belong to a key and live two days.
Threads share an upload; two processes that start with the same clip at the same moment may both upload it.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from aurelia_core.errors import InputError, ModelError
from aurelia_core.sqlite import storage_errors

REQUEST_SECONDS = 600.0
_MAX_PROCESSING_SECONDS = 900.0
_LIFETIME_SECONDS = 47 * 3600.0
_MIN_REMAINING_SECONDS = 600.0
HANDLE_TABLE = """CREATE TABLE IF NOT EXISTS handles (
    owner TEXT, content TEXT, name TEXT NOT NULL, uri TEXT NOT NULL, mime TEXT NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (owner, content))"""


class UploadedFile(NamedTuple):
    """A file at Google."""

    name: str
    uri: str
    mime: str
    expires: float


class FileUploads:
    """The uploaded files of one key; safe for several threads."""

    def __init__(self, path: Path, client: Any, owner: str, model_id: str) -> None:
        """Open nothing.

        Args:
            path: the SQLite file of the handles.
            client: a `google.genai.Client`.
            owner: a hash of the key and the address.
            model_id: the model's name for messages.
        """
        self._path = path
        self._client = client
        self._owner = owner
        self._model_id = model_id
        self._ready: set[str] = set()
        self._unbilled: Counter[str] = Counter()
        self._guard = threading.Lock()
        self._content_locks: dict[str, threading.Lock] = {}
        self.sleep: Callable[[float], None] = time.sleep

    def ensure_uploaded(self, content: str, mime: str, open_content: Callable[[], IO[bytes]]) -> UploadedFile:
        """The handle of a content after Google has processed it; uploads the content if necessary.

        Args:
            content: the content's id.
            mime: its MIME type.
            open_content: opens it for reading.

        Raises:
            InputError: Google cannot read the file.
            ModelError: Google did not finish the upload.
        """
        with self._guard:
            lock = self._content_locks.setdefault(content, threading.Lock())
        with lock:
            stored = self._find(content)
            if stored and self._is_ready(stored):
                return stored
            uploaded = self._upload(content, mime, open_content)
            self._store(content, uploaded)
            for pause in (1.0, 2.0, 4.0):
                if self._is_ready(uploaded):
                    return uploaded
                self.sleep(pause)
            raise ModelError(f"{self._model_id} does not find a file that was just uploaded. Try again later.")

    def drop(self, contents: Iterable[str]) -> None:
        """Delete the handles of files that Google no longer has."""
        with self._opened() as connection:
            for content in contents:
                connection.execute("DELETE FROM handles WHERE owner = ? AND content = ?", (self._owner, content))

    def take_unbilled_uploads(self, contents: Iterable[str]) -> int:
        """Number of uploads of these contents that are not billed yet; marks them as billed."""
        with self._guard:
            return sum(self._unbilled.pop(content, 0) for content in set(contents))

    def _upload(self, content: str, mime: str, open_content: Callable[[], IO[bytes]]) -> UploadedFile:
        # Pass an open file: with a path the client would also send the file's name.
        with open_content() as file:
            try:
                options = {"timeout": int(REQUEST_SECONDS * 1000)}
                found = self._client.files.upload(file=file, config={"mime_type": mime, "http_options": options})
            except (ValueError, KeyError) as fault:
                raise ModelError(f"{self._model_id} did not finish an upload ({fault}).", transient=True) from fault
        with self._guard:
            self._unbilled[content] += 1
        expires = time.time() + _LIFETIME_SECONDS
        if found.expiration_time:
            expires = found.expiration_time.timestamp()
        return UploadedFile(found.name, found.uri, found.mime_type or mime, expires)

    def _is_ready(self, handle: UploadedFile) -> bool:
        """Wait until Google has processed the file; False if it has no such file. Checked once per process."""
        waited = 0.0
        pause = 0.5
        while handle.name not in self._ready:
            state = self._state(handle)
            if state == "ACTIVE":
                self._ready.add(handle.name)
            elif state is None:
                return False
            elif state == "FAILED":
                raise InputError(
                    f"{self._model_id} cannot read this {handle.mime} file: convert it to mp4 (H.264, AAC) or wav."
                )
            elif waited > _MAX_PROCESSING_SECONDS:
                raise ModelError(
                    f"{self._model_id} did not process a file in {waited:.0f} s; try again.", transient=True
                )
            else:
                self.sleep(pause)
                waited += pause
                pause = min(5.0, pause * 2)
        return True

    def _state(self, handle: UploadedFile) -> str | None:
        from google.genai.errors import ClientError

        try:
            options = {"timeout": int(REQUEST_SECONDS * 1000)}
            found = self._client.files.get(name=handle.name, config={"http_options": options})
        except ClientError as fault:
            if fault.code in (403, 404):
                return None
            raise
        if not found.state:
            return "PROCESSING"
        return str(found.state.name)

    def _find(self, content: str) -> UploadedFile | None:
        with self._opened() as connection:
            row = connection.execute(
                "SELECT name, uri, mime, expires FROM handles WHERE owner = ? AND content = ? AND expires > ?",
                (self._owner, content, time.time() + _MIN_REMAINING_SECONDS),
            ).fetchone()
        if row is None:
            return None
        return UploadedFile(*row)

    def _store(self, content: str, handle: UploadedFile) -> None:
        with self._opened() as connection:
            connection.execute("DELETE FROM handles WHERE expires < ?", (time.time(),))
            connection.execute("INSERT OR REPLACE INTO handles VALUES (?,?,?,?,?,?)", (self._owner, content, *handle))

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_handle_table(self._path, HANDLE_TABLE)


@contextmanager
def open_handle_table(path: Path, table: str) -> Iterator[sqlite3.Connection]:
    """Open the SQLite file of the handles and create the table; the block is one transaction.

    Raises:
        StorageError: the file cannot be used; the message names it and the remedy.
    """
    with storage_errors(path, "The list of files at Google", "delete it; clips are then uploaded again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            connection.execute(table)
            yield connection
