"""What a person does in Studio, with the SDK and a real `langgraph dev`: settings, prompts, states written by hand."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.langgraph_server import ROOT, needs_server, serving

pytestmark = needs_server

ASKED: dict[str, Any] = {"video": "duet.mp4", "question": "How many sounds are heard?", "choices": ["one", "two"]}
PROMPTS = "prompts"


class Served(NamedTuple):
    """A server that runs a copy of the code, so that a test may edit its texts."""

    url: str
    code: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, duet: Path) -> Iterator[Served]:
    code, home = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("home")
    for name in ("aurelia", "aurelia_core", "aurelia_offline", "graph", "nodes", "prompts", "state", "targets"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "media").mkdir()
    shutil.copy(duet, home / "media" / "duet.mp4")
    with serving(home, PYTHONPATH=str(code)) as url:
        yield Served(url, code)


def refused(answer: httpx.Response, said: str, status: int = 422) -> None:
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_what_continues_a_thread_without_settings_goes_on_with_its_own(served: Served) -> None:
    from langgraph_sdk import get_client

    settings: Any = {"review": "reasoning", "compare": False, "threshold": 10, "max_iterations": 1, "inject": "full"}
    async with get_client(url=served.url) as client:
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "aurelia", input=ASKED, context=settings)
        copied: Any = await client.threads.copy(thread)
        edit = {
            "steps": [{"step": "Count.", "justification": "", "answer": "two", "modality": "audio"}],
            "answer": "two",
        }
        command: Any = {"resume": {"action": "edit", "reasoning": edit}}
        for one in (thread, copied["thread_id"]):
            result: Any = await client.runs.wait(one, "aurelia", command=command)
            assert (result["best"]["answer"], result["zero_shot_answer"]) == ("two", None)
            assert "__interrupt__" not in result
        nonsense: Any = {"resume": {"action": "nonsense"}}
        fresh = (await client.threads.create())["thread_id"]
        await client.runs.wait(fresh, "aurelia", input=ASKED, context=settings)
        wrong: Any = await client.runs.wait(fresh, "aurelia", command=nonsense, raise_error=False)
        assert wrong["__error__"]["error"] == "InputError"
        assert (await client.threads.get_state(fresh))["next"] == ["review"], "it still waits"
        history: Any = await client.threads.get_history(fresh, limit=50)
        start = next(state for state in history if state["next"] == ["prepare"])
        rerun: Any = await client.runs.wait(fresh, "aurelia", input=None, checkpoint=start["checkpoint"])
        assert rerun["__interrupt__"], "from before the first node, too"
        over: Any = await client.runs.wait(fresh, "aurelia", input=None, context={"review": "none"})
        assert (over["zero_shot_answer"], over["stop_reason"]) == (None, "threshold")


async def test_settings_of_a_run_outlive_those_of_its_assistant(served: Served) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=served.url) as client:
        made = await client.assistants.create("aurelia", context={"threshold": 9, "compare": False})
        assistant, thread = made["assistant_id"], (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, assistant, input=ASKED, context={"threshold": 7, "review": "reasoning"})
        accept: Any = {"resume": {"action": "accept"}}
        result: Any = await client.runs.wait(thread, assistant, command=accept)
        state: Any = await client.threads.get_state(thread)
        assert state["values"]["settings"] == {"threshold": 7, "review": "reasoning", "compare": False}
        assert result["zero_shot_answer"] is None


async def test_the_form_shows_each_setting_at_its_node_and_what_can_be_entered(served: Served) -> None:
    from langgraph_sdk import get_client

    nodes = {"prepare", "describer", "reasoning_generator", "summarizer", "evaluator", "feedback", "review"}
    nodes |= {"target_model", "zero_shot"}
    async with get_client(url=served.url) as client:
        found = {one["graph_id"]: one for one in await client.assistants.search()}
        assert all("Example" in (one["description"] or "") for one in found.values())
        schemas: Any = {name: await client.assistants.get_schemas(one["assistant_id"]) for name, one in found.items()}
        drawn: Any = await client.assistants.get_graph(found["aurelia"]["assistant_id"])
        plain: Any = await client.assistants.get_graph(found["zero_shot"]["assistant_id"])
    fields = schemas["aurelia"]["context_schema"]["properties"]
    for name, field in fields.items():
        assert field["langgraph_nodes"] and set(field["langgraph_nodes"]) <= nodes, name
    kinds = {name for name, field in fields.items() if field.get("langgraph_type") == "prompt"}
    assert kinds == {name for name in fields if name.endswith("_prompt")} and len(kinds) == 7
    assert fields["generator_prompt"]["examples"] == [(ROOT / PROMPTS / "generator.md").read_text().strip()]
    assert "offline:measure" in fields["target"]["examples"]
    assert {"offline", "paper"} <= set(fields["profile"]["examples"])
    alone = set(schemas["zero_shot"]["context_schema"]["properties"])
    assert {"target", "target_prompt", "frames", "profile"} <= alone
    assert not alone & {"generator", "threshold", "compare", "review", "inject", "evaluator_prompt", "max_iterations"}
    assert schemas["aurelia"]["input_schema"]["properties"]["video"]["examples"] == ["duet.mp4"]
    labels = {(edge["source"], edge["target"]): edge.get("data") for edge in drawn["edges"] if edge.get("conditional")}
    assert labels["evaluator", "feedback"] == "score < tau"
    assert labels["evaluator", "target_model"] == "score >= tau, or T reached"
    assert None not in labels.values()
    assert {edge.get("data") for edge in plain["edges"] if edge.get("conditional")} == {
        "a describer is set",
        "no describer",
    }


async def test_an_edited_prompt_is_used_and_its_hash_is_recorded(served: Served) -> None:
    from langgraph_sdk import get_client

    text = (ROOT / PROMPTS / "evaluator.md").read_text().strip()
    async with get_client(url=served.url) as client:
        plain: Any = await client.runs.wait(None, "aurelia", input=ASKED)
        edited: Any = await client.runs.wait(None, "aurelia", input=ASKED, context={"evaluator_prompt": f"Now. {text}"})
        heard = []
        async for part in client.runs.stream(
            None, "aurelia", input=ASKED, context={"evaluator_prompt": f"Now. {text}"}, stream_mode=["messages-tuple"]
        ):
            assert part.event != "error", part.data
            if part.event == "messages":
                heard.append(part.data)
    changed = {name for name in plain["prompts"] if plain["prompts"][name] != edited["prompts"][name]}
    assert changed == {"evaluator"}
    said = {meta["langgraph_node"]: message for message, meta in heard}
    assert set(said) >= {"reasoning_generator", "summarizer", "evaluator", "target_model", "zero_shot"}
    assert all(message["content"] for message in said.values()), "the ledger's replies are in the stream of messages"
    assert all("cached" in meta["tags"] for _, meta in heard)


def test_a_prompt_that_lacks_a_placeholder_is_refused_by_name(served: Served) -> None:
    run: dict[str, Any] = {"assistant_id": "aurelia", "input": ASKED}
    lacks = httpx.post(f"{served.url}/runs/wait", json={**run, "context": {"evaluator_prompt": "Judge it."}})
    refused(lacks, "evaluator_prompt lacks the placeholder {{caption}}")
    other = httpx.post(f"{served.url}/runs/wait", json={**run, "context": {"system_prompt": "Be {{kind}}."}})
    refused(other, "system_prompt has {{kind}}, which nothing fills")
    saved = {"graph_id": "aurelia", "context": {"feedback_prompt": "Say {{more}}"}}
    refused(httpx.post(f"{served.url}/assistants", json=saved), "feedback_prompt lacks")


async def test_edited_files_reach_the_running_server_at_the_next_run(served: Served) -> None:
    from langgraph_sdk import get_client

    prompt, profile = served.code / PROMPTS / "summarizer.md", served.code / "aurelia" / "profiles" / "offline.toml"
    row = served.code / "aurelia_offline" / "targets" / "offline.toml"
    before = {path: path.read_text() for path in (prompt, profile, row)}
    async with get_client(url=served.url) as client:
        first: Any = await client.runs.wait(None, "aurelia", input=ASKED)
        prompt.write_text("Briefly.\n" + before[prompt])
        profile.write_text(before[profile] + "compare = false\n")
        try:
            second: Any = await client.runs.wait(None, "aurelia", input=ASKED, context={"profile": "offline"})
            row.write_text("this is no row")
            third: Any = await client.runs.wait(None, "aurelia", input=ASKED, raise_error=False)
        finally:
            for path, text in before.items():
                path.write_text(text)
    assert {name for name in first["prompts"] if first["prompts"][name] != second["prompts"][name]} == {"summarizer"}
    assert (first["zero_shot_answer"], second["zero_shot_answer"]) == ("two", None)
    assert "offline.toml cannot be used" in third["__error__"]["message"]


def test_a_profile_takes_effect_and_an_unknown_one_is_refused(served: Served) -> None:
    run: dict[str, Any] = {"assistant_id": "aurelia", "input": ASKED}
    unknown = httpx.post(f"{served.url}/runs/wait", json={**run, "context": {"profile": "../x"}})
    refused(unknown, "There is no profile '../x': use one of")
    needs = httpx.post(f"{served.url}/runs/wait", json={**run, "context": {"profile": "openai"}}, timeout=120).json()
    assert "OPENAI_API_KEY" in needs["__error__"]["message"]


def test_a_review_without_a_thread_is_refused_at_once(served: Served) -> None:
    run: dict[str, Any] = {"assistant_id": "aurelia", "input": ASKED, "context": {"review": "reasoning"}}
    for path in ("runs", "runs/wait", "runs/stream"):
        refused(httpx.post(f"{served.url}/{path}", json=run), "it needs a thread")
    made = httpx.post(f"{served.url}/assistants", json={"graph_id": "aurelia", "context": run.pop("context")}).json()
    late = httpx.post(f"{served.url}/runs/wait", json={**run, "assistant_id": made["assistant_id"]}, timeout=120).json()
    assert "needs a stored thread" in late["__error__"]["message"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"score": "high"}, "score: Input should be a valid integer"),
        ({"score": 11}, "score: Input should be less than or equal to 10"),
        ({"iterations": [{"score": 3}]}, "iterations.0.iteration: Field required"),
        ({"iterations": [{"iteration": 1, "score": 0}]}, "iterations.0.score: Input should be greater"),
        ({"iterations": [{"iteration": 1, "reasoning": {"steps": "x"}}]}, "reasoning"),
        ({"iterations": [{"iteration": 1, "scor": 3}]}, "scor"),
        ({"iterations": "none"}, "iterations"),
        ({"iterations": [3]}, "iterations.0"),
        ({"iterations": [{"iteration": 7, "score": 3}]}, "there is no attempt"),
        ({"usage": {"calls": 1}}, "usage.input_tokens: Field required"),
        ({"seconds": "1"}, "seconds"),
        ({"choices": "two"}, "choices"),
        ({"question": ""}, "question"),
        ({"run": None}, "run"),
        ({"stop_reason": "because"}, "stop_reason"),
        ({"settings": {"threshold": 99}}, "threshold"),
        ({"settings": {"treshold": 9}}, "did you mean 'threshold'"),
        ({"described": {"smell": "x"}}, "described"),
        ("nonsense", "not a JSON object"),
        ([[]], "not a JSON object"),
    ],
)
def test_a_state_written_by_hand_is_refused_with_the_field(served: Served, values: Any, said: str) -> None:
    made = httpx.post(f"{served.url}/threads", json={"metadata": {"graph_id": "aurelia"}}).json()["thread_id"]
    written = {"values": values, "as_node": "evaluator"}
    refused(httpx.post(f"{served.url}/threads/{made}/state", json=written), said)
    if isinstance(values, dict) and "there is no attempt" not in said:
        run = {"assistant_id": "aurelia", "command": {"update": values}}
        refused(httpx.post(f"{served.url}/threads/{made}/runs/wait", json=run), said)


@pytest.mark.parametrize(
    "node", ["__start__", "prepare", "describer", "reasoning_generator", "summarizer", "evaluator"]
)
@pytest.mark.parametrize("values", [{}, {"question": "What?"}, {"run": "x"}, {"score": 3}, None])
def test_a_state_that_is_accepted_never_crashes_a_run(served: Served, node: str, values: Any) -> None:
    thread = httpx.post(f"{served.url}/threads", json={"metadata": {"graph_id": "aurelia"}}).json()["thread_id"]
    written = httpx.post(f"{served.url}/threads/{thread}/state", json={"values": values, "as_node": node})
    assert written.status_code in (200, 422), written.text
    run = {"assistant_id": "aurelia", "input": None}
    answer = httpx.post(f"{served.url}/threads/{thread}/runs/wait", json=run, timeout=120).json()
    fault = (answer or {}).get("__error__")
    assert fault is None or fault["error"] in ("InputError", "MediaError", "EmptyInputError"), fault


def test_an_unknown_node_is_refused(served: Served) -> None:
    thread = httpx.post(f"{served.url}/threads", json={"metadata": {"graph_id": "aurelia"}}).json()["thread_id"]
    written = {"values": {"score": 3}, "as_node": "nobody"}
    refused(httpx.post(f"{served.url}/threads/{thread}/state", json=written), "nobody")


async def test_a_clients_limit_of_steps_ends_in_the_best_answer_so_far(served: Served) -> None:
    from langgraph_sdk import get_client

    settings: Any = {"threshold": 10, "max_iterations": 10, "early_stop": False, "compare": False}
    async with get_client(url=served.url) as client:
        result: Any = await client.runs.wait(
            None, "aurelia", input=ASKED, context=settings, config={"recursion_limit": 25}
        )
        small: Any = await client.runs.wait(
            None, "aurelia", input=ASKED, config={"recursion_limit": 3}, raise_error=False
        )
    assert (result["stop_reason"], result["choice"], len(result["iterations"])) == ("recursion_limit", "two", 5)
    assert "recursion_limit of 3 is too small" in small["__error__"]["message"]
