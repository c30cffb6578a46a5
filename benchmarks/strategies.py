"""When the loop beats other uses of the same calls, as a map; and how long best of 3 takes beside one attempt.

`python -m benchmarks.strategies` prints both; `--figure docs/pictures/strategies.png` draws the map. The map is
arithmetic on the draws of `benchmarks.strategy_world`; a part of it goes through the real graph with the same draws
behind its models, question by question.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.demo import SCENE
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.strategy_world import WRONG, Setting, World, at_equal_calls
from graph.build import build_graph
from state.context import ROLES, make_context
from tests.support.scripted import ScriptedChat, reasoning, verdict

CLIP_CALLS = 7
ERRORS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
GAINS = (-0.2, 0.0, 0.2, 0.4)
CHECKED = (Setting(0.3, 0.2, -0.2), Setting(0.5, 0.6, 0.2), Setting(0.7, 0.9, 0.4))
CHOICES = ["right", *(f"wrong {number}" for number in range(1, WRONG + 1))]
MEDIAN, SPREAD, FASTER = 3.0, 0.5, 10.0


class SimulatedChat(ScriptedChat):
    """Plays every role with the draws of a world; the question's number stands between # in all texts."""

    _world: World = PrivateAttr()
    _candidates: int = PrivateAttr(default=1)

    def play(self, world: World, candidates: int) -> "SimulatedChat":
        """Reads these draws from now on."""
        self._world, self._candidates = world, candidates
        self.script = {
            "generator": self._reason,
            "summarizer": lambda fields, messages: {"caption": fields["reasoning"]["steps"][0]["step"]},
            "evaluator": self._score,
            "target": self._answer,
        }
        return self

    def _number(self, fields: dict[str, Any]) -> int:
        return round(fields.get("frame_shift", 0.0) * self._candidates)

    def _reason(self, fields: dict[str, Any], messages: list[BaseMessage]) -> dict[str, Any]:
        question = int(fields["question"].split("#")[1])
        number = self._number(fields)
        right = self._world.first_right(number)
        if fields["iteration"] > 1:
            number = fields["iteration"] - 1
            right = self._world.next_right(number)
        name = "right" if right[question] else "wrong 1"
        step = {"step": f"#{question}# {number} {name}", "justification": "", "answer": "", "modality": "both"}
        return {"steps": [step], "answer": name}

    def _score(self, fields: dict[str, Any], messages: list[BaseMessage]) -> dict[str, Any]:
        _, question, rest = fields["caption"].split("#")
        number, name = rest.split(maxsplit=1)
        right = np.full(len(self._world.chance), name.startswith("right"))
        return verdict(int(self._world.score(int(number), right)[int(question)]))

    def _answer(self, fields: dict[str, Any], messages: list[BaseMessage]) -> str:
        question, number = int(fields["question"].split("#")[1]), self._number(fields)
        given = None
        if fields["reasoning"]:
            given = np.full(len(self._world.chance), "right" in fields["reasoning"]["steps"][0]["step"])
        if self._world.target_right(number, given)[question]:
            return CHOICES[0]
        return CHOICES[self._world.wrong[question, number]]


def settings_of(strategy: str, attempts: int) -> dict[str, Any]:
    """The settings of a strategy with so many attempts, or answers."""
    if strategy == "refine":
        return {"max_iterations": attempts, "threshold": 8}
    return {"strategy": strategy, "candidates": attempts}


async def through_the_graph(folder: Path, clip: Path, questions: int) -> str:
    """How often the real graph gives the answer that the arithmetic gives, in three cells."""
    equal = asked = 0
    for cell, setting in enumerate(CHECKED):
        world = World.draw(setting, questions)
        expected = at_equal_calls(world, CLIP_CALLS)
        attempts = (CLIP_CALLS - 1) // 2
        for strategy, name, count in (("refine", "refine", attempts), ("best_of_n", "best of n", attempts),
                                      ("vote", "vote", CLIP_CALLS)):  # fmt: skip
            model = SimulatedChat(script={}, said=Counter(), heard=[]).play(world, count if strategy != "refine" else 1)
            client = client_of(folder / f"{cell}-{strategy}", model)
            graph = build_graph(client=client)
            context = make_context({**roles(), **settings_of(strategy, count), "compare": False, "frames": 4})
            for number in range(questions):
                question: Any = {"video": str(clip), "question": f"Which one is it? #{number}#", "choices": CHOICES}
                result = await answer_question(question, context, client=client, graph=graph)
                model.heard.clear()
                equal += (result["choice"] == CHOICES[0]) == bool(expected[name][number])
                asked += 1
            client.ledger.close()
    return f"{equal} of {asked} answers of the real graph are those of the arithmetic ({len(CHECKED)} cells)"


def roles() -> dict[str, str]:
    """The simulated model in every role."""
    return {role: "simulated:one" for role in ROLES}


def client_of(home: Path, model: ScriptedChat) -> ModelClient:
    """A client whose only model is this one."""
    settings = Settings(home=home, allow_any_file=True)
    return ModelClient(settings, store=ClipStore(settings), providers={"simulated": lambda name, store: model})


def map_of(questions: int) -> dict[Setting, dict[str, float]]:
    """The accuracy of each strategy in every cell, percent."""
    found = {}
    for gain in GAINS:
        for error in ERRORS:
            for correlation in CORRELATIONS:
                setting = Setting(error, correlation, gain)
                flags = at_equal_calls(World.draw(setting, questions), CLIP_CALLS)
                found[setting] = {name: 100 * float(right.mean()) for name, right in flags.items()}
    return found


