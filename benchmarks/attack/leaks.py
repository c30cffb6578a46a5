"""Keys in what a run full of errors leaves: logs, errors, traces, threads, ledgers, run files, reports, exports.

The provider is a loopback server that repeats the key it was sent in its errors and in its replies. Planted checkpoints
and model folders are `planted`'s.
"""

import asyncio
import base64
import contextlib
import gzip
import json
import logging
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aurelia.bench import export
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.bench.score_run import score_run_file
from aurelia.bench.training import TrainingOptions, export_training_set
from aurelia.report.build import build_report
from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.sanitize import REDACTED
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import Scene, write_scene
from benchmarks.attack import planted
from benchmarks.attack.row import Row
from state.context import ROLES, make_context
from tests.support.langgraph_server import LANGGRAPH
from tests.support.langgraph_server import started as serving
from tests.support.langsmith_server import listening
from tests.support.openai_server import VARIABLES, Fault, WireOpenAI
from tests.support.postgres import NoDatabase, started
from tests.support.scripted import reasoning, verdict
from tests.support.stage import DUET, no_wait

KEY = "sk-canary/Zq7+4vJ0wKx2LmN8pRtY5cBd"
TRACER = "lsv2-canary-Hs83kdLwq0Zx51mVt7"
TOKEN = "tok-canary-Uy6Gh2Pw9eRb4Nc1Xa"
SPEC = "compatible:gpt-4o-mini"
_PACKED = re.compile(rb'"([A-Za-z0-9+/=]{16,})"')
PYTHON = [sys.executable, "-m", "aurelia"]


def forms(key: str) -> list[bytes]:
    """How a key may be written: as it is, in an address, in JSON, and within base64, wherever in it the key begins."""
    shifted = [base64.b64encode(b"x" * lead + key.encode()) for lead in range(3)]
    inner = [text[4 * bool(lead) : -4] for lead, text in enumerate(shifted)]
    plain = {key, quote(key), quote(key, safe=""), key.replace("/", "\\/")}
    return [
        *(text.encode() for text in plain),
        *inner,
        *(text.replace(b"+", b"-").replace(b"/", b"_") for text in inner),
    ]


def holding(data: bytes, keys: tuple[str, ...] = (KEY, TRACER, TOKEN)) -> bool:
    """Whether the bytes hold a key in any form, also within the packed questions of a report."""
    sought = [form for key in keys for form in forms(key)]
    blocks = [data]
    for block in _PACKED.findall(data) if b"<!doctype html>" in data[:100] else []:
        with contextlib.suppress(ValueError, OSError, EOFError):
            blocks.append(gzip.decompress(base64.b64decode(block)))
    return any(form in block for block in blocks for form in sought)


def holders(folder: Path) -> list[str]:
    """The files below a folder that hold a key."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and holding(path.read_bytes())
    ]


def telling(dice: random.Random, faulty: float) -> WireOpenAI:
    """A server that takes the key and repeats it: in every field of its replies, and in so large a share of errors."""
    said = f"with {KEY} or {quote(KEY, safe='')}"
    steps = reasoning(said)
    server = WireOpenAI(
        key=KEY,
        generator=lambda body: {**steps, "answer": f"{said} {dice.random()}"},
        summarizer=lambda body: {"caption": f"A caption {said} {dice.random()}"},
        evaluator=lambda body: verdict(4, justification=said),
        feedback=[{"feedback": f"Look again {said}", "windows": []}],
        target=lambda body: f"an answer {said}",
    )
    # It compares each request with all that it has kept.
    server.sent = deque(maxlen=4)
    bodies = [json.dumps(body).encode() for body in ({"error": {"message": said}}, {"detail": said}, {"error": said})]
    kinds = [Fault(status, body=body) for status in (400, 429, 500, 503) for body in (*bodies, said.encode())]
    kinds += [Fault("refusal"), Fault("drop"), Fault("truncated"), Fault("html"), Fault("empty")]
    server.faults.extend(dice.choice(kinds) if dice.random() < faulty else Fault("none") for _ in range(100_000))
    return server


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """The process's environment with these variables and no other provider's."""
    before = dict(os.environ)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Whatever is logged from level INFO on, with tracebacks, in a file."""
    handler, root = logging.FileHandler(path, encoding="utf-8"), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


