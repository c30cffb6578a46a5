"""Workers: a model in an environment of its own, its protocol, its time limits and its death in mid-answer."""

import ast
import asyncio
import json
import os
import subprocess
import sys
import time
import venv
import wave
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
from aurelia_core.models.decoding import check_decoding
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
    if "memory" in text:
        raise MemoryError("Tried to allocate 2 GiB")
    if "killed" in text:
        os.kill(os.getpid(), 9)
    if "garbage" in text:
        for number in range(3, 20):
            try:
                os.write(number, b"loading shards of /secret/model\\n")
            except OSError:
                pass
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
        known = {"protocol": 2, "python": str(foreign), "script": str(tmp_path / "script.py"), **setup}
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


@pytest.mark.parametrize("name", ["host.py", "kit.py"])
def test_the_host_needs_only_an_old_python(name: str) -> None:
    tree = ast.parse(host_script().with_name(name).read_text(), feature_version=(3, 8))
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
    expected = {"protocol": 2, "python": ".".join(map(str, sys.version_info[:3])), "packages": {}}
    assert mine.start() == expected == mine._process.facts
    assert mine.invoke([HumanMessage("hello")]).response_metadata["worker"] == expected


def test_what_the_model_prints_goes_to_the_log(worker: Any, tmp_path: Path) -> None:
    mine = worker()
    assert said(mine, "hello") == "worker says: hello"
    log = (tmp_path / "home" / "workers" / "mine.log").read_text()
    for line in ("this is not a reply", "nor is this", "thinking about hello"):
        assert line in log


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


def test_a_kill_by_the_system_is_named(worker: Any) -> None:
    with pytest.raises(ModelError, match="by signal 9 .the system kills a process that takes too much memory"):
        said(worker(), "be killed")


def test_a_lack_of_memory_says_what_to_lower_and_starts_afresh(worker: Any) -> None:
    mine = worker()
    with pytest.raises(ModelError, match="ran out of memory: MemoryError: Tried.*Lower frames") as fault:
        said(mine, "too much memory")
    assert not fault.value.transient
    assert said(mine, "hello") == "worker says: hello"
    assert mine._process.start_count == 2


def test_garbage_among_the_replies_is_named_and_ends_the_worker(worker: Any) -> None:
    mine = worker()
    with pytest.raises(ModelError, match="wrote 'loading shards of model' instead of a reply") as fault:
        said(mine, "garbage")
    assert "/secret" not in str(fault.value)
    assert said(mine, "hello") == "worker says: hello"


def test_a_worker_of_another_protocol_is_refused(worker: Any, tmp_path: Path) -> None:
    mine = worker()
    old = tmp_path / "host.py"
    old.write_text(host_script().read_text().replace("_PROTOCOL_VERSION = 2", "_PROTOCOL_VERSION = 1"))
    (tmp_path / "kit.py").write_text("")
    mine._process._command[1] = str(old)
    with pytest.raises(ModelError, match="speaks protocol 1 of workers, and this version speaks 2"):
        said(mine, "hello")


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
    mine = worker(frames=4, windows=True)
    clip = mine.store.admit(str(duet))
    fields: dict[str, Any] = {"role": "generator", "question": "What is heard?", "choices": [], "frames": 8}
    fields |= {"clip": clip, "tracks": [], "looks": [[], [{"start": 0.5, "end": 1.0}]], "reasoning": None}
    fields |= {"decoding": {"temperature": 0.0, "seed": 3}}
    found = json.loads(said_all(mine, compose_messages("A request: what is heard?", fields, sees_clip=True)))
    assert found["text"] == "A request: what is heard?"
    assert found["facts"].startswith("About the clip") and found["system"]
    assert [Path(image["path"]).name for image in found["images"]] == [f"frame-{n:04d}.png" for n in range(4)]
    times = [image["time"] for image in found["images"]]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= clip["duration"]
    assert found["sound"] == found["sounds"][0] and Path(found["sound"]).suffix == ".wav"
    [window] = found["windows"]
    assert (window["start"], window["end"], len(window["images"])) == (0.5, 1.0, 4)
    assert Path(window["sound"]).name == "window0-0.wav"
    assert (found["role"], found["question"], found["decoding"]) == (
        "generator", "What is heard?", {"temperature": 0.0, "seed": 3},
    )  # fmt: skip
    assert not Path(found["sound"]).exists(), "the files of a request last as long as the request"


def test_the_sound_of_a_request_is_wav_of_16_khz(worker: Any, duet: Path, tmp_path: Path) -> None:
    mine = worker()
    fields = {"role": "target", "clip": mine.store.admit(str(duet)), "tracks": []}
    found = mine.request(compose_messages("What?", fields, sees_clip=True), tmp_path)
    with wave.open(found["sound"]) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        assert abs(sound.getnframes() / 16_000 - found["duration"]) < 0.2 or found["duration"] == 0


