"""`from aurelia import ask, ...`: the examples of the docstrings, both forms of a question, and a file that shadows."""

import doctest
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import aurelia
from aurelia.run import api, many
from aurelia.run.ask import answer_question
from aurelia.run.result import RESULT_KEYS
from aurelia_core.errors import InputError, MediaError
from graph.build import AureliaGraph
from state.context import make_context
from tests.support.scripted import scripted, verdict
from tests.support.stage import Stage

ROOT = Path(__file__).parents[2]
ROLES: Any = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
HEARD = "What is heard?"


@pytest.fixture
def folder(tmp_path: Path, duet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a clip, and a home of its own."""
    shutil.copy(duet, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AURELIA_MEDIA_ROOTS", raising=False)
    return tmp_path


@pytest.mark.parametrize("module", [aurelia, api, many])
def test_the_examples_of_the_docstrings_run(folder: Path, module: Any) -> None:
    report = doctest.testmod(module)
    assert report.attempted >= 4
    assert report.failed == 0


async def test_a_result_is_the_dict_of_the_command_line(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(4), verdict(9)]))
    question: Any = {"video": str(at.clip), "question": HEARD, "choices": ["a bell", "a horn"]}
    context = make_context({**ROLES, "max_iterations": 2})
    found = await answer_question(question, context, client=at.desk)
    result = aurelia.Result.model_validate(found)
    assert tuple(found) == tuple(result.model_dump()) == RESULT_KEYS
    assert json.dumps(result.model_dump()) == json.dumps(found)
    assert json.loads(result.model_dump_json()) == found
    assert result.best is not None and len(result.iterations) == 2
    assert all(field.description for field in aurelia.Result.model_fields.values())
    with pytest.raises(ValueError, match="frozen"):
        result.answer = "another"


async def test_both_forms_of_a_question_are_the_same(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)], target=["a bell"]))
    context = make_context(ROLES)
    choices = ("a bell", "a horn")
    plain = await aurelia.ask(HEARD, context, video=at.clip, choices=choices, client=at.desk)
    mapping = {"question": HEARD, "video": at.clip, "choices": choices}
    whole = await aurelia.ask(mapping, context, client=at.desk)
    assert plain.choice == "a bell"
    skipped = {"seconds", "usage", "iterations"}
    assert plain.model_dump(exclude=skipped) == whole.model_dump(exclude=skipped)


async def test_one_sound_track_may_stand_alone(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)]))
    result = await aurelia.ask(HEARD, make_context(ROLES), video=at.clip, audio=at.clip, client=at.desk)
    assert result.answer


@pytest.mark.parametrize(
    ("question", "more", "said"),
    [
        (HEARD, {}, "has no clip: give its path as video="),
        ({"question": HEARD, "video": "a.mp4"}, {"video": "a.mp4"}, "not as both"),
        ({"question": HEARD, "video": "a.mp4"}, {"choices": ["a", "b"]}, "not as both"),
        ({"question": HEARD, "vidoe": "a.mp4"}, {}, "vidoe"),
    ],
)
async def test_a_question_that_cannot_be_used_is_explained(folder: Path, question: Any, more: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        await aurelia.ask(question, **more)


async def test_ask_sync_works_inside_a_running_event_loop(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)]))
    result = aurelia.ask_sync(HEARD, make_context(ROLES), video=at.clip, client=at.desk)
    assert result.score == 9


def test_ask_sync_inside_its_own_callback_is_refused(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)]))

    def again(event: Any) -> None:
        aurelia.ask_sync(HEARD, make_context(ROLES), video=at.clip, client=at.desk)

    with pytest.raises(InputError, match="would never end"):
        aurelia.ask_sync(HEARD, make_context(ROLES), video=at.clip, client=at.desk, on_event=again)


async def test_a_stream_ends_with_the_result_and_calls_on_event_too(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(4), verdict(9)]))
    seen: list[Any] = []
    context = make_context(ROLES)
    items = [item async for item in aurelia.stream(HEARD, context, video=at.clip, client=at.desk, on_event=seen.append)]
    result = items.pop()
    assert isinstance(result, aurelia.Result) and result.score == 9
    assert items == seen
    assert [item["event"] for item in items] == ["clip", "attempt", "feedback", "attempt", "target"]


async def test_leaving_a_stream_early_cancels_the_run(stage: Any) -> None:
    model = scripted(evaluator=[verdict(4)])
    at: Stage = stage(model)
    events = aurelia.stream(HEARD, make_context({**ROLES, "max_iterations": 9}), video=at.clip, client=at.desk)
    async for _ in events:
        break
    await events.aclose()
    assert not any(role == "target" for role, _, _ in model.heard)


async def test_an_error_comes_out_of_a_stream(folder: Path) -> None:
    with pytest.raises(MediaError, match=r"missing\.mp4"):
        async for _ in aurelia.stream(HEARD, video="missing.mp4"):
            pass


async def test_a_thread_needs_no_checkpointer(folder: Path, stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)]))
    await aurelia.ask(HEARD, make_context(ROLES), video=at.clip, client=at.desk, thread="one")
    assert at.desk.settings.threads_file.exists()
    await aurelia.ask(HEARD, make_context(ROLES), video=at.clip, client=at.desk, thread="one", checkpointer="mine.db")
    assert (folder / "mine.db").exists()


async def test_the_graph_runs_from_synchronous_code(stage: Any) -> None:
    at: Stage = stage(scripted(evaluator=[verdict(9)]))
    graph = at.graph()
    assert isinstance(graph, AureliaGraph)
    question: Any = {"video": str(at.clip), "question": HEARD}
    found = graph.invoke(question, context=make_context(ROLES))
    assert found["score"] == 9
    assert graph.invoke(question, context=make_context(ROLES))["answer"] == found["answer"]
    with pytest.raises(InputError, match="use graph.astream"):
        graph.stream(question)


def test_every_name_is_there_and_others_are_not() -> None:
    assert {name: getattr(aurelia, name) for name in aurelia.__all__}.keys() <= set(dir(aurelia))
    with pytest.raises(AttributeError, match="no attribute 'aks'"):
        _ = aurelia.aks


def test_importing_aurelia_is_quick() -> None:
    code = "import aurelia, sys; print(*(name.partition('.')[0] for name in sys.modules))"
    ended = _python("-c", code, cwd=ROOT)
    assert not {"pydantic", "langgraph", "numpy", "typer", "state", "graph"} & set(ended.stdout.split())


@pytest.mark.parametrize("name", ["state.py", "graph.py", "nodes/__init__.py", "prompts.py", "targets.py"])
def test_a_file_that_hides_a_package_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = 1\n")
    (tmp_path / "mine.py").write_text("import aurelia\n")
    package = name.partition("/")[0].partition(".")[0]
    said = f"{name.partition('/')[0]} hides AURELIA's package {package!r}: rename it, or run from another folder."
    ended = _python("mine.py", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"aurelia.shadowing.ShadowedPackageError: {said}"
    command = _python("-m", "aurelia", "--help", cwd=tmp_path)
    assert (command.returncode, command.stdout, command.stderr) == (2, "", f"aurelia: {said}\n")


def test_a_module_that_is_imported_already_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "state.py").write_text("x = 1\n")
    code = "import state\ntry:\n    import aurelia\nexcept ImportError as fault:\n    print(fault)\n"
    (tmp_path / "mine.py").write_text(code)
    assert _python("mine.py", cwd=tmp_path).stdout.startswith("state.py hides AURELIA's package 'state'")


def _python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
