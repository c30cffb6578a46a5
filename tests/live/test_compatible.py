"""A server of your own: AURELIA_COMPATIBLE_URL (and _KEY, _MEDIA, _STRUCTURED), AURELIA_LIVE_COMPATIBLE its model."""

from typing import Any

import pytest

from tests.live.scenario import Live, check_again, check_loop, everyone, needs

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(3600)]


@pytest.fixture
def spec(variable: Any) -> str:
    needs("compatible")
    return f"compatible:{variable('AURELIA_LIVE_COMPATIBLE', 'the name under which the server has the model')}"


def test_it_is_a_target(live: Live, spec: str) -> None:
    result = live.ask(f"{spec} as the target", target=spec, unsupported_modality="evidence")
    assert result["best"]["steps"] and result["answer"].strip() and result["zero_shot_answer"].strip()
    assert result["usage"]["calls"] > 2
    replies = [reply for role, reply in live.replies() if role == "target"]
    assert len(replies) == 2
    assert all(reply["usage_metadata"]["input_tokens"] > 0 for reply in replies)


def test_the_whole_loop(live: Live, spec: str) -> None:
    settings = {**everyone(spec), "unsupported_modality": "evidence"}
    result = live.ask(f"{spec} in all roles", **settings)
    check_loop(live, result)
    check_again(live, spec, "offline", **settings)
