"""Explicit context caches at Google, for `prompt_cache = "explicit"`: made once, used, lost, expired, billed."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.models.google.billing import cache_is_worthwhile, cache_storage_cost, gemini_call_cost
from aurelia_core.models.google.context_cache import CACHE_LIFETIME_SECONDS
from state.context import Context
from tests.support.google_cache_server import Caches
from tests.support.google_fixtures import SPEC
from tests.support.google_server import MODEL, Gemini, error, gone
from tests.support.openai_fixtures import AGENTS

pytestmark = pytest.mark.enable_socket
EXPLICIT = {"prompt_cache": "explicit"}
SEEING = ("generator", "evaluator", "target")


def seeing(gemini: Gemini) -> list[dict[str, Any]]:
    return [body for role, body in gemini.asked if role in SEEING]


def expire(play: Any) -> None:
    with sqlite3.connect(play.desks[0].store.settings.home / "google_files.sqlite") as connection:
        connection.execute("UPDATE heads SET expires = 1")
    connection.close()


def dollars(gemini: Gemini, tokens: int) -> float:
    """What the server's replies cost, and the making of a cache of so many tokens of which a tenth is sound."""
    made = (tokens * 0.9 * 0.3 + tokens * 0.1 * 1.0 + tokens * 1.0 * CACHE_LIFETIME_SECONDS / 3600) / 1e6
    return made + sum(gemini_call_cost(MODEL, used) or 0.0 for used in gemini.bills)


async def test_the_head_is_cached_once_for_three_attempts_and_both_answers(
    gemini: Gemini, play: Any, big: Path
) -> None:
    result = await play(big, max_iterations=3, **EXPLICIT)
    assert len(result["iterations"]) == 3 and result["warnings"] == gemini.refused == []
    assert gemini.calls["cache"] == 1 and len(seeing(gemini)) == 8
    made = gemini.caches.made[0]
    assert made["ttl"] == "300s" and made["model"] == f"models/{MODEL}"
    assert [sorted(part)[0] for part in made["contents"][0]["parts"]] == ["fileData", "text"]
    assert "audio-visual clip" in made["systemInstruction"]["parts"][0]["text"]
    for body in seeing(gemini):
        assert body["cachedContent"] == "cachedContents/c000" and "systemInstruction" not in body
        assert "About the clip: " not in body["contents"][0]["parts"][0]["text"]
    texts = [body for role, body in gemini.asked if role not in SEEING]
    assert texts and all("cachedContent" not in body and "systemInstruction" in body for body in texts)
    usage = result["usage"]
    assert usage["cached_tokens"] == 8 * 2000
    assert usage["input_tokens"] == gemini.billed["input"] == 2000 + 8 * 2400 + len(texts) * 1000
    assert usage["cost_usd"] == pytest.approx(dollars(gemini, 2000))
    assert usage["media_uploads"] == len(gemini.files) == 1


async def test_closer_looks_come_after_the_cached_head(gemini: Gemini, play: Any, big: Path) -> None:
    await play(big, max_iterations=2, **EXPLICIT)
    second = [body for role, body in gemini.asked if role == "generator"][1]
    parts = second["contents"][0]["parts"]
    assert [part["videoMetadata"]["startOffset"] for part in parts if "videoMetadata" in part] == ["0.200s", "1.200s"]
    assert "attempt 2" in parts[-1]["text"]


async def test_a_reply_out_of_form_is_sent_back_behind_the_cache(gemini: Gemini, play: Any, duet: Path) -> None:
    gemini.script["evaluator"] = ["I like it.", {"score": 8, "justification": "good"}]
    result = await play(duet, max_iterations=1, **EXPLICIT)
    assert result["score"] == 8 and gemini.refused == []
    second = [body for role, body in gemini.asked if role == "evaluator"][1]
    assert [content["role"] for content in second["contents"]] == ["user", "model", "user"]
    assert second["cachedContent"]


