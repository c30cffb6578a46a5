"""The live tests themselves, run against the strict servers on loopback, so that they stay fit to be run with a key."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import google_server as wire_google
from tests.support import openai_server as wire_openai
from tests.support.scripted import verdict

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
OTHERS = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "AURELIA_GOOGLE_URL", "GOOGLE_GENAI_USE_VERTEXAI", "AURELIA_HOME")
WORKER = "def load(options):\n    return None\n\n\ndef answer(model, request):\n    return 'the red circle'\n"
RIGHT = "A. the red circle"


def live(*arguments: str, **environment: str) -> Any:
    """`make live` with these variables and no other of a provider's: its outcomes by kind, and what it printed."""
    left = (*wire_openai.VARIABLES, *OTHERS)
    known = {name: value for name, value in os.environ.items() if name not in left and "AURELIA_LIVE" not in name}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/live", "--run-live", "-p", "no:cacheprovider", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**known, **environment},
    )  # fmt: skip
    last = ended.stdout.strip().splitlines()[-1]
    return {
        kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|skipped|deselected|errors?)", last)
    }, ended.stdout


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Any]:
    """Starts Gemini, OpenAI, a server of one's own and a worker, whose targets say what is given; their variables."""
    opened: list[Any] = []

    def start(answer: str) -> dict[str, str]:
        gemini = wire_google.Gemini()
        gemini.script = {"target": [answer]}
        hosted = wire_openai.WireOpenAI(evaluator=[verdict(3), verdict(9)], target=[answer])
        own = wire_openai.WireOpenAI(key=None, evaluator=[verdict(3), verdict(9)], target=[answer])
        opened.extend([gemini, hosted, own])
        home = tmp_path / "home"
        (home / "workers").mkdir(parents=True)
        (tmp_path / "script.py").write_text(WORKER)
        row = f'protocol = 2\npython = "{sys.executable}"\nscript = "{tmp_path / "script.py"}"\n'
        (home / "workers" / "mine.toml").write_text(row)
        return {
            "AURELIA_HOME": str(home),
            "GOOGLE_API_KEY": wire_google.KEY,
            "AURELIA_GOOGLE_URL": gemini.url,
            "AURELIA_LIVE_GEMINI": wire_google.MODEL,
            "OPENAI_API_KEY": wire_openai.KEY,
            "OPENAI_BASE_URL": hosted.url,
            "AURELIA_COMPATIBLE_URL": own.url,
            "AURELIA_LIVE_COMPATIBLE": "omni",
            "AURELIA_LIVE_WORKER": "mine",
        }

    yield start
    for server in opened:
        server.close()


def test_every_scenario_passes_where_its_provider_behaves(servers: Any) -> None:
    outcomes, printed = live(**servers(RIGHT))
    assert outcomes == {"passed": 7, "skipped": 2}, printed
    assert re.search(
        r"live: gemini: .* 9 calls, 1 media sent, \d{4,} tokens read \(\d{3,} cached\), .*\$0\.\d", printed
    )
    assert re.search(r"live: openai: .* 9 calls, 6 media sent", printed)
    assert "live: compatible:omni in all roles" in printed and "live: worker:mine as the target" in printed


def test_a_wrong_answer_fails_and_so_does_an_agent_that_does_not_keep_its_form(servers: Any) -> None:
    known = servers("B. the blue square")
    rambles = wire_openai.WireOpenAI(key=None, summarizer=["Well.", {"caption": "A tone."}])
    outcomes, printed = live("-k", "whole_loop", **{**known, "AURELIA_COMPATIBLE_URL": rambles.url})
    rambles.close()
    assert outcomes == {"failed": 3, "skipped": 1, "deselected": 5}, printed
    assert len(re.findall(r"^E +AssertionError: the blue square", printed, re.MULTILINE)) == 2
    assert "an agent had to be asked again for its form" in printed


def test_without_anything_each_says_what_it_lacks() -> None:
    outcomes, printed = live()
    assert outcomes == {"skipped": 9}
    for name in ("GOOGLE_API_KEY", "OPENAI_API_KEY", "AURELIA_COMPATIBLE_URL", "AURELIA_LIVE_WORKER"):
        assert f"lacks the variable {name}" in printed or f"{name} is not set" in printed
