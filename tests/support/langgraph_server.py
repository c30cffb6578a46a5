"""Starts a real `langgraph dev` on loopback with this clone's langgraph.json, in a folder of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

ROOT = Path(__file__).parents[2]
LANGGRAPH = Path(sys.executable).with_name("langgraph")

needs_server = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(not LANGGRAPH.exists(), reason="langgraph-cli is not installed: pip install -e '.[server]'"),
]


TOKENS = {"alice": "alices-token-of-some-length", "bob": "bobs-token-of-some-length"}
"""The tokens of two owners."""


def as_owner(server: str, name: str) -> httpx.Client:
    """A client with the token of an owner."""
    return httpx.Client(base_url=server, headers={"Authorization": f"Bearer {TOKENS[name]}"}, timeout=120)


@contextmanager
def serving_owners(home: Path) -> Iterator[str]:
    """The URL of a server that knows both owners, while it runs."""
    with serving(home, AURELIA_TOKENS=",".join(f"{name}:{token}" for name, token in TOKENS.items())) as url:
        yield url


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[str]:
    """The server's URL, while it runs; the arguments are those of `started`."""
    with started(home, **settings) as server:
        yield server.url


class Started(NamedTuple):
    """A server, and the process to kill."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def started(home: Path, port: int | None = None, **settings: str) -> Iterator[Started]:
    """A server, while it runs.

    Args:
        home: AURELIA_HOME, and where the server keeps its threads and writes its log.
        port: where it listens (default: where nothing does).
        settings: further variables of its environment.
    """
    # A person's own .env stays out of the tests.
    config = {**json.loads((ROOT / "langgraph.json").read_text()), "dependencies": [str(ROOT)], "env": {}}
    (home / "langgraph.json").write_text(json.dumps(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = port or free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURELIA_")}
    mine = {"AURELIA_HOME": str(home), "LANGSMITH_TRACING": "false", "PYTHONPATH": str(ROOT)}
    command = [LANGGRAPH, "dev", "--no-browser", "--no-reload", "--port", str(port), "--n-jobs-per-worker", "2"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env={**kept, **mine, **settings}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert process.poll() is None, (home / "log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"{url}/ok", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        yield Started(url, process)
    finally:
        process.terminate()
        process.wait(30)
