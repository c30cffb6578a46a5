"""Gemini with a real key: GOOGLE_API_KEY (or GEMINI_API_KEY); AURELIA_LIVE_GEMINI names another model."""

import os

import pytest

from tests.live.scenario import DOLLARS, RIGHT, Live, check_again, check_loop, check_wrong_key, everyone, needs

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(1800)]


def asked() -> dict[str, object]:
    needs("google_genai")
    name = os.environ.get("AURELIA_LIVE_GEMINI")
    return {"max_cost_usd": DOLLARS, **everyone(f"google_genai:{name}" if name else None)}


def test_the_whole_loop_with_one_upload(live: Live) -> None:
    settings = asked()
    result = live.ask("gemini", "gemini", **settings)
    check_loop(live, result)
    assert result["choice"] == RIGHT, result["answer"]
    assert result["usage"]["media_uploads"] == 1
    assert result["usage"]["cost_usd"] is not None and 0 < result["usage"]["cost_usd"] < 10 * DOLLARS
    assert result["warnings"] == []
    check_again(live, "gemini", "gemini", **settings)


def test_a_wrong_key_is_one_line(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = asked()
    name = "GOOGLE_API_KEY" if os.environ.get("GOOGLE_API_KEY") else "GEMINI_API_KEY"
    check_wrong_key(live, monkeypatch, name, "AIzaSyNobodyGaveOutThisKey000000000000", profile="gemini", **settings)
