"""From Enter to the first provider call: `aurelia ask` about a cached clip, with a provider on loopback.

The baseline is the same Python importing the provider's client library alone, which no program can avoid.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aurelia_offline.demo import QUESTION, SCENE
from aurelia_offline.world.scene import parse_scene, write_scene

ROUNDS = 5
LIMIT_SECONDS = 1.5


class Provider(BaseHTTPRequestHandler):
    """Notes when the first call arrives, and refuses it."""

    first: float | None = None
    lock = threading.Lock()

    def do_POST(self) -> None:
        """Answers 401, which ends the command."""
        with self.lock:
            Provider.first = Provider.first or time.perf_counter()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"error": {"message": "refused", "code": 401}}'
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *arguments: Any) -> None:
        """Prints nothing."""


def seconds_to_first_call(folder: Path, clip: Path, url: str) -> float:
    """One start of the command."""
    roles = ("generator", "summarizer", "evaluator", "feedback", "target")
    options = [part for role in roles for part in ("--model", f"{role}=compatible:one")]
    environment = {
        **os.environ,
        "AURELIA_HOME": str(folder / "home"),
        "AURELIA_COMPATIBLE_URL": url,
        "AURELIA_COMPATIBLE_MEDIA": "images+audio",
        "AURELIA_COMPATIBLE_KEY": "none",
    }
    Provider.first, began = None, time.perf_counter()
    command = [sys.executable, "-m", "aurelia", "ask", str(clip), QUESTION, *options]
    subprocess.run(command, env=environment, capture_output=True, check=False)
    if Provider.first is None:
        raise RuntimeError("the command made no call")
    return Provider.first - began


def seconds_of_import(package: str) -> float:
    """A Python that only imports a package."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {package}"], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Prints the figure."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            clip = folder / "clip.mp4"
            write_scene(parse_scene(SCENE), clip)
            url = f"http://127.0.0.1:{server.server_port}/v1"
            seconds_to_first_call(folder, clip, url)
            found = statistics.median(seconds_to_first_call(folder, clip, url) for _ in range(ROUNDS))
            alone = statistics.median(seconds_of_import("langchain_openai, langgraph.graph") for _ in range(ROUNDS))
    finally:
        server.shutdown()
        server.server_close()
    print(
        f"start-up     {found:.2f} s from Enter to the first provider call (clip cached, median of {ROUNDS});"
        f" {found / alone:.2f} times importing langchain_openai and langgraph alone ({alone:.2f} s);"
        f" limit {LIMIT_SECONDS} s"
    )


if __name__ == "__main__":
    main()
