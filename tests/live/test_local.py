"""Local weights in this process: AURELIA_LIVE_WEIGHTS, a folder or an id of weights that are on this machine."""

from typing import Any

import pytest

from aurelia_core.models.registry import known_providers
from tests.live.scenario import Live, check_again, check_loop, everyone, needs

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(7200)]


@pytest.fixture
def spec(variable: Any) -> str:
    if "transformers" not in known_providers():
        pytest.skip("this version has no provider named transformers")
    needs("transformers")
    return f"transformers:{variable('AURELIA_LIVE_WEIGHTS', 'a folder or an id of weights')}"


def test_they_are_a_target(live: Live, spec: str) -> None:
    result = live.ask(f"{spec} as the target", target=spec, unsupported_modality="evidence")
    assert result["best"]["steps"] and result["answer"].strip() and result["zero_shot_answer"].strip()
    assert [role for role, _ in live.replies()].count("target") == 2


def test_the_whole_loop(live: Live, spec: str) -> None:
    settings = {**everyone(spec), "unsupported_modality": "evidence"}
    result = live.ask(f"{spec} in all roles", **settings)
    check_loop(live, result)
    check_again(live, spec, "offline", **settings)
