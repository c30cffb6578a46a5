"""Measures the value of the loop's guidance: answers after one look, after an unguided second look, and with AURELIA.

Every look has the same budget of frames and samples. The scenes have known content and come from seeds that were not
used for tuning. The unguided second look covers evenly spaced windows with the same total length as a guided look; like
a guided look, it is merged with the first.
"""

import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import parse_scene, write_scene
from graph.build import build_graph
from state.context import Context

FIRST_SEED = 7_000
SECONDS = 12.0
COLOURS = ("red", "green", "blue", "yellow")
PLACES = {"left": 0.15, "middle": 0.5, "right": 0.85}
PITCHES = (196.0, 330.0, 523.0, 880.0, 1480.0, 2489.0, 3520.0)
RATE = 16_000


def scene_of(seed: int) -> dict[str, Any]:
    """A scene of three shapes that move while their tone sounds; tones differ by at least 5 dB and 1.4 in pitch."""
    rng = random.Random(seed)
    pitches, colours = rng.sample(PITCHES, 3), rng.sample(COLOURS, 3)
    levels, places = rng.sample((-14.0, -21.0, -28.0, -35.0), 3), rng.sample(sorted(PLACES), 3)
    sounds, shapes = [], []
    start = rng.uniform(0.4, 1.5)
    for pitch, level, colour, place in zip(pitches, levels, colours, places, strict=True):
        length = rng.choice((0.3, 0.5, 0.9, 1.5))
        span = [round(start, 2), round(start + length, 2)]
        sounds.append({"start": span[0], "end": span[1], "voice": "tone", "pitch": pitch, "level": level})
        shapes.append(
            {"colour": colour, "shape": "square", "x": PLACES[place], "y": 0.5, "size": 0.25, "moves": [span]}
        )
        start += length + rng.uniform(0.7, 1.9)
    more = {"seconds": SECONDS, "fps": 24, "width": 320, "height": 180, "background": "black"}
    return {**more, "shapes": shapes, "sounds": sounds, "cuts": [], "flashes": []}


def questions_of(scene: dict[str, Any]) -> list[tuple[str, list[str], str]]:
    """The questions about a scene: question, choices and correct choice."""
    sounds, shapes = scene["sounds"], scene["shapes"]
    highest = max(range(3), key=lambda i: sounds[i]["pitch"])
    softest = min(range(3), key=lambda i: sounds[i]["level"])
    side = {x: place for place, x in PLACES.items()}
    return [
        ("How many sounds are heard?", ["one", "two", "three", "four"], "three"),
        (
            "On which side is the shape that moves while the highest sound is heard?",
            list(PLACES),
            side[shapes[highest]["x"]],
        ),
        ("What colour is the shape that moves during the softest sound?", list(COLOURS), shapes[softest]["colour"]),
    ]


def even_windows(total: float) -> list[dict[str, float]]:
    """Four evenly spaced windows with a total length of `total` seconds."""
    length, step = total / 4, SECONDS / 4
    return [{"start": i * step + (step - length) / 2, "end": i * step + (step + length) / 2} for i in range(4)]


def unguided(desk: ModelClient, clip: Any, question: str, choices: list[str]) -> str:
    """The generator's answer after a first look and an unguided second look."""
    context = Context()
    fields = {"role": "generator", "question": question, "choices": choices, "clip": clip, "tracks": []}
    fields |= {"duration": clip["duration"], "has_audio": clip["has_audio"], "iteration": 2}
    fields |= {"frames": context.frames, "samples": context.samples}
    fields["looks"] = [[], even_windows(context.samples / RATE)]
    message = HumanMessage(question, additional_kwargs={"request": fields})
    return str(json.loads(desk.model("offline:measure").invoke([message]).text)["answer"])


async def measure(folder: Path, scenes: int) -> dict[str, list[bool]]:
    """Whether each answer is correct, for each way of answering."""
    settings = Settings(home=folder / "home", allow_any_file=True)
    desk = ModelClient(settings, store=ClipStore(settings))
    graph = build_graph(client=desk)
    right: dict[str, list[bool]] = {name: [] for name in ("one look", "two looks", "generator", "AURELIA")}
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = scene_of(seed)
        path = folder / f"{seed}.mp4"
        write_scene(parse_scene(scene), path)
        clip = desk.store.admit(str(path))
        for text, choices, truth in questions_of(scene):
            asked: Any = {"video": clip["id"], "question": text, "choices": choices}
            result = await answer_question(asked, Context(max_iterations=3), graph=graph)
            right["one look"].append(result["zero_shot_answer"] == truth)
            right["two looks"].append(unguided(desk, clip, text, choices) == truth)
            right["generator"].append(bool(result["best"]) and result["best"]["answer"] == truth)
            right["AURELIA"].append(result["answer"] == truth)
        path.unlink()
    return right


def main(scenes: int = 60) -> None:
    """Print the share of correct answers for each way of answering."""
    with tempfile.TemporaryDirectory() as name:
        right = asyncio.run(measure(Path(name), scenes))
    share = {way: 100 * sum(found) / len(found) for way, found in right.items()}
    print(
        f"guidance     {share['AURELIA']:5.1f} % right with AURELIA (T = 3, steps), {share['one look']:.1f} % after one"
        f" look, {share['two looks']:.1f} % after a second look without guidance; the generator itself"
        f" {share['generator']:.1f} %; {len(right['AURELIA'])} questions on {scenes} unseen scenes; chance 29 %"
    )
    gain = share["AURELIA"] - share["two looks"]
    print(
        f"             {gain:+.1f} points over the unguided second look;"
        f" {share['AURELIA'] / share['one look']:.2f} times one look"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
