"""Every route that the server publishes, tried as a second owner and without a token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.langgraph_server import TOKENS, as_owner, needs_server, serving, serving_owners

pytestmark = needs_server

# Health, and a page without data.
OPEN = {"/", "/ok", "/clips/new"}
PAGES = ("/info", "/metrics", "/docs", "/openapi.json")


class Route(NamedTuple):
    """A method and a path with Alice's ids."""

    method: str
    path: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("guarded")
    with serving_owners(home) as url:
        yield url


@pytest.fixture(scope="module")
def alices(server: str, duet: Path) -> dict[str, str]:
    """Ids of what Alice has, by the name of the parameter in a path."""
    with as_owner(server, "alice") as alice:
        clip = alice.post("/clips", params={"name": "secret.mp4"}, content=duet.read_bytes()).json()["id"]
        assistant = alice.post("/assistants", json={"graph_id": "aurelia", "name": "secret one"}).json()["assistant_id"]
        thread = alice.post("/threads", json={"metadata": {"graph_id": "aurelia"}}).json()["thread_id"]
        run = {"assistant_id": assistant, "input": {"video": clip, "question": "How many sounds are heard?"}}
        answered = alice.post(f"/threads/{thread}/runs/wait", json=run)
        assert answered.json()["answer"] == "2", answered.text
        (first,) = alice.get(f"/threads/{thread}/runs").json()
        state = alice.get(f"/threads/{thread}/state").json()
    return {
        "thread_id": thread,
        "assistant_id": assistant,
        "run_id": first["run_id"],
        "clip": clip,
        "checkpoint_id": state["checkpoint"]["checkpoint_id"],
    }


def published(server: str, ids: dict[str, str]) -> list[Route]:
    with as_owner(server, "alice") as alice:
        paths = alice.get("/openapi.json").json()["paths"]
    found = []
    for path, methods in paths.items():
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", value)
        found += [
            Route(method.upper(), path) for method in methods if method in ("get", "post", "put", "patch", "delete")
        ]
    return sorted(found)


def body(ids: dict[str, str]) -> dict[str, Any]:
    question = {"video": ids["clip"], "question": "What?"}
    return {**ids, "graph_id": "aurelia", "input": question, "values": {"score": 1}, "as_node": "evaluator"}


def test_without_a_token_every_route_is_closed(server: str, alices: dict[str, str]) -> None:
    routes = published(server, alices)
    assert len(routes) > 40
    answers = {}
    with httpx.Client(base_url=server, timeout=30) as stranger:
        for route in routes:
            sent = {"json": body(alices)} if route.method != "GET" else {}
            answers[route] = stranger.request(route.method, route.path, **sent).status_code
    # A path that is closed for everybody says that there is nothing.
    let_in = {route: status for route, status in answers.items() if status not in (401, 404) and route.path not in OPEN}
    assert let_in == {}
    assert sum(status == 401 for status in answers.values()) > 40


def test_a_second_owner_reaches_nothing_of_the_first_by_any_route(server: str, alices: dict[str, str]) -> None:
    own = {*alices.values(), "secret"}
    with as_owner(server, "alice") as alice:
        before = [alice.get(f"/threads/{alices['thread_id']}").json(), alice.get(f"/clips/{alices['clip']}").json()]
    reached = {}
    with as_owner(server, "bob") as bob:
        for route in published(server, alices):
            sent = {"json": body(alices)} if route.method != "GET" else {}
            answer = bob.request(route.method, route.path, **sent)
            said = answer.text if answer.is_success else ""
            if any(one in said for one in own):
                reached[route] = said[:200]
    assert reached == {}
    with as_owner(server, "alice") as alice:
        after = [alice.get(f"/threads/{alices['thread_id']}").json(), alice.get(f"/clips/{alices['clip']}").json()]
        assert alice.get(f"/assistants/{alices['assistant_id']}").json()["name"] == "secret one"
        assert len(alice.get(f"/threads/{alices['thread_id']}/runs").json()) == 1
    assert after == before


@pytest.mark.parametrize("path", PAGES)
def test_version_load_and_description_need_a_token(server: str, path: str) -> None:
    assert httpx.get(f"{server}{path}").status_code == 401
    assert httpx.get(f"{server}{path}", headers={"authorization": "Bearer wrong-token-of-length"}).status_code == 401
    with as_owner(server, "bob") as bob:
        assert bob.get(path).status_code == 200


def test_the_operator_may_open_them(tmp_path: Path) -> None:
    with serving(tmp_path, AURELIA_TOKENS=f"alice:{TOKENS['alice']}", AURELIA_PUBLIC_PAGES="true") as url:
        assert [httpx.get(f"{url}{path}").status_code for path in PAGES] == [200] * len(PAGES)
        assert httpx.post(f"{url}/threads/search", json={}).status_code == 401
