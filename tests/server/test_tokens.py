"""A real server with tokens: nobody comes in without one, and owners see only their own threads, runs and clips."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.langgraph_server import TOKENS, as_owner, needs_server, serving

pytestmark = needs_server

ASKED: dict[str, Any] = {"question": "How many sounds are heard?", "choices": ["one", "two", "three"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    (home / "tokens").write_text(f"# who may come in\n\nbob:{TOKENS['bob']}\n")
    settings = {
        "AURELIA_TOKENS": f"alice:{TOKENS['alice']}",
        "AURELIA_TOKENS_FILE": str(home / "tokens"),
        "AURELIA_STUDIO": "true",
        "AURELIA_MODELS": "offline:*, compatible:small",
        "AURELIA_MAX_MEDIA_MB": "1",
    }
    with serving(home, **settings) as url:
        yield url


@pytest.fixture
def alice(server: str) -> Iterator[httpx.Client]:
    with as_owner(server, "alice") as client:
        yield client


@pytest.fixture
def bob(server: str) -> Iterator[httpx.Client]:
    with as_owner(server, "bob") as client:
        yield client


@pytest.fixture
def clip(alice: httpx.Client, duet: Path) -> str:
    """A clip of Alice's."""
    answer = alice.post("/clips", params={"name": "secret.mp4"}, content=duet.read_bytes())
    return str(answer.json()["id"])


def thread_of(client: httpx.Client, **asked: Any) -> str:
    return str(client.post("/threads", json=asked).json()["thread_id"])


@pytest.mark.parametrize("token", [None, "Bearer wrong-token-of-some-length", "Bearer", "Basic YTpi", "Bearer \xe4"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/assistants/search"),
        ("POST", "/threads"),
        ("POST", "/threads/search"),
        ("POST", "/runs/stream"),
        ("POST", "/runs/wait"),
        ("POST", "/clips"),
        ("GET", f"/clips/{'a' * 64}"),
        ("GET", f"/clips/{'a' * 64}/sheet.jpg"),
        ("POST", f"/threads/{'a' * 8}-0000-0000-0000-000000000000/state"),
    ],
)
def test_without_a_right_token_there_is_no_way_in(server: str, token: str | None, method: str, path: str) -> None:
    # A name that is not this machine's: what Studio may do here is another test's matter.
    headers = {"host": "aurelia.example"} | ({"authorization": token.encode("latin-1")} if token else {})
    answer = httpx.request(method, f"{server}{path}", json={"values": {"score": 1}}, headers=headers)
    assert (answer.status_code, "token" in answer.json()["detail"]) == (401, True)


def test_the_services_own_health_needs_no_token(server: str) -> None:
    assert httpx.get(f"{server}/ok").status_code == 200


def test_an_owner_uploads_asks_by_id_and_keeps_the_thread(alice: httpx.Client, clip: str) -> None:
    thread = thread_of(alice)
    asked = {"assistant_id": "aurelia", "input": {**ASKED, "video": clip}, "context": {"max_iterations": 2}}
    assert alice.post(f"/threads/{thread}/runs/wait", json=asked).json()["choice"] == "two"
    assert alice.get(f"/threads/{thread}/state").json()["values"]["choice"] == "two"
    assert alice.get(f"/clips/{clip}").json()["name"] == "secret.mp4"


def test_another_owners_thread_is_not_found(alice: httpx.Client, bob: httpx.Client) -> None:
    thread = thread_of(alice, metadata={"owner": "bob"})
    assert alice.get(f"/threads/{thread}").json()["metadata"]["owner"] == "alice"
    run = {"assistant_id": "aurelia", "input": {**ASKED, "video": "x.mp4"}}
    answers = [
        bob.get(f"/threads/{thread}"),
        bob.get(f"/threads/{thread}/state"),
        bob.get(f"/threads/{thread}/history"),
        bob.get(f"/threads/{thread}/runs"),
        bob.post(f"/threads/{thread}/history", json={}),
        bob.post(f"/threads/{thread}/state", json={"values": {"score": 9}}),
        bob.post(f"/threads/{thread}/runs", json=run),
        bob.post(f"/threads/{thread}/runs/wait", json=run),
        bob.patch(f"/threads/{thread}", json={"metadata": {"owner": "bob"}}),
        bob.delete(f"/threads/{thread}"),
    ]
    seen = [(answer.request.url.path, answer.status_code, answer.text) for answer in answers]
    assert [one for one in seen if one[1] != 404 and one[2] != "[]"] == []
    # The server answers so for a copy of a thread that is not there at all, too.
    nowhere = "00000000-0000-0000-0000-000000000000"
    assert [bob.post(f"/threads/{one}/copy").status_code for one in (thread, nowhere)] == [409, 409]
    assert thread not in bob.post("/threads/search", json={}).text
    assert thread in alice.post("/threads/search", json={}).text
    assert alice.get(f"/threads/{thread}").json()["metadata"]["owner"] == "alice"


