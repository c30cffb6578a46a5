"""The same loop in three other frameworks, with a scripted model; `benchmarks/peers.py` runs it in their environment.

Prints one JSON object: milliseconds and processor milliseconds a model call by framework, the medians of the rounds. It
imports nothing of this project.
"""

import asyncio
import itertools
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

ATTEMPTS = 5
STEPS = "1. Find the sound. It is heard at 1 s. 2. Find what moves then. The circle moves at 1 s."


def milliseconds(calls: int, began: float, cpu_began: float) -> tuple[float, float]:
    """Milliseconds, and processor milliseconds of all threads, a call since both clocks were read."""
    return (time.perf_counter() - began) / calls * 1000, (time.process_time() - cpu_began) / calls * 1000


def medians(found: list[tuple[float, float]]) -> dict[str, float]:
    """The medians of the rounds after the first one."""
    return {name: statistics.median(one[at] for one in found[1:]) for at, name in enumerate(("ms", "cpu"))}


def rounds_of(work: Callable[[], int], rounds: int) -> dict[str, float]:
    """Milliseconds a model call; `work` returns its number of calls."""
    found = []
    for _ in range(rounds + 1):
        began, cpu_began = time.perf_counter(), time.process_time()
        found.append(milliseconds(work(), began, cpu_began))
    return medians(found)


def langgraph_builder() -> tuple[Any, list[int]]:
    """A loop of four nodes over LangChain's fake chat model, and a list with its number of calls."""
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict, total=False):
        question: str
        attempt: int
        said: str
        score: int

    model, calls = GenericFakeChatModel(messages=map(AIMessage, itertools.repeat(STEPS))), [0]

    def node(part: str, **more: int) -> Any:
        async def run(state: State) -> dict[str, Any]:
            calls[0] += 1
            reply = await model.ainvoke(f"{part}: {state['question']} {state.get('said')}")
            return {"said": str(reply.content), "attempt": state.get("attempt", 0) + (part == "generate"), **more}

        return run

    builder = StateGraph(State)
    for part in ("generate", "summarize", "evaluate", "advise"):
        builder.add_node(part, node(part, score=3))
    builder.add_edge(START, "generate")
    builder.add_edge("generate", "summarize")
    builder.add_edge("summarize", "evaluate")
    builder.add_conditional_edges("evaluate", lambda state: END if state["attempt"] >= ATTEMPTS else "advise")
    builder.add_edge("advise", "generate")
    return builder, calls


def bare_langgraph(rounds: int, stores: bool = True) -> dict[str, float]:
    """A bare loop with a SQLite checkpointer, or with nothing stored, and no ledger."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async def measure() -> dict[str, float]:
        builder, calls = langgraph_builder()
        with tempfile.TemporaryDirectory() as name:
            async with AsyncSqliteSaver.from_conn_string(str(Path(name) / "threads.sqlite")) as saver:
                graph = builder.compile(checkpointer=saver if stores else None)
                found = []
                for number in range(rounds + 1):
                    calls[0], began, cpu_began = 0, time.perf_counter(), time.process_time()
                    config: Any = {"configurable": {"thread_id": str(number)}}
                    await graph.ainvoke({"question": f"What is heard in {number}?"}, config)
                    found.append(milliseconds(calls[0], began, cpu_began))
                return medians(found)

    return asyncio.run(measure())


def dspy_refine(rounds: int) -> dict[str, float]:
    """DSPy's Refine with N = 5 and a reward that a second predictor gives; its advice is a third."""
    import dspy
    from dspy.utils import DummyLM
    from dspy.utils.callback import BaseCallback

    class Counter(BaseCallback):  # type: ignore[misc]
        """Counts the calls of the model."""

        calls = 0

        def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            self.calls += 1

    logging.getLogger("dspy").setLevel(logging.ERROR)
    fields = {"answer": STEPS, "score": "3", "discussion": "It misses the circle.", "advice": '{"self": "Look again."}'}
    model, counter = DummyLM([fields] * 100_000), Counter()
    dspy.configure(lm=model, adapter=dspy.ChatAdapter(), callbacks=[counter])
    judge = dspy.Predict("caption -> score")

    def reward(inputs: Any, prediction: Any) -> float:
        return float(judge(caption=prediction.answer).score)

    refined = dspy.Refine(dspy.Predict("question -> answer"), N=ATTEMPTS, reward_fn=reward, threshold=8.0)
    number = 0

    def work() -> int:
        nonlocal number
        number, counter.calls = number + 1, 0
        refined(question=f"What is heard in {number}?")
        return counter.calls

    return rounds_of(work, rounds)


def inspect_loop(rounds: int) -> dict[str, float]:
    """A solver of inspect_ai that asks its mock model four times an attempt, and writes its usual log."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.solver import Generate, TaskState, solver

    samples = 10

    @solver
    def loop() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            model, said = get_model(), ""
            for _ in range(ATTEMPTS):
                for part in ("Question", "Summarize", "Score", "Advise"):
                    said = (await model.generate(f"{part}: {state.input_text} {said}")).completion
            return state

        return solve

    def work() -> int:
        with tempfile.TemporaryDirectory() as name:
            count = samples * ATTEMPTS * 4
            outputs = [ModelOutput.from_content("mockllm/model", STEPS) for _ in range(count)]
            for output in outputs:
                # Without it the mock model counts tokens with a file from the network.
                output.usage = ModelUsage(input_tokens=20, output_tokens=20, total_tokens=40)
            model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
            task = Task(dataset=[Sample(input=f"What is heard in {n}?") for n in range(samples)], solver=loop())
            logs = eval(task, model=model, log_dir=name, display="none", max_samples=1)
            if logs[0].status != "success":
                raise RuntimeError(f"inspect_ai: {str(logs[0].error)[:300]}")
        return count

    return rounds_of(work, max(2, rounds // 5))


def main() -> None:
    """Measures every framework that is installed."""
    os.environ["INSPECT_LOG_LEVEL"] = "error"
    rounds = int(sys.argv[1])
    found: dict[str, Any] = {}
    loops = {"langgraph": bare_langgraph, "dspy": dspy_refine, "inspect-ai": inspect_loop}
    for package, loop in loops.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = {"missing": True}
            continue
        found[package] = {"version": version, **loop(rounds)}
        if package == "langgraph":
            found["nothing stored"] = {"version": version, **bare_langgraph(rounds, stores=False)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
