"""Run one question through the graph, or one caption through the evaluator; results are plain dicts."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from aurelia.run.result import make_result
from aurelia.run.threads import Reviewer, find_stopped_run, resumed_event, thread_config
from aurelia_core.errors import InputError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.sanitize import sanitize_json
from aurelia_core.settings import Settings
from aurelia_core.suggestions import reject_unknown_names
from aurelia_core.types import MediaRef, add_usage
from graph.build import build_graph
from graph.compiled import AureliaGraph
from graph.tracing import configure_tracing, run_name
from nodes.claims import check_caption, claims_verdict
from nodes.describer import describe_senses
from nodes.evaluator import ask_evaluator
from nodes.requests import window_seconds
from state.context import Context
from state.events import Event
from state.schema import EvaluatorState, Input


async def answer_question(
    question: Input,
    context: Context,
    *,
    client: ModelClient | None = None,
    graph: AureliaGraph | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    thread: str | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    reviewer: Reviewer | None = None,
) -> dict[str, Any]:
    """Answer one question; `aurelia.ask` is the same with defaults for a user and a typed result.

    Args:
        question: question, at least one of video, images and audio, and optionally choices.
        context: the settings of the run.
        client: models, clips and ledger (default: a new client with the settings of this machine, which reads any
            local file unless AURELIA_MEDIA_ROOTS is set).
        graph: the graph to run (default: a new one with this client and checkpointer).
        on_event: called with each event as it happens (`state.events`).
        tags: for the run's trace, for instance the task.
        metadata: for the run's trace, for instance the id of the question.
        thread: name of the thread that stores the run; an interrupted run of the same question is resumed.
        checkpointer: storage of threads for a new graph (`aurelia.run.checkpointers`).
        reviewer: called when the run pauses for a review.

    Returns:
        A dict with all keys of `aurelia.run.result.RESULT_KEYS`; null where a key does not apply.

    Raises:
        InputError: the question, a choice or a setting cannot be used (MediaError: a clip cannot), the thread was
            interrupted in another question, or the run pauses and there is no reviewer.
        ModelError: the target did not answer.
    """
    began = time.perf_counter()
    reject_unknown_names(question, Input.__annotations__, "A question")
    texts = {name: question[name] for name in ("question", "choices") if name in question}
    question = plain_question({**question, **sanitize_json(texts)})
    configure_tracing()
    if client is None and graph is None:
        client = ModelClient(Settings.from_environment(local=True))
    graph = graph or build_graph(client=client, checkpointer=checkpointer)
    config: Any = {
        "run_name": run_name("aurelia", question.get("question")),
        "tags": [*tags],
        "metadata": {**(metadata or {})},
    }
    graph_input: Any = question
    if thread is not None:
        config |= thread_config(graph, thread)
        if state := await find_stopped_run(graph, thread, question, client):
            graph_input = None
            on_event(resumed_event(thread, state))
    while True:
        final = await _run_to_pause(graph, graph_input, config, context, on_event)
        pauses = final.get("__interrupt__")
        if not pauses:
            return make_result(final, time.perf_counter() - began)
        if reviewer is None:
            raise InputError(
                f"The run waits for a person's review in thread {thread!r}: give a reviewer (--review), or leave the"
                ' review out with the setting review = "none" (--no-review).'
            )
        graph_input = Command(resume=await reviewer(pauses[0].value))


def plain_question(question: Mapping[str, Any]) -> Input:
    """The question as the state of a graph holds it: a path as text, a sequence as a list."""
    plain: Any = {name: _plain(value) for name, value in question.items()}
    checked: Input = plain
    return checked


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


async def _run_to_pause(
    graph: AureliaGraph, graph_input: Any, config: Any, context: Context, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Run the graph to its end or to a pause; return the last state."""
    final: dict[str, Any] = {}
    durability: Any = None
    if "configurable" in config:
        # Each node's output is on disk before the next node starts, so that a killed run can be resumed.
        durability = "sync"
    modes: Any = ["custom", "values"]
    stream: AsyncIterator[Any] = graph.astream(
        graph_input, config, context=context, stream_mode=modes, durability=durability
    )
    async for kind, data in stream:
        if kind == "custom":
            on_event(data)
        else:
            # When one node pauses while another one ends, the values of the latter arrive last and without the pause.
            final = {**final, **data}
    return final


async def score_caption(
    clip: MediaRef,
    tracks: list[MediaRef],
    caption: str,
    context: Context,
    client: ModelClient,
    *,
    pictures: Sequence[MediaRef] = (),
) -> dict[str, Any]:
    """Score a caption against a clip with the evaluator alone, or with the critic of claims that the settings name.

    Args:
        clip: the clip, admitted to the client's store.
        tracks: separate sound tracks, admitted to the client's store.
        caption: the statement about what is seen and heard.
        context: the settings; the critic's models and the describer's count.
        client: models, clips and ledger.
        pictures: still pictures beside the clip, admitted to the client's store (`aurelia_core.types.Media`).

    Returns:
        A dict: score (1 to 10; null when nothing can be checked), justification, windows, claims (the findings of a
        critic of claims), seconds, usage, and warnings (also what the evaluator received as text because its model does
        not take sound or picture).

    Raises:
        ModelError: the evaluator, or the describer that it needs, did not answer.
    """
    state: EvaluatorState = {"run": uuid.uuid4().hex, "clip": clip, "tracks": tracks, "iterations": []}
    state["pictures"] = list(pictures)
    # Only the evaluator runs: no other role's model may ask for a description of the clip.
    others = {"generator": context.evaluator, "generator_fallback": ""}
    others |= {"target": context.evaluator, "target_fallback": ""}
    described = await describe_senses(state, context.model_copy(update=others), client)
    state["described"] = {sense: answer.value for sense, answer in described.items()}
    found: dict[str, Any]
    verdict: Answer[Any]
    if context.critic == "holistic":
        verdict = await ask_evaluator(state, caption, context, client)
        found = {**verdict.value.model_dump(), "claims": []}
    else:
        verdict = await check_caption(state, caption, context, client)
        found = claims_verdict(verdict.value, window_seconds(state))
    usage = reduce(add_usage, (answer.usage for answer in described.values()), verdict.usage)
    return {**found, "seconds": verdict.seconds, "usage": usage, "warnings": verdict.notes}