def best_other(cell: dict[str, float]) -> float:
    """The better one of vote and best of n."""
    return max(cell["vote"], cell["best of n"])


def feedback_text(gain: float) -> str:
    """What feedback does, in words."""
    if gain < 0:
        return f"feedback misleads {-gain:.0%}"
    return f"feedback mends {gain:.0%}"


def print_map(found: dict[Setting, dict[str, float]], questions: int) -> None:
    """Prints the points of refine over the better of vote and best of n, by error rate and correlation."""
    noise = 100 * 1.96 * (0.5 / questions) ** 0.5
    wins = []
    for gain in GAINS:
        print(f"map          {feedback_text(gain)}: refine minus the better of vote and best of n, points")
        print("             error  " + "".join(f"r={correlation:<6.1f}" for correlation in CORRELATIONS))
        ahead = 0
        for error in ERRORS:
            cells = [found[Setting(error, correlation, gain)] for correlation in CORRELATIONS]
            points = [cell["refine"] - best_other(cell) for cell in cells]
            ahead += sum(one > noise for one in points)
            marked = "".join(f"{one:+6.1f}{' ' if abs(one) > noise else '.'} " for one in points)
            print(f"             {error:5.0%}  {marked}")
        wins.append(f"{ahead} of {len(ERRORS) * len(CORRELATIONS)} where {feedback_text(gain)}")
    print(
        f"map          refine is ahead in {', '.join(wins)}; {questions} questions a cell, {CLIP_CALLS} clip calls;"
        f" a point marks a difference below {noise:.1f} points, which says nothing"
    )


def draw_map(found: dict[Setting, dict[str, float]], path: Path, questions: int) -> None:
    """Draws refine minus vote, and refine minus best of n, for each strength of feedback."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.4), layout="constrained")
    axes = figure.subplots(2, len(GAINS), sharex=True, sharey=True)
    image: Any = None
    for row, other in enumerate(("vote", "best of n")):
        for column, gain in enumerate(GAINS):
            values = np.array([[found[Setting(error, correlation, gain)]["refine"]
                                - found[Setting(error, correlation, gain)][other]
                                for correlation in CORRELATIONS] for error in ERRORS])  # fmt: skip
            panel = axes[row][column]
            image = panel.pcolormesh(CORRELATIONS, ERRORS, values, cmap="RdBu", vmin=-30, vmax=30, shading="nearest")
            panel.contour(CORRELATIONS, ERRORS, values, levels=[0.0], colors="black", linewidths=1.0)
            panel.set_title(f"refine - {other}\n{feedback_text(gain)}", fontsize=8)
    figure.supxlabel("correlation of the evaluator's score with the truth", fontsize=9)
    figure.supylabel("error rate of one attempt", fontsize=9)
    figure.colorbar(image, ax=axes, label=f"points ({questions} questions a cell)")
    figure.savefig(path, dpi=150)


class SlowChat(ScriptedChat):
    """Answers after a log-normal latency."""

    _dice: random.Random = PrivateAttr(default_factory=lambda: random.Random(1))

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(self._dice.lognormvariate(0, SPREAD) * MEDIAN / FASTER)
        result = self._generate(messages)
        self.heard.clear()
        return result


async def seconds_of(folder: Path, clip: Path, questions: int, **settings: Any) -> float:
    """Mean seconds of a question, as if the latencies were not made shorter."""
    script = {
        "generator": lambda fields, messages: reasoning(f"{fields['question']} {fields.get('frame_shift', 0)}"),
        "evaluator": [verdict(5)],
    }
    client = client_of(folder, SlowChat(script=script, said=Counter(), heard=[]))
    graph = build_graph(client=client)
    context = make_context({**roles(), "compare": False, "frames": 4, **settings})
    await answer_question({"video": str(clip), "question": "First?"}, context, client=client, graph=graph)
    times = []
    for number in range(questions):
        began = time.perf_counter()
        question: Any = {"video": str(clip), "question": f"What? #{number}#"}
        await answer_question(question, context, client=client, graph=graph)
        times.append((time.perf_counter() - began) * FASTER)
    client.ledger.close()
    return mean(times)


async def latency(folder: Path, clip: Path, questions: int) -> None:
    """Prints how long best of 3 takes beside one attempt and beside three attempts one after the other."""
    one = await seconds_of(folder / "one", clip, questions, max_iterations=1)
    side = await seconds_of(folder / "side", clip, questions, strategy="best_of_n", candidates=3)
    row = await seconds_of(folder / "row", clip, questions, max_iterations=3, early_stop=False)
    print(
        f"latency      best of 3 takes {side / one:.2f} times one attempt ({side:.1f} s and {one:.1f} s a question, the"
        f" target's answer included; limit 1.5); three attempts of the loop, one after the other, {row / one:.2f}"
        f" times; {questions} questions, latencies log-normal, median {MEDIAN:.0f} s, sigma {SPREAD},"
        f" {FASTER:.0f} times faster"
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Prints the map, its check by the real graph, and the latency."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--questions", type=int, default=20_000, help="questions in each cell of the map")
    parser.add_argument("--checked", type=int, default=40, help="questions of a cell that the real graph answers")
    parser.add_argument("--timed", type=int, default=30, help="questions of each kind for the latency")
    parser.add_argument("--figure", type=Path, default=None, help="PNG file for the map")
    options = parser.parse_args(list(arguments))
    found = map_of(options.questions)
    print_map(found, options.questions)
    if options.figure:
        draw_map(found, options.figure, options.questions)
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        print(f"map          {asyncio.run(through_the_graph(Path(name), clip, options.checked))}")
        asyncio.run(latency(Path(name), clip, options.timed))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