def test_a_worker_without_closer_looks_refuses_them(worker: Any, duet: Path, tmp_path: Path) -> None:
    mine = worker()
    fields = {"role": "generator", "clip": mine.store.admit(str(duet)), "tracks": []}
    fields |= {"looks": [[{"start": 0.5, "end": 1.0}]]}
    with pytest.raises(InputError, match="does not take closer looks.*use it as the target"):
        mine.request(compose_messages("What?", fields, sees_clip=True), tmp_path)


def test_a_deaf_worker_refuses_sound_or_gets_measurements(worker: Any, duet: Path, tmp_path: Path) -> None:
    mine = worker(sounds=0)
    fields = {"role": "target", "clip": mine.store.admit(str(duet)), "tracks": []}
    with pytest.raises(InputError, match="worker:mine does not hear"):
        mine.request(compose_messages("What?", fields, sees_clip=True), tmp_path)
    replaced = compose_messages("What?", fields | {"when_deaf": "evidence"}, sees_clip=True)
    found = mine.request(replaced, tmp_path)
    assert (found["sound"], found["sounds"]) == (None, [])
    assert found["text"].endswith("What?") and len(found["text"]) > 100
    assert mine.invoke(replaced).response_metadata["notes"] == [
        "worker:mine does not hear: it was given measurements of the sound instead."
    ]


def test_decoding_that_the_script_does_not_carry_is_refused(worker: Any) -> None:
    mine = worker(decoding=["max_tokens", "seed"])
    assert mine.decoding_settings == {"system", "max_tokens", "seed"}
    with pytest.raises(InputError, match="does not take temperature"):
        check_decoding("worker:mine", "target", {"temperature": 0.5}, mine.decoding_settings)


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
    (tmp_path / "script.py").write_text(SCRIPT + "# changed")
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
        ('python = "a"\nscript = "b"', "is for protocol 1 of workers, and this version speaks 2"),
        ('protocol = 3\npython = "a"\nscript = "b"', "is for protocol 3 of workers"),
        ('protocol = 2\npython = "a"', "script: Field required"),
        ('protocol = 2\npython = "a"\nscript = "b"\nkey = "c"', "key: Extra inputs"),
        ('protocol = 2\npython = "/nowhere/python"\nscript = "b"', "names a python that does not exist"),
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


KIT = """
from aurelia_worker import fix_seed, generation_settings, read_samples, required, stand_in
import random, json
stand_in("never_installed", "never_installed.editor")
from never_installed.editor import Clip

def load(options):
    return None

def answer(model, request):
    if "use" in request["text"]:
        Clip("x.mp4")
    decoding = request["decoding"]
    fix_seed(decoding)
    samples = read_samples(required(request["sound"], "sound"))
    return json.dumps([random.random(), len(samples), generation_settings(decoding, 64)])
"""


def test_what_a_script_can_import_seeds_reads_and_stands_in(worker: Any, duet: Path) -> None:
    mine = worker(KIT, decoding=["seed", "temperature"])
    fields: dict[str, Any] = {"role": "target", "clip": mine.store.admit(str(duet)), "tracks": []}

    def asked(**decoding: Any) -> Any:
        return json.loads(said_all(mine, compose_messages("What?", fields | {"decoding": decoding}, sees_clip=True)))

    first, samples, greedy = asked(seed=1)
    assert asked(seed=1)[0] == first != asked(seed=2)[0]
    assert samples > 16_000
    assert greedy == {"max_new_tokens": 64, "do_sample": False}
    assert asked(temperature=0.5)[2] == {"max_new_tokens": 64, "do_sample": True, "temperature": 0.5, "top_p": 1.0}


def test_a_script_imports_one_module_of_a_package_that_imports_everything(worker: Any, tmp_path: Path) -> None:
    inner = tmp_path / "theirs" / "models"
    inner.mkdir(parents=True)
    for init in (inner, inner.parent):
        (init / "__init__.py").write_text("import a_package_that_is_not_there")
    (inner / "one.py").write_text("NAME = __name__")
    script = (
        "from aurelia_worker import skip_init\nskip_init('.', 'theirs', 'theirs.models')\n"
        "def load(options):\n    from theirs.models import one\n    return one\n"
        "def answer(model, request):\n    return model.NAME\n"
    )
    assert said(worker(script, folder=str(tmp_path)), "Which?") == "theirs.models.one"


@pytest.mark.parametrize(
    ("text", "told"),
    [("use", "never_installed.editor is not installed"), ("What?", "this model needs sound, and the request has none")],
)
def test_a_script_ends_rather_than_answer_about_silence(worker: Any, text: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        said(worker(KIT), text)