async def test_another_question_and_process_uses_the_same_cache_until_it_expires(
    gemini: Gemini, play: Any, duet: Path
) -> None:
    costs = []
    for rollout in range(3):
        if rollout == 2:
            expire(play)
        result = await play(duet, max_iterations=1, rollout=rollout, **EXPLICIT)
        costs.append((gemini.calls["cache"], result["usage"]["input_tokens"]))
    assert [calls for calls, _ in costs] == [1, 1, 2]
    assert costs[0][1] == costs[2][1] == costs[1][1] + 2000


async def test_a_cache_that_is_lost_in_mid_run_costs_one_request_without(gemini: Gemini, play: Any, duet: Path) -> None:
    def lose(number: int, body: dict[str, Any]) -> dict[str, Any]:
        gemini.caches.kept.clear() if number == 0 else None
        return {"caption": f"A tone is heard, {number}."}

    gemini.script["summarizer"] = lose
    result = await play(duet, max_iterations=3, **EXPLICIT)
    assert [attempt["score"] for attempt in result["iterations"]] == [3, 4, 5] and not result["warnings"]
    assert gemini.refused == ["CachedContent not found (or permission denied)"]
    named = [body.get("cachedContent") for body in seeing(gemini)]
    assert named == ["cachedContents/c000", None, *["cachedContents/c001"] * 6]
    assert result["usage"]["input_tokens"] == gemini.billed["input"]
    assert play.waits == []


async def test_a_cache_that_google_ended_early_is_a_lost_one(gemini: Gemini, play: Any, duet: Path) -> None:
    def end(number: int, body: dict[str, Any]) -> dict[str, Any]:
        for known in gemini.caches.kept.values():
            known["ends"] = 0.0
        return {"caption": "A tone is heard."}

    gemini.script["summarizer"] = end
    result = await play(duet, max_iterations=1, **EXPLICIT)
    assert result["score"] == 3 and gemini.calls["cache"] == 2
    assert result["usage"]["input_tokens"] == gemini.billed["input"]


async def test_a_head_that_is_too_small_goes_out_as_usual_and_is_not_tried_again(
    gemini: Gemini, play: Any, duet: Path
) -> None:
    gemini.caches.tokens = 900
    result = await play(duet, max_iterations=2, **EXPLICIT)
    assert gemini.calls["cache"] == 1 and "too small" in gemini.refused[0]
    assert all("cachedContent" not in body for body in seeing(gemini))
    assert len(result["warnings"]) == 1 and "total_token_count=900, min_total_token_count=1024" in result["warnings"][0]
    assert result["usage"]["input_tokens"] == gemini.billed["input"]


@pytest.mark.parametrize(
    "fault",
    [
        error(503, "UNAVAILABLE", "The service is currently unavailable."),
        error(429, "RESOURCE_EXHAUSTED", "TotalCachedContentStorageTokensPerModelFreeTier limit exceeded: limit: 0"),
        error(404, "NOT_FOUND", "models/x is not found, or is not supported for createCachedContent."),
    ],
)
async def test_no_cache_is_no_failure(gemini: Gemini, play: Any, duet: Path, fault: Any) -> None:
    gemini.faults["cache"] = [fault]
    result = await play(duet, max_iterations=1, **EXPLICIT)
    passing = fault["error"]["code"] == 503
    assert result["answer"].startswith("Two tones") and len(result["warnings"]) == (0 if passing else 1)
    assert gemini.calls["cache"] == (2 if passing else 1)
    assert sum("cachedContent" in body for body in seeing(gemini)) == (3 if passing else 0)


async def test_a_cache_that_was_made_for_a_role_that_fails_is_on_the_bill(
    gemini: Gemini, play: Any, duet: Path
) -> None:
    gemini.faults["generate"] = [error(500, "INTERNAL", "Internal."), error(400, "INVALID_ARGUMENT", "Bad.")]
    others = dict.fromkeys(("evaluator", "summarizer", "feedback"), "offline:measure")
    result = await play(duet, max_iterations=1, **others, **EXPLICIT)
    assert result["iterations"][0]["usage"]["input_tokens"] == 2000
    assert result["usage"]["input_tokens"] == gemini.billed["input"]
    assert result["usage"]["calls"] == gemini.billed["calls"] == 1
    assert result["usage"]["cost_usd"] > 0


