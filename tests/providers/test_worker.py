"""Workers: a model in an environment of its own, its protocol, its time limits and its death in mid-answer."""

import ast
import asyncio
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.models.worker.chat import WorkerChat, host_script, make_worker
from aurelia_core.settings import Settings
from state.context import make_context
from tests.support.requests import compose_messages
from tests.support.scripted import ScriptedChat, scripted

SCRIPT = """
import os, sys, time
from pathlib import Path

print("this is not a reply")

def load(options):
    os.system("echo nor is this")
    if options.get("broken"):
        raise RuntimeError("no such weights at /somewhere/secret/model.bin")
    time.sleep(options.get("load", 0))
    return {"voice": options.get("voice", "worker"), "marker": options.get("marker")}

def answer(model, request):
    print("thinking about", request["text"])
    text = request["text"]
    if "die once" in text and not Path(model["marker"]).exists():
        Path(model["marker"]).touch()
        os._exit(3)
    if "die always" in text:
        os.kill(os.getpid(), 11)
    if "die before its child" in text:
        if os.fork() == 0:
            time.sleep(60)
        os._exit(4)
    if "sleep" in text:
        time.sleep(60)
    if "number" in text:
        return 7
    if "environment" in text:
        try:
            import langchain_core
            ours = True
        except ImportError:
            ours = False
        import json
        return json.dumps((sys.prefix, ours, "A_API_KEY" in os.environ, "PYTHONPATH" in os.environ))
    if "request" in text:
        import json
        return json.dumps(request)
    return "%s says: %s" % (model["voice"], text.splitlines()[-1])
"""
BATCH = """
def batch(model, requests):
    return ["%d of %d" % (number, len(requests)) for number, _ in enumerate(requests, 1)]
"""


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment without any package."""
    home = tmp_path_factory.mktemp("foreign")
    venv.create(home, with_pip=False, symlinks=True)
    return home / "bin" / "python"


@pytest.fixture
def worker(tmp_path: Path, foreign: Path) -> Iterator[Callable[..., WorkerChat]]:
    made: list[WorkerChat] = []

    def start(script: str = SCRIPT, **setup: Any) -> WorkerChat:
        home = tmp_path / "home"
        (home / "workers").mkdir(parents=True, exist_ok=True)
        (tmp_path / "script.py").write_text(script)
        options = {"marker": str(tmp_path / "marker"), **setup.pop("options", {})}
        known = {"python": str(foreign), "script": str(tmp_path / "script.py"), **setup}
        lines = [f"{name} = {json.dumps(value)}" for name, value in known.items()]
        lines += ["[options]", *(f"{name} = {json.dumps(value)}" for name, value in options.items())]
        (home / "workers" / "mine.toml").write_text("\n".join(lines))
        made.append(make_worker("mine", ClipStore(Settings(home=home, allow_any_file=True))))
        return made[-1]

    yield start
    for one in made:
        one.close()


def said(worker: WorkerChat, text: str) -> str:
    return worker.invoke([HumanMessage(text)]).text


def test_the_host_needs_only_an_old_python() -> None:
    tree = ast.parse(host_script().read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_answers_from_its_own_environment(worker: Any, foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    mine = worker(options={"voice": "stranger"})
    assert said(mine, "hello") == "stranger says: hello"
    prefix, ours, key, path = json.loads(said(mine, "which environment"))
    assert Path(prefix) == foreign.parent.parent
    assert (ours, key, path) == (False, False, False)
    assert mine._process.start_count == 1
    assert mine.health() == {"protocol": 1, "python": ".".join(map(str, sys.version_info[:3])), "loaded": True}


def test_what_the_model_prints_goes_to_the_log(worker: Any, tmp_path: Path) -> None:
    mine = worker()
    assert said(mine, "hello") == "worker says: hello"
    log = (tmp_path / "home" / "workers" / "mine.log").read_text()
    for line in ("this is not a reply", "nor is this", "thinking about hello"):
        assert line in log


@pytest.mark.parametrize(("script", "expected"), [(SCRIPT, "worker says: b"), (SCRIPT + BATCH, "2 of 2")])
def test_a_batch_is_one_request_to_a_script_that_can(worker: Any, script: str, expected: str) -> None:
    answers = worker(script).answer_batch([[HumanMessage("a")], [HumanMessage("b")]])
    assert (len(answers), answers[1]) == (2, expected)


def test_a_death_is_transient_and_the_next_request_starts_it_again(worker: Any) -> None:
    mine = worker()
    with pytest.raises(ModelError, match="worker:mine died with status 3") as fault:
        said(mine, "die once")
    assert fault.value.transient
    assert said(mine, "die once") == "worker says: die once"
    assert mine._process.start_count == 2


def test_a_worker_that_died_while_idle_is_started_again(worker: Any) -> None:
    mine = worker()
    said(mine, "hello")
    mine._process._child.kill()
    mine._process._child.wait()
    assert said(mine, "hello again") == "worker says: hello again"
    assert mine._process.start_count == 2


def test_a_signal_is_named(worker: Any) -> None:
    with pytest.raises(ModelError, match="died by signal 11.*workers/mine.log"):
        said(worker(), "die always")


def test_a_death_is_seen_although_a_child_of_its_own_lives_on(worker: Any) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match="died with status 4"):
        said(worker(), "die before its child")
    assert time.monotonic() - began < 10


def test_an_answer_that_takes_too_long_is_stopped(worker: Any) -> None:
    mine = worker(answer_seconds=0.5)
    said(mine, "hello")
    child = mine._process._child
    began = time.monotonic()
    with pytest.raises(ModelError, match="did not answer within 0.5 s") as fault:
        said(mine, "sleep")
    assert fault.value.transient and time.monotonic() - began < 10
    assert child.poll() is not None
    assert said(mine, "hello again") == "worker says: hello again"


async def test_a_cancelled_request_does_not_hold_the_worker(worker: Any) -> None:
    mine = worker()
    await mine.ainvoke("hello")
    child, began = mine._process._child, time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mine.ainvoke("sleep"), 0.3)
    assert child.poll() is not None and time.monotonic() - began < 10
    assert (await mine.ainvoke("hello again")).text == "worker says: hello again"


def test_a_load_that_takes_too_long_is_stopped(worker: Any) -> None:
    with pytest.raises(ModelError, match="did not load within 0.3 s"):
        said(worker(load_seconds=0.3, options={"load": 30}), "hello")


@pytest.mark.parametrize(
    ("setup", "text", "told"),
    [
        ({"options": {"broken": True}}, "hello", "refused to load: RuntimeError: no such weights at model.bin"),
        ({}, "a number", "refused to answer: TypeError: the script answered with int instead of text"),
        ({"script": "def load(options): return 1\n1/0\n"}, "hello", "the script cannot be run: ZeroDivisionError"),
        ({"script": "def load(options): return 1\n"}, "hello", "AttributeError"),
    ],
)
def test_a_refusal_is_not_tried_again_and_shows_no_path(worker: Any, setup: Any, text: str, told: str) -> None:
    with pytest.raises(ModelError, match=told) as fault:
        said(worker(setup.get("script", SCRIPT), **{k: v for k, v in setup.items() if k != "script"}), text)
    assert not fault.value.transient
    assert "/somewhere" not in str(fault.value)


def test_a_request_carries_text_files_and_fields(worker: Any, duet: Path) -> None:
    mine = worker()
    clip = mine.store.admit(str(duet))
    fields: dict[str, Any] = {"role": "generator", "question": "What is heard?", "choices": [], "frames": 8}
    fields |= {"clip": clip, "tracks": [], "looks": [[], [{"start": 0.5, "end": 1.0}]], "reasoning": None}
    found = json.loads(said_all(mine, compose_messages("A request: what is heard?", fields, sees_clip=True)))
    assert Path(found["video"]) == duet
    assert found["audio"] == []
    assert found["windows"] == [{"start": 0.5, "end": 1.0}]
    assert found["text"].startswith("About the clip") and found["text"].endswith("A request: what is heard?")
    assert found["system"]
    assert (found["role"], found["question"], found["frames"]) == ("generator", "What is heard?", 8)
    assert not {"clip", "reasoning"} & found.keys()


def said_all(worker: WorkerChat, messages: Any) -> str:
    assert isinstance(messages[0], SystemMessage)
    return worker.invoke(messages).text


async def test_the_ledger_asks_again_after_a_death_in_the_graph(worker: Any, duet: Path) -> None:
    mine = worker()
    others: ScriptedChat = scripted()
    settings = mine.store.settings
    desk = ModelClient(
        settings,
        providers={"scripted": lambda name, store: others},
        store=mine.store,
        ledger=CallLedger(settings.ledger_file, sleep=no_wait),
    )
    roles = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback"), "scripted:one")
    context = make_context({**roles, "target": "worker:mine", "compare": False})
    question: Any = {"video": str(duet), "question": "Will it die once?", "choices": []}
    try:
        result = await answer_question(question, context, client=desk)
        assert result["answer"].startswith("worker says:")
        assert desk.model("worker:mine")._process.start_count == 2  # type: ignore[attr-defined]
        again = await answer_question(question, context, client=desk)
        assert (again["answer"], again["usage"]["calls"]) == (result["answer"], 0)
    finally:
        desk.model("worker:mine").close()  # type: ignore[attr-defined]
        desk.ledger.close()


async def no_wait(seconds: float) -> None:
    """Retries at once."""


def test_a_changed_script_asks_anew(worker: Any, tmp_path: Path) -> None:
    mine = worker()
    before = mine._identifying_params
    (tmp_path / "script.py").write_text(SCRIPT + BATCH)
    assert mine._identifying_params != before


@pytest.mark.parametrize("name", ["../mine", "Mine", "a/b", "x" * 61, ""])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="small letters"):
        make_worker(name, ClipStore(Settings(home=tmp_path)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "worker:mine is not set up: there is no workers/mine.toml"),
        ("python = ", "cannot be read"),
        ('python = "a"', "script: Field required"),
        ('python = "a"\nscript = "b"\nkey = "c"', "key: Extra inputs"),
        ('python = "/nowhere/python"\nscript = "b"', "names a python that does not exist"),
    ],
)
def test_a_bad_setup_is_one_line(tmp_path: Path, text: str | None, told: str) -> None:
    (tmp_path / "workers").mkdir()
    if text is not None:
        (tmp_path / "workers" / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=told) as fault:
        make_worker("mine", ClipStore(Settings(home=tmp_path)))
    assert str(tmp_path) not in str(fault.value)


def test_the_host_ends_with_its_parent(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    ended = subprocess.run(
        [str(foreign), str(host_script()), str(tmp_path / "script.py")],
        input=b'{"id": 1, "op": "answer", "request": {"text": "x"}}\n{"id": 2, "op": "sing"}\nnot json\n',
        capture_output=True,
        timeout=20,
    )
    replies = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert [(reply["id"], reply["ok"]) for reply in replies] == [(1, False), (2, False), (None, False)]
    assert "no model is loaded yet" in replies[0]["error"]
    assert "there is no operation 'sing'" in replies[1]["error"]
