"""Runs one question through the graph, or one caption through the evaluator: what the command line and scripts call."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from aurelia.models.desk import Desk
from graph.build import AureliaGraph, build_graph
from graph.sender import configure
from nodes.describer import descriptions
from nodes.evaluator import judge
from state.context import Context
from state.schema import Input, Judged, MediaRef, add_usage

CLIP_KEYS = ("id", "duration", "width", "height", "fps", "has_audio", "audio_channels", "audio_seconds")
RESULT_KEYS = (
    "answer",
    "choice",
    "zero_shot_answer",
    "stop_reason",
    "score",
    "best_iteration",
    "best",
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
    desk: Desk | None = None,
    graph: AureliaGraph | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Answers one question.

    Args:
        question: video, question, and optionally audio and choices.
        context: the run's settings.
        desk: models, clips and ledger (default: those of this machine).
        graph: the graph to run (default: a new one at that desk).
        on_event: called with each event as it happens (clip, attempt, feedback, target).
        tags: for the run's trace, for instance the task.
        metadata: for the run's trace, for instance the id of the question.

    Returns:
        The keys of RESULT_KEYS, each always there; null where it does not apply.

    Raises:
        InputError: the question, a choice or a setting cannot be used (MediaError: a clip cannot).
        ModelError: the target did not answer.
    """
    began = time.perf_counter()
    configure()
    graph = graph or build_graph(desk=desk)
    final: dict[str, Any] = {}
    name = f"aurelia: {str(question.get('question'))[:60]}"
    config: Any = {"run_name": name, "tags": [*tags], "metadata": {**(metadata or {})}}
    stream: AsyncIterator[Any] = graph.astream(question, config, context=context, stream_mode=["custom", "values"])
    async for kind, data in stream:
        if kind == "custom":
            on_event(data)
        else:
            final = data
    return result(final, time.perf_counter() - began)


def result(output: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The graph's output as the result that users get: every key there, the clip without names."""
    found = {name: output.get(name) for name in RESULT_KEYS}
    return {**found, "clip": {name: output["clip"][name] for name in CLIP_KEYS}, "seconds": seconds}


async def score(clip: MediaRef, tracks: list[MediaRef], caption: str, context: Context, desk: Desk) -> dict[str, Any]:
    """What the evaluator alone says of a caption: score (null when nothing can be checked), justification, windows.

    Its bill stands beside that, and in `warnings` what was put in place of what it could not take.

    Raises:
        ModelError: the evaluator, or the describer that it needs, did not answer.
    """
    state: Judged = {"run": uuid.uuid4().hex, "clip": clip, "tracks": tracks, "iterations": []}
    others = {"generator": context.evaluator, "generator_fallback": ""}
    others |= {"target": context.evaluator, "target_fallback": ""}
    alone = context.model_copy(update=others)
    described = await descriptions(state, alone, desk)
    state["described"] = {sense: answer.value for sense, answer in described.items()}
    verdict = await judge(state, caption, context, desk)
    usage = reduce(add_usage, (answer.usage for answer in described.values()), verdict.usage)
    return {**verdict.value.model_dump(), "seconds": verdict.seconds, "usage": usage, "warnings": verdict.notes}