def test_a_run_without_a_thread_belongs_to_who_started_it(alice: httpx.Client, bob: httpx.Client) -> None:
    given = {"owner": "alice"}
    run = {"assistant_id": "aurelia", "input": {**ASKED, "video": "x.mp4"}, "on_completion": "keep"}
    bob.post("/runs/wait", json={**run, "metadata": given, "config": {"metadata": given}})
    owners = {found["metadata"]["owner"] for found in alice.post("/threads/search", json={"limit": 100}).json()}
    assert owners <= {"alice"}
    assert bob.post("/threads/search", json={"status": "error"}).json()[0]["metadata"]["owner"] == "bob"


def test_another_owners_clip_is_not_found_and_cannot_be_asked_about(bob: httpx.Client, clip: str) -> None:
    forged = {"id": clip, "name": "x"}
    thread = thread_of(bob)
    run: dict[str, Any] = {"assistant_id": "aurelia"}
    answers = [
        bob.get(f"/clips/{clip}"),
        bob.get(f"/clips/{clip}/sheet.jpg"),
        bob.post("/runs/wait", json={**run, "input": {**ASKED, "video": clip}}),
        bob.post("/runs/stream", json={**run, "input": {**ASKED, "video": "x.mp4", "audio": [clip]}}),
        bob.post("/runs/wait", json={**run, "input": {**ASKED, "images": [clip]}}),
        bob.post("/runs/batch", json=[{**run, "input": {**ASKED, "video": clip}}]),
        bob.post("/runs/wait", json={**run, "command": {"update": {"clip": forged}}}),
        bob.post("/runs/wait", json={**run, "command": {"goto": {"node": "evaluator", "input": {"clip": forged}}}}),
        bob.post(f"/threads/{thread}/state", json={"values": {"clip": forged}, "as_node": "prepare"}),
        bob.post(f"/threads/{thread}/state", json={"values": [{"tracks": [forged]}], "as_node": "prepare"}),
        bob.post(f"/threads/{thread}/state", json={"values": [{"pictures": [forged]}], "as_node": "prepare"}),
        bob.post("/threads", json={"supersteps": [{"updates": [{"values": {"video": clip}, "as_node": "prepare"}]}]}),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers), [answer.text for answer in answers]
    deep = b'{"values":{"video":"%s"},"x":%s1%s}' % (clip.encode(), b"[" * 1010, b"]" * 1010)
    assert bob.post(f"/threads/{thread}/state", content=deep).status_code == 422


def test_the_same_clip_given_twice_is_both_owners_each_under_their_own_name(
    alice: httpx.Client, bob: httpx.Client, tmp_path: Path
) -> None:
    from tests.support.clips import tune

    content = tune(tmp_path / "tone.wav").read_bytes()
    mine = alice.post("/clips", params={"name": "alices.wav"}, content=content).json()
    theirs = bob.post("/clips", params={"name": "bobs.wav"}, content=content).json()
    assert mine["id"] == theirs["id"]
    assert alice.get(f"/clips/{mine['id']}").json()["name"] == "alices.wav"
    assert bob.get(f"/clips/{mine['id']}").json()["name"] == "bobs.wav"
    run = {"assistant_id": "aurelia", "input": {**ASKED, "video": mine["id"]}}
    answered = bob.post("/runs/wait", json=run)
    assert answered.json()["clip"]["width"] is None, "a sound alone is a clip"
    assert "alices" not in answered.text


