"""Failing providers: 1,000 questions through the real runner and the real clients, while 30 % of all calls fail.

Half of them with Gemini in every role (files, context caches), half with an OpenAI-compatible server. The waits between
tries are a thousandth of the real ones and a time-out is seconds. What the run stored is held against what the servers
counted. Where nobody listens at all (refused, no answer to the first packet) the roles' fallbacks answer.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.models.call_ledger import MAX_TRIES
from aurelia_core.models.google import chat as google_chat
from aurelia_core.models.openai import factory as openai_make
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.attack.row import Row
from benchmarks.attack.weather import Weather, gap, over_google, over_openai, total, tries
from state.context import ROLES, make_context
from tests.support.google_server import KEY, MODEL, Gemini
from tests.support.openai_server import KEY as OPENAI_KEY
from tests.support.openai_server import VARIABLES, WireOpenAI

QUESTIONS, BATCH, CLIPS, AT_ONCE, ATTEMPTS = 1000, 50, 10, 8, 2
SECONDS = 3.0
SCALE = 1000.0
GOOGLE_SPEC, OWN_SPEC, DEAD_SPEC = f"google_genai:{MODEL}", "compatible:omni", "openai:gpt-4o"
SCENE = {
    "seconds": 2.0, "fps": 12, "width": 64, "height": 48, "background": "black",
    "shapes": [{"colour": "red", "shape": "circle", "x": 0.5, "y": 0.5, "size": 0.3, "moves": [[0.2, 0.7]]}],
    "sounds": [{"start": 0.2, "end": 0.7, "voice": "tone", "pitch": 440.0, "level": -14.0}],
}  # fmt: skip


class Found(NamedTuple):
    """What a run came to beside what the servers counted."""

    spec: str
    outcomes: list[Any]
    bill: dict[str, int]
    stated: dict[str, int]
    billed: dict[str, int]
    weather: Weather
    shown: str


def folder_of_clips(folder: Path) -> Path:
    """Small clips of a content each; every other one too large to travel inside a request to Google."""
    media = folder / "media"
    media.mkdir(exist_ok=True)
    write_scene(parse_scene(SCENE), folder / "clip.mp4")
    content = (folder / "clip.mp4").read_bytes()
    for number in range(CLIPS):
        size = 1_100_000 if number % 2 else 16
        box = size.to_bytes(4, "big") + b"free" + number.to_bytes(8, "big") + bytes(size - 16)
        (media / f"{number}.mp4").write_bytes(content + box)
    return media


def records(folder: Path, out: str, numbers: Sequence[int]) -> Path:
    """The questions of these numbers about the clips."""
    path = folder / f"{out}.jsonl"
    with path.open("w") as file:
        for number in numbers:
            told = {"id": f"q{number}", "column": "music-avqa", "video": f"{number % CLIPS}.mp4", "answers": ["with"]}
            file.write(json.dumps({**told, "question": f"What is #{number}#?", "source": {"dataset": "x"}}) + "\n")
    return path


@contextmanager
def scaled(**environment: str) -> Iterator[None]:
    """The operator's variables, and time-outs and pauses scaled down, within."""
    names = (*VARIABLES, "GOOGLE_API_KEY", "GEMINI_API_KEY", "AURELIA_GOOGLE_URL", "HTTP_PROXY", "HTTPS_PROXY")
    with ExitStack() as stack:
        known = {name: value for name, value in os.environ.items() if name not in names}
        stack.enter_context(patch.dict(os.environ, {**known, **environment}, clear=True))
        for name, value in (
            ("google.chat._ANSWER_SECONDS", SECONDS),
            ("google.files.REQUEST_SECONDS", SECONDS),
            ("google.context_cache.REQUEST_SECONDS", SECONDS),
            ("openai.factory._TIMEOUT_SECONDS", SECONDS),
        ):
            stack.enter_context(patch(f"aurelia_core.models.{name}", value))
        stack.enter_context(patch("aurelia.bench.rate_limits.LONGEST_PAUSE_SECONDS", 0.01))
        yield


def patient(name: str, store: Any) -> Any:
    """Gemini whose waits for a file are scaled down."""
    model: Any = google_chat.make_gemini(name, store)
    model._uploads.sleep = lambda seconds: time.sleep(seconds / SCALE)
    return model


def dead(name: str, store: Any) -> Any:
    """OpenAI at an address where nobody answers, given up after a moment."""
    with patch("aurelia_core.models.openai.factory._TIMEOUT_SECONDS", 0.3):
        return openai_make.make_openai(name, store)


