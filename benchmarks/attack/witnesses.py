"""Witnesses that something was touched: canary files whose openings are counted, a server that counts its callers."""

import ctypes
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_OPEN, _ACCESS, _FOLDER = 0x20, 0x1, 0x40000000
_EVENT = struct.Struct("iIII")


class Files:
    """Counts who opens or reads files of some folders, in any process and by any path (Linux)."""

    def __init__(self, folders: list[Path]) -> None:
        """Begins to watch.

        Raises:
            RuntimeError: an opening is not seen here, so that nothing could be proven.
        """
        self._system = ctypes.CDLL(None, use_errno=True)
        self._fd = self._system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for folder in folders:
            self._system.inotify_add_watch(self._fd, os.fsencode(folder), _OPEN | _ACCESS)
            probe = folder / "probe"
            probe.write_bytes(b"x")
            self.touched()
            probe.read_bytes()
            if self.touched() != ["probe", "probe"]:
                raise RuntimeError("files that are opened are not seen on this system")

    def touched(self) -> list[str]:
        """The names of files that were opened or read since the last call, once an event."""
        found, data = [], b""
        while True:
            try:
                data += os.read(self._fd, 1 << 16)
            except BlockingIOError:
                break
        at = 0
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            if not mask & _FOLDER:
                found.append(data[at : at + length].rstrip(b"\0").decode(errors="replace"))
            at += length
        return found

    def close(self) -> None:
        """Watches no more."""
        os.close(self._fd)


class Server:
    """A web server on loopback that gives everybody the same answer and counts connections."""

    def __init__(self, answer: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.callers = 0
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            self.callers += 1
            with caller:
                caller.settimeout(5)
                try:
                    caller.recv(1 << 16)
                    caller.sendall(self._answer)
                except OSError:
                    continue

    def close(self) -> None:
        """Serves no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def answer(content: bytes) -> bytes:
    """An HTTP answer that gives a file."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(content), content)


_calls: list[str] | None = None


def _hook(event: str, given: Any) -> None:
    if _calls is not None and event == "socket.connect" and isinstance(given[1], tuple):
        _calls.append(str(given[1][0]))
        if not str(given[1][0]).startswith("127."):
            raise ConnectionRefusedError("nothing leaves this machine")


@contextmanager
def connections() -> Iterator[list[str]]:
    """The addresses that this process connects to, in their order; none beyond this machine is really reached."""
    global _calls
    if not getattr(_hook, "installed", False):
        sys.addaudithook(_hook)
        _hook.installed = True  # type: ignore[attr-defined]
    _calls = []
    try:
        yield _calls
    finally:
        _calls = None
