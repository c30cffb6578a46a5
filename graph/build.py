"""The nodes and edges of AURELIA as one compiled LangGraph graph: the figure of the paper, and nothing else."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, TracePolicy

from aurelia_core.background_loop import run_sync
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.registry import Provider
from aurelia_core.settings import Settings
from graph.routing import after_evaluator, after_prepare, after_review
from graph.tracing import NodeText, description_text, field_text, node_input, node_output, steps_text, trace_node
from nodes.describer import describe
from nodes.evaluator import evaluate
from nodes.feedback import give_feedback
from nodes.generator import generate
from nodes.prepare import prepare
from nodes.review import review
from nodes.summarizer import summarize
from nodes.target import answer_with_reasoning, answer_zero_shot, answer_zero_shot_only
from state.context import Context
from state.schema import ClipState, EvaluatorState, Input, LoopState, Output, State, TargetState


class AureliaGraph(CompiledStateGraph[State, Context, Input, Output]):
    """The compiled graph. Its nodes are asynchronous; `invoke` runs them on an event loop of its own thread."""

    @classmethod
    def of(cls, graph: CompiledStateGraph[State, Context, Input, Output]) -> "AureliaGraph":
        """Turn what `StateGraph.compile` made into this class."""
        graph.__class__ = cls
        return cast("AureliaGraph", graph)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Run the graph as `ainvoke` does, from synchronous code."""
        return run_sync(self.ainvoke(*args, **kwargs))

    def stream(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: the graph streams asynchronously.

        Raises:
            InputError: always; it names the calls to use instead.
        """
        raise InputError(
            "This graph streams asynchronously: use graph.astream(...), or graph.invoke(...) for the result."
        )


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
    Agent("describer", describe, ClipState, text=description_text),
    Agent("reasoning_generator", generate, LoopState, "generator", steps_text, in_attempt=True),
    Agent("summarizer", summarize, LoopState, "summarizer", field_text("caption"), in_attempt=True),
    Agent("evaluator", evaluate, EvaluatorState, "evaluator", field_text("critique", "error"), in_attempt=True),
    Agent("feedback", give_feedback, LoopState, "feedback", field_text("feedback"), in_attempt=True),
    Agent("target_model", answer_with_reasoning, TargetState, "target", field_text("answer")),
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
    builder.add_node("review", trace_node(review), input_schema=TargetState, trace_policy=_POLICY)
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
    builder.add_conditional_edges(
        "prepare", after_prepare, {"describer": "describer", "reasoning_generator": "zero_shot"}
    )
    builder.add_edge("describer", "zero_shot")
    builder.add_edge("zero_shot", END)
    return AureliaGraph.of(builder.compile(checkpointer=checkpointer, name="zero_shot"))


_POLICY = TracePolicy(process_inputs=node_input, process_outputs=node_output)


def _with_nodes(agents: Sequence[Agent], client: ModelClient) -> StateGraph[State, Context, Input, Output]:
    builder: StateGraph[State, Context, Input, Output] = StateGraph(
        State, context_schema=Context, input_schema=Input, output_schema=Output
    )
    roles = tuple(agent.role for agent in agents if agent.role)
    for agent in agents:
        run = partial(agent.run, client=client)
        if agent.run is prepare:
            run = partial(run, roles=roles)
        node = trace_node(run, client)
        builder.add_node(agent.node, node, input_schema=agent.reads, trace_policy=_POLICY)
    return builder
