"""What a trace shows: the spans of nodes and runs, what may leave the machine, and each node's words.

Three parts: what a node's span holds (`node_input`, `node_output`) and says (`NodeText`); the marks beside the spans
(`trace_node`: attempt, score); the LangSmith client (`TraceClient`), which removes media, keys and folders.
Without tracing nothing is sent.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any

import langsmith
from langchain_core.tracers import LangChainTracer
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langsmith.run_trees import RunTree
from langsmith.utils import LangSmithNotFoundError, tracing_is_enabled

from aurelia_core.models.client import ModelClient
from aurelia_core.sanitize import REDACTED, environment_secrets
from aurelia_core.types import Media
from graph.attempt_spans import ATTEMPT, AttemptSpans
from graph.compiled import SETTINGS_KEY
from graph.routing import ROUTERS
from nodes.requests import context_of
from state.attempts import current_round
from state.context import Context
from state.schema import Update

NodeText = Callable[[Mapping[str, Any]], str | None]
"""A node's words for a trace, from the fields that it returned."""


def field_text(*names: str) -> NodeText:
    """The words of a node that says one of these fields: the first that is there; none: it says nothing."""

    def text(found: Mapping[str, Any]) -> str | None:
        said = next((found[name] for name in names if found.get(name)), None)
        return None if said is None else str(said)

    return text


def steps_text(found: Mapping[str, Any]) -> str | None:
    """The generator's words: its steps."""
    reasoning = found.get("reasoning")
    return "; ".join(step["step"] for step in reasoning["steps"]) if reasoning else None


def description_text(found: Mapping[str, Any]) -> str | None:
    """The describer's words: what it wrote about each sense."""
    return "; ".join((found.get("described") or {}).values()) or None


def note_text(role: str) -> NodeText:
    """The words of an agent that leaves a note in the attempt (`state.schema.Attempt`)."""
    return lambda found: (found.get("notes") or {}).get(role)


_SHOWN_BELOW = ("best", "iterations", "usage", "described", "settings")
_OF_THE_RUN = ("run", "question", "choices", "clip", "tracks", "pictures", "described", "settings")


def node_input(state: Any, begins: bool | None = None) -> Any:
    """A node's input for its span: without what the run's own span holds, attempts by number and score only.

    Args:
        state: what the node reads.
        begins: for a node of an attempt, whether the attempt begins with it; None: it belongs to no attempt.
    """
    if not isinstance(state, dict):
        return state
    shown = {name: value for name, value in state.items() if name not in _OF_THE_RUN}
    if begins is not None:
        attempts = state.get("iterations") or []
        # Candidates are one group, under the number of the first of them.
        shown[ATTEMPT] = len(attempts) + 1 if begins else len(attempts) - len(current_round(attempts)) + 1
        if not attempts and not begins:
            shown[ATTEMPT] = 0
    if "iterations" in shown:
        shown["iterations"] = [
            {"iteration": attempt["iteration"], "score": attempt["score"]} for attempt in shown["iterations"]
        ]
    return shown


def node_output(update: Any) -> Any:
    """A node's output for its span: without the texts that its model's span shows in full."""
    if not isinstance(update, dict):
        return update
    shown = {name: value for name, value in update.items() if name not in _SHOWN_BELOW}
    names = ("iteration", "candidate", "score", "windows", "doubts", "claims", "error")
    attempts = [{name: one[name] for name in names if name in one} for one in _by_attempt(update)]
    if len(attempts) == 1:
        return shown | attempts[0]
    if attempts:
        shown |= {"candidates": attempts, "score": _best_score(attempts)}
    return shown


