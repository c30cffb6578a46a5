"""The framework's own cost: time a node, growth of a checkpoint, size of a trace; no network.

Time is compared with calling the same scripted model bare; sizes with sending the clip itself along, as base64, in
every request that carries it.
"""

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tracers import LangChainTracer
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.demo import CHOICES, QUESTION, SCENE
from aurelia_offline.world.scene import parse_scene, write_scene
from graph.build import build_graph
from graph.tracing import make_trace_client
from state.context import Context, make_context
from tests.support.langsmith_server import Sink, listening
from tests.support.scripted import scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
CLIP_BYTES = 10_000_000


async def node_cost(folder: Path, clip: Path, rounds: int = 6) -> None:
    """Milliseconds that graph, prompts, state, checkpoints and ledger add to each node, against the bare model."""
    settings = Settings(home=folder / "home", allow_any_file=True)
    store = ClipStore(settings)
    model = scripted(evaluator=[verdict(3)])
    desk = ModelClient(settings, store=store, providers={"scripted": lambda name, store: model})
    graph = build_graph(client=desk, checkpointer=InMemorySaver())
    question: Any = {"video": str(clip), "question": "What is heard?"}

    async def once(number: int) -> float:
        began = time.perf_counter()
        config: Any = {"configurable": {"thread_id": str(number)}}
        await graph.ainvoke(question, config, context=make_context({**ROLES, "rollout": number}))
        return time.perf_counter() - began

    await once(0)
    calls, gc_was = sum(model.said.values()), gc.isenabled()
    gc.disable()
    spent = sorted([await once(number) for number in range(1, rounds + 1)])[rounds // 2]
    nodes = 1 + 5 * 3 + 4 + 2
    message = HumanMessage("x", additional_kwargs={"request": {"role": "target", "reasoning": None}})
    began = time.perf_counter()
    for _ in range(50):
        await model.ainvoke([message])
    bare = (time.perf_counter() - began) / 50
    if gc_was:
        gc.enable()
    each = spent / nodes * 1000
    print(
        f"framework    {each:6.2f} ms a node ({nodes} nodes, {calls} calls, T = 5, median of {rounds} questions);"
        f" {each / (bare * 1000):.1f} times a bare call of the same scripted model ({bare * 1000:.2f} ms); limit 20 ms"
    )


async def sizes(folder: Path, clip: Path, iterations: int) -> None:
    """Growth of a checkpoint per iteration and size of a question's trace, offline profile, never accepted."""
    never = scripted(evaluator=[verdict(3, justification="The clip holds something else near 1.0 s. " * 8)])
    desk = ModelClient(
        Settings(home=folder / "offline", allow_any_file=True), providers={"stubborn": lambda name, store: never}
    )
    saver = InMemorySaver()
    graph = build_graph(client=desk, checkpointer=saver)
    context = Context(threshold=10, max_iterations=iterations, evaluator="stubborn:one")
    config: Any = {"configurable": {"thread_id": "one"}}
    admitted = await asyncio.to_thread(desk.store.admit, str(clip))
    question: Any = {"video": admitted["id"], "question": QUESTION, "choices": list(CHOICES)}
    with listening() as (sink, address):
        teller = make_trace_client(api_url=address, api_key="none")
        await graph.ainvoke(question, {**config, "callbacks": [LangChainTracer(client=teller)]}, context=context)
        teller.flush(timeout=60)
        teller.cleanup()
    _report_sizes(saver, config, sink)


def _report_sizes(saver: InMemorySaver, config: Any, sink: Sink) -> None:
    serde = JsonPlusSerializer()
    by_iteration: dict[int, int] = {}
    for kept in saver.list(config):
        values = kept.checkpoint["channel_values"]
        by_iteration.setdefault(len(values.get("iterations", [])), len(serde.dumps_typed(values)[1]))
    last = max(by_iteration)
    growth = (by_iteration[last] - by_iteration[1]) / (last - 1)
    base64 = CLIP_BYTES * 4 / 3
    print(
        f"checkpoint   {growth / 1000:6.2f} kB growth an iteration (T = {last});"
        f" 1/{base64 / growth:.0f} of one that carries the clip as base64; limit 20 kB"
    )
    trace = sink.bytes
    clean = not any(b"base64" in body for body in sink.bodies)
    carrying = 2 * last + 2
    print(
        f"trace        {trace / 1000:6.1f} kB a question ({CLIP_BYTES // 10**6} MB clip, T = {last},"
        f" decompressed), {'no' if clean else 'SOME'} base64;"
        f" 1/{base64 * carrying / trace:.0f} of one with the clip in each of its {carrying} calls that see it;"
        " limit 200 kB"
    )


def main() -> None:
    """Prints the three figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        asyncio.run(node_cost(folder, clip))
        with clip.open("ab") as file:
            file.write(CLIP_BYTES.to_bytes(4, "big") + b"free" + bytes(CLIP_BYTES - 8))
        for iterations in (3, 5):
            asyncio.run(sizes(folder / str(iterations), clip, iterations))


if __name__ == "__main__":
    main()
