"""What a run says it used is what the providers say they billed, whatever goes wrong on the way.

A reply that breaks off on its way is left out: its counts never arrive, so no client can know them.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.errors import ModelError
from aurelia_core.models.call_ledger import MAX_TRIES
from aurelia_core.models.google.billing import gemini_call_cost
from aurelia_core.models.registry import known_providers, make_model
from aurelia_core.types import NO_USAGE
from tests.support.google_fixtures import SPEC
from tests.support.google_server import BLOCKED, MODEL, Gemini, error, limited, reply
from tests.support.openai_fixtures import AGENTS
from tests.support.openai_server import Fault
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket
PAID = {"promptTokenCount": 1300, "candidatesTokenCount": 70, "thoughtsTokenCount": 9, "totalTokenCount": 1379}
# Paid, and tried again: the reply that follows has to carry its price.
EMPTY = reply("", {**PAID, "cachedContentTokenCount": 600})
REFUSED: list[Any] = [
    reply("", PAID, "SAFETY"),
    reply("Once upon a", PAID, "RECITATION"),
    reply('{"steps": [', PAID, "MAX_TOKENS"),
    EMPTY,
    {**BLOCKED, "usageMetadata": {"promptTokenCount": 1300, "totalTokenCount": 1300}},
]
UNPAID: list[Any] = [limited(1), error(503, "UNAVAILABLE", "Overloaded."), error(500, "INTERNAL", "Internal."), "drop"]
FAULTS = [Fault(kind) for kind in ("refusal", "length", "content_filter", "empty", "drop", 500, 429, 400)]


def bill(usage: dict[str, Any]) -> dict[str, int]:
    names = {"calls": "calls", "input": "input_tokens", "output": "output_tokens", "cached": "cached_tokens"}
    return {short: usage[name] for short, name in names.items()}


def billed(counted: Any) -> dict[str, int]:
    return {name: counted[name] for name in ("calls", "input", "output", "cached")}


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_on_gemini_states_what_google_billed(gemini: Gemini, play: Any, duet: Path, seed: int) -> None:
    chance = random.Random(seed)
    # Every attempt uses up one fault at least, so that five leave the target alone.
    gemini.faults["generate"] = [*(chance.choice(REFUSED + UNPAID) for _ in range(4)), EMPTY]
    gemini.script["evaluator"] = chance.choice([["I like it.", verdict(4), verdict(5)], [verdict(6)]])
    result = await play(duet, threshold=10)
    assert gemini.faults["generate"] == []
    assert bill(result["usage"]) == billed(gemini.billed)
    assert result["usage"]["cost_usd"] == pytest.approx(
        sum(gemini_call_cost(MODEL, used) or 0.0 for used in gemini.bills)
    )


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_on_openai_states_what_was_billed(place: Any, seed: int) -> None:
    chance = random.Random(seed)
    set_up = place(evaluator=[verdict(4)])
    set_up.server.faults.extend([*(chance.choice(FAULTS) for _ in range(4)), Fault("empty")])
    result = await set_up.ask(threshold=10, max_iterations=5)
    assert not set_up.server.faults
    assert bill(result["usage"]) == billed(set_up.server.billed)


@pytest.mark.parametrize("seed", range(4))
async def test_two_providers_and_fallbacks_make_one_bill(gemini: Gemini, place: Any, seed: int) -> None:
    chance = random.Random(seed)
    set_up = place(evaluator=[verdict(4)])
    set_up.server.faults.extend(chance.choice(FAULTS) for _ in range(6))
    gemini.faults["generate"] = [chance.choice([None, *REFUSED, *UNPAID]) for _ in range(3)]
    fallbacks = {f"{role}_fallback": SPEC for role in AGENTS}
    # The describer is asked first, and must not meet a fault of the loop.
    gemini.faults["generate"].insert(0, None)
    result = await set_up.ask(threshold=10, max_iterations=3, unsupported_modality=f"describe:{SPEC}", **fallbacks)
    assert bill(result["usage"]) == billed(gemini.billed + set_up.server.billed)


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refused_reply_carries_its_price(gemini: Gemini, session_store: Any, fault: Any) -> None:
    gemini.faults["generate"] = [fault]
    with pytest.raises(ModelError) as told:
        await make_model(SPEC, session_store, known_providers()).ainvoke("Hello")
    used = told.value.usage or NO_USAGE
    assert bill({**used}) == billed(gemini.billed)
    assert used["cost_usd"] == pytest.approx(gemini_call_cost(MODEL, fault["usageMetadata"])) and used["cost_usd"] > 0


async def test_what_was_not_answered_costs_nothing(gemini: Gemini, session_store: Any) -> None:
    gemini.faults["generate"] = [error(400, "INVALID_ARGUMENT", "Bad.")]
    with pytest.raises(ModelError) as told:
        await make_model(SPEC, session_store, known_providers()).ainvoke("Hello")
    assert told.value.usage is None


async def test_every_billed_try_counts_when_all_fail(gemini: Gemini, play: Any, duet: Path) -> None:
    gemini.faults["generate"] = [reply("", PAID)] * MAX_TRIES
    result = await play(duet, max_iterations=1)
    assert result["iterations"][0]["usage"]["calls"] == MAX_TRIES
    assert result["iterations"][0]["usage"]["input_tokens"] == MAX_TRIES * PAID["promptTokenCount"]
    assert bill(result["usage"]) == billed(gemini.billed)


async def test_a_zero_shot_answer_that_is_refused_is_on_the_bill(gemini: Gemini, play: Any, duet: Path) -> None:
    def target(number: int, body: dict[str, Any]) -> str:
        return "" if "Listen" not in str(body["contents"][0]["parts"][-1]) else "Two tones."

    gemini.script["target"] = target
    result = await play(duet, max_iterations=1)
    assert (result["answer"], result["zero_shot_answer"]) == ("Two tones.", None)
    assert result["usage"]["calls"] == 4 + MAX_TRIES
    assert bill(result["usage"]) == billed(gemini.billed)


@pytest.mark.parametrize(
    ("kind", "said"), [("content_filter", "content filter stopped the reply"), ("empty", "empty reply")]
)
async def test_an_empty_reply_of_openai_is_an_error_with_its_price(place: Any, kind: str, said: str) -> None:
    set_up = place()
    set_up.server.faults.append(Fault(kind))
    with pytest.raises(ModelError, match=said) as told:
        await set_up.desk.model("openai:gpt-4o").ainvoke("Hello")
    assert told.value.transient == (kind == "empty")
    assert bill({**(told.value.usage or NO_USAGE)}) == billed(set_up.server.billed)
