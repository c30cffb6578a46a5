"""The graph behind a real `langgraph dev` on loopback, driven by the real SDK client, offline and without a key."""

import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aurelia_offline.world.scene import Scene, write_scene
from tests.support.langgraph_server import needs_server, serving
from tests.support.stage import DUET

pytestmark = needs_server

HOW_MANY: dict[str, Any] = {
    "video": "duet.mp4",
    "question": "How many sounds are heard?",
    "choices": ["one", "two", "three"],
}
QUICK = {"max_iterations": 2}


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that is in no folder of the server's: three sounds."""
    path = tmp_path_factory.mktemp("own") / "film.mp4"
    third = {"start": 0.85, "end": 1.05, "voice": "tone", "pitch": 700.0, "level": -18.0}
    write_scene(Scene.model_validate({**DUET, "sounds": [*DUET["sounds"], third]}), path)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, duet: Path) -> Iterator[str]:
    home = tmp_path_factory.mktemp("served")
    (home / "media").mkdir()
    shutil.copy(duet, home / "media" / "duet.mp4")
    with serving(home) as url:
        yield url


async def test_the_served_graph_publishes_both_schemas_and_answers(server: str) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=server) as client:
        assistant = (await client.assistants.search(graph_id="aurelia"))[0]
        schemas: Any = await client.assistants.get_schemas(assistant["assistant_id"])
        asked = schemas["input_schema"]["properties"]
        assert set(asked) == {"video", "question", "audio", "images", "choices"}
        shown = [*asked.values(), *schemas["context_schema"]["properties"].values()]
        assert all(field["title"] and field["description"] for field in shown)
        assert schemas["context_schema"]["properties"]["threshold"]["maximum"] == 10
        assert "best" in schemas["output_schema"]["properties"]
        result: Any = None
        events, nodes = [], []
        async for part in client.runs.stream(
            None, "aurelia", input=HOW_MANY, context=QUICK, stream_mode=["custom", "values", "updates"]
        ):
            assert part.event != "error", part.data
            if part.event == "custom":
                events.append(part.data["event"])
            elif part.event == "updates":
                nodes += list(part.data)
            elif part.event == "values":
                result = part.data
        assert events[:2] == ["clip", "attempt"]
        assert nodes[:2] == ["prepare", "reasoning_generator"]
        assert result["choice"] == "two"
        assert result["clip"]["name"] == "duet.mp4"


@pytest.mark.parametrize(
    ("video", "said"),
    [("/etc/passwd", "outside the folders"), ("../ledger.sqlite", "outside"), ("http://127.0.0.1/clip.mp4", "URL")],
)
async def test_the_served_graph_reads_only_its_media_folder_and_says_why(server: str, video: str, said: str) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=server) as client:
        fault: Any = None
        async for part in client.runs.stream(None, "aurelia", input={"video": video, "question": "What is heard?"}):
            if part.event == "error":
                fault = part.data
        assert fault["error"] == "MediaError"
        assert said in fault["message"]


@pytest.mark.parametrize("endpoint", ["runs", "runs/stream", "runs/wait"])
@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"input": {**HOW_MANY, "qestion": "x"}}, "no input 'qestion': did you mean 'question'?"),
        ({"input": [HOW_MANY]}, "not a JSON object"),
        ({"context": {"treshold": 5}}, "no setting 'treshold': did you mean 'threshold'?"),
        ({"config": {"configurable": {"max_iteration": 5}}}, "did you mean 'max_iterations'?"),
        ({"context": {"threshold": 11}}, "threshold: Input should be less than or equal to 10"),
        ({"context": {"frames": "many"}}, "frames: Input should be a valid integer"),
        ({"context": {"target": "gpt"}}, "target: 'gpt' is no model name"),
        ({"command": {"update": {"scor": 3}}}, "no part of the state 'scor': did you mean 'score'?"),
    ],
)
def test_what_nothing_would_read_is_refused_by_name(server: str, endpoint: str, part: Any, said: str) -> None:
    answer = httpx.post(f"{server}/{endpoint}", json={"assistant_id": "aurelia", "input": HOW_MANY, **part})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_the_newer_way_to_start_a_run_is_checked_too(server: str) -> None:
    thread = httpx.post(f"{server}/threads", json={}).json()["thread_id"]
    wrong = {"assistant_id": "aurelia", "input": {**HOW_MANY, "qestion": "x"}}
    command = {"id": 1, "method": "run.start", "params": wrong}
    answer = httpx.post(f"{server}/threads/{thread}/commands", json=command).json()
    assert (answer["type"], "did you mean 'question'?" in answer["message"]) == ("error", True)


def test_settings_that_are_kept_for_later_are_checked_too(server: str) -> None:
    wrong = {"graph_id": "aurelia", "context": {"threshold": 0}}
    answer = httpx.post(f"{server}/assistants", json=wrong)
    assert (answer.status_code, "threshold" in answer.json()["detail"]) == (422, True)


