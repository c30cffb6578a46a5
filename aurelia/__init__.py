"""AURELIA: test-time reasoning distillation for frozen audio-visual LLMs (arXiv 2503.23219).

Ask a question about a clip; the default settings need no key:

    >>> import aurelia
    >>> result = aurelia.ask_sync("How many sounds are heard?", video="clip.mp4")
    >>> result.answer
    '2'
    >>> [step["step"] for step in result.best["steps"]]  # doctest: +ELLIPSIS
    ['Find out what can be heard in the clip: ...

In asynchronous code use `await ask(...)`. `stream(...)` and `stream_sync(...)` yield the events of the run,
`ask_many(...)` answers many questions. Models and settings are fields
of `Context`; presets of both are profiles:

    >>> context = aurelia.context_from_profile("offline", {"max_iterations": 1})
    >>> context.target
    'offline:measure'

An error of the user's input is an `InputError`, a failure of a model a `ModelError`; both are an `AureliaError`.
The names are imported at first use, so that `import aurelia` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aurelia.shadowing import check_packages, runs_as_command

if TYPE_CHECKING:
    from aurelia.profiles import context_from_profile
    from aurelia.run.api import ask, ask_sync, stream, stream_sync
    from aurelia.run.many import Results, ask_many, ask_many_sync
    from aurelia.run.result import Result
    from aurelia_core.errors import AureliaError, InputError, ModelError
    from graph.build import build_graph
    from state.context import Context
    from state.events import Event

__all__ = [
    "AureliaError",
    "Context",
    "Event",
    "InputError",
    "ModelError",
    "Result",
    "Results",
    "ask",
    "ask_many",
    "ask_many_sync",
    "ask_sync",
    "build_graph",
    "context_from_profile",
    "stream",
    "stream_sync",
]

_MODULES = {
    "AureliaError": "aurelia_core.errors",
    "Context": "state.context",
    "Event": "state.events",
    "InputError": "aurelia_core.errors",
    "ModelError": "aurelia_core.errors",
    "Result": "aurelia.run.result",
    "Results": "aurelia.run.many",
    "ask": "aurelia.run.api",
    "ask_many": "aurelia.run.many",
    "ask_many_sync": "aurelia.run.many",
    "ask_sync": "aurelia.run.api",
    "build_graph": "graph.build",
    "context_from_profile": "aurelia.profiles",
    "stream": "aurelia.run.api",
    "stream_sync": "aurelia.run.api",
}

if not runs_as_command():
    check_packages()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'aurelia' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
