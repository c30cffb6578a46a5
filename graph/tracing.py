"""What LangSmith is told beside the spans: attempt and score on each node, and the evaluator's score as feedback.

Without tracing it does nothing at all. What may leave the machine is decided in `graph.sender`; a contact sheet of the
clip goes along where the operator wants it (`Settings.trace_contact_sheet`), and never otherwise.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache, wraps
from typing import Any

import langsmith
from langchain_core.tracers import LangChainTracer
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langsmith.run_trees import RunTree
from langsmith.utils import LangSmithNotFoundError

import prompts
from aurelia_core.models.client import Desk
from aurelia_core.types import MediaRef
from nodes.requests import settings_of
from state.context import Context
from state.schema import Update

Node = Callable[[Any, Runtime[Context]], Awaitable[Update]]
FEEDBACK = "evaluator_score"
SHEET = "contact_sheet"
GRAPHS = ("aurelia", "zero_shot")
_AT_THE_END = ("score", "best_iteration", "stop_reason", "choice")


def observed(node: Node, desk: Desk | None = None) -> Any:
    """The node, which also tells its own span and the run's what came of it; a fault of tracing spoils nothing.

    Args:
        node: the node.
        desk: has the clips, and says whether a trace gets their contact sheet (default: it does not).
    """

    @wraps(node)
    async def run(state: Any, runtime: Runtime[Context]) -> Update:
        update = await node(state, runtime)
        if span := langsmith.get_current_run_tree():
            try:
                root = _root(span)
                await asyncio.to_thread(_tell, span, root, update, settings_of(runtime))
                if root and desk and (clip := update.get("clip")) and desk.settings.trace_contact_sheet:
                    await asyncio.to_thread(_attach, root, desk, clip)
            except Exception as fault:
                logging.getLogger(__name__).warning("The trace lacks what a node has to say: %s", fault)
        return update

    return run


def run_name(graph: str, question: Any) -> str:
    """What a question's run is called in a trace; a server's runs get the name in prepare."""
    return f"{graph}: {str(question)[:60]}"


def _tell(span: RunTree, root: RunTree | None, update: Update, context: Context) -> None:
    for attempt in update.get("iterations") or []:
        told = {"attempt": attempt["iteration"], "score": attempt.get("score"), "usage": attempt.get("usage")}
        span.add_metadata({name: value for name, value in told.items() if value is not None})
        _rate(span, span.id, attempt.get("score"), f"attempt {attempt['iteration']}")
    if root and (clip := update.get("clip")):
        if root.name in GRAPHS:
            root.name = run_name(root.name, update.get("question"))
        root.add_tags([context.profile])
        settings = context.model_dump(exclude_none=True, exclude=set(map(str, context.models())))
        root.add_metadata({"clip": clip["id"], "models": context.models(), **settings, "prompts": prompts.hashes()})
    if root and update.get("stop_reason"):
        root.add_metadata({name: update.get(name) for name in _AT_THE_END})
        _rate(span, root.id, update.get("score"), f"best of all, attempt {update.get('best_iteration')}")


def _attach(root: RunTree, desk: Desk, clip: MediaRef) -> None:
    """Lays the clip's contact sheet beside the run; it is sent when the run ends."""
    from aurelia_core.media.contact_sheet import render_contact_sheet

    attached: Any = {**(root.attachments or {}), SHEET: ("image/jpeg", render_contact_sheet(desk.store, clip))}
    root.attachments = attached


def _rate(span: RunTree, run: Any, score: int | None, comment: str) -> None:
    if score is None or not span.client:
        return
    project = span.session_id or _project(span.client, span.session_name or "default")
    span.client.create_feedback(
        run,
        FEEDBACK,
        score=score,
        trace_id=span.trace_id,
        session_id=project,
        start_time=span.start_time,
        comment=comment,
    )


@lru_cache(maxsize=64)
def _project(client: langsmith.Client, name: str) -> Any:
    """The id of a project, which feedback must name; the first run of a new one may come before the project does."""
    try:
        return client.read_project(project_name=name).id
    except LangSmithNotFoundError:
        return client.create_project(name, upsert=True).id


def _root(span: RunTree) -> RunTree | None:
    manager = get_config().get("callbacks")
    for handler in getattr(manager, "handlers", []):
        if isinstance(handler, LangChainTracer) and (root := handler.run_map.get(str(span.trace_id))):
            return root
    return None
