"""A run as LangSmith experiments: the real client against a stand-in for the service on loopback, and without any."""

import http.server
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from langsmith import Client
from typer.testing import CliRunner

from aurelia.bench.run_file import RunFile
from aurelia.cli.bench_report import report_app
from aurelia.report.langsmith_export import export_experiments
from aurelia.report.measure import arm_accuracy
from aurelia.report.rows import read_report_rows
from aurelia_core.errors import AureliaError
from tests.support.bench_records import made_run

TIME = "2026-01-01T00:00:00+00:00"
KEY = "not-a-real-key"
INGEST = {
    "use_multipart_endpoint": False,
    "size_limit": 100,
    "size_limit_bytes": 20_000_000,
    "scale_up_nthreads_limit": 4,
    "scale_up_qsize_trigger": 1000,
    "scale_down_nempty_trigger": 4,
}


class Service(http.server.ThreadingHTTPServer):
    """Keeps what it is sent: data sets, examples, experiments, runs, feedback; refuses a wrong key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.datasets: list[dict[str, Any]] = []
        self.examples: dict[str, dict[str, Any]] = {}
        self.sessions: list[dict[str, Any]] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.feedback: list[dict[str, Any]] = []
        self.unknown: list[str] = []
        self.lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        url = urlparse(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        known: dict[str, Any] = {
            "/info": {
                "version": "0.13.0",
                "instance_flags": {},
                "batch_ingest_config": INGEST,
            },
            "/datasets": [one for one in self.server.datasets if one["name"] == asked.get("name")],
            "/examples": list(self.server.examples.values()) if asked.get("offset", "0") == "0" else [],
            "/sessions": [one for one in self.server.sessions if one["name"] == asked.get("name")],
            "/settings": {"id": str(uuid.uuid4()), "display_name": "made", "created_at": TIME},
        }
        self._answer(known.get(url.path), url.path)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlparse(self.path).path
        with self.server.lock:
            self._answer(self._stored(path, body), path)

    do_PATCH = do_POST

    def _stored(self, path: str, body: bytes) -> Any:
        server = self.server
        if path == "/datasets":
            server.datasets.append({**json.loads(body), "created_at": TIME, "id": str(uuid.uuid4()), "tenant_id": None})
            return server.datasets[-1]
        if path == "/examples/bulk":
            made = json.loads(body)
            for one in made:
                server.examples[one["id"]] = {**one, "created_at": TIME}
            return made
        if path == "/sessions":
            server.sessions.append({**json.loads(body), "tenant_id": str(uuid.uuid4())})
            return server.sessions[-1]
        if path.startswith("/sessions/"):
            return {}
        if path == "/runs/batch":
            sent = json.loads(body)
            for one in [*(sent.get("post") or []), *(sent.get("patch") or [])]:
                server.runs.setdefault(one["id"], {}).update(one)
            return {}
        if path == "/feedback":
            server.feedback.append(json.loads(body))
            return server.feedback[-1]
        return None

    def _answer(self, value: Any, path: str) -> None:
        if self.headers.get("x-api-key") != KEY:
            status, value = 401, {"detail": "Invalid token"}
        elif value is None:
            self.server.unknown.append(f"{self.command} {path}")
            status, value = 404, {"detail": "no such place"}
        else:
            status = 200
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def client(service: Service, key: str = KEY) -> Client:
    return Client(api_url=f"http://127.0.0.1:{service.server_port}", api_key=key)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.open(made_run(tmp_path / "made.run", 45)) as opened:
        yield opened


@pytest.mark.enable_socket
def test_a_run_becomes_a_data_set_and_an_experiment_an_arm(service: Service, run: RunFile) -> None:
    found = export_experiments(run, client(service))
    assert service.unknown == []
    assert [(each.arm, each.examples) for each in found] == [("zero_shot", 45), ("aurelia", 45)]
    assert len(service.datasets) == 1 and len(service.examples) == 45
    assert {session["reference_dataset_id"] for session in service.sessions} == {service.datasets[0]["id"]}
    roots = [sent for sent in service.runs.values() if sent.get("reference_example_id")]
    assert len(roots) == 90
    assert {sent["reference_example_id"] for sent in roots} == service.examples.keys()
    told = [sent for sent in service.feedback if sent["key"] == "correct"]
    assert sum(sent.get("score") is not None for sent in told) == len(list(run.scores("correct")))
    assert len([sent for sent in service.feedback if sent["key"] == "failed" and sent.get("score") == 1]) == 1
    shown = arm_accuracy([row.case for row in read_report_rows(run)], "aurelia")
    assert shown.value is not None
    assert found[1].scores["correct"] == pytest.approx(shown.value / 100)


@pytest.mark.enable_socket
def test_a_second_time_the_data_set_is_not_made_again(service: Service, run: RunFile) -> None:
    for _ in range(2):
        export_experiments(run, client(service))
    assert (len(service.datasets), len(service.examples), len(service.sessions)) == (1, 45, 4)


@pytest.mark.enable_socket
def test_a_refused_key_is_one_line_without_the_key(service: Service, run: RunFile) -> None:
    with pytest.raises(AureliaError, match="LANGSMITH_API_KEY") as caught:
        export_experiments(run, client(service, "wrong-secret-key"))
    assert "wrong-secret-key" not in str(caught.value)


def test_the_command_without_a_key_prints_and_sends_nothing(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY", raising=False)
    found = CliRunner().invoke(report_app, ["langsmith", str(run.path)], catch_exceptions=False)
    assert "aurelia-made: 45 examples, 44 answered, 1 failed, 59.1% right" in found.output
    assert "; means: correct 0.591" in found.output
    assert "Nothing was sent" in found.output


def test_without_a_client_it_runs_here_and_sends_nothing(run: RunFile) -> None:
    """Sockets are switched off in this test."""
    found = export_experiments(run, None)
    assert [(each.name, each.examples) for each in found] == [("zero_shot-made", 45), ("aurelia-made", 45)]
    assert 0 < found[0].scores["correct"] < found[1].scores["correct"] < 1
