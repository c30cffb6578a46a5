"""`make pictures`: the pictures in docs/pictures, each from a real run, the notebook's outputs, the table of settings.

The graph is drawn by `aurelia graph --png`; the two terminals hold what the commands printed, colours and all; the
trace is what a stand-in for LangSmith received; the report is a page built from an offline benchmark of rendered
scenes, opened in a headless chromium. Nothing is drawn by hand.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.text import Text

from aurelia.cli.trace_view import TRACE_WIDTH as TRACE_WIDTH
from aurelia_offline.demo import CHOICES, QUESTION, SCENE
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.offline.guidance import questions_of, scene_of
from tests.docs import notebook, studio_form
from tests.support.browser import browser, lacking, open_question, visit
from tests.support.langsmith_server import Sink, listening

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "first-hour.ipynb"
WIDTH = 100
FIRST_SEED = 9_000
SCENES = 8
SHOWN = 1
"""The question that the report's picture shows: the first scene's second one."""
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.S)


def main(pictures: Path, work: Path) -> None:
    """Makes every picture and the table.

    Args:
        pictures: folder of the pictures.
        work: scratch folder, emptied first so that nothing is answered from an earlier ledger.
    """
    if why := lacking():
        sys.exit(f"pictures: {why}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    pictures.mkdir(parents=True, exist_ok=True)
    _aurelia(work, "graph", "--png", str(pictures.resolve() / "graph.png"))
    terminals(pictures, work)
    langsmith(pictures, work)
    report(pictures / "report.png", work)
    notebook.write(NOTEBOOK, notebook.run(NOTEBOOK))
    studio_form.renew(ROOT / "docs" / "settings.md")


def terminals(pictures: Path, work: Path) -> None:
    """The demo's question asked in a kept thread, and that thread's trace."""
    write_scene(parse_scene(SCENE), work / "three-shapes.mp4")
    ask = ["ask", "--thread", "shapes", "--video", "three-shapes.mp4", "--question", QUESTION]
    for choice in CHOICES:
        ask += ["--choice", choice]
    for name, arguments, width in (("run", ask, WIDTH), ("trace", ["trace", "shapes"], TRACE_WIDTH)):
        said = _aurelia(work, *arguments)
        (pictures / f"{name}.svg").write_text(terminal(arguments, said, width), encoding="utf-8")


def langsmith(pictures: Path, work: Path) -> None:
    """The trace of the same question asked again, as a stand-in for LangSmith on loopback receives it."""
    ask = ["ask", "--video", "three-shapes.mp4", "--question", QUESTION]
    for choice in CHOICES:
        ask += ["--choice", choice]
    with listening() as (sink, address):
        tracing = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": address, "LANGSMITH_API_KEY": "none"}
        _aurelia(work, *ask, more=tracing)
    said = "\n".join(_span_lines(sink, sink.root(), 0))
    (pictures / "langsmith.svg").write_text(terminal(ask, said, TRACE_WIDTH), encoding="utf-8")


def _span_lines(sink: Sink, span: Mapping[str, Any], depth: int) -> list[str]:
    told = (span.get("extra") or {}).get("metadata") or {}
    used = told.get("usage_metadata") or {}
    facts = [f"{(span.get('outputs') or {})['score']}/10"] if span["name"].startswith("attempt ") else []
    if used:
        facts += [f"{used['input_tokens']} + {used['output_tokens']} tokens", f"${used['total_cost']}"]
    if "cached" in (span.get("tags") or []):
        facts.append("cached")
    if depth == 0:
        facts = [f"{name} {told[name]}" for name in ("attempts", "first_score", "best_score", "gain", "cost_usd")]
    lines = [f"{'   ' * depth}{span['name']:<{64 - 3 * depth}} {', '.join(facts)}".rstrip()]
    for child in sink.children(span["id"]):
        if not child["name"].startswith("after_"):
            lines += _span_lines(sink, child, depth + 1)
    return lines


def terminal(arguments: Sequence[str], said: str, width: int) -> str:
    """A terminal as SVG that loads nothing: the command, and what it printed with its colours."""
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True, highlight=False)
    console.print(Text(f"$ aurelia {shlex.join(arguments)}\n", style="bold"))
    console.print(Text.from_ansi(said))
    svg = console.export_svg(title="aurelia", unique_id=arguments[0])
    return _FONTS.sub("", svg)


def report(picture: Path, work: Path) -> None:
    """One question of a report on rendered scenes whose truth is known."""
    records = [record for seed in range(FIRST_SEED, FIRST_SEED + SCENES) for record in _records(seed, work)]
    (work / "scenes.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    _aurelia(work, "bench", "run", "scenes.jsonl", "--out", "scenes.run", "--media", ".", "--concurrency", "2")
    _aurelia(work, "bench", "report", "scenes.run", "--media", ".", "--out", "report")
    with browser() as driver:
        visit(driver, (work / "report" / "report.html").resolve(), width=1100)
        open_question(driver, SHOWN)
        to = f"document.querySelectorAll('.question')[{SHOWN}].scrollIntoView({{behavior: 'instant'}})"
        driver.execute_script(f"{to}; window.scrollBy({{top: -60, behavior: 'instant'}})")
        driver.save_screenshot(str(picture))


def _records(seed: int, work: Path) -> list[Mapping[str, Any]]:
    scene = scene_of(seed)
    write_scene(parse_scene(scene), work / f"{seed}.mp4")
    kinds = ("counting", "place", "colour")
    return [
        {
            "id": f"scene:{seed}:{kind}",
            "column": "other",
            "category": f"Rendered scenes: {kind}",
            "video": f"{seed}.mp4",
            "question": question,
            "choices": choices,
            "answers": [truth],
            "source": {"dataset": "rendered scenes", "item": str(seed)},
            "licence": "CC0-1.0",
        }
        for kind, (question, choices, truth) in zip(kinds, questions_of(scene), strict=True)
    ]


def _aurelia(work: Path, *arguments: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
    """Runs the command in the scratch folder with a home of its own; both its streams, as they came."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AURELIA_", "LANGSMITH_"))}
    shown = {"AURELIA_HOME": "home", "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "aurelia", *arguments]
    ended = subprocess.run(
        command, cwd=work, env=kept | shown | dict(more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ended.returncode:
        sys.exit(f"pictures: aurelia {arguments[0]} failed: {ended.stdout[-500:]}")
    return ended.stdout


if __name__ == "__main__":
    main(ROOT / "docs" / "pictures", ROOT / "build" / "pictures")
