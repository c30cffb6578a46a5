"""The program's own cost a model call beside three other frameworks with the same loop and a scripted model.

The others run in an environment of their own (`--environment DIR`, made at the first run), because their dependencies
differ from this project's. This project runs with its call ledger and SQLite checkpoints on; what each of the others
stores is in the printed line.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import subprocess
import tempfile
import time
import venv
from collections import Counter
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
    "nothing stored": "the same bare LangGraph loop without checkpoints",
    "dspy": "DSPy's Refine, nothing stored",
    "inspect-ai": "a solver of inspect_ai, its log",
}
ROOT = Path(__file__).parents[1]
PROFILE_ROWS = 20
BUILT_IN = "~"
CALLS = 21
SCRIPT = Path(__file__).with_name("peer_loops.py")


async def own_cost(folder: Path, clip: Path, rounds: int) -> dict[str, float]:
    """Milliseconds a model call of this project, the medians of `rounds` questions of `CALLS` calls (T = 5)."""
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


def print_profile(folder: Path, clip: Path, rounds: int) -> None:
    """Prints where the processor time of the event loop's thread goes, milliseconds a call, by package and module.

    The profiler slows short functions down, so its times are scaled to those without it.
    """
    began = time.thread_time()
    asyncio.run(own_cost(folder / "plain", clip, rounds))
    plain = (time.thread_time() - began) / (CALLS * (rounds + 1)) * 1000
    profiler = cProfile.Profile(time.thread_time)
    profiler.runcall(lambda: asyncio.run(own_cost(folder / "profiled", clip, rounds)))
    spent: Counter[str] = Counter()
    for (file, _, _), (_, _, seconds, _, callers) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        if file != BUILT_IN:
            spent[_package(file)] += seconds
            continue
        for (caller, _, _), parts in callers.items():
            spent[_package(caller)] += parts[2]
    print(f"profile      {plain:.2f} ms CPU of the event loop's thread a model call, by package and own module")
    for name, seconds in spent.most_common(PROFILE_ROWS):
        print(f"  {plain * seconds / spent.total():6.3f} ms {seconds / spent.total():4.0%}  {name}")


def _package(file: str) -> str:
    """The package of a source file, or its path in this project."""
    for name in ("langgraph", "langchain_core", "langsmith", "pydantic", "asyncio", "json"):
        if f"/{name}/" in file:
            return name
    if ROOT in Path(file).parents and "site-packages" not in file:
        return str(Path(file).relative_to(ROOT))
    return "Python and other packages"


def main(arguments: list[str] | None = None) -> None:
    """Prints the cost of this project, and its ratio to each of the others."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--profile", action="store_true", help="where the time of this project goes, without the others"
    )
    options.add_argument("--environment", type=Path, default=Path("build/peers"), metavar="DIR")
    options.add_argument("--rounds", type=int, default=20)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        if chosen.profile:
            print_profile(folder, clip, chosen.rounds)
            return
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
            print(f"  {package:<14} not installed in {chosen.environment.name}")
            continue
        ratios = f"{own['ms'] / found['ms']:.2f} times, CPU {own['cpu'] / found['cpu']:.2f} times"
        print(
            f"  {package:<14} {found['ms']:6.2f} ms a call, {found['cpu']:.2f} ms CPU ({STORES[package]},"
            f" {found['version']}): {ratios}"
        )


if __name__ == "__main__":
    main()
