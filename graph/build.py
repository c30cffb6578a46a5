"""The nodes and edges of AURELIA as one compiled LangGraph graph: the figure of the paper, and nothing else."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple, get_type_hints

from langgraph.graph import END, START, StateGraph
from langgraph.managed import RemainingSteps
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, TracePolicy

from aurelia_core.errors import AureliaError, InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from graph.compiled import LAST_STEPS, AureliaGraph
from graph.routing import (
    AFTER_EVALUATOR,
    AFTER_PREPARE,
    AFTER_REVIEW,
    DESCRIBER_SET,
    NO_DESCRIBER,
    after_evaluator,
    after_prepare,
    after_review,
)
from graph.tracing import NodeText, description_text, field_text, node_input, node_output, steps_text, trace_node
from nodes.candidates import of_one_attempt
from nodes.describer import describe
from nodes.evaluator import evaluate
from nodes.feedback import give_feedback
from nodes.prepare import prepare
from nodes.requests import context_of
from nodes.review import review
from nodes.strategies import answer, make_attempts
from nodes.summarizer import summarize
from nodes.target import answer_zero_shot, answer_zero_shot_only
from state.context import Context, changed_settings
from state.schema import ClipState, EvaluatorState, Input, LoopState, Output, State, TargetState, Update


class Agent(NamedTuple):
    """One node of the graph. Traces, histories, bills and the check of settings derive from this list.

    Attributes:
        node: its name in the graph, in Studio and in traces.
        run: the function `(state, runtime, client) -> Update`.
        reads: the part of the state that it reads.
        role: the role of its model in the settings and on the bill; None: it asks no model of its own.
        text: its words for a trace, from what it returned; None: it says nothing.
        in_attempt: whether it runs once in each attempt.
    """

    node: str
    run: Any
    reads: Any
    role: str | None = None
    text: NodeText = field_text()
    in_attempt: bool = False


class _EvaluatorInput(EvaluatorState):
    remaining_steps: RemainingSteps


async def _evaluate(state: _EvaluatorInput, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The evaluator, which also notes whether the run's limit of steps leaves room for another attempt."""
    update = await of_one_attempt(evaluate)(state, runtime, client)
    needed = sum(agent.in_attempt for agent in AGENTS) + LAST_STEPS
    return {**update, "out_of_steps": state["remaining_steps"] <= needed}


AGENTS = (
    Agent("prepare", prepare, Input),
    Agent("describer", describe, ClipState, text=description_text),
    Agent("reasoning_generator", make_attempts, LoopState, "generator", steps_text, in_attempt=True),
    Agent("summarizer", of_one_attempt(summarize), LoopState, "summarizer", field_text("caption"), in_attempt=True),
    Agent("evaluator", _evaluate, _EvaluatorInput, "evaluator", field_text("critique", "error"), in_attempt=True),
    Agent("feedback", give_feedback, LoopState, "feedback", field_text("feedback"), in_attempt=True),
    Agent("target_model", answer, TargetState, "target", field_text("answer")),
    Agent("zero_shot", answer_zero_shot, ClipState, text=field_text("zero_shot_answer")),
)
"""Every node that may ask a model, in the order in which a trace lists those of one attempt."""

AGENT_ROLES = tuple(agent.role for agent in AGENTS if agent.role)


def build_graph(
    settings: Settings | None = None,
    *,
    client: ModelClient | None = None,
    providers: Mapping[str, Provider] | None = None,
    checkpointer: Checkpointer = None,
) -> AureliaGraph:
    """The graph: prepare, then generator, summarizer and evaluator until the score suffices, then the target.

    A describer runs before the loop where a model cannot hear or see and the settings name one; a person reviews the
    reasoning after the loop where the settings ask for it. Nothing is opened or loaded before a run needs it.

    Args:
        settings: the operator's settings (default: those of a server, from the environment).
        client: models, clips and ledger to use instead of new ones.
        providers: further model providers by name, beside the known ones.
        checkpointer: where threads are stored (a LangGraph server brings its own).
    """
    client = client or ModelClient(settings, providers=providers)
    builder = _with_nodes(AGENTS, client)
    node = trace_node(_storing_settings(review, TargetState))
    builder.add_node("review", node, input_schema=TargetState, trace_policy=_POLICY)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", after_prepare, AFTER_PREPARE)
    builder.add_edge("describer", "reasoning_generator")
    builder.add_edge("reasoning_generator", "summarizer")
    builder.add_edge("summarizer", "evaluator")
    builder.add_conditional_edges("evaluator", after_evaluator, AFTER_EVALUATOR)
    builder.add_edge("feedback", "reasoning_generator")
    builder.add_conditional_edges("review", after_review, AFTER_REVIEW)
    builder.add_edge("target_model", END)
    builder.add_edge("zero_shot", END)
    return AureliaGraph.of(builder.compile(checkpointer=checkpointer, name="aurelia"))


