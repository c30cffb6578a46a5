"""What Ray actors cost and give: one run in this process, then with 1 and 2 actors; and the constants of docs/ray.md.

The model works for a fixed CPU time a call, as local weights do, so that actors on other cores help. No network.
"""

import asyncio
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from aurelia.bench.ray_models import RayPlan
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.settings import Settings
from benchmarks.throughput import CLIPS, clips, records
from state.context import ROLES, make_context
from tests.support.scripted import ScriptedChat, reasoning, verdict

CALL_SECONDS = 0.05
QUESTIONS = 40


class BusyModel(ScriptedChat):
    """Uses one core for `CALL_SECONDS` a call, in a thread as local weights do."""

    seconds: float = CALL_SECONDS

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.to_thread(self._work)
        result = self._generate(messages)
        self.heard.clear()
        return result

    def _work(self) -> None:
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass


def busy_model(name: str, store: Any) -> BusyModel:
    """The provider: `simulated:SECONDS`."""
    script = {
        "generator": lambda fields, messages: reasoning(f"{fields['question']} {fields['iteration']}"),
        "evaluator": lambda fields, messages: verdict(4),
    }
    return BusyModel(script=script, said=Counter(), heard=[], seconds=float(name))


def carry_out(file: Path, seconds: float, ray: RayPlan | None) -> tuple[float, float, int, int]:
    """One run: its seconds, the CPU seconds of this process, the calls, and the bytes of the run file."""
    folder = file.parent
    context = make_context({**{role: f"simulated:{seconds}" for role in ROLES}, "max_iterations": 2})
    settings = Settings(home=folder / "home", allow_any_file=True)
    out = folder / f"{time.time_ns()}.run"
    marks: dict[str, float] = {}

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "start":
            marks.update(began=time.perf_counter(), cpu=time.process_time())

    resources = RunResources(settings, folder, {"simulated": busy_model}, ray=ray)
    plan = Plan(concurrency=8, arms=("aurelia",))
    end = asyncio.run(run_bench(file, out, context, plan, resources, on_event=on_event))
    took, cpu = time.perf_counter() - marks["began"], time.process_time() - marks["cpu"]
    return took, cpu, end["usage"]["calls"], out.stat().st_size


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips(folder)
        file = records(folder, QUESTIONS)
        baseline, _, calls, size = carry_out(file, CALL_SECONDS, None)
        print(
            f"ray          {calls} calls of {CALL_SECONDS * 1000:.0f} ms CPU, 8 questions at once,"
            f" {os.cpu_count()} CPUs; in this process {baseline:.1f} s"
        )
        for workers in (1, 2):
            took, _, _, _ = carry_out(file, CALL_SECONDS, RayPlan("local", workers))
            print(f"  {workers} actor{'s' * (workers > 1)}     {took:6.1f} s, {baseline / took:.2f} times as fast")
        _, own_cpu, own_calls, _ = carry_out(file, 0.0, None)
        _, ray_cpu, ray_calls, _ = carry_out(file, 0.0, RayPlan("local", 2))
        print(
            f"  CPU of the run's process a call: {own_cpu / own_calls * 1000:.1f} ms with the models in it,"
            f" {ray_cpu / ray_calls * 1000:.1f} ms with actors; run file {size / QUESTIONS / 1000:.1f} kB a question"
            f" ({QUESTIONS} questions on {CLIPS} clips)"
        )


if __name__ == "__main__":
    main()
