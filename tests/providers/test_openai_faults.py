"""The real OpenAI client behind the real graph, against a strict loopback server: faults, keys, refusals."""

import asyncio
from typing import Any

import pytest

from aurelia.cli.doctor import examine_machine
from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import MAX_TRIES, CallLedger
from aurelia_core.models.client import ModelClient
from tests.support.openai_fixtures import Place
from tests.support.openai_server import KEY, Fault

pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize(
    "fault",
    [Fault(429, {"Retry-After": "2"}), Fault(429), Fault(500), Fault(503), Fault("drop"), Fault("truncated")],
    ids=lambda fault: f"{fault.kind}{'+' * bool(fault.headers)}",
)
async def test_passing_faults_are_tried_again_by_the_ledger_alone(place: Any, fault: Fault) -> None:
    set_up = place()
    set_up.server.faults.extend([fault, fault])
    result = await set_up.ask(max_iterations=1, compare=False)
    assert result["answer"] == "an answer"
    assert set_up.tries()[0] == 3
    assert set_up.server.asked == 4 + 2
    assert result["warnings"] == ["openai:gpt-4o does not hear: it was given measurements of the sound instead."]


async def test_the_wait_that_is_asked_for_is_waited_for(place: Any, session_store: ClipStore) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    made = place()
    desk = ModelClient(
        made.desk.settings, store=session_store, ledger=CallLedger(made.ledger.with_name("two"), sleep=sleep)
    )
    made.server.faults.append(Fault(429, {"Retry-After": "7"}))
    await Place(made.server, desk, made.clip, made.ledger).ask(max_iterations=1, compare=False)
    desk.close()
    assert waits == [7.0]


async def test_a_fault_that_stays_is_given_up(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(503)] * 99)
    with pytest.raises(ModelError, match=r"openai:gpt-4o did not answer \(status 503"):
        await set_up.ask(max_iterations=1, compare=False)
    assert set_up.server.asked == 2 * MAX_TRIES


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(413), "shorter clip"),
        (Fault(400), "status 400"),
        (Fault(403), "Check the key"),
        (Fault(429, {}, "insufficient_quota"), r"fault 429\)\. See its message"),
    ],
)
async def test_lasting_faults_are_not_tried_again(place: Any, fault: Fault, said: str) -> None:
    set_up = place()
    set_up.server.faults.extend([fault] * 9)
    with pytest.raises(ModelError, match=said):
        await set_up.ask(max_iterations=1, compare=False)
    assert set_up.server.asked == 2


async def test_a_wrong_key_is_one_line_before_anything_is_uploaded(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()
    wrong = "sk-proj-thewrongkey000000000000"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    with pytest.raises(InputError, match=r"openai:gpt-4o refused the key \(status 401\): check OPENAI_API_KEY") as told:
        await set_up.ask()
    assert set_up.server.asked == 0
    assert "\n" not in str(told.value) and wrong[:12] not in str(told.value)


async def test_the_doctor_asks_whether_the_key_is_good(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()

    def lacks(ask: bool) -> Any:
        found = examine_machine(set_up.desk.settings, ask=ask)["profiles"]
        return next(profile["lacks"] for profile in found if profile["name"] == "openai")

    assert await asyncio.to_thread(lacks, True) == []
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-thewrongkey000000000000")
    assert await asyncio.to_thread(lacks, False) == []
    (first, *_) = await asyncio.to_thread(lacks, True)
    assert "refused the key (status 401): check OPENAI_API_KEY" in first and "thewrongkey" not in first
    assert set_up.server.asked == 0


@pytest.mark.parametrize("form", ['{"error": {"message": "%s is odd"}}', '{"detail": "%s is odd"}', "%s is odd"])
async def test_words_that_hold_the_key_are_not_shown(place: Any, form: str) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(400, body=(form % KEY).encode())] * 9)
    with pytest.raises(ModelError, match="its message contains the key and is not shown") as told:
        await set_up.ask(max_iterations=1, compare=False)
    assert KEY[:12] not in str(told.value)


async def test_a_key_that_is_withdrawn_ends_the_run_at_once(place: Any) -> None:
    set_up = place()
    set_up.server.faults.append(Fault(401))
    with pytest.raises(InputError, match="check OPENAI_API_KEY"):
        await set_up.ask()
    assert set_up.server.asked == 1


async def test_an_unknown_model_is_said_before_anything_is_uploaded(place: Any) -> None:
    set_up = place()
    with pytest.raises(InputError, match="There is no model openai:gpt-9"):
        await set_up.ask("openai:gpt-9")
    assert set_up.server.asked == 0


async def test_a_refusal_is_paid_for_and_asked_again_once(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault("refusal"), Fault("refusal")])
    result = await set_up.ask(max_iterations=1, compare=False)
    assert "gave no usable reply as generator in two attempts" in result["iterations"][0]["error"]
    assert result["iterations"][0]["usage"]["calls"] == 2
    first, again = set_up.server.sent[:2]
    assert again.parts == first.parts
    assert again.body["messages"][2] == {"role": "assistant", "content": "I cannot help with that."}


async def test_an_answer_cut_at_its_limit_is_paid_for_and_none(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault("length")])
    with pytest.raises(ModelError, match=r"gave an incomplete reply \(finish reason length\)") as told:
        await set_up.desk.model("openai:gpt-4o").ainvoke("Hello")
    assert not told.value.transient
    assert (told.value.usage or {}).get("calls") == 1


async def test_a_reply_cut_at_its_limit_is_paid_for_and_asked_again(place: Any) -> None:
    set_up = place()
    set_up.server.faults.append(Fault("length"))
    result = await set_up.ask(max_iterations=1, compare=False)
    assert result["answer"] == "an answer"
    assert result["iterations"][0]["usage"]["calls"] == 4
