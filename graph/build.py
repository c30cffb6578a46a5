"""The nodes and edges of AURELIA as one compiled LangGraph graph: the figure of the paper, and nothing else."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, TracePolicy

from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from graph.routing import after_evaluator, after_prepare, after_review
from graph.tracing import NodeText, described_senses, field_text, node_input, node_output, reasoning_steps, traced
from nodes.describer import describe
from nodes.evaluator import evaluate
from nodes.feedback import give_feedback
from nodes.generator import generate
from nodes.prepare import prepare
from nodes.review import review
from nodes.summarizer import summarize
from nodes.target import answer_with_reasoning, answer_zero_shot, answer_zero_shot_alone
from state.context import Context
from state.schema import ClipState, EvaluatorState, Input, LoopState, Output, State, TargetState

AureliaGraph = CompiledStateGraph[State, Context, Input, Output]


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


AGENTS = (
    Agent("prepare", prepare, Input),
    Agent("describer", describe, ClipState, text=described_senses),
    Agent("reasoning_generator", generate, LoopState, "generator", reasoning_steps, in_attempt=True),
    Agent("summarizer", summarize, LoopState, "summarizer", field_text("caption"), in_attempt=True),
    Agent("evaluator", evaluate, EvaluatorState, "evaluator", field_text("critique", "error"), in_attempt=True),
    Agent("feedback", give_feedback, LoopState, "feedback", field_text("feedback"), in_attempt=True),
    Agent("target_model", answer_with_reasoning, TargetState, "target", field_text("answer")),
    Agent("zero_shot", answer_zero_shot, ClipState, text=field_text("zero_shot_answer")),
)
"""Every node that may ask a model, in the order in which a trace lists those of one attempt."""

ROLES = tuple(agent.role for agent in AGENTS if agent.role)


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
    builder.add_node("review", traced(review), input_schema=TargetState, trace_policy=_POLICY)
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


def build_zero_shot(client: ModelClient, checkpointer: Checkpointer = None) -> AureliaGraph:
    """The target alone: prepare, a describer where the settings name one, then the answer."""
    agents = (
        Agent("prepare", partial(prepare, roles=("target",)), Input),
        Agent("describer", describe, ClipState),
        Agent("zero_shot", answer_zero_shot_alone, ClipState),
    )
    builder = _with_nodes(agents, client)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges(
        "prepare", after_prepare, {"describer": "describer", "reasoning_generator": "zero_shot"}
    )
    builder.add_edge("describer", "zero_shot")
    builder.add_edge("zero_shot", END)
    return builder.compile(checkpointer=checkpointer, name="zero_shot")


_POLICY = TracePolicy(process_inputs=node_input, process_outputs=node_output)


def _with_nodes(agents: Iterable[Agent], client: ModelClient) -> StateGraph[State, Context, Input, Output]:
    builder: StateGraph[State, Context, Input, Output] = StateGraph(
        State, context_schema=Context, input_schema=Input, output_schema=Output
    )
    for agent in agents:
        node = traced(partial(agent.run, client=client), client)
        builder.add_node(agent.node, node, input_schema=agent.reads, trace_policy=_POLICY)
    return builder