def run(folder: Path, out: str, numbers: Sequence[int], spec: str, **context: Any) -> list[Any]:
    """One benchmark run through the real runner; its outcomes."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / SCALE)

    settings = make_context({**dict.fromkeys(ROLES, spec), "max_iterations": ATTEMPTS, "frames": 2, **context})
    providers = {"google_genai": patient, "openai": dead}
    operator = Settings(home=folder / "home", allow_any_file=True)
    resources = RunResources(operator, folder / "media", providers, sleep=sleep)
    file = records(folder, out, numbers)
    asyncio.run(run_bench(file, folder / out, settings, Plan(concurrency=AT_ONCE), resources))
    with RunFile.open(folder / out) as stored:
        return list(stored.outcomes())


def counted(usage: Any) -> dict[str, int]:
    """A usage of ours in the words of the servers' bill."""
    names = {"calls": "calls", "input": "input_tokens", "output": "output_tokens", "cached": "cached_tokens"}
    return {short: int(usage[name]) for short, name in names.items()}


def found(folder: Path, out: str, spec: str, outcomes: list[Any], server: Any, weather: Weather) -> Found:
    """What a run came to, from its file and its server."""
    with RunFile.open(folder / out) as stored:
        bill = counted(stored.usage())
    stated: Counter[str] = Counter()
    for outcome in outcomes:
        stated.update(counted(outcome.usage))
    billed = {name: server.billed[name] for name in bill}
    return Found(spec, outcomes, bill, {name: stated[name] for name in bill}, billed, weather, str(folder))


def google(folder: Path, numbers: range, seed: int) -> Found:
    """The questions with Gemini in every role, with files and context caches."""
    gemini, weather = Gemini(), Weather(seed)
    gemini.silence = 3 * SECONDS
    over_google(gemini, weather)
    try:
        with scaled(GOOGLE_API_KEY=KEY, AURELIA_GOOGLE_URL=gemini.url):
            outcomes = run(folder, f"google{numbers.start}.run", numbers, GOOGLE_SPEC, prompt_cache="explicit")
        return found(folder, f"google{numbers.start}.run", GOOGLE_SPEC, outcomes, gemini, weather)
    finally:
        gemini.close()


def own(folder: Path, numbers: range, seed: int) -> Found:
    """The questions with a server that speaks as OpenAI's in every role."""
    server, weather = WireOpenAI(key=None), Weather(seed)
    server.silence = 3 * SECONDS
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    over_openai(server, weather)
    try:
        with scaled(AURELIA_COMPATIBLE_URL=server.url, AURELIA_COMPATIBLE_MEDIA="images+audio"):
            outcomes = run(folder, f"own{numbers.start}.run", numbers, OWN_SPEC)
        return found(folder, f"own{numbers.start}.run", OWN_SPEC, outcomes, server, weather)
    finally:
        server.close()


@contextmanager
def nobody(silent: bool) -> Iterator[str]:
    """An address where connections are refused, or (silent) are never taken up."""
    with socket.socket() as door, ExitStack() as callers:
        door.bind(("127.0.0.1", 0))
        if silent:
            door.listen(0)
            for _ in range(3):
                caller = callers.enter_context(socket.socket())
                caller.settimeout(0.1)
                with suppress(TimeoutError):
                    caller.connect(door.getsockname())
        yield f"http://127.0.0.1:{door.getsockname()[1]}/v1"


def fallen_back(folder: Path, count: int, silent: bool) -> int:
    """Questions whose every role asks where nobody answers; how many answers the fallbacks gave."""
    server = WireOpenAI(key=None)
    over_openai(server, Weather(0))
    server.mishap = lambda raw: None
    fallbacks = {f"{role}_fallback": OWN_SPEC for role in ROLES}
    try:
        with (
            nobody(silent) as address,
            scaled(AURELIA_COMPATIBLE_URL=server.url, OPENAI_BASE_URL=address, OPENAI_API_KEY=OPENAI_KEY),
            patch("aurelia_core.models.openai.chat._LOOKUP_SECONDS", 0.3),
        ):
            known = {**fallbacks, "unsupported_modality": "evidence", "max_iterations": 1}
            outcomes = run(folder, f"fallen{silent}.run", range(count), DEAD_SPEC, **known)
        # A busy machine may need longer to be refused than is waited for.
        kinds = ("TimeoutError",) if silent else ("ConnectionError", "TimeoutError")
        told = [str(outcome.result["warnings"]) for outcome in outcomes if outcome.state == "answered"]
        return sum(f"instead of {DEAD_SPEC}" in text and any(kind in text for kind in kinds) for text in told)
    finally:
        server.close()


def astray(one: Found) -> list[str]:
    """Outcomes that are neither an answer which a server really gave nor a typed failure of that model."""
    wrong = []
    for outcome in one.outcomes:
        error = outcome.error or ""
        typed = one.spec in error and "unexpected" not in error and one.shown not in error and not outcome.answer
        if not (outcome.answer in one.weather.answers if outcome.state == "answered" else typed):
            wrong.append(f"{outcome.record} {outcome.arm}: {outcome.answer!r} {error}")
    return wrong


