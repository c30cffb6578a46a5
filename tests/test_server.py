"""The graph behind a real `langgraph dev` on loopback, driven by the real SDK client, offline and without a key."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LANGGRAPH = Path(sys.executable).with_name("langgraph")

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(not LANGGRAPH.exists(), reason="langgraph-cli is not installed: pip install -e '.[server]'"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, duet: Path) -> Iterator[str]:
    home = tmp_path_factory.mktemp("served")
    (home / "media").mkdir()
    shutil.copy(duet, home / "media" / "duet.mp4")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "AURELIA_HOME": str(home), "LANGSMITH_TRACING": "false"}
    environment.pop("AURELIA_MEDIA_ROOTS", None)
    command = [LANGGRAPH, "dev", "--no-browser", "--no-reload", "--port", str(port)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert process.poll() is None, (home / "log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"{url}/ok", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(30)


async def test_the_served_graph_publishes_both_schemas_and_answers(server: str) -> None:
    from langgraph_sdk import get_client

    async with get_client(url=server) as client:
        assistant = (await client.assistants.search())[0]
        schemas: Any = await client.assistants.get_schemas(assistant["assistant_id"])
        assert set(schemas["input_schema"]["properties"]) == {"video", "question", "audio", "choices"}
        assert schemas["context_schema"]["properties"]["threshold"]["maximum"] == 10
        assert "best" in schemas["output_schema"]["properties"]
        question = {"video": "duet.mp4", "question": "How many sounds are heard?", "choices": ["one", "two", "three"]}
        result: Any = None
        events = []
        async for part in client.runs.stream(
            None, "aurelia", input=question, context={"max_iterations": 2}, stream_mode=["custom", "values"]
        ):
            assert part.event != "error", part.data
            if part.event == "custom":
                events.append(part.data["event"])
            elif part.event == "values":
                result = part.data
        assert events[:2] == ["clip", "attempt"]
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