def _by_attempt(update: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an update says of each attempt, as one record an attempt."""
    found: dict[int, dict[str, Any]] = {}
    for part in update.get("iterations") or []:
        found[part["iteration"]] = {**found.get(part["iteration"], {}), **part}
    return list(found.values())


def _best_score(attempts: Sequence[Mapping[str, Any]]) -> int | None:
    return max((one["score"] for one in attempts if one.get("score") is not None), default=None)


_NodeFunction = Callable[[Any, Runtime[Context]], Awaitable[Update]]
FEEDBACK_KEY = "evaluator_score"
SHEET_ATTACHMENT = "contact_sheet"
_GRAPH_NAMES = ("aurelia", "zero_shot")
_AT_THE_END = ("score", "best_iteration", "stop_reason", "choice")
_EVALUATOR = "evaluator"


def trace_node(node: _NodeFunction, client: ModelClient | None = None) -> Any:
    """The node, which also marks its own span and the run's root; a fault of tracing never fails the node.

    Args:
        node: the node.
        client: has the clips; with `trace_contact_sheet` in its settings a trace gets a contact sheet (default: none).
    """

    @wraps(node)
    async def run(state: Any, runtime: Runtime[Context]) -> Update:
        update = await node(state, runtime)
        if span := langsmith.get_current_run_tree():
            try:
                root = _root(span)
                _mark(span, root, update, context_of(runtime))
                if isinstance(span.client, TraceClient):
                    await asyncio.to_thread(span.client.find_projects, span)
                if root and client and update.get("clip") and client.settings.trace_contact_sheet:
                    await asyncio.to_thread(_attach_sheet, root, client, update)
            except Exception as fault:
                logging.getLogger(__name__).warning("The trace lacks what a node has to say: %s", fault)
        return update

    return run


def run_name(graph: str, question: Any) -> str:
    """The name of a question's run in a trace; a run of a server is renamed in prepare."""
    return f"{graph}: {str(question)[:60]}"


def _mark(span: RunTree, root: RunTree | None, update: Update, context: Context) -> None:
    if attempts := _by_attempt(update):
        usage = attempts[0].get("usage") if len(attempts) == 1 else update.get("usage")
        told = {ATTEMPT: attempts[0]["iteration"], "score": _best_score(attempts), "usage": usage}
        if len(attempts) > 1:
            told["candidates"] = len(attempts)
        span.add_metadata({name: value for name, value in told.items() if value is not None})
    if root and (clip := update.get("clip")):
        if root.name in _GRAPH_NAMES:
            root.name = run_name(root.name, update.get("question"))
        root.add_tags([context.profile])
        settings = context.model_dump(exclude_none=True, exclude=set(map(str, context.models())))
        settings = {name: value for name, value in settings.items() if value != ""}
        root.add_metadata({"clip": clip["id"], "models": context.models(), **settings, "prompts": update["prompts"]})
    if root and update.get("stop_reason"):
        root.add_metadata({name: update.get(name) for name in _AT_THE_END})


def _attach_sheet(root: RunTree, client: ModelClient, update: Update) -> None:
    """Attaches the contact sheet of the media to the run; it is sent when the run ends."""
    from aurelia_core.media.contact_sheet import render_contact_sheet

    media = Media(update["clip"], update.get("pictures") or [], update.get("tracks") or [])
    attached: Any = {
        **(root.attachments or {}),
        SHEET_ATTACHMENT: ("image/jpeg", render_contact_sheet(client.store, *media.refs)),
    }
    root.attachments = attached


def _root(span: RunTree) -> RunTree | None:
    manager = get_config().get("callbacks")
    for handler in getattr(manager, "handlers", []):
        if isinstance(handler, LangChainTracer) and (root := handler.run_map.get(str(span.trace_id))):
            return root
    return None


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
    SETTINGS_KEY,
)
_DEFAULT_PROJECT = "default"
_OF_THE_CLIENT = ("runtime", "options", "batch_size")