def test_a_clip_reference_that_was_changed_cannot_be_written(alice: httpx.Client, clip: str) -> None:
    true = {key: value for key, value in alice.get(f"/clips/{clip}").json().items() if key != "kind"}
    thread = thread_of(alice, metadata={"graph_id": "aurelia"})
    for change, status in [({}, 200), ({"duration": 1e9}, 404), ({"id": "../../" + clip}, 404)]:
        written = {"values": {"clip": {**true, **change}}, "as_node": "summarizer"}
        answer = alice.post(f"/threads/{thread}/state", json=written)
        assert answer.status_code == status, answer.text


def test_a_clip_larger_than_the_operator_allows_is_refused(alice: httpx.Client, home: Path) -> None:
    for content in (bytes(1_000_001), iter([bytes(600_000), bytes(600_000)])):
        answer = alice.post("/clips", content=content)
        assert (answer.status_code, "1 MB" in answer.json()["detail"]) == (413, True)
    assert list((home / "inbox").iterdir()) == []


def test_only_models_that_the_operator_serves_may_be_named(alice: httpx.Client) -> None:
    run: dict[str, Any] = {"assistant_id": "aurelia", "input": {**ASKED, "video": "x.mp4"}}
    for settings in (
        {"target": "openai:gpt-4o"},
        {"evaluator_fallback": "compatible:large"},
        {"unsupported_modality": "describe:google_genai:gemini-2.5-flash"},
    ):
        answer = alice.post("/runs/wait", json={**run, "context": settings})
        assert (answer.status_code, "is not served here" in answer.json()["detail"]) == (422, True)


def test_saved_settings_are_their_owners_and_the_graphs_own_are_everybodys(
    alice: httpx.Client, bob: httpx.Client
) -> None:
    saved = {"graph_id": "aurelia", "context": {"threshold": 9}, "metadata": {"created_by": "system"}}
    mine = alice.post("/assistants", json=saved).json()["assistant_id"]
    (own,) = bob.post("/assistants/search", json={"graph_id": "aurelia"}).json()
    assert own["metadata"]["created_by"] == "system"
    assert bob.get(f"/assistants/{mine}").status_code == 404
    run = {"assistant_id": mine, "input": {**ASKED, "video": "x.mp4"}}
    assert bob.post("/runs/wait", json=run).status_code == 404
    for assistant in (mine, own["assistant_id"]):
        assert bob.patch(f"/assistants/{assistant}", json={"context": {"threshold": 1}}).status_code == 404
        assert bob.delete(f"/assistants/{assistant}").status_code == 404


def test_schedules_are_closed(alice: httpx.Client) -> None:
    cron = {"assistant_id": "aurelia", "schedule": "* * * * *", "input": {**ASKED, "video": "x.mp4"}}
    assert alice.post("/runs/crons", json=cron).status_code == 403


def test_studio_comes_in_from_this_machine_by_the_operators_choice_and_sees_its_own(server: str, clip: str) -> None:
    headers = {"x-auth-scheme": "langsmith", "origin": "https://smith.langchain.com"}
    with httpx.Client(base_url=server, headers=headers) as studio:
        thread = studio.post("/threads", json={}).json()
        assert thread["metadata"]["owner"] == "studio"
        assert {one["thread_id"] for one in studio.post("/threads/search", json={}).json()} == {thread["thread_id"]}
        assert studio.get(f"/clips/{clip}").status_code == 404
        assert studio.post("/threads", json={}, headers={"host": "aurelia.example"}).status_code == 401
        wrong = {"authorization": "Bearer wrong-token-of-some-length"}
        assert studio.post("/threads", json={}, headers=wrong).status_code == 401


def test_no_token_is_written_anywhere(server: str, home: Path, alice: httpx.Client) -> None:
    alice.post("/runs/wait", json={"assistant_id": "aurelia", "input": {**ASKED, "video": "x.mp4"}})
    with_token = [
        path.name
        for path in home.rglob("*")
        if path.is_file() and any(token.encode() in path.read_bytes() for token in TOKENS.values())
    ]
    assert with_token == ["tokens"]
