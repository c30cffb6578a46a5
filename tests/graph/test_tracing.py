"""What a trace shows: driven through the real LangSmith client, into a sink on loopback that keeps all of it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tracers import LangChainTracer
from PIL import Image

from aurelia.cli.doctor import examine_machine, render_findings
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from graph.build import build_graph
from graph.tracing import FEEDBACK_KEY, SHEET_ATTACHMENT, TraceClient, clean_span, make_trace_client
from state.context import make_context
from tests.support.langsmith_server import Sink, listening
from tests.support.scripted import ScriptedChat, reasoning, scripted, verdict
from tests.support.stage import Stage

KEY = "lsv2-not-a-real-key-0123456789"
ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
Traced = Callable[..., Any]


@pytest.fixture
def traced(stage: Callable[[ScriptedChat], Stage], monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    with listening() as (sink, address):
        teller: TraceClient = make_trace_client(api_url=address, api_key="none")

        async def run(
            model: ScriptedChat, question: str = "What is heard?", sheet: bool = False, name: str = "", **context: Any
        ) -> Sink:
            at = stage(model)
            desk = at.desk
            if sheet:
                settings = replace(desk.settings, trace_contact_sheet=True)
                desk = ModelClient(
                    settings, providers={"scripted": lambda *_: model}, store=desk.store, ledger=desk.ledger
                )
            config: Any = {"callbacks": [LangChainTracer(client=teller)], **({"run_name": name} if name else {})}
            asked: Any = {"video": str(at.clip), "question": question}
            await build_graph(client=desk).ainvoke(asked, config, context=make_context({**ROLES, **context}))
            teller.flush(timeout=20)
            return sink

        yield run
        teller.cleanup()


@pytest.mark.enable_socket
async def test_candidates_are_one_attempt_with_calls_by_role_and_number(traced: Traced) -> None:
    model = scripted(
        generator=lambda fields, messages: reasoning(f"s{fields.get('frame_shift', 0):.2f}"),
        evaluator=lambda fields, messages: verdict(9 if "s0.50" in fields["caption"] else 4),
    )
    sink = await traced(model, strategy="best_of_n", candidates=2)
    top = sink.children(sink.root()["id"])
    assert [span["name"] for span in top][:2] == ["prepare", "attempt 1"]
    assert top[1]["outputs"]["score"] == 9
    nodes = [span for span in sink.children(top[1]["id"]) if span["name"] != "after_evaluator"]
    assert [span["name"] for span in nodes] == ["reasoning_generator", "summarizer", "evaluator"]
    calls = sorted(span["name"] for span in sink.children(nodes[0]["id"]))
    roles = ("evaluator", "generator", "summarizer")
    assert calls == [f"{role} {number}: scripted:one" for role in roles for number in (1, 2)]
    assert [one["candidate"] for one in nodes[0]["outputs"]["candidates"]] == [1, 2]


@pytest.mark.enable_socket
async def test_a_trace_reads_like_the_paper(traced: Traced) -> None:
    model = scripted(evaluator=[verdict(4), verdict(9)])
    sink = await traced(model, threshold=8, inject="full", profile="mine")
    root = sink.root()
    top = sink.children(root["id"])
    names = [span["name"] for span in top]
    assert names[:3] == ["prepare", "attempt 1", "attempt 2"]
    assert set(names[3:]) == {"target_model", "zero_shot"}
    loop = ["reasoning_generator", "summarizer", "evaluator"]
    nodes = [span for attempt in top[1:3] for span in sink.children(attempt["id"])]
    assert [span["name"] for span in nodes if span["name"] != "after_evaluator"] == [*loop, "feedback", *loop]
    assert [attempt["outputs"]["score"] for attempt in top[1:3]] == [4, 9]
    assert all(attempt["end_time"] >= span["end_time"] for attempt in top[1:3] for span in sink.children(attempt["id"]))
    for span in sink.spans.values():
        above = sink.spans.get(span.get("parent_run_id") or "")
        assert above is None or span["dotted_order"].rpartition(".")[0] == above["dotted_order"]
    attempts = {span["name"]: [] for span in nodes}
    for span in nodes:
        attempts[span["name"]].append(span["extra"]["metadata"].get("attempt"))
    assert attempts["reasoning_generator"] == attempts["evaluator"] == [1, 2]
    assert attempts["feedback"] == [1]
    told = root["extra"]["metadata"]
    assert {name: told[name] for name in ("score", "best_iteration", "stop_reason", "threshold", "inject")} == {
        "score": 9,
        "best_iteration": 2,
        "stop_reason": "threshold",
        "threshold": 8,
        "inject": "full",
    }
    assert told["models"] == ROLES
    assert len(told["clip"]) == 64
    assert set(told["prompts"]) >= {"generator", "evaluator"}
    assert "mine" in root["tags"]
    scored = [span for span in nodes if span["name"] == "evaluator"]
    rated = {(mark["run_id"], mark["score"]) for mark in sink.feedback if mark["key"] == FEEDBACK_KEY}
    assert rated == {(scored[0]["id"], 4), (scored[1]["id"], 9), (root["id"], 9)}
    assert {mark["feedback_source"]["type"] for mark in sink.feedback} == {"model"}
    summary = {name: told[name] for name in ("attempts", "first_score", "best_score", "gain")}
    assert summary == {"attempts": 2, "first_score": 4, "best_score": 9, "gain": 5}
    assert told["cost_usd"] == pytest.approx(0.09)
    assert "evaluator_prompt" not in told and "aurelia_settings" not in told


def calls_of(sink: Sink) -> list[dict[str, Any]]:
    return [span for span in sink.spans.values() if span["run_type"] == "llm"]


@pytest.mark.enable_socket
async def test_a_repeated_question_has_all_its_words_again_marked_as_cached_at_no_cost(traced: Traced) -> None:
    model = scripted(evaluator=[verdict(4), verdict(9)])
    first = await traced(model, threshold=8)
    asked = {span["name"]: span for span in calls_of(first)}
    assert set(asked) == {
        *(f"{role}: scripted:one" for role in ("generator", "summarizer", "evaluator", "feedback", "target")),
        "zero_shot: scripted:one",
    }
    assert not any("cached" in span["tags"] for span in calls_of(first))
    said = dict(model.said)
    before = len(calls_of(first))
    first.spans.clear()
    again = await traced(model, threshold=8)
    assert dict(model.said) == said, "nobody was asked again"
    assert len(calls_of(again)) == before == 9
    for span in calls_of(again):
        assert {"cached", span["name"].partition(":")[0]} <= set(span["tags"])
        assert span["extra"]["metadata"]["cached"] is True
        used = span["extra"]["metadata"]["usage_metadata"]
        assert (used["input_tokens"], used["output_tokens"], used["total_cost"]) == (10, 5, 0)
        assert span["inputs"]["messages"][0][1]["role"] == "human"
        (((reply,),),) = span["outputs"].values()
        assert reply["content"]
    assert again.root()["extra"]["metadata"]["cost_usd"] == 0


@pytest.mark.enable_socket
async def test_an_experiment_that_studio_starts_is_rated_too(traced: Traced) -> None:
    import langsmith

    example = "0f6a5c1e-0000-4000-8000-00000000000e"
    copies = [
        {"project_name": "experiment", "updates": {"reference_example_id": example}},
        {"project_name": "default", "updates": None},
    ]
    with langsmith.tracing_context(replicas=copies):
        sink = await traced(scripted(evaluator=[verdict(4), verdict(9)]), threshold=8)
    roots = sink.children(None)
    assert len(roots) == 2
    for root in roots:
        names = [span["name"] for span in sink.children(root["id"])]
        assert names[:3] == ["prepare", "attempt 1", "attempt 2"]
        assert {mark["score"] for mark in sink.feedback if mark["trace_id"] == root["id"]} == {4, 9}
        assert (root["id"], 9) in {(mark["run_id"], mark["score"]) for mark in sink.feedback}


@pytest.mark.enable_socket
async def test_a_question_with_five_attempts_takes_at_most_200_kb_of_trace(traced: Traced) -> None:
    sink = await traced(scripted(evaluator=[verdict(4)]), max_iterations=5)
    assert sum(span["name"].startswith("attempt ") for span in sink.spans.values()) == 5
    assert sink.bytes <= 200_000


@pytest.mark.enable_socket
async def test_a_trace_holds_no_key_no_folder_and_no_media(traced: Traced, duet: Path) -> None:
    said = f"{KEY} lies in /home/someone/keys/key.txt beside data:image/png;base64,{'QUJD' * 300}"
    sink = await traced(scripted(target=lambda fields, messages: said), question=f"Is it {said}")
    sent = b"".join(sink.bodies)
    assert b"lies in" in sent
    for secret in (KEY, "/home/someone", str(duet.parent), "QUJD" * 100):
        assert secret.encode() not in sent
    assert b"[key] lies in [folder]/key.txt" in sent


@pytest.mark.enable_socket
async def test_a_run_is_called_by_its_question_without_keys_and_folders(traced: Traced) -> None:
    sink = await traced(scripted(), question="Who is in /home/someone/party.mp4?")
    assert sink.root()["name"] == "aurelia: Who is in [folder]/party.mp4?"
    sink.spans.clear()
    sink = await traced(scripted(), name=f"mine {KEY} /home/someone/x")
    assert sink.root()["name"] == "mine [key] [folder]/x"


@pytest.mark.enable_socket
async def test_a_contact_sheet_goes_along_only_where_the_operator_wants_it(
    stage: Callable[[ScriptedChat], Stage], traced: Traced
) -> None:
    sink = await traced(scripted())
    assert not sink.attachments and b"JFIF" not in b"".join(sink.bodies)
    sink.spans.clear()
    sink = await traced(scripted(), sheet=True)
    ((run, name), (kind, content)) = next(iter(sink.attachments.items()))
    assert (run, name, kind, len(sink.attachments)) == (sink.root()["id"], SHEET_ATTACHMENT, "image/jpeg", 1)
    page = Image.open(io.BytesIO(content)).convert("RGB")
    assert page.width > 4 * 160
    assert any(red > 180 and green < 60 for _, (red, green, _) in page.getcolors(page.width * page.height) or [])


@pytest.mark.parametrize(
    ("tracing", "sheet", "said"),
    [
        ("false", False, "off (LANGSMITH_TRACING)"),
        ("true", False, "to the LangSmith project 'mine', without media"),
        ("true", True, "to the LangSmith project 'mine', with a contact sheet"),
    ],
)
def test_the_doctor_says_whether_runs_are_traced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tracing: str, sheet: bool, said: str
) -> None:
    from langsmith.utils import get_env_var

    monkeypatch.setenv("LANGSMITH_TRACING", tracing)
    monkeypatch.setenv("LANGSMITH_PROJECT", "mine")
    get_env_var.cache_clear()
    found = examine_machine(replace(settings, trace_contact_sheet=sheet))
    get_env_var.cache_clear()
    assert found["traces"].startswith(said) and f"Traces: {said}" in render_findings(found)


@pytest.mark.parametrize(("said", "on"), [("", False), ("true", True), ("0", False), ("On", True)])
def test_the_operator_says_it_in_the_environment(said: str, on: bool) -> None:
    assert Settings.from_environment(local=True, environment={"AURELIA_TRACE_SHEET": said}).trace_contact_sheet is on
    with pytest.raises(InputError, match="AURELIA_TRACE_SHEET is 'perhaps': write true or false"):
        Settings.from_environment(local=True, environment={"AURELIA_TRACE_SHEET": "perhaps"})


@pytest.mark.enable_socket
async def test_what_a_trace_says_of_a_call_is_said_once(traced: Traced) -> None:
    sink = await traced(scripted(), threshold=1)
    (call,) = [span for span in sink.spans.values() if span["run_type"] == "llm" and "generator" in span["tags"]]
    (messages,) = call["inputs"]["messages"]
    assert [message["role"] for message in messages] == ["system", "human"]
    assert set(messages[1]["content"][0]) == {"type", "clip"}
    (((said,),),) = call["outputs"].values()
    assert said["role"] == "ai"
    assert json.loads(said["content"])["answer"] == "r1 answer"
    assert call["extra"]["metadata"]["usage_metadata"]["input_tokens"] == 10


def test_texts_that_only_look_like_paths_stay() -> None:
    for text in ("a 4/10 score", "https://example.org/a/b", "either/or", "gemini/flash/8", "2 / 3", "</b></i>"):
        assert clean_span(text) == text
    assert clean_span(["/srv/clips/a.mp4"]) == ["[folder]/a.mp4"]
    assert clean_span({"langgraph_path": 1, "attempt": 3}) == {"attempt": 3}


@pytest.mark.slow
@pytest.mark.enable_socket
def test_the_command_line_sends_the_whole_trace_before_it_ends(duet: Path, tmp_path: Path) -> None:
    with listening() as (sink, address):
        environment = {**os.environ, "LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": address}
        environment |= {"LANGSMITH_API_KEY": KEY, "LANGSMITH_PROJECT": "mine", "AURELIA_HOME": str(tmp_path)}
        question = "How many sounds are heard?"
        command = [sys.executable, "-m", "aurelia", "ask", "--video", str(duet), "--question", question]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        root = sink.root()
        assert root["name"] == f"aurelia: {question}"
        assert root["end_time"]
        assert root["outputs"]["answer"] in done.stdout
        assert root["inputs"]["video"] == root["extra"]["metadata"]["clip"]
        assert all(span["end_time"] for span in sink.spans.values())
        assert {mark["run_id"] for mark in sink.feedback} > {root["id"]}
        assert sink.projects == ["mine"]
        assert KEY.encode() not in b"".join(sink.bodies)
