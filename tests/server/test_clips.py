"""Clips for a person: what may be named, the upload page in a real browser, and the file by ranges to its owner."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.browser import browser, lacking, until
from tests.support.langgraph_server import TOKENS, as_owner, needs_server, serving_owners

pytestmark = needs_server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, duet: Path) -> Path:
    home = tmp_path_factory.mktemp("served")
    (home / "media" / "films").mkdir(parents=True)
    shutil.copy(duet, home / "media" / "films" / "duet.mp4")
    (home / "media" / "notes.txt").write_text("no clip")
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    with serving_owners(home) as url:
        yield url


@pytest.fixture(scope="module")
def clip(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that only Alice has uploaded."""
    from tests.support.clips import film

    path = film(tmp_path_factory.mktemp("own") / "own.mp4", seconds=1.0)
    with as_owner(server, "alice") as alice:
        assert alice.post("/clips", params={"name": "own.mp4"}, content=path.read_bytes()).status_code == 201
    return path


def test_the_list_names_own_uploads_and_the_operators_files(server: str, clip: Path) -> None:
    with as_owner(server, "alice") as alice, as_owner(server, "bob") as bob:
        mine, theirs = alice.get("/clips").json(), bob.get("/clips").json()
        shared = {"video": "films/duet.mp4", "name": "duet.mp4", "kind": "video", "own": False}
        assert [{**one, "bytes": 0} for one in theirs] == [{**shared, "bytes": 0}]
        (own,) = [one for one in mine if one["own"]]
        assert (own["name"], own["kind"], own["bytes"]) == ("own.mp4", "video", clip.stat().st_size)
        for one, owner in ((own, alice), (theirs[0], bob)):
            run = {
                "assistant_id": "aurelia",
                "input": {"video": one["video"], "question": "How many sounds are heard?"},
            }
            assert owner.post("/runs/wait", json=run, timeout=120).json()["answer"]
        assistant = alice.post("/assistants/search", json={"graph_id": "aurelia"}).json()[0]["assistant_id"]
        for owner, known in ((alice, mine), (bob, theirs)):
            form = owner.get(f"/assistants/{assistant}/schemas").json()["input_schema"]["properties"]["video"]
            assert form["examples"] == [one["video"] for one in known]


def test_the_file_is_sent_by_ranges_to_its_owner_only(server: str, clip: Path) -> None:
    content = clip.read_bytes()
    with as_owner(server, "alice") as alice, as_owner(server, "bob") as bob:
        own = next(one["video"] for one in alice.get("/clips").json() if one["own"])
        whole = alice.get(f"/clips/{own}/media")
        assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "video/mp4", content)
        part = alice.get(f"/clips/{own}/media", headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, content[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
        assert part.headers["x-content-type-options"] == "nosniff"
        assert alice.get(f"/clips/{own}/media", headers={"range": "bytes=999999999-"}).status_code == 416
        assert bob.get(f"/clips/{own}/media").status_code == 404
        assert httpx.get(f"{server}/clips/{own}/media").status_code == 401
        assert alice.get("/clips/..%2f..%2fledger.sqlite/media").status_code == 404


def test_the_page_holds_no_data_and_runs_nothing_foreign(server: str) -> None:
    page = httpx.get(f"{server}/clips/new")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http" not in page.text.replace("https://smith.langchain.com/studio/", "")


@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
def test_a_person_uploads_sees_and_plays_a_clip_in_a_browser(
    server: str, home: Path, duet: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no clip at all")
    shutil.copy(duet, tmp_path / "my <b>duet.mp4")
    with browser() as driver:
        driver.get(f"{server}/clips/new")
        until(driver, "return !document.getElementById('needs').hidden")
        token = driver.find_element("id", "token")
        token.send_keys(TOKENS["bob"])
        driver.execute_script("arguments[0].dispatchEvent(new Event('change'))", token)
        until(driver, "return document.querySelectorAll('#list li').length === 1")
        said = upload(driver, tmp_path / "bad.mp4")
        assert "bad.mp4 is no known clip" in said
        assert upload(driver, tmp_path / "my <b>duet.mp4") == "Uploaded."
        until(driver, "return document.getElementById('sheet').naturalWidth > 300")
        until(driver, "return document.querySelector('#player video').duration > 1.5")
        clip = driver.find_element("id", "id").text
        assert len(clip) == 64
        studio = driver.find_element("id", "studio").get_attribute("href")
        assert studio.startswith("https://smith.langchain.com/studio/?baseUrl=http%3A%2F%2F127.0.0.1")
        assert "my <b>duet.mp4" in driver.find_element("id", "list").text
        # A refused request is written into the console by the browser itself.
        faults = [one["message"] for one in driver.get_log("browser") if "status of 4" not in one["message"]]
        assert faults == []
    with as_owner(server, "bob") as bob:
        assert bob.get(f"/clips/{clip}").json()["kind"] == "video"


def upload(driver: Any, file: Path) -> str:
    driver.find_element("id", "file").send_keys(str(file))
    driver.find_element("id", "send").click()
    until(driver, "return !document.getElementById('send').disabled && document.getElementById('said').textContent")
    return str(driver.find_element("id", "said").text)
