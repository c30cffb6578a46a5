"""Runs serve_tiny_model.py as a process of its own; the server is transformers' own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STARTING = 240.0
PACKAGES = ("torch", "transformers", "accelerate", "fastapi", "uvicorn")


class Served:
    """The server at `url`, with the models `sees` and `hears`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Returns when it answers."""
        if self.process is not None:
            return
        known = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.folder / "hub"),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        script = str(Path(__file__).with_name("serve_tiny_model.py"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, script, str(self.folder), str(self.port)], stdout=log, stderr=log, env=known
            )
        until = time.monotonic() + STARTING
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def freeze(self) -> None:
        """From now on it takes connections and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
