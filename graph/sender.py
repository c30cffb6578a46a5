"""The LangSmith client of this project: what it sends holds no media, no keys and no folders, and says things once.

It decides what leaves the machine, not what is traced: spans come from LangGraph, marks on them from `graph.tracing`.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import langsmith
from langsmith.utils import tracing_is_enabled

from aurelia_core.sanitize import REDACTED, environment_secrets
from graph.routing import ROUTERS
from graph.trace import node_input

_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]{400,}")
_PATH = re.compile(r"(?<![\w/.:<])/(?:[\w.~@+-]+/)+(?=[\w.~@+-])")
# What LangGraph and the client add to every span and nobody filters by.
_NOISE = (
    "langgraph_triggers",
    "langgraph_path",
    "langgraph_checkpoint_ns",
    "checkpoint_ns",
    "lc_versions",
    "ls_integration",
)
_OF_THE_CLIENT = ("runtime", "options", "batch_size")


class TraceClient(langsmith.Client):
    """Sends each span's input once, when it begins, and its metadata once, when it ends (the whole run's at both).

    Attributes:
        secrets: texts that must not appear in a span's name (of all else the client's anonymizer takes care).
    """

    secrets: Sequence[str] = ()

    def create_run(self, name: str, inputs: dict[str, Any], run_type: Any, **more: Any) -> None:
        """Opens a span."""
        inputs = node_input(inputs) if name in ROUTERS else inputs
        more |= {"serialized": None, "events": None, "extra": None if more.get("parent_run_id") else more.get("extra")}
        if not more.get("outputs"):
            more.pop("outputs", None)
        super().create_run(_masked(name, self.secrets), inputs, run_type, **more)

    def update_run(self, run_id: Any, **more: Any) -> None:
        """Closes a span."""
        extra = {name: value for name, value in (more.get("extra") or {}).items() if name not in _OF_THE_CLIENT}
        # The client repeats what a model is called with among the span's metadata.
        told, said = extra.get("metadata") or {}, extra.get("invocation_params") or {}
        extra["metadata"] = {name: value for name, value in told.items() if name not in said or said[name] != value}
        if isinstance(name := more.get("name"), str):
            more["name"] = _masked(name, self.secrets)
        super().update_run(run_id, **{**more, "inputs": None, "events": None, "extra": extra})


def configure_tracing() -> None:
    """Makes every trace of this process go through a Sender, when tracing is on; may be called again."""
    if tracing_is_enabled() and not _Configured.client:
        _Configured.client = make_trace_client()
        langsmith.configure(client=_Configured.client)


class _Configured:
    client: TraceClient | None = None


def make_trace_client(**options: Any) -> TraceClient:
    """A client that sends what `cleaned` lets through, and none of the keys in this process's environment.

    Args:
        options: further arguments of `langsmith.Client`.
    """
    secrets = environment_secrets()
    made = TraceClient(anonymizer=partial(clean_span, secrets=secrets), omit_traced_runtime_info=True, **options)
    made.secrets = secrets
    return made


def clean_span(value: Any, secrets: list[str] | None = None) -> Any:
    """What a span holds as it may leave the machine: messages by role and content, clips by id, the rest as it is.

    In every text the folders of absolute paths, long base64 and secrets are replaced by a mark.

    Args:
        value: a span's input, output, error or metadata, as JSON.
        secrets: texts that must not appear.
    """
    if isinstance(value, str):
        return _masked(value, secrets or [])
    if isinstance(value, list):
        return [clean_span(part, secrets) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("lc") == 1 and "content" in value.get("kwargs", {}):
        said = value["kwargs"]
        return {"role": said.get("type", "system"), "content": clean_span(said["content"], secrets)}
    if isinstance(generations := value.get("generations"), list):
        return {"generations": [[clean_span(one.get("message"), secrets) for one in many] for many in generations]}
    if value.get("type") == "clip" and isinstance(clip := value.get("clip"), dict):
        return {"type": "clip", "clip": clip.get("id")}
    return {name: clean_span(part, secrets) for name, part in value.items() if name not in _NOISE}


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return _PATH.sub("[folder]/", _BASE64.sub("[base64]", text))
