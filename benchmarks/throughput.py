"""The runner's throughput against what latencies and a rate limit allow, and its memory over 5,000 questions.

A simulated provider answers after log-normal latencies of a few seconds, scaled down, with 5 % faults. What they allow
is told by list scheduling: the same latencies, call after call, on as many workers, none of which ever waits for
anything but the limit. No network; the real graph, ledger and run file.
"""

import asyncio
import heapq
import json
import random
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psutil
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from aurelia.bench.rate_limits import BURST_SECONDS
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.errors import ModelError
from aurelia_core.settings import Settings
from aurelia_offline.demo import SCENE
from aurelia_offline.world.scene import parse_scene, write_scene
from state.context import ROLES, make_context
from tests.support.scripted import ScriptedChat, reasoning, verdict

AT_ONCE = 64
MEDIAN, SPREAD, FAULTS = 3.0, 0.5, 0.05
CLIPS = 20


class Provider(ScriptedChat):
    """Answers after a while, and sometimes not; keeps how long each call took, by answer."""

    scale: float = 1.0
    _dice: random.Random = PrivateAttr(default_factory=lambda: random.Random(1))
    _taken: defaultdict[str, list[float]] = PrivateAttr(default_factory=lambda: defaultdict(list))
    _tries: int = PrivateAttr(default=0)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        fields = messages[-1].additional_kwargs["request"]
        alone = fields["role"] == "target" and fields["reasoning"] is None
        latency = self._dice.lognormvariate(0, SPREAD) * MEDIAN / self.scale
        # Each question's number stands in its clip, question, reasoning and caption alike.
        text = json.dumps([fields.get(name) for name in ("question", "reasoning", "caption")])
        self._taken[f"{text.partition('#')[2].partition('#')[0]} {alone}"].append(latency)
        self._tries += 1
        await asyncio.sleep(latency)
        if self._dice.random() < FAULTS:
            raise ModelError("simulated fault (status 500)", transient=True, status=500)
        result = self._generate(messages)
        self.heard.clear()
        return result


def provider(scale: float) -> Provider:
    """A provider whose evaluator is content with two attempts of three."""
    dice = random.Random(2)
    script = {
        "generator": lambda fields, messages: reasoning(f"{fields['question']} {fields['iteration']}"),
        "evaluator": lambda fields, messages: verdict(9 if dice.random() < 0.67 else 4),
    }
    return Provider(script=script, said=Counter(), heard=[], scale=scale)


def allowed(items: list[list[float]], at_once: int, rate: float | None) -> float:
    """Seconds that it takes at least when nothing but latencies and the limit is ever waited for.

    Args:
        items: the latencies of each answer's calls, one after the other, in seconds.
        at_once: answers worked on at once; the next one begins when one is done.
        rate: calls a second at most, of which one second's worth may come in a burst.
    """
    waiting = iter(items)
    ready = [(0.0, number, list(item)) for number, item in zip(range(at_once), waiting, strict=False)]
    due = ended = 0.0
    while ready:
        now, number, left = heapq.heappop(ready)
        if rate:
            now = max(now, due - BURST_SECONDS)
            due = max(due, now) + 1 / rate
        now += left.pop(0)
        ended = max(ended, now)
        if left or (left := list(next(waiting, []))):
            heapq.heappush(ready, (now, number, left))
    return ended


def clips(folder: Path) -> None:
    """Copies of one clip, each of its own content, prepared as for any run."""
    write_scene(parse_scene(SCENE), folder / "clip.mp4")
    content = (folder / "clip.mp4").read_bytes()
    for clip in range(CLIPS):
        (folder / f"{clip}.mp4").write_bytes(content + (12).to_bytes(4, "big") + b"free" + clip.to_bytes(4, "big"))
    model = provider(1000.0)
    asyncio.run(carried_out(records(folder, CLIPS), model, Plan(arms=("zero_shot",)), 1000.0))


def records(folder: Path, count: int) -> Path:
    """So many questions about the clips."""
    path = folder / f"{count}.jsonl"
    with path.open("w") as file:
        for number in range(count):
            told = {"id": f"q{number}", "column": "music-avqa", "video": f"{number % CLIPS}.mp4", "answers": ["with"]}
            file.write(json.dumps({**told, "question": f"What is #{number}#?", "source": {"dataset": "x"}}) + "\n")
    return path


async def carried_out(file: Path, model: ScriptedChat, plan: Plan, scale: float = 1.0) -> dict[str, Any]:
    """One run of the questions in a file."""
    folder = file.parent

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / scale)

    context = make_context({**{role: "simulated:one" for role in ROLES}, "max_iterations": 3})
    resources = RunResources(
        Settings(home=folder / "home", allow_any_file=True),
        folder,
        {"simulated": lambda name, store: model},
        sleep=sleep,
    )
    return await run_bench(file, folder / f"{time.time_ns()}.run", context, plan, resources)


def throughput(folder: Path, count: int, scale: float, rpm: float | None) -> None:
    """Prints what share of the possible throughput is reached."""
    file, model = records(folder, count), provider(scale)
    plan = Plan(concurrency=AT_ONCE, rpm={"simulated": rpm * scale} if rpm else {})
    cpu, began = time.process_time(), time.perf_counter()
    asyncio.run(carried_out(file, model, plan, scale))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    best = allowed(list(model._taken.values()), AT_ONCE, rpm / 60 * scale if rpm else None)
    limited = f"{rpm:.0f} calls a minute" if rpm else "no limit"
    print(
        f"throughput   {best / took:6.1%} of what latencies and limit allow ({AT_ONCE} at once, median {MEDIAN:.0f} s,"
        f" {limited}, all {scale:.0f} times faster): {count} questions with both arms, {model._tries} calls in"
        f" {took:.1f} s ({model._tries / took:.0f} a second), {cpu / model._tries * 1000:.1f} ms CPU a call;"
        f" list scheduling of the same calls needs {best:.1f} s; limit 90 %"
    )


def memory(folder: Path, count: int = 5000) -> None:
    """Prints the growth of resident memory over a run with an instant model."""
    file, process, marks = records(folder, count), psutil.Process(), []
    script = {**provider(1).script, "evaluator": [verdict(9)]}
    model = ScriptedChat(script=script, said=Counter(), heard=[])
    original = ScriptedChat._generate

    def forgetful(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        self.heard.clear()
        if self.said["target"] % 1000 == 0:
            marks.append((self.said["target"], process.memory_info().rss))
        return original(self, messages, *args, **kwargs)

    ScriptedChat._generate = forgetful  # type: ignore[method-assign]
    try:
        began = time.perf_counter()
        asyncio.run(carried_out(file, model, Plan(concurrency=8, arms=("aurelia",))))
        took = time.perf_counter() - began
    finally:
        ScriptedChat._generate = original  # type: ignore[method-assign]
    calls = sum(model.said.values())
    early = next(rss for said, rss in marks if said >= count // 5)
    print(
        f"memory       {(marks[-1][1] - early) / 1e6:+.1f} MB from question {count // 10} to {count}"
        f" (resident: {early / 1e6:.0f} MB, then {marks[-1][1] / 1e6:.0f} MB);"
        f" {took / calls * 1000:.1f} ms a call with an instant model ({calls} calls)"
    )


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        clips(Path(name))
        throughput(Path(name), 100, 2.0, None)
        throughput(Path(name), 100, 2.0, 480.0)
        memory(Path(name))


if __name__ == "__main__":
    main()
