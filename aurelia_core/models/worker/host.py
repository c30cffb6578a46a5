"""Runs a model in a research repository's own environment and answers JSON lines on stdin and stdout.

Start it with `PYTHON host.py SCRIPT`. PYTHON is the Python of that environment. SCRIPT is the operator's file with
`load(options)`, which returns a model, and `answer(model, request)`, which returns a text; optionally also
`batch(model, requests)`, which returns a list of texts. It needs only the standard library of Python 3.8.

An input line is `{"id": 1, "op": "load" | "answer" | "batch" | "health", ...}`; an output line is `{"id": 1, "ok":
true, "result": ...}` or `{"id": 1, "ok": false, "error": "..."}`. Output of the model's code goes to stderr.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from typing import Any

_PROTOCOL_VERSION = 1


class ScriptHost:
    """The script's functions and, once loaded, its model."""

    def __init__(self, path: str) -> None:
        """Import the script.

        Args:
            path: the operator's script.
        """
        spec = importlib.util.spec_from_file_location("answering_script", path)
        if spec is None or spec.loader is None:
            raise ValueError("the script is not a Python file")
        self._script = importlib.util.module_from_spec(spec)
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        spec.loader.exec_module(self._script)
        self._model: Any = None
        self._loaded = False

    def handle_message(self, message: dict[str, Any]) -> Any:
        """The result of one message's operation."""
        operations = {"load": self._load, "answer": self._answer, "batch": self._batch, "health": self._health}
        if message.get("op") not in operations:
            raise ValueError(f"there is no operation {message.get('op')!r}")
        return operations[message["op"]](message)

    def _load(self, message: dict[str, Any]) -> Any:
        self._model = self._script.load(message.get("options") or {})
        self._loaded = True
        return self._health(message)

    def _health(self, message: dict[str, Any]) -> Any:
        version = ".".join(map(str, sys.version_info[:3]))
        return {"protocol": _PROTOCOL_VERSION, "python": version, "loaded": self._loaded}

    def _answer(self, message: dict[str, Any]) -> str:
        self._must_be_loaded()
        return _text(self._script.answer(self._model, message["request"]))

    def _batch(self, message: dict[str, Any]) -> list[str]:
        self._must_be_loaded()
        requests = message["requests"]
        if hasattr(self._script, "batch"):
            answers = [_text(answer) for answer in self._script.batch(self._model, requests)]
        else:
            answers = [_text(self._script.answer(self._model, request)) for request in requests]
        if len(answers) != len(requests):
            raise ValueError(f"{len(answers)} answers to {len(requests)} requests")
        return answers

    def _must_be_loaded(self) -> None:
        if not self._loaded:
            raise ValueError("no model is loaded yet")


def _text(answer: Any) -> str:
    if not isinstance(answer, str):
        raise TypeError(f"the script answered with {type(answer).__name__} instead of text")
    return answer


def _private_stdout() -> int:
    """A file descriptor for replies; redirects stdout, also of C code, to stderr."""
    replies = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def _send(replies: int, reply: dict[str, Any]) -> None:
    line = (json.dumps(reply) + "\n").encode("utf-8")
    while line:
        line = line[os.write(replies, line) :]


def _reply(host: ScriptHost | None, fault: str, line: bytes) -> dict[str, Any]:
    number = None
    try:
        message = json.loads(line.decode("utf-8"))
        number = message["id"]
        if host is None:
            return {"id": number, "ok": False, "error": fault}
        return {"id": number, "ok": True, "result": host.handle_message(message)}
    except Exception as error:
        traceback.print_exc()
        return {"id": number, "ok": False, "error": f"{type(error).__name__}: {error}"}


def run_host() -> None:
    """Answer messages until the end of stdin."""
    replies = _private_stdout()
    host = None
    fault = ""
    try:
        host = ScriptHost(sys.argv[1])
    except Exception as error:
        traceback.print_exc()
        fault = f"the script cannot be run: {type(error).__name__}: {error}"
    for line in sys.stdin.buffer:
        _send(replies, _reply(host, fault, line))


if __name__ == "__main__":
    run_host()