def build_zero_shot(client: ModelClient, checkpointer: Checkpointer = None) -> AureliaGraph:
    """The target alone: prepare, a describer where the settings name one, then the answer."""
    agents = (
        Agent("prepare", prepare, Input),
        Agent("describer", describe, ClipState),
        Agent("zero_shot", answer_zero_shot_only, ClipState, "target"),
    )
    builder = _with_nodes(agents, client)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", after_prepare, {DESCRIBER_SET: "describer", NO_DESCRIBER: "zero_shot"})
    builder.add_edge("describer", "zero_shot")
    builder.add_edge("zero_shot", END)
    return AureliaGraph.of(builder.compile(checkpointer=checkpointer, name="zero_shot"))


_GRACE_SECONDS = 30.0
_OF_THE_QUESTION = ("run", "clip", "tracks")
_POLICY = TracePolicy(process_inputs=node_input, process_outputs=node_output)


def _trace_policy(agent: Agent) -> TracePolicy:
    if not agent.in_attempt:
        return _POLICY
    shown = partial(node_input, begins=agent.role == "generator")
    return TracePolicy(process_inputs=shown, process_outputs=node_output)


def _with_nodes(agents: Sequence[Agent], client: ModelClient) -> StateGraph[State, Context, Input, Output]:
    builder: StateGraph[State, Context, Input, Output] = StateGraph(
        State, context_schema=Context, input_schema=Input, output_schema=Output
    )
    roles = tuple(agent.role for agent in agents if agent.role)
    for agent in agents:
        run = partial(agent.run, client=client)
        if agent.run is prepare:
            run = partial(run, roles=roles)
        # It runs beside others, and two nodes may not write the same field at once.
        if agent.node != "zero_shot":
            run = _storing_settings(run, agent.reads)
        node = trace_node(_in_time(run, agent.node), client)
        builder.add_node(agent.node, node, input_schema=agent.reads, trace_policy=_trace_policy(agent))
    return builder


def _in_time(node: Any, name: str) -> Any:
    """The node with a time limit. Its models have `node_seconds` each and report their end themselves, before it."""
    # A candidate asks three models in turn; the describer may ask twice.
    calls = 3 if name == "reasoning_generator" else 2

    @wraps(getattr(node, "func", node))
    async def run(state: Any, runtime: Runtime[Context]) -> Update:
        seconds = context_of(runtime).node_seconds
        most = calls * seconds + _GRACE_SECONDS
        try:
            async with asyncio.timeout(most) as limit:
                update: Update = await node(state, runtime)
                return update
        except TimeoutError as fault:
            if not limit.expired():
                raise
            problem = f"The node {name} did not end within {most:g} s, although its models are limited"
            raise AureliaError(f"{problem} to {seconds:g} s (node_seconds): run it again.") from fault

    return run


def _storing_settings(node: Any, reads: Any) -> Any:
    """The node, which also stores the settings that it ran with in the thread; it needs a thread with a question."""
    needed = _OF_THE_QUESTION if "run" in get_type_hints(reads) else ()

    @wraps(getattr(node, "func", node))
    async def run(state: Any, runtime: Runtime[Context]) -> Update:
        if missing := [name for name in needed if name not in state]:
            raise InputError(f"This thread has no {missing[0]} yet: ask a question in it before you continue it.")
        update: Update = await node(state, runtime)
        return {**update, "settings": changed_settings(context_of(runtime))}

    return run
