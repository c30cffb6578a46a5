"""Runs one question through the graph, or one caption through the evaluator: what the command line and scripts call."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from aurelia.run.threads import Reviewer, resumed, stopped, thread_config
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.sanitize import sanitize_json
from aurelia_core.suggestions import reject_unknown_names
from aurelia_core.types import MediaRef, add_usage
from graph.build import AureliaGraph, build_graph
from graph.tracing import configure_tracing, run_name
from nodes.describer import descriptions
from nodes.evaluator import judge_caption
from state.context import Context
from state.events import Event
from state.schema import EvaluatorState, Input

CLIP_KEYS = ("id", "duration", "width", "height", "fps", "has_audio", "audio_channels", "audio_seconds")
RESULT_KEYS = (
    "answer",
    "choice",
    "zero_shot_answer",
    "stop_reason",
    "score",
    "best_iteration",
    "best",
    "target_in_domain",
    "leaks",
    "iterations",
    "clip",
    "models",
    "usage",
    "seconds",
    "warnings",
)


async def ask(
    question: Input,
    context: Context,
    *,
    desk: ModelClient | None = None,
    graph: AureliaGraph | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    thread: str | None = None,
    keep: BaseCheckpointSaver[Any] | None = None,
    reviewer: Reviewer | None = None,
) -> dict[str, Any]:
    """Answers one question.

    Args:
        question: video, question, and optionally audio and choices.
        context: the run's settings.
        desk: models, clips and ledger (default: those of this machine).
        graph: the graph to run (default: a new one at that desk).
        on_event: called with each event as it happens (`state.events`).
        tags: for the run's trace, for instance the task.
        metadata: for the run's trace, for instance the id of the question.
        thread: name of a thread to keep the run in; one that was stopped in the middle of this question goes on.
        keep: where threads are kept, for a new graph (`aurelia.run.checkpointers`).
        reviewer: asked when the run pauses for a person.

    Returns:
        The keys of RESULT_KEYS, each always there; null where it does not apply.

    Raises:
        InputError: the question, a choice or a setting cannot be used (MediaError: a clip cannot), the thread holds
            another question, or the run pauses and there is no reviewer.
        ModelError: the target did not answer.
    """
    began = time.perf_counter()
    reject_unknown_names(question, Input.__annotations__, "A question")
    question = {
        **question,
        **sanitize_json({name: question[name] for name in ("question", "choices") if name in question}),
    }
    configure_tracing()
    desk = desk or (None if graph else ModelClient())
    graph = graph or build_graph(client=desk, checkpointer=keep)
    config: Any = {
        "run_name": run_name("aurelia", question.get("question")),
        "tags": [*tags],
        "metadata": {**(metadata or {})},
    }
    given: Any = question
    if thread is not None:
        config |= thread_config(graph, thread)
        if state := await stopped(graph, thread, question, desk):
            given = None
            on_event(resumed(thread, state))
    while True:
        final = await _stream(graph, given, config, context, on_event)
        if not (pauses := final.get("__interrupt__")):
            return result(final, time.perf_counter() - began)
        if reviewer is None:
            raise InputError(f"The run waits for a person's review in thread {thread!r}: give a reviewer to go on.")
        given = Command(resume=await reviewer(pauses[0].value))


async def _stream(
    graph: AureliaGraph, given: Any, config: Any, context: Context, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Runs the graph to its end or to a pause; the last state."""
    final: dict[str, Any] = {}
    # What has been done is on disk before the next node begins, so that a run that is killed goes on from there.
    durability: Any = "sync" if "configurable" in config else None
    modes: Any = ["custom", "values"]
    stream: AsyncIterator[Any] = graph.astream(given, config, context=context, stream_mode=modes, durability=durability)
    async for kind, data in stream:
        if kind == "custom":
            on_event(data)
        else:
            # Where a pause comes beside another node's end, that end's values follow it without it.
            final = {**final, **data}
    return final


def result(output: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The graph's output as the result that users get: every key there, the clip without names."""
    found = {name: output.get(name) for name in RESULT_KEYS}
    return {**found, "clip": {name: output["clip"][name] for name in CLIP_KEYS}, "seconds": seconds}


async def score(
    clip: MediaRef, tracks: list[MediaRef], caption: str, context: Context, desk: ModelClient
) -> dict[str, Any]:
    """What the evaluator alone says of a caption: score (null when nothing can be checked), justification, windows.

    Its bill stands beside that, and in `warnings` what was put in place of what it could not take.

    Raises:
        ModelError: the evaluator, or the describer that it needs, did not answer.
    """
    state: EvaluatorState = {"run": uuid.uuid4().hex, "clip": clip, "tracks": tracks, "iterations": []}
    others = {"generator": context.evaluator, "generator_fallback": ""}
    others |= {"target": context.evaluator, "target_fallback": ""}
    alone = context.model_copy(update=others)
    described = await descriptions(state, alone, desk)
    state["described"] = {sense: answer.value for sense, answer in described.items()}
    verdict = await judge_caption(state, caption, context, desk)
    usage = reduce(add_usage, (answer.usage for answer in described.values()), verdict.usage)
    return {**verdict.value.model_dump(), "seconds": verdict.seconds, "usage": usage, "warnings": verdict.notes}
