"""Files at Google: each content is uploaded once per key, kept by its SHA-256, waited for, renewed when it is gone.

The handles lie in one SQLite file and hold no key, only its hash: Google's files belong to a key and live two days.
Two threads wait for one upload; two processes that start on the same clip in the same moment may both upload it.
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
_LONGEST_PROCESSING = 900.0
_LIFETIME = 47 * 3600.0
_MARGIN = 600.0
_TABLE = """CREATE TABLE IF NOT EXISTS handles (
    owner TEXT, content TEXT, name TEXT NOT NULL, uri TEXT NOT NULL, mime TEXT NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (owner, content))"""


class UploadedFile(NamedTuple):
    """A file at Google."""

    name: str
    uri: str
    mime: str
    expires: float


class FileUploads:
    """The uploaded files of one key; safe to share between threads."""

    def __init__(self, path: Path, client: Any, owner: str, model_id: str) -> None:
        """Opens nothing yet.

        Args:
            path: the SQLite file of the handles.
            client: a `google.genai.Client`.
            owner: a hash that stands for the key and the address.
            model_id: the model's name for messages.
        """
        self._path = path
        self._client = client
        self._owner = owner
        self._model_id = model_id
        self._ready: set[str] = set()
        self._unbilled: Counter[str] = Counter()
        self._guard = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}
        self.sleep: Callable[[float], None] = time.sleep

    def handle(self, content: str, mime: str, opened: Callable[[], IO[bytes]]) -> UploadedFile:
        """The handle of a content that Google has and has processed; uploads it only if there is none.

        Args:
            content: the content's id.
            mime: what it is.
            opened: opens it for reading, if it must be uploaded.

        Raises:
            ModelError: Google did not finish the upload, or cannot read the file.
        """
        with self._guard:
            lock = self._under_way.setdefault(content, threading.Lock())
        with lock:
            known = self._find(content)
            if known and self._is_ready(known):
                return known
            made = self._upload(content, mime, opened)
            self._keep(content, made)
            for pause in (1.0, 2.0, 4.0):
                if self._is_ready(made):
                    return made
                self.sleep(pause)
            raise ModelError(f"{self._model_id} does not know a file that was just uploaded to it. Try again later.")

    def drop(self, contents: Iterable[str]) -> None:
        """Forgets handles, because Google no longer has the files."""
        with self._opened() as connection:
            for content in contents:
                connection.execute("DELETE FROM handles WHERE owner = ? AND content = ?", (self._owner, content))

    def bill(self, contents: Iterable[str]) -> int:
        """How many uploads of these contents no reply has stated yet; from now on they count as stated."""
        with self._guard:
            return sum(self._unbilled.pop(content, 0) for content in set(contents))

    def _upload(self, content: str, mime: str, opened: Callable[[], IO[bytes]]) -> UploadedFile:
        # An open file rather than its path: the client would send the file's name along.
        with opened() as file:
            try:
                options = {"timeout": int(REQUEST_SECONDS * 1000)}
                made = self._client.files.upload(file=file, config={"mime_type": mime, "http_options": options})
            except (ValueError, KeyError) as fault:
                raise ModelError(f"{self._model_id} did not finish an upload ({fault}).", transient=True) from fault
        with self._guard:
            self._unbilled[content] += 1
        expires = made.expiration_time.timestamp() if made.expiration_time else time.time() + _LIFETIME
        return UploadedFile(made.name, made.uri, made.mime_type or mime, expires)

    def _is_ready(self, handle: UploadedFile) -> bool:
        """Waits until Google has processed the file; False if it has none of that name. Asked once per process."""
        waited, pause = 0.0, 0.5
        while handle.name not in self._ready:
            state = self._state(handle)
            if state == "ACTIVE":
                self._ready.add(handle.name)
            elif state is None:
                return False
            elif state == "FAILED":
                said = f"{self._model_id} cannot read this {handle.mime} file: convert it to mp4 (H.264, AAC) or wav."
                raise InputError(said)
            elif waited > _LONGEST_PROCESSING:
                raise ModelError(
                    f"{self._model_id} did not process a file in {waited:.0f} s; try again.", transient=True
                )
            else:
                self.sleep(pause)
                waited, pause = waited + pause, min(5.0, pause * 2)
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
        return str(found.state.name) if found.state else "PROCESSING"

    def _find(self, content: str) -> UploadedFile | None:
        with self._opened() as connection:
            row = connection.execute(
                "SELECT name, uri, mime, expires FROM handles WHERE owner = ? AND content = ? AND expires > ?",
                (self._owner, content, time.time() + _MARGIN),
            ).fetchone()
        return UploadedFile(*row) if row else None

    def _keep(self, content: str, handle: UploadedFile) -> None:
        with self._opened() as connection:
            connection.execute("DELETE FROM handles WHERE expires < ?", (time.time(),))
            connection.execute("INSERT OR REPLACE INTO handles VALUES (?,?,?,?,?,?)", (self._owner, content, *handle))

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_handle_table(self._path, _TABLE)


@contextmanager
def open_handle_table(path: Path, table: str) -> Iterator[sqlite3.Connection]:
    """The file of what lies at Google, with that table in it; what is done within is one transaction.

    Raises:
        StorageError: it cannot be used; the message names it and the remedy.
    """
    with storage_errors(path, "The list of files at Google", "delete it, and clips are uploaded again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            connection.execute(table)
            yield connection
