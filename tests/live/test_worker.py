"""A research repository as a worker: AURELIA_LIVE_WORKER, the name of a row in workers/ of your AURELIA_HOME."""

import shutil
from typing import Any

import pytest

from aurelia_core.settings import Settings
from tests.live.scenario import Live

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(7200)]


def test_it_is_a_target(live: Live, variable: Any) -> None:
    name = variable("AURELIA_LIVE_WORKER", "a row in workers/ of AURELIA_HOME")
    row = Settings.from_environment(local=True).home / "workers" / f"{name}.toml"
    if not row.is_file():
        pytest.skip(f"workers/{name}.toml is not in AURELIA_HOME")
    (live.settings.home / "workers").mkdir(parents=True)
    shutil.copy(row, live.settings.home / "workers")
    result = live.ask(f"worker:{name} as the target", target=f"worker:{name}")
    assert result["best"]["steps"] and result["answer"].strip() and result["zero_shot_answer"].strip()
    assert [role for role, _ in live.replies()].count("target") == 2
