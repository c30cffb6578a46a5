"""The program's own cost a model call beside three other frameworks with the same loop and a scripted model.

The others run in an environment of their own (`--environment DIR`, made at the first run), because their dependencies
differ from this project's. This project runs with its call ledger and SQLite checkpoints on; what each of the others
stores is in the printed line.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from aurelia.run.checkpointers import open_checkpointer
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.demo import SCENE
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.framework import ROLES
from benchmarks.peer_loops import medians, milliseconds
from graph.build import build_graph
from state.context import make_context
from tests.support.scripted import scripted, verdict

PACKAGES = ("dspy==3.4.1", "inspect-ai==0.3.285", "langgraph==1.2.22", "langgraph-checkpoint-sqlite>=3.1,<4")
STORES = {
    "langgraph": "a bare LangGraph loop, SQLite checkpoints, no ledger",
    "dspy": "DSPy's Refine, nothing stored",
    "inspect-ai": "a solver of inspect_ai, its log",
}
SCRIPT = Path(__file__).with_name("peer_loops.py")


async def own_cost(folder: Path, clip: Path, rounds: int) -> dict[str, float]:
    """Milliseconds a model call of this project, the medians of `rounds` questions with 21 calls each (T = 5)."""
    await asyncio.to_thread(folder.mkdir)
    settings = Settings(home=folder / "home", allow_any_file=True)
    model = scripted(evaluator=[verdict(3)])
    client = ModelClient(settings, store=ClipStore(settings), providers={"scripted": lambda name, store: model})
    question: Any = {"video": str(clip), "question": "What is heard?"}
    found = []
    async with open_checkpointer(str(folder / "threads.sqlite")) as saver:
        graph = build_graph(client=client, checkpointer=saver)
        for number in range(rounds + 1):
            before, began, cpu_began = sum(model.said.values()), time.perf_counter(), time.process_time()
            config: Any = {"configurable": {"thread_id": str(number)}}
            await graph.ainvoke(question, config, context=make_context({**ROLES, "rollout": number}))
            found.append(milliseconds(sum(model.said.values()) - before, began, cpu_began))
            model.heard.clear()
    client.close()
    return medians(found)


def peer_costs(environment: Path, rounds: int) -> dict[str, Any]:
    """The cost of the other frameworks, in their own environment."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    command = [str(python), "-W", "ignore", str(SCRIPT), str(rounds)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main(arguments: list[str] | None = None) -> None:
    """Prints the cost of this project, and its ratio to each of the others."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--environment", type=Path, default=Path("build/peers"), metavar="DIR")
    options.add_argument("--rounds", type=int, default=20)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        before = asyncio.run(own_cost(folder / "before", clip, chosen.rounds))
        try:
            peers = peer_costs(chosen.environment, chosen.rounds)
        except subprocess.CalledProcessError as fault:
            print(f"peers        not measured: {' '.join(fault.cmd[1:4])} failed in {chosen.environment.name}")
            return
        after = asyncio.run(own_cost(folder / "after", clip, chosen.rounds))
    own = {name: (before[name] + after[name]) / 2 for name in before}
    print(
        f"peers        {own['ms']:.2f} ms a model call here ({before['ms']:.2f} before the others,"
        f" {after['ms']:.2f} after), {own['cpu']:.2f} ms CPU, with call ledger and SQLite checkpoints (T = 5)"
    )
    for package, found in peers.items():
        if found.get("missing"):
            print(f"  {package:<12} not installed in {chosen.environment.name}")
            continue
        ratios = f"{own['ms'] / found['ms']:.2f} times, CPU {own['cpu'] / found['cpu']:.2f} times"
        print(
            f"  {package:<12} {found['ms']:6.2f} ms a call, {found['cpu']:.2f} ms CPU ({STORES[package]},"
            f" {found['version']}): {ratios}"
        )


if __name__ == "__main__":
    main()