async def test_a_file_that_vanished_is_uploaded_again_for_the_cache(gemini: Gemini, play: Any, big: Path) -> None:
    gemini.faults["cache"] = [gone("files/f1").body]
    result = await play(big, max_iterations=1, **EXPLICIT)
    assert result["usage"]["media_uploads"] == 2 and gemini.calls["cache"] == 2
    assert all("cachedContent" in body for body in seeing(gemini))


async def test_nothing_is_cached_unless_asked_for_or_where_it_cannot_pay(gemini: Gemini, play: Any, duet: Path) -> None:
    await play(duet, max_iterations=1)
    others = dict.fromkeys(AGENTS, "offline:measure")
    await play(duet, max_iterations=1, compare=False, **EXPLICIT, **{**others, "target": SPEC})
    assert gemini.calls["cache"] == 0 and len(gemini.asked) == 6


async def test_how_it_is_paid_decides_no_reply(gemini: Gemini, play: Any, duet: Path) -> None:
    first = await play(duet, max_iterations=1)
    again = await play(duet, max_iterations=1, **EXPLICIT)
    assert (first["usage"]["calls"], again["usage"]["calls"], gemini.calls["cache"]) == (5, 0, 0)


@pytest.mark.parametrize(
    ("body", "model", "said"),
    [
        ({}, MODEL, None),
        ({"systemInstruction": {}}, MODEL, "system_instruction"),
        ({"tools": []}, MODEL, "move those values to CachedContent"),
        ({}, "gemini-2.5-pro", "has to be the same"),
        ({"cachedContent": "cachedContents/other"}, MODEL, "gone"),
    ],
)
def test_the_loopback_server_refuses_what_google_refuses(body: dict[str, Any], model: str, said: str | None) -> None:
    caches = Caches()
    contents = [{"role": "user", "parts": [{"text": "x"}]}]
    made = caches.make({"model": f"models/{MODEL}", "contents": contents, "ttl": "300s"})
    assert isinstance(made, dict)
    fault = caches.fault({"cachedContent": made["name"], **body}, model)
    assert fault is None if said is None else said in (fault or "")


def test_calls_that_are_sure_to_come_are_counted_for_each_roles_model() -> None:
    same = dict.fromkeys(AGENTS, SPEC)
    assert Context(**same).sure_calls() == {"generator": 4, "evaluator": 3, "target": 2}
    assert Context(**same, compare=False).sure_calls()["target"] == 1
    mixed = Context(**{**same, "evaluator": "openai:gpt-4o"})
    assert mixed.sure_calls() == {"generator": 3, "evaluator": 1, "target": 2}


def test_when_a_cache_pays() -> None:
    assert [cache_is_worthwhile("gemini-2.5-flash", calls, 300) for calls in (1, 2)] == [False, True]
    assert [cache_is_worthwhile("gemini-2.5-flash-lite", calls, 300) for calls in (2, 3)] == [False, True]
    assert [cache_is_worthwhile("gemini-unheard-of", calls, 300) for calls in (2, 3)] == [False, True]
    assert not cache_is_worthwhile("gemini-2.5-flash", 2, 3600 * 5)


def test_what_making_a_cache_costs() -> None:
    heard = {"cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 200}]}
    assert cache_storage_cost("gemini-2.5-flash", 2000, 300, heard) == pytest.approx(
        (1800 * 0.3 + 200 + 2000 / 12) / 1e6
    )
    assert cache_storage_cost("gemini-3.8-flash", 2000, 300, heard) is None
    assert cache_storage_cost("gemini-3.8-flash", 0, 300, heard) == 0.0
