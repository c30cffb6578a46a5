"""Runs a model in a research repository's own environment and answers JSON lines on stdin and stdout.

Start it with `PYTHON host.py SCRIPT [REPOSITORY]`. PYTHON is the Python of that environment. SCRIPT is a file with
`load(options)`, which returns a model, and `answer(model, request)`, which returns a text (docs/workers.md). The script
can import the modules of the folder REPOSITORY, and `aurelia_worker`, which is `kit.py` beside this file. Both need
only the standard library of Python 3.8.

An input line is `{"id": 1, "op": "load" | "answer", ...}`; an output line is `{"id": 1, "ok": true, "result": ...}` or
`{"id": 1, "ok": false, "error": "...", "memory": true | false}`. Output of the model's code goes to stderr.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from types import ModuleType
from typing import Any

_PROTOCOL_VERSION = 2
_PACKAGES = ("torch", "transformers", "numpy", "accelerate", "peft", "timm")


class ScriptHost:
    """The script's functions and, once loaded, its model."""

    def __init__(self, path: str, *repositories: str) -> None:
        """Import the script.

        Args:
            path: the script.
            repositories: folders whose modules it imports.
        """
        own_folder = os.path.dirname(os.path.abspath(__file__))
        # The names of this folder's files must not hide modules of the research repository.
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != own_folder]
        _import_file("aurelia_worker", os.path.join(own_folder, "kit.py"))
        sys.path[:0] = repositories
        self._script = _import_file("answering_script", path)
        self._model: Any = None
        self._loaded = False

    def handle_message(self, message: dict[str, Any]) -> Any:
        """The result of one message's operation."""
        operations = {"load": self._load, "answer": self._answer}
        if message.get("op") not in operations:
            raise ValueError(f"there is no operation {message.get('op')!r}")
        return operations[message["op"]](message)

    def _load(self, message: dict[str, Any]) -> Any:
        self._model = self._script.load(message.get("options") or {})
        self._loaded = True
        version = ".".join(map(str, sys.version_info[:3]))
        return {"protocol": _PROTOCOL_VERSION, "python": version, "packages": _imported_versions()}

    def _answer(self, message: dict[str, Any]) -> str:
        if not self._loaded:
            raise ValueError("no model is loaded yet")
        answer = self._script.answer(self._model, message["request"])
        if not isinstance(answer, str):
            raise TypeError(f"the script answered with {type(answer).__name__} instead of text")
        return answer


def _import_file(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError("the script is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _imported_versions() -> dict[str, str]:
    """The versions of the packages that decide about an answer, of those that were imported."""
    return {name: str(getattr(sys.modules[name], "__version__", "")) for name in _PACKAGES if name in sys.modules}


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


def _is_out_of_memory(error: BaseException) -> bool:
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()


def _reply(host: ScriptHost | None, fault: str, line: bytes) -> dict[str, Any]:
    number = None
    try:
        message = json.loads(line.decode("utf-8"))
        number = message["id"]
        if host is None:
            return {"id": number, "ok": False, "error": fault, "memory": False}
        return {"id": number, "ok": True, "result": host.handle_message(message)}
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"
        return {"id": number, "ok": False, "error": said, "memory": _is_out_of_memory(error)}


def run_host() -> None:
    """Answer messages until the end of stdin."""
    replies = _private_stdout()
    host = None
    fault = ""
    try:
        host = ScriptHost(*sys.argv[1:])
    except Exception as error:
        traceback.print_exc()
        fault = f"the script cannot be run: {type(error).__name__}: {error}"
    for line in sys.stdin.buffer:
        _send(replies, _reply(host, fault, line))


if __name__ == "__main__":
    run_host()