async def test_two_runs_at_once_answer_each_its_own_question(server: str) -> None:
    from langgraph_sdk import get_client

    louder = {**HOW_MANY, "question": "Which is louder?", "choices": ["the first sound", "the second sound"]}
    async with get_client(url=server) as client:
        both: Any = await asyncio.gather(
            *(client.runs.wait(None, "aurelia", input=asked, context=QUICK) for asked in (HOW_MANY, louder))
        )
    assert [result["choice"] for result in both] == ["two", "the first sound"]


async def test_a_thread_keeps_its_runs_and_its_history(server: str) -> None:
    from langgraph_sdk import get_client
    from langgraph_sdk.errors import NotFoundError

    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "aurelia", input=HOW_MANY, context=QUICK)
        history = await client.threads.get_history(thread, limit=50)
        done = {task["name"] for state in history for task in state["tasks"]}
        assert {"prepare", "reasoning_generator", "summarizer", "evaluator", "target_model", "zero_shot"} <= done
        values: Any = (await client.threads.get_state(thread))["values"]
        assert values["choice"] == "two"
        found = await client.threads.search(metadata={"graph_id": "aurelia"}, limit=100)
        assert thread in {one["thread_id"] for one in found}
        await client.threads.delete(thread)
        with pytest.raises(NotFoundError):
            await client.threads.get(thread)


async def test_a_run_that_works_is_cancelled_and_goes_on_where_it_was(server: str) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=server) as client:
        thread, run = (await client.threads.create())["thread_id"], ""
        # Frames of its own: what another test paid for already would be answered before it can be cancelled.
        # All attempts are made, so that there is something left to cancel.
        settings: Any = {"max_iterations": 6, "early_stop": False, "frames": 15}
        stream = client.runs.stream(
            thread, "aurelia", input=HOW_MANY, context=settings, stream_mode=["updates"], durability="sync"
        )
        async for part in stream:
            if part.event == "metadata":
                run = part.data["run_id"]
            elif part.event == "updates" and "reasoning_generator" in part.data:
                await client.runs.cancel(thread, run, wait=True)
        assert (await client.runs.get(thread, run))["status"] == "interrupted"
        assert (await client.threads.get_state(thread))["next"]
        result: Any = await client.runs.wait(thread, "aurelia", input=None, context=settings)
        assert result["choice"] == "two"


async def test_a_run_that_waits_is_cancelled_and_its_thread_takes_another(server: str) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=server) as client:
        thread = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread, "aurelia", input=HOW_MANY, context=QUICK, after_seconds=3600)
        await client.runs.cancel(thread, run["run_id"], wait=True)
        assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"
        result: Any = await client.runs.wait(thread, "aurelia", input=HOW_MANY, context=QUICK)
        assert result["choice"] == "two"


def test_a_clip_that_was_uploaded_is_shown_and_asked_about_by_its_id(server: str, another: Path) -> None:
    content = another.read_bytes()
    answer = httpx.post(f"{server}/clips", params={"name": "my/own film.mp4"}, content=content)
    assert answer.status_code == 201
    clip = answer.json()
    assert clip["id"] == hashlib.sha256(content).hexdigest()
    assert (clip["name"], clip["kind"], clip["has_audio"]) == ("own film.mp4", "video", True)
    assert (clip["duration"], clip["width"], clip["height"], clip["fps"]) == (2.0, 160, 120, 12.0)
    assert httpx.get(f"{server}{answer.headers['location']}").json() == clip
    asked = {"assistant_id": "aurelia", "input": {**HOW_MANY, "video": clip["id"]}, "context": QUICK}
    result = httpx.post(f"{server}/runs/wait", json=asked, timeout=120).json()
    assert result["choice"] == "three"
    assert result["clip"]["id"] == clip["id"]


