"""Wiring only: the nodes and edges of AURELIA as one compiled LangGraph graph."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, TracePolicy

from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from graph.routing import after_evaluator, after_prepare, after_review
from graph.trace import node_input, node_output
from graph.tracing import traced
from nodes.describer import describe
from nodes.evaluator import evaluate
from nodes.feedback import give_feedback
from nodes.generator import generate
from nodes.prepare import prepare
from nodes.review import review
from nodes.summarizer import summarize
from nodes.target import answer_alone, answer_with_reasoning, answer_zero_shot
from state.context import Context
from state.schema import ClipState, EvaluatorState, Input, LoopState, Output, State, TargetState

AureliaGraph = CompiledStateGraph[State, Context, Input, Output]


def build_graph(
    settings: Settings | None = None,
    *,
    desk: ModelClient | None = None,
    providers: Mapping[str, Provider] | None = None,
    checkpointer: Checkpointer = None,
) -> AureliaGraph:
    """The graph: prepare, then generator, summarizer and evaluator until the router is content, then the target.

    A describer stands between prepare and the loop where a run names one, for models that cannot hear or see; a person
    stands between the loop and the target where a run wants a review.
    Nothing is opened, read or imported for a model before a run needs it.

    Args:
        settings: the operator's settings (default: those of a server, from the environment).
        desk: models, clips and ledger to use instead of new ones.
        providers: further model providers by name, beside the built-in ones.
        checkpointer: where runs are kept between nodes (a LangGraph server brings its own).
    """
    desk = desk or ModelClient(settings, providers=providers)
    builder: StateGraph[State, Context, Input, Output] = StateGraph(
        State, context_schema=Context, input_schema=Input, output_schema=Output
    )
    shown = TracePolicy(process_inputs=node_input, process_outputs=node_output)
    agents: list[tuple[str, Any, Any]] = [
        ("prepare", prepare, Input),
        ("describer", describe, ClipState),
        ("reasoning_generator", generate, LoopState),
        ("summarizer", summarize, LoopState),
        ("evaluator", evaluate, EvaluatorState),
        ("feedback", give_feedback, LoopState),
        ("target_model", answer_with_reasoning, TargetState),
        ("zero_shot", answer_zero_shot, ClipState),
    ]
    for name, node, reads in agents:
        builder.add_node(name, traced(partial(node, client=desk), desk), input_schema=reads, trace_policy=shown)
    builder.add_node("review", traced(review), input_schema=TargetState, trace_policy=shown)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", after_prepare, ["describer", "reasoning_generator"])
    builder.add_edge("describer", "reasoning_generator")
    builder.add_edge("reasoning_generator", "summarizer")
    builder.add_edge("summarizer", "evaluator")
    builder.add_conditional_edges("evaluator", after_evaluator, ["feedback", "review", "target_model", "zero_shot"])
    builder.add_edge("feedback", "reasoning_generator")
    builder.add_conditional_edges("review", after_review, ["reasoning_generator", "target_model"])
    builder.add_edge("target_model", END)
    builder.add_edge("zero_shot", END)
    return builder.compile(checkpointer=checkpointer, name="aurelia")


def build_zero_shot(desk: ModelClient, checkpointer: Checkpointer = None) -> AureliaGraph:
    """The target alone, for runs that want no more: prepare, a describer where one is named, then the answer."""
    builder: StateGraph[State, Context, Input, Output] = StateGraph(
        State, context_schema=Context, input_schema=Input, output_schema=Output
    )
    shown = TracePolicy(process_inputs=node_input, process_outputs=node_output)
    agents: list[tuple[str, Any, Any]] = [
        ("prepare", partial(prepare, roles=("target",)), Input),
        ("describer", describe, ClipState),
        ("zero_shot", answer_alone, ClipState),
    ]
    for name, node, reads in agents:
        builder.add_node(name, traced(partial(node, client=desk), desk), input_schema=reads, trace_policy=shown)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges(
        "prepare", after_prepare, {"describer": "describer", "reasoning_generator": "zero_shot"}
    )
    builder.add_edge("describer", "zero_shot")
    builder.add_edge("zero_shot", END)
    return builder.compile(checkpointer=checkpointer, name="zero_shot")
