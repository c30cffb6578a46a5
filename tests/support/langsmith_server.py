"""A stand-in for LangSmith on loopback: keeps what the real client sends, and reads it back as a tree of spans."""

import gzip
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zstandard

INFO = {
    "version": "0.12.0",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
}
PROJECT = {
    "id": "0f6a5c1e-0000-4000-8000-000000000001",
    "tenant_id": "0f6a5c1e-0000-4000-8000-000000000002",
    "reference_dataset_id": None,
}


class Sink:
    """What has arrived: `bodies` (decoded), spans by id, feedback, the projects made, files by their run and name."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: dict[str, dict[str, Any]] = {}
        self.feedback: list[dict[str, Any]] = []
        self.projects: list[str] = []
        self.attachments: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.lock = threading.Lock()

    @property
    def bytes(self) -> int:
        return sum(map(len, self.bodies))

    def children(self, parent: str | None) -> list[dict[str, Any]]:
        found = [span for span in self.spans.values() if span.get("parent_run_id") == parent]
        return sorted(found, key=lambda span: span["dotted_order"])

    def root(self) -> dict[str, Any]:
        (root,) = self.children(None)
        return root

    def take(self, body: bytes, kind: str) -> None:
        with self.lock:
            self.bodies.append(body)
            if not kind.startswith("multipart/"):
                self.feedback.append(json.loads(body))
                return
            boundary = b"--" + re.search(r'boundary="?([^";]+)', kind)[1].encode()  # type: ignore[index]
            for part in body.split(boundary)[1:-1]:
                head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
                name = re.search(rb'name="([^"]+)"', head)[1].decode()  # type: ignore[index]
                kind_of = re.search(rb"(?i)content-type: *([^;\r\n]+)", head)
                self._part(name, content, kind_of[1].decode() if kind_of else "")

    def _part(self, name: str, content: bytes, kind: str) -> None:
        operation, run, *field = name.split(".")
        if operation == "feedback":
            self.feedback.append(json.loads(content))
        elif operation == "attachment":
            self.attachments[run, field[0]] = (kind, content)
        elif field:
            self.spans.setdefault(run, {})[field[0]] = json.loads(content)
        else:
            self.spans.setdefault(run, {}).update(json.loads(content))


@contextmanager
def listening() -> Iterator[tuple[Sink, str]]:
    """A sink and its address, for as long as the block lasts."""
    sink = Sink()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "/sessions" in self.path:
                found = [PROJECT | {"name": name} for name in sink.projects if f"name={name}" in self.path]
                self._answer(json.dumps(found).encode())
            else:
                self._answer(json.dumps(INFO).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "zstd":
                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            elif self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if "/sessions" in self.path:
                sink.projects.append(json.loads(body)["name"])
                self._answer(json.dumps(PROJECT | {"name": sink.projects[-1]}).encode())
                return
            sink.take(body, self.headers.get("content-type", ""))
            self._answer(b"{}")

        do_PATCH = do_POST

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