def _variables(server: WireOpenAI, home: Path, sink: str) -> dict[str, str]:
    traced = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": sink, "LANGSMITH_API_KEY": TRACER}
    mine = {"AURELIA_COMPATIBLE_URL": server.url, "AURELIA_COMPATIBLE_KEY": KEY, "AURELIA_COMPATIBLE_MEDIA": "images"}
    return {**traced, **mine, "AURELIA_HOME": str(home), "AURELIA_SERVER_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}


async def _benchmark(folder: Path, questions: int) -> None:
    """A run, its scores by a judge, its report and its exports; what fails is part of it."""
    settings = Settings(home=folder / "home", media_roots=(folder,))
    lines = [
        {"id": f"q{n}", "column": "music-avqa", "video": "duet.mp4", "question": f"What is heard ({n})?",
         "answers": ["a tone"], "source": {"dataset": "test"}}
        for n in range(questions)
    ]  # fmt: skip
    file, out = folder / "bench.jsonl", folder / "x.run"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    resources = RunResources(settings, None, {}, ClipStore(settings), no_wait)
    context = make_context(
        {**dict.fromkeys(ROLES, SPEC), "unsupported_modality": "evidence", "frames": 2, "max_iterations": 2}
    )
    events: list[Any] = []
    await run_bench(file, out, context, Plan(), resources, on_event=events.append)
    (folder / "events").write_text(json.dumps(events))
    with contextlib.suppress(AureliaError):
        await score_run_file(out, resources=resources, judge=SPEC)
    build_report([out], folder / "report")
    for name in ("table.jsonl", "table.csv"):
        export.export_table(out, folder / name)
    export_training_set(out, folder / "training.jsonl", TrainingOptions(1))


def _commands(folder: Path, home: Path) -> int:
    """Questions at the command line, kept in threads, with a good key, a wrong one and --debug; says how many."""
    (folder / "evil.toml").write_text(
        "\n".join(
            [
                *(f'{role} = "{SPEC}"' for role in ROLES),
                'unsupported_modality = "evidence"',
                "frames = 2",
                "max_iterations = 2",
            ]
        )
    )
    ask = [
        "ask",
        "--video",
        str(folder / "duet.mp4"),
        "--profile",
        str(folder / "evil.toml"),
        "--question",
        "What is heard?",
    ]
    wrong = {"AURELIA_COMPATIBLE_KEY": KEY + "wrong"}
    commands: list[tuple[list[str], dict[str, str]]] = [
        ([*ask, "--thread", "one", "--json"], {}),
        ([*ask, "--thread", "two", "--debug"], wrong),
        (["trace", "one"], {}),
        (["doctor"], {}),
    ]
    for number, (arguments, more) in enumerate(commands):
        _kept_words([*PYTHON, *arguments], folder / f"said {number}", more)
    return len(commands)


def _kept_words(command: list[str], where: Path, more: dict[str, str]) -> None:
    """Runs a command with further variables, and keeps all that it says."""
    done = subprocess.run(command, capture_output=True, env={**os.environ, **more}, timeout=1200)
    where.write_bytes(done.stdout + done.stderr)


def runs(folder: Path, seed: int, questions: int, *, shell: bool) -> Row:
    """Runs full of errors, and a search through all that they leave."""
    write_scene(Scene.model_validate(DUET), folder / "duet.mp4")
    server, commands = telling(random.Random(seed), 0.3), 0
    try:
        with (
            listening() as (sink, address),
            environment(**_variables(server, folder / "home", address)),
        ):
            arguments = [sys.executable, __file__, str(folder), str(questions)]
            _kept_words(arguments, folder / "said of the run", {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
            commands = _commands(folder, folder / "home") if shell else 0
            (folder / "traces").write_bytes(b"\n".join(sink.bodies))
    finally:
        server.close()
    found = holders(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    masked = sum(path.read_bytes().count(REDACTED.encode()) for path in files)
    size = sum(path.stat().st_size for path in files) / 1e6
    what = (
        f"keys in what {questions} questions and {commands} commands left, {server.asked} calls to a provider that"
        f" repeats the key, 30 % faults ({len(files)} files, {size:.1f} MB, {masked} masks): files with one in any form"
    )
    return Row("secrets", what, f"{len(found)} {', '.join(found)}".strip(), "0", not found and masked > 0)


def served(folder: Path, seed: int, questions: int) -> Row:
    """The same provider behind a real server with tokens: its log, its threads, its answers."""
    home = folder / "served"
    (home / "media").mkdir(parents=True)
    write_scene(Scene.model_validate(DUET), home / "media" / "duet.mp4")
    provider, said = telling(random.Random(seed), 0.3), []
    settings = {
        name: value
        for name, value in _variables(provider, home, "http://127.0.0.1:9").items()
        if name != "AURELIA_HOME"
    }
    settings |= {"LANGSMITH_TRACING": "false", "AURELIA_TOKENS": f"alice:{TOKEN}", "AURELIA_MODELS": "compatible:*"}
    context = {**dict.fromkeys(ROLES, SPEC), "unsupported_modality": "evidence", "frames": 2, "max_iterations": 2}
    try:
        with serving(home, **settings) as at:
            for number in range(questions):
                asked = {"video": "duet.mp4", "question": f"What is heard ({number})?"}
                body = {"assistant_id": "aurelia", "input": asked, "context": context}
                said.append(_posted(f"{at.url}/runs/wait", body, TOKEN if number % 4 else TOKEN + "x"))
    finally:
        provider.close()
    (home / "answers").write_bytes(b"\n".join(said))
    (home / "langgraph.json").unlink()
    found = holders(home)
    runs_of = f"{questions} runs, {provider.asked} calls"
    what = f"keys and tokens in what a server logged, kept and answered, {runs_of}: files that hold one"
    return Row("secrets", what, f"{len(found)} {', '.join(found)}".strip(), "0", not found and provider.asked > 0)


def _posted(url: str, body: Any, token: str) -> bytes:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as fault:
        return fault.read()


def attack(minutes: float, seed: int) -> list[Row]:
    """All of it; `minutes` decides how many questions are asked."""
    from tests.support import tiny_qwen_omni

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run").mkdir()
        rows = [runs(folder / "run", seed, max(10, min(200, int(10 * minutes))), shell=True)]
        write_scene(Scene.model_validate(DUET), folder / "duet.mp4")
        rows += [served(folder, seed, 12)] if LANGGRAPH.exists() else []
        rows.append(asyncio.run(planted.threads(folder)))
        try:
            with started() as url:
                rows.append(asyncio.run(planted.threads_in_postgres(folder, url)))
        except NoDatabase as why:
            print(f"leaks: {why}", file=sys.stderr)
        return [*rows, planted.folders(tiny_qwen_omni.write(folder / "tiny"), folder)]


if __name__ == "__main__":
    with logged(Path(sys.argv[1]) / "log"):
        asyncio.run(_benchmark(Path(sys.argv[1]), int(sys.argv[2])))
