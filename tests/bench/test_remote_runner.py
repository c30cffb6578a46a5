"""`bench run --server`: questions sent to a real `langgraph dev` server, which may die."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.errors import InputError, ModelError, SettingsError
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import Scene, write_scene
from state.context import make_context
from tests.support.bench_runs import line, write_lines
from tests.support.langgraph_server import Started, needs_server, started
from tests.support.stage import DUET, no_wait

pytestmark = needs_server

TOKEN = "a-benchs-token-of-some-length"
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    (clip, question)
    for clip in ("duet.mp4", "trio.mp4")
    for question in (
        {"question": "How many sounds are heard?", "choices": ["one", "two", "three"], "answers": ["two"]},
        {
            "question": "Which is louder?",
            "choices": ["the first sound", "the second sound"],
            "answers": ["the first sound"],
        },
        {"question": "What colour is the circle?", "answers": ["red"]},
    )
]


class Place(NamedTuple):
    """A folder with records and their media, none of which a server has."""

    folder: Path
    servers: dict[str, Started]

    def resources(self, server: str | None = None, token: str | None = TOKEN) -> RunResources:
        settings = Settings(home=self.folder / "home", allow_any_file=True)
        return RunResources(settings, self.folder / "media", sleep=no_wait, server=server, token=token)

    async def run(self, out: str, server: str | None = None, **more: Any) -> Any:
        resources = self.resources(server, token=more.pop("token", TOKEN))
        context = make_context({"profile": "offline", "max_iterations": 2})
        plan = Plan(concurrency=2, **more.pop("plan", {}))
        return await run_bench(self.folder / "bench.jsonl", self.folder / out, context, plan, resources, **more)

    def outcomes(self, out: str) -> list[Outcome]:
        with RunFile.open(self.folder / out) as run:
            return list(run.outcomes())

    def uploads(self, name: str) -> tuple[int, list[int]]:
        """How often a server said that it has not got a clip, and when each that it took was written."""
        missed = re.findall(r"GET /clips/[0-9a-f]{64} 404", (self.folder / name / "log").read_text())
        return len(missed), sorted(file.stat().st_mtime_ns for file in (self.folder / name / "owners").glob("*/*.json"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("spread")
    for name in ("media", "one", "two"):
        (folder / name).mkdir()
    third = {"start": 0.85, "end": 1.05, "voice": "tone", "pitch": 700.0, "level": -18.0}
    write_scene(Scene.model_validate(DUET), folder / "media" / "duet.mp4")
    write_scene(Scene.model_validate({**DUET, "sounds": [*DUET["sounds"], third]}), folder / "media" / "trio.mp4")
    lines = [line(number, video=clip, **question) for number, (clip, question) in enumerate(QUESTIONS)]
    write_lines(folder / "bench.jsonl", lines)
    with started(folder / "one") as one, started(folder / "two", AURELIA_TOKENS=f"bench:{TOKEN}") as two:
        yield Place(folder, {"one": one, "two": two})


def said(outcomes: list[Outcome]) -> list[Any]:
    """What must not depend on who asked."""
    found = []
    for outcome in outcomes:
        result = outcome.result or {}
        kept = [result.get(name) for name in ("clip", "models", "score", "best", "stop_reason", "warnings")]
        found.append((outcome.record, outcome.arm, outcome.state, outcome.answer, outcome.choice, outcome.tries, kept))
    return found


async def test_a_server_answers_as_this_machine_does_and_gets_each_clip_once(place: Place) -> None:
    url = place.servers["one"].url
    await place.run("local.run")
    end = await place.run("sent.run", url)
    assert (end["left"], end["stopped_by"]) == (0, None)
    outcomes = place.outcomes("sent.run")
    assert len(outcomes) == 2 * len(QUESTIONS)
    assert said(outcomes) == said(place.outcomes("local.run"))
    with RunFile.open(place.folder / "sent.run") as run:
        assert run.answers_by_server() == {url.removeprefix("http://"): len(outcomes)}
        assert run.usage()["calls"] == sum(outcome.usage["calls"] for outcome in outcomes) == end["usage"]["calls"] > 0
    with RunFile.open(place.folder / "local.run") as run:
        assert run.answers_by_server() == {}
    missed, taken = place.uploads("one")
    assert (missed, len(taken)) == (2, 2)

    events: list[Any] = []
    again = await place.run("sent.run", url, on_event=events.append)
    assert [event["event"] for event in events] == ["start", "end"]
    assert again["usage"] == end["usage"]
    await place.run("another.run", url, plan={"limit": 1})
    assert place.uploads("one") == (missed, taken)


async def test_a_server_that_comes_back_gets_the_questions_that_it_did_not_answer(place: Place) -> None:
    home = place.folder / "restarted"
    home.mkdir()
    with ExitStack() as later, started(home) as first:
        url, port = first.url, int(first.url.rpartition(":")[2])

        def kill(event: dict[str, Any]) -> None:
            if event["event"] == "outcome" and first.process.poll() is None:
                first.process.kill()
                first.process.wait()
                later.enter_context(started(home, port=port))

        end = await place.run("killed.run", url, on_event=kill)
    outcomes = place.outcomes("killed.run")
    assert (end["left"], {outcome.state for outcome in outcomes}) == (0, {"answered"})


async def test_when_the_server_dies_the_run_ends_and_is_resumed_later(place: Place) -> None:
    home = place.folder / "last"
    home.mkdir()
    with started(home) as last:

        def kill(event: dict[str, Any]) -> None:
            if event["event"] == "outcome":
                last.process.kill()

        with pytest.raises(ModelError, match="does not answer: start it, and run the same command"):
            await place.run("ended.run", last.url, on_event=kill)
        with pytest.raises(ModelError, match="does not answer"):
            await place.run("ended.run", last.url)
    before = place.outcomes("ended.run")
    assert 0 < len(before) < 2 * len(QUESTIONS) and {outcome.state for outcome in before} == {"answered"}
    await place.run("ended.run", place.servers["one"].url)
    assert len(place.outcomes("ended.run")) == 2 * len(QUESTIONS)


async def test_a_wrong_token_and_models_that_are_not_served_end_the_run_before_a_question_fails(place: Place) -> None:
    two = place.servers["two"].url
    with pytest.raises(SettingsError, match="AURELIA_SERVER_TOKEN"):
        await place.run("refused.run", two, token="another-token-of-some-length")
    assert not (place.folder / "refused.run").exists()
    resources = place.resources(two)
    context = make_context({"profile": "offline", "target": "compatible:large"})
    with pytest.raises(SettingsError, match="is not served here"):
        await run_bench(place.folder / "bench.jsonl", place.folder / "refused.run", context, Plan(), resources)
    assert place.outcomes("refused.run") == []


@pytest.mark.parametrize("address", ["here", "ftp://127.0.0.1", "http://me:secret@127.0.0.1"])
async def test_what_is_no_address_is_refused_without_its_secret(place: Place, address: str) -> None:
    with pytest.raises(InputError, match="is not the address of a server") as fault:
        await place.run("address.run", address)
    assert "secret" not in str(fault.value)


def test_the_command_line_sends_a_run_and_its_status_says_who_answered(place: Place) -> None:
    known = {**os.environ, "AURELIA_HOME": str(place.folder / "home"), "AURELIA_SERVER_TOKEN": TOKEN}

    def bench(*arguments: str) -> Any:
        command = [sys.executable, "-m", "aurelia", "bench", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=known)

    out = str(place.folder / "cli.run")
    named = [str(place.folder / "bench.jsonl"), "--out", out, "--media", str(place.folder / "media"), "--limit", "1"]
    two = place.servers["two"].url
    ended = bench("run", *named, "--server", two)
    assert (ended.returncode, "2/2" in ended.stderr) == (0, True)
    status = json.loads(bench("status", out, "--json").stdout)
    assert status["servers"] == {two.removeprefix("http://"): 2}
    assert TOKEN.encode() not in Path(out).read_bytes()
    refused = bench("run", *named, "--server", two, "--rpm", "openai=5")
    assert (refused.returncode, refused.stderr.count("\n"), "--rpm" in refused.stderr) == (2, 1, True)
