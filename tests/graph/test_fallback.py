"""A role's fallback model: asked once when the role's own fails for good, recorded, billed; refused early if bad."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.call_ledger import MAX_TRIES
from aurelia_core.models.client import ModelClient
from state.context import ROLES, Context, make_context
from tests.support.google_fixtures import SPEC
from tests.support.google_server import Gemini, error
from tests.support.openai_server import KEY, Fault
from tests.support.scripted import ScriptedChat, scripted, verdict

pytestmark = pytest.mark.enable_socket
MINI = "openai:gpt-4o-mini"


def note(role: str, instead: str, spec: str = "openai:gpt-4o") -> str:
    return f"{instead} answered as {role} instead of {spec}, which failed: {spec} did not answer (status 500"


async def test_the_fallback_answers_when_the_retries_are_used_up(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(500)] * MAX_TRIES)
    result = await set_up.ask(max_iterations=1, generator_fallback=MINI)
    attempt = result["iterations"][0]
    assert (attempt["score"], attempt["fallbacks"], attempt["error"]) == (9, ["generator"], None)
    assert result["warnings"][0].startswith(note("generator", MINI))
    assert set_up.server.asked == MAX_TRIES + 5
    assert [sent.body["model"] for sent in set_up.server.by("generator")] == ["gpt-4o-mini"]
    assert result["usage"]["calls"] == 5


async def test_another_provider_stands_in_and_both_are_on_the_bill(gemini: Gemini, place: Any) -> None:
    set_up = place()
    set_up.server.faults.append(Fault("content_filter"))
    result = await set_up.ask(max_iterations=1, generator_fallback=SPEC)
    assert gemini.roles() == ["generator"] and result["iterations"][0]["fallbacks"] == ["generator"]
    assert result["usage"]["calls"] == set_up.server.billed["calls"] + gemini.billed["calls"] == 6
    assert result["usage"]["input_tokens"] == set_up.server.billed["input"] + gemini.billed["input"]
    assert result["iterations"][0]["usage"]["calls"] == 4


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_may_have_one(stage: Any, role: str) -> None:
    model = scripted(**{"evaluator": [verdict(3), verdict(9)], role: [ValueError("out of order")]})
    other = scripted(evaluator=[verdict(9)])
    set_up = stage(model)
    result = await both(set_up, other, **{f"{role}_fallback": "other:one"})
    assert result["stop_reason"] == "threshold" and result["answer"] == "with"
    assert set(other.said) == {role}
    warned = [
        warning for warning in result["warnings"] if warning.startswith(f"other:one answered as {role} instead of")
    ]
    assert len(warned) == 1 and "out of order" in warned[0]
    noted = {name for attempt in result["iterations"] for name in attempt["fallbacks"]}
    assert noted == ({role} - {"target"})


async def both(set_up: Any, other: ScriptedChat, **context: Any) -> dict[str, Any]:
    providers = {"scripted": lambda name, store: set_up.model, "other": lambda name, store: other}
    desk = ModelClient(set_up.desk.settings, providers=providers, store=set_up.desk.store, ledger=set_up.desk.ledger)
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    return await answer_question(
        question, make_context({**dict.fromkeys(ROLES, "scripted:one"), **context}), client=desk
    )


async def test_a_reply_that_stays_out_of_form_is_a_failure_too(stage: Any) -> None:
    set_up = stage(scripted(evaluator=["Good.", "Very good."]))
    result = await both(set_up, scripted(evaluator=[verdict(8)]), evaluator_fallback="other:one")
    assert (result["score"], result["usage"]["calls"]) == (8, 7)
    assert "gave no usable reply as evaluator in two attempts" in result["warnings"][0]


async def test_a_fallback_that_fails_too_is_one_failure_with_both_bills(stage: Any) -> None:
    set_up = stage(scripted(evaluator=["Good.", "Very good."]))
    other = scripted(evaluator=["Bad.", "Very bad."])
    result = await both(set_up, other, evaluator_fallback="other:one", max_iterations=1)
    error = result["iterations"][0]["error"]
    assert "scripted:one gave no usable reply" in error and "Its fallback failed too: other:one" in error
    assert (result["stop_reason"], other.said["evaluator"]) == ("no_valid_score", 2)
    # Without a reasoning both answers are one request, paid once.
    assert result["usage"]["calls"] == 1 + 1 + 4 + 1


async def test_a_target_and_its_fallback_that_fail_end_the_run(stage: Any) -> None:
    set_up = stage(scripted(target=[ValueError("gone")]))
    with pytest.raises(ModelError, match="gone.*Its fallback failed too: other:one.*gone as well"):
        await both(set_up, scripted(target=[ValueError("gone as well")]), target_fallback="other:one")


async def test_a_mistake_of_the_user_is_never_passed_on(stage: Any) -> None:
    set_up, other = stage(scripted(generator=[InputError("That cannot be.")])), scripted()
    with pytest.raises(InputError, match="That cannot be"):
        await both(set_up, other, generator_fallback="other:one")
    assert not other.said


async def test_the_fallbacks_reply_is_kept_and_free_the_second_time(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(500)] * MAX_TRIES)
    await set_up.ask(max_iterations=1, generator_fallback=MINI)
    set_up.server.faults.extend([Fault(500)] * MAX_TRIES)
    again = await set_up.ask(max_iterations=1, generator_fallback=MINI)
    assert again["usage"]["calls"] == 0 and again["iterations"][0]["fallbacks"] == ["generator"]


async def test_the_target_fallback_is_asked_in_the_form_that_it_wants(place: Any, stage: Any) -> None:
    from targets import find_target, target_rows

    spec = next(pattern for row in target_rows().values() for pattern in row.models if "*" not in pattern)
    assert (
        find_target(spec).reasoning != target_rows()["default"].reasoning
        or find_target(spec).short != target_rows()["default"].short
    )
    other = scripted(target=["there"])
    set_up = stage(scripted(target=[ValueError("gone")]))
    provider = spec.partition(":")[0]
    known = {"scripted": lambda name, store: set_up.model, provider: lambda name, store: other}
    desk = ModelClient(set_up.desk.settings, providers=known, store=set_up.desk.store, ledger=set_up.desk.ledger)
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    roles = dict.fromkeys(ROLES, "scripted:one")
    await answer_question(question, make_context({**roles, "target_fallback": spec, "compare": False}), client=desk)
    assert find_target(spec).short in other.heard[0][2][-1].text


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        ("nowhere:x", "There is no model 'nowhere:x'"),
        ("openai:gpt-9", "There is no model openai:gpt-9"),
        ("google_genai:gemini-0-none", "Google has no such model"),
        ("openai:gpt-4o-audio-preview", "gpt-4o-audio-preview answers only requests with sound"),
    ],
)
async def test_a_fallback_that_cannot_be_is_refused_before_anything_is_paid(
    gemini: Gemini, place: Any, fallback: str, said: str
) -> None:
    set_up = place()
    with pytest.raises(InputError, match=said):
        await set_up.ask(feedback_fallback=fallback)
    assert set_up.server.asked == gemini.calls["generate"] == 0


async def test_a_wrong_key_is_said_early_for_both(gemini: Gemini, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-wrong")
    with pytest.raises(InputError, match="does not accept the key"):
        await set_up.ask(feedback_fallback=SPEC)
    with pytest.raises(InputError, match="does not accept the key"):
        await set_up.ask(target=SPEC)
    assert set_up.server.asked == 0


async def test_a_lookup_that_meets_a_passing_fault_stops_nothing(gemini: Gemini, place: Any) -> None:
    gemini.faults["model"] = [error(503, "UNAVAILABLE", "Overloaded.")]
    result = await place().ask(max_iterations=1, feedback_fallback=SPEC)
    assert result["answer"] == "an answer"


def test_fallbacks_are_plain_fields_of_the_form() -> None:
    context = Context(target_fallback=SPEC)
    assert context.fallbacks() == {"target": SPEC}
    with pytest.raises(InputError, match="evaluator_fallback"):
        make_context({"evaluator_fallback": "gemini"})


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["generator", "judge=offline:measure"])
def test_the_command_line_takes_them_by_role(entry: str, duet: Path, tmp_path: Path) -> None:
    known = {**os.environ, "AURELIA_HOME": str(tmp_path), "OPENAI_API_KEY": KEY, "OMP_NUM_THREADS": "1"}
    asked = [sys.executable, "-m", "aurelia", "ask", "--video", str(duet), "--question", "How many sounds are heard?"]
    ended = subprocess.run([*asked, "--fallback", entry], capture_output=True, text=True, env=known)
    assert ended.returncode == 2 and "--fallback" in ended.stderr
    given = ["--json", "--max-iterations", "1", "--fallback", "generator=offline:measure"]
    ended = subprocess.run([*asked, *given], capture_output=True, text=True, env=known)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["iterations"][0]["fallbacks"] == []


def test_an_attempt_of_an_older_thread_has_no_fallbacks() -> None:
    from state.schema import merge_attempts, new_attempt

    old: Any = {name: value for name, value in new_attempt(1).items() if name != "fallbacks"}
    merged = merge_attempts([old], [{"iteration": 1, "fallbacks": ["evaluator"]}])
    assert merged[0]["fallbacks"] == ["evaluator"]