def made_up(one: Found) -> list[str]:
    """Scores that no evaluator gave, and best reasonings that do not follow from those that one gave."""
    wrong = []
    for outcome in one.outcomes:
        if outcome.arm != "aurelia" or outcome.state != "answered":
            continue
        scores = [attempt["score"] for attempt in outcome.result["iterations"]]
        for attempt in outcome.result["iterations"]:
            if attempt["score"] is not None and attempt["score"] not in one.weather.scores[attempt["caption"]]:
                wrong.append(f"{outcome.record}: {attempt['score']}")
        if outcome.result["score"] != max((score for score in scores if score is not None), default=None):
            wrong.append(f"{outcome.record}: best {outcome.result['score']} of {scores}")
    return wrong


def rows(runs: list[Found]) -> list[Row]:
    """The figures of the runs together."""
    outcomes = [outcome for one in runs for outcome in one.outcomes]
    requests = sum(one.weather.requests for one in runs)
    faults: Counter[str] = Counter()
    for one in runs:
        faults += one.weather.faults
    known = [(one.weather.roles[call], tries(met)) for one in runs for call, met in one.weather.met.items()]
    calls = [call for _, call in known]
    wrong, lies = [text for one in runs for text in astray(one)], [text for one in runs for text in made_up(one)]
    for text in (*wrong[:5], *lies[:5]):
        print(f"outages: {text}", file=sys.stderr)
    answered = sum(outcome.state == "answered" for outcome in outcomes)
    asked = max(len(outcomes), 1)
    most, sends = max(call.tries for call in calls), max(call.sends for call in calls)
    again, repeated = max(call.asked for call in calls), sum(call.after for role, call in known if role != "generator")
    bill, billed = total([one.bill for one in runs]), total([one.billed for one in runs])
    stated = total([one.stated for one in runs])
    share = sum(faults.values()) / requests
    tokens = f"{bill['calls']} calls, {bill['input']} + {bill['output']} tokens"

    # Five standard deviations: the dice are the attack's own, and a short one has few throws.
    near = max(0.05, 5 * (0.3 * 0.7 / max(1, requests)) ** 0.5)

    def row(what: str, measured: str, bound: str, holds: bool) -> Row:
        return Row("providers", what, measured, bound, holds)

    return [
        row(f"calls that failed, of {requests} ({len(faults)} kinds of fault)", f"{share:.1%}",
            f"{0.3 - near:.0%} to {0.3 + near:.0%}", abs(share - 0.3) <= near),
        row(f"answers (two a question, {asked // 2} questions) neither given nor a stored, typed failure",
            f"{len(wrong)} ({answered} answered, {asked - answered} failed)", "0", not wrong),
        row("scores that no evaluator gave", str(len(lies)), "0", not lies),
        row(f"tries of one call, at most, of {len(calls)} calls", str(most), str(MAX_TRIES), most <= MAX_TRIES),
        row("requests of one try (a lost file or cache is put back), at most", str(sends), "4", sends <= 4),
        row(f"times that one call was asked in {ATTEMPTS} attempts, at most", str(again), str(ATTEMPTS),
            again <= ATTEMPTS),
        # A generator whose reply was unusable is asked the same words in the next attempt, which is a call of its own.
        row("calls sent again after their reply", str(repeated), "0", repeated == 0),
        row("bill of the run files beside the servers' own", f"{tokens}; difference {gap(bill, billed)}", "0",
            bill == billed),
        row("bill that the answers state beside it", f"difference {gap(stated, billed)}", "0", stated == billed),
    ]  # fmt: skip


def storm(folder: Path, questions: int, unheard: int, seed: int, until: float = float("inf")) -> list[Row]:
    """All of it: so many questions with each provider, or until the time is over, and so many where nobody listens."""
    folder_of_clips(folder)
    runs: list[Found] = []
    for first in range(0, questions, BATCH):
        if time.monotonic() < until:
            count = min(BATCH, questions - first)
            runs += [one(folder, range(first, first + count), seed) for one in (google, own)]
    answers = fallen_back(folder, unheard, silent=False) + fallen_back(folder, 1, silent=True)
    wanted = 2 * (unheard + 1)
    what = f"answers of fallbacks where connections are refused or never taken up, of {wanted}"
    return [*rows(runs), Row("providers", what, str(answers), str(wanted), answers == wanted)]


def attack(minutes: float, seed: int, trials: int = QUESTIONS) -> list[Row]:
    """1,000 questions, half of them with each provider, or as many as are answered in the time."""
    with tempfile.TemporaryDirectory() as name:
        return storm(Path(name), -(-trials // 2), 20, seed, time.monotonic() + minutes * 54)