def test_a_contact_sheet_shows_frames_and_the_wave(server: str, another: Path) -> None:
    import io

    from PIL import Image

    clip = httpx.post(f"{server}/clips", content=another.read_bytes()).json()["id"]
    answer = httpx.get(f"{server}/clips/{clip}/sheet.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    page = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert page.width > 4 * 160
    colours = {page.getpixel((x, y)) for x in range(0, page.width, 2) for y in range(0, page.height, 2)}
    assert any(red > 180 and green < 60 for red, green, _ in colours), "the red circle"
    assert any(green > 200 and 60 < red < 130 for red, green, _ in colours), "the wave"


def test_a_sound_is_taken_as_a_sound(server: str, tmp_path: Path) -> None:
    from tests.support.clips import tune

    content = tune(tmp_path / "tone.wav", seconds=1.0).read_bytes()
    clip = httpx.post(f"{server}/clips", params={"name": "tone.wav"}, content=content).json()
    assert (clip["kind"], clip["width"], clip["duration"]) == ("audio", None, 1.0)
    assert httpx.get(f"{server}/clips/{clip['id']}/sheet.jpg").status_code == 200
    refused = httpx.post(f"{server}/clips", params={"kind": "video"}, content=content)
    assert (refused.status_code, "has no picture" in refused.json()["detail"]) == (422, True)


def test_a_picture_is_taken_as_an_image_and_asked_about(server: str, tmp_path: Path) -> None:
    from tests.support.other_media import write_picture

    content = write_picture(tmp_path / "red.png", (220, 20, 20)).read_bytes()
    image = httpx.post(f"{server}/clips", params={"name": "red.png"}, content=content).json()
    assert (image["kind"], image["width"], image["height"], image["duration"]) == ("image", 160, 120, 0.0)
    assert httpx.get(f"{server}/clips/{image['id']}/sheet.jpg").status_code == 200
    refused = httpx.post(f"{server}/clips", params={"kind": "video"}, content=content)
    assert (refused.status_code, "upload it with kind=image" in refused.json()["detail"]) == (422, True)
    asked = {"images": [image["id"]], "question": "What colour is the background?"}
    run = {"assistant_id": "aurelia", "input": asked, "context": QUICK}
    answered = httpx.post(f"{server}/runs/wait", json=run, timeout=120)
    assert answered.json()["answer"] == "red"


@pytest.mark.parametrize(
    ("content", "query", "status", "said"),
    [
        (b"hello world", {"name": "film.mp4"}, 422, "film.mp4 is no known clip"),
        (b"#EXTM3U\nhttp://127.0.0.1/", {}, 422, "playlist"),
        (b"", {}, 422, "is empty (0 bytes)"),
        (b"x", {"kind": "text"}, 422, "kind is video or audio"),
        (b"", {"url": "http://127.0.0.1/clip.mp4"}, 422, "AURELIA_CLIP_ORIGINS"),
    ],
)
def test_what_is_no_clip_is_not_taken(server: str, content: bytes, query: Any, status: int, said: str) -> None:
    answer = httpx.post(f"{server}/clips", params=query, content=content)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)


def test_a_damaged_clip_is_not_taken_and_nothing_of_it_stays(server: str, duet: Path) -> None:
    content = duet.read_bytes()[:-9000]
    answer = httpx.post(f"{server}/clips", params={"name": "../../x/half.mp4"}, content=content)
    assert (answer.status_code, answer.json()["detail"].startswith("half.mp4 is cut short")) == (422, True)
    assert httpx.get(f"{server}/clips/{hashlib.sha256(content).hexdigest()}").status_code == 404


@pytest.mark.parametrize("clip", ["a" * 64, "nothing", "..%2f..%2fledger.sqlite"])
def test_an_unknown_id_is_not_found(server: str, clip: str) -> None:
    assert httpx.get(f"{server}/clips/{clip}").status_code == 404
    assert httpx.get(f"{server}/clips/{clip}/sheet.jpg").status_code == 404


def test_only_studios_page_may_call_from_a_browser(server: str) -> None:
    def asked(origin: str) -> httpx.Response:
        return httpx.post(f"{server}/assistants/search", json={}, headers={"origin": origin})

    assert asked("https://smith.langchain.com").headers["access-control-allow-origin"] == "https://smith.langchain.com"
    for origin in ("https://evil.example", "https://smith.langchain.com.evil.example", "null"):
        answer = asked(origin)
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)
    wanted = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,authorization"}
    preflight = httpx.options(f"{server}/runs", headers={"origin": "https://smith.langchain.com", **wanted})
    assert "authorization" in preflight.headers["access-control-allow-headers"]


def test_without_tokens_only_this_machine_by_its_own_name_is_served(server: str) -> None:
    for path in ("/assistants/search", "/clips", "/runs/wait"):
        answer = httpx.post(f"{server}{path}", json={}, headers={"host": "rebound.example"})
        assert (answer.status_code, "AURELIA_TOKENS" in answer.json()["detail"]) == (401, True)
        proxied = httpx.post(f"{server}{path}", json={}, headers={"x-forwarded-for": "127.0.0.1"})
        assert proxied.status_code == 401


@pytest.mark.parametrize("path", ["/internal/truncate", "/deploy", "/mcp", "/a2a/aurelia", "/store/items"])
def test_doors_that_nobody_needs_are_closed(server: str, path: str) -> None:
    assert httpx.post(f"{server}{path}", json={}).status_code in (404, 405)


def test_a_request_that_is_too_large_is_refused_before_it_is_read(server: str) -> None:
    assert httpx.post(f"{server}/runs", content=bytes(9_000_000)).status_code == 413
    assert httpx.post(f"{server}/runs", content=iter([b"{}"])).status_code == 411


def test_the_servers_own_page_describes_the_clips(server: str) -> None:
    described = httpx.get(f"{server}/openapi.json").json()["paths"]
    assert "413" in described["/clips"]["post"]["responses"]
