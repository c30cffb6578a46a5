"""`make demo`: renders a clip with known content and asks a question that one look cannot answer.

`make demo-learned` asks a small learned model instead, about a clip of the world that it knows.

The clip is ten seconds long, so one look of the offline profile covers frequencies up to 2.4 kHz. The first attempt
misses the soft high tone at the right. The evaluator scores it low, and the next attempt finds the tone.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from aurelia_offline.world import mini_world
from aurelia_offline.world.scene import parse_scene, write_scene
from aurelia_offline.world.stage import parse_stage_question
from aurelia_offline.world.stage_chain import answer_options

SCENE = {
    "seconds": 10.0,
    "fps": 24,
    "width": 480,
    "height": 270,
    "background": "black",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.18, "y": 0.5, "size": 0.3, "moves": [[1.0, 2.6]]},
        {"colour": "yellow", "shape": "square", "x": 0.5, "y": 0.5, "size": 0.3, "moves": [[4.0, 5.4]]},
        {"colour": "blue", "shape": "triangle", "x": 0.82, "y": 0.5, "size": 0.3, "moves": [[7.3, 7.9]]},
    ],
    "sounds": [
        {"start": 1.0, "end": 2.6, "voice": "reed", "pitch": 220.0, "level": -16.0},
        {"start": 4.0, "end": 5.4, "voice": "tone", "pitch": 660.0, "level": -20.0},
        {"start": 7.3, "end": 7.9, "voice": "tone", "pitch": 3000.0, "level": -32.0},
    ],
}
QUESTION = "On which side is the shape that moves while the highest sound is heard?"
CHOICES = ("left", "middle", "right")
MINI_CLIP_SEED = 500_011
"""Seed of the clip for the learned target."""
MINI_QUESTION = "At which spot is the instrument to the left of the instrument after the loudest instrument?"


def run_demo(arguments: Sequence[str]) -> None:
    """Render a clip and ask the measuring target, or with `--learned` the learned one.

    Args:
        arguments: the folder of the clips (default: build/demo), and `--learned`.
    """
    folder = Path(next((text for text in arguments if not text.startswith("-")), "build/demo"))
    folder.mkdir(parents=True, exist_ok=True)
    if "--learned" in arguments:
        _ask_learned(folder)
    else:
        _ask_measuring(folder)
        sys.stderr.write("\nThe same loop with a small learned model as target: make demo-learned\n")


def _ask_measuring(folder: Path) -> None:
    clip = folder / "three-shapes.mp4"
    if not clip.exists():
        write_scene(parse_scene(SCENE), clip)
    _run_ask(clip, QUESTION, CHOICES)


def _ask_learned(folder: Path) -> None:
    clip = folder / "mini-world.mp4"
    if not clip.exists():
        write_scene(mini_world.clip_scene(mini_world.draw_clip(MINI_CLIP_SEED, odd=0)), clip)
    asked = parse_stage_question(MINI_QUESTION)
    choices: tuple[str, ...] = ()
    if asked:
        choices = tuple(answer_options(asked))
    _run_ask(clip, MINI_QUESTION, choices, "--model", "target=transformers:mini")


def _run_ask(clip: Path, question: str, choices: Sequence[str], *more: str) -> None:
    arguments = ["ask", "--video", str(clip), "--question", question]
    for choice in choices:
        arguments += ["--choice", choice]
    arguments += more
    sys.stderr.write(f"$ aurelia {shlex.join(arguments)}\n\n")
    sys.stderr.flush()
    from aurelia.cli import main as cli

    sys.argv = ["aurelia", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code:
            raise


if __name__ == "__main__":
    run_demo(sys.argv[1:])
