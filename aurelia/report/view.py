"""Serves a run's report on this machine with its clips and sounds, also of a run that is still going.

Only files that the run's records name are served, only from the media folder, and only to this machine's browser: other
host names are refused, so that a foreign page cannot read them.
"""

import mimetypes
import re
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from aurelia.bench.run_file import RunFile
from aurelia.report.build import build_report
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore

_LEAST_SECONDS = 5.0
_BLOCK = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class ReportServer:
    """Serves the report of runs at `address`; use it in a `with` block, or call `serve`."""

    def __init__(
        self, runs: Sequence[Path], media: Path | None = None, store: ClipStore | None = None, port: int = 0
    ) -> None:
        """Builds the report once and opens the port.

        Args:
            runs: Run files.
            media: Folder of the clips; None serves no media.
            store: Clip store for pictures, or None.
            port: Port on 127.0.0.1; 0 takes a free one.

        Raises:
            InputError: A file is not a run, or the port is taken.
        """
        self._runs = list(runs)
        self._media = media
        self._store = store
        self._folder = TemporaryDirectory(prefix="aurelia-view-")
        self._built = 0.0
        self._stamp: list[float] = []
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self.page()
        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as fault:
            self._folder.cleanup()
            raise InputError(f"Port {port} cannot be used ({fault.strerror}): name another with --port.") from None
        self._http.daemon_threads = True

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def serve(self) -> None:
        """Serves until it is interrupted."""
        self._http.serve_forever()

    def __enter__(self) -> "ReportServer":
        """Serves in a thread."""
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stops serving and removes the page."""
        self._http.shutdown()
        self.close()

    def close(self) -> None:
        """Closes the port and removes the page."""
        self._http.server_close()
        self._folder.cleanup()

    def page(self) -> Path:
        """The page, built anew if a run has changed since, at most every few seconds."""
        with self._lock:
            stamp = [_last_change(path) for path in self._runs]
            page = Path(self._folder.name) / "report.html"
            if stamp != self._stamp and time.monotonic() - self._built >= _LEAST_SECONDS or not page.is_file():
                names = set()
                for path in self._runs:
                    with RunFile.open(path) as run:
                        names |= {name for record in run.records() for name in record.media_names}
                mode: Any = "few" if self._store else "none"
                live = _state_name(stamp)
                build_report(self._runs, Path(self._folder.name), media=mode, store=self._store, live=live)
                self._names = frozenset(names)
                self._stamp = stamp
                self._built = time.monotonic()
            return page

    def state(self) -> str:
        """Names the state of the runs; it changes when one of them goes on."""
        return _state_name([_last_change(path) for path in self._runs])

    def media_file(self, name: str) -> Path | None:
        """The file of a record's media, None if no record names it or it is not in the media folder."""
        if self._media is None or name not in self._names:
            return None
        path = (self._media / name).resolve()
        if not path.is_relative_to(self._media.resolve()) or not path.is_file():
            return None
        return path


def _state_name(stamp: Sequence[float]) -> str:
    return " ".join(f"{changed:.3f}" for changed in stamp)


def _last_change(path: Path) -> float:
    """When a run file was last written, its write-ahead log included."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _handler(server: ReportServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rsplit(":", 1)[0]
            if host not in ("127.0.0.1", "localhost"):
                self.send_error(HTTPStatus.FORBIDDEN)
                return
            path = unquote(urlsplit(self.path).path)
            if path in ("/", "/report.html"):
                _send_file(self, server.page(), "text/html; charset=utf-8")
                return
            if path == "/state":
                _send_text(self, server.state())
                return
            found = None
            if path.startswith("/media/"):
                found = server.media_file(path.removeprefix("/media/"))
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            _send_file(self, found, mimetypes.guess_type(found.name)[0] or "application/octet-stream")

        def log_message(self, format: str, *args: Any) -> None:
            """Prints nothing."""

    return Handler


def _send_text(request: BaseHTTPRequestHandler, text: str) -> None:
    body = text.encode()
    request.send_response(HTTPStatus.OK)
    request.send_header("Content-Type", "text/plain; charset=utf-8")
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Cache-Control", "no-store")
    request.end_headers()
    request.wfile.write(body)


def _send_file(request: BaseHTTPRequestHandler, path: Path, kind: str) -> None:
    """Answers with a file, or with the part of it that the browser asks for."""
    size = path.stat().st_size
    begin, end = _asked_range(request.headers.get("Range", ""), size)
    if begin > end:
        request.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        return
    if end - begin + 1 < size:
        request.send_response(HTTPStatus.PARTIAL_CONTENT)
        request.send_header("Content-Range", f"bytes {begin}-{end}/{size}")
    else:
        request.send_response(HTTPStatus.OK)
    request.send_header("Content-Type", kind)
    request.send_header("Accept-Ranges", "bytes")
    request.send_header("Content-Length", str(end - begin + 1))
    request.send_header("Cache-Control", "no-store")
    request.send_header("X-Content-Type-Options", "nosniff")
    request.end_headers()
    with path.open("rb") as file:
        file.seek(begin)
        left = end - begin + 1
        while left and (block := file.read(min(_BLOCK, left))):
            request.wfile.write(block)
            left -= len(block)


def _asked_range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of a Range header; the whole file for another text."""
    asked = _RANGE.fullmatch(text)
    if not asked or not (asked[1] or asked[2]):
        return 0, size - 1
    if not asked[1]:
        return max(0, size - int(asked[2])), size - 1
    if not asked[2]:
        return int(asked[1]), size - 1
    return int(asked[1]), min(size - 1, int(asked[2]))
