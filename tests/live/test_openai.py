"""OpenAI with a real key: OPENAI_API_KEY; AURELIA_LIVE_OPENAI names another model than the profile's."""

import os

import pytest

from tests.live.scenario import DOLLARS, RIGHT, Live, check_again, check_loop, check_wrong_key, everyone, needs

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(1800)]


def asked() -> dict[str, object]:
    needs("openai")
    name = os.environ.get("AURELIA_LIVE_OPENAI")
    return {"max_cost_usd": DOLLARS, **everyone(f"openai:{name}" if name else None)}


def test_the_whole_loop_with_frames(live: Live) -> None:
    settings = asked()
    result = live.ask("openai", "openai", **settings)
    check_loop(live, result)
    assert result["choice"] == RIGHT, result["answer"]
    seeing = sum(role in ("generator", "evaluator", "target") for role, _ in live.replies())
    assert result["usage"]["media_uploads"] == seeing
    assert result["usage"]["cost_usd"] is not None and 0 < result["usage"]["cost_usd"] < 10 * DOLLARS
    assert all("does not hear" in warning for warning in result["warnings"])
    check_again(live, "openai", "openai", **settings)


def test_a_wrong_key_is_one_line(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = asked()
    wrong = "sk-proj-nobodygaveoutthiskey00000000"
    check_wrong_key(live, monkeypatch, "OPENAI_API_KEY", wrong, profile="openai", **settings)