class TraceClient(langsmith.Client):
    """Sends each span's input once, at its start, and its metadata once, at its end (the root's at both).

    It groups the spans of an attempt (`graph.attempt_spans`), and rates evaluator and root with their score. An
    experiment that Studio starts is sent as a second trace with ids of its own: both pass through here.

    Attributes:
        secrets: texts that must not appear in a span's name (the client's anonymizer handles everything else).
    """

    secrets: Sequence[str] = ()

    def __init__(self, **options: Any) -> None:
        """Makes the client.

        Args:
            options: arguments of `langsmith.Client`.
        """
        super().__init__(**options)
        self._attempts = AttemptSpans()
        self._projects: dict[str, Any] = {}

    def create_run(self, name: str, inputs: dict[str, Any], run_type: Any, **more: Any) -> None:
        """Opens a span."""
        if attempt := self._attempts.opened(more.get("id"), inputs, more):
            super().create_run(**attempt)
        more |= self._attempts.placed(more)
        inputs = node_input(inputs) if name in ROUTERS else inputs
        more |= {"serialized": None, "events": None, "extra": None if more.get("parent_run_id") else more.get("extra")}
        if not more.get("outputs"):
            more.pop("outputs", None)
        super().create_run(_masked(name, self.secrets), inputs, run_type, **more)

    def update_run(self, run_id: Any, **more: Any) -> None:
        """Closes a span."""
        extra = {name: value for name, value in (more.get("extra") or {}).items() if name not in _OF_THE_CLIENT}
        # The client repeats what a model is called with among the span's metadata.
        metadata, repeated = extra.get("metadata") or {}, extra.get("invocation_params") or {}
        extra["metadata"] = {name: value for name, value in metadata.items() if repeated.get(name) != value}
        is_root = str(run_id) == str(more.get("trace_id"))
        if is_root:
            extra["metadata"] |= _summary(more.get("outputs"))
        for attempt in self._attempts.closed(run_id, more.get("outputs"), more):
            super().update_run(**attempt)
        if is_root or more.get("name") == _EVALUATOR:
            self._rate(run_id, extra["metadata"], more)
        if isinstance(name := more.get("name"), str):
            more["name"] = _masked(name, self.secrets)
        more |= self._attempts.placed(more)
        super().update_run(run_id, **{**more, "inputs": None, "events": None, "extra": extra})

    def find_projects(self, span: RunTree) -> None:
        """Looks up the projects that a trace goes to, which feedback must name; a new project may not exist yet."""
        names = [replica.get("project_name") for replica in span.replicas or []]
        for name in {span.session_name or _DEFAULT_PROJECT, *filter(None, names)}:
            self._project(name)

    def _project(self, name: str) -> Any:
        if name not in self._projects:
            try:
                self._projects[name] = self.read_project(project_name=name).id
            except LangSmithNotFoundError:
                self._projects[name] = self.create_project(name, upsert=True).id
        return self._projects[name]

    def _rate(self, run_id: Any, metadata: Mapping[str, Any], span: Mapping[str, Any]) -> None:
        """The evaluator's score as feedback of a model, on the span of its attempt or, the best one, on the root."""
        score = metadata.get("score")
        if score is None:
            return
        comment = f"attempt {metadata.get(ATTEMPT)}"
        if ATTEMPT not in metadata:
            comment = f"best of all, attempt {metadata.get('best_iteration')}"
        self.create_feedback(
            run_id,
            FEEDBACK_KEY,
            score=score,
            trace_id=span.get("trace_id"),
            session_id=span.get("session_id") or self._project(span.get("session_name") or _DEFAULT_PROJECT),
            start_time=span.get("start_time"),
            comment=comment,
            feedback_source_type="model",
        )


def _summary(outputs: Any) -> dict[str, Any]:
    """What the root says about a question's attempts: their number, the first and the best score, gain and cost."""
    if not isinstance(outputs, dict) or not outputs.get("iterations"):
        return {}
    scores = [attempt.get("score") for attempt in outputs["iterations"]]
    found = {"attempts": len(scores), "first_score": scores[0], "best_score": outputs.get("score")}
    if None not in (found["first_score"], found["best_score"]):
        found["gain"] = found["best_score"] - found["first_score"]
    return {**found, "cost_usd": (outputs.get("usage") or {}).get("cost_usd")}


def configure_tracing() -> None:
    """Makes every trace of this process go through a `TraceClient` if tracing is on; may be called again."""
    if tracing_is_enabled() and not _Configured.client:
        _Configured.client = make_trace_client()
        langsmith.configure(client=_Configured.client)


class _Configured:
    client: TraceClient | None = None


def make_trace_client(**options: Any) -> TraceClient:
    """A client that sends what `clean_span` lets through, and none of the keys in this process's environment.

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
