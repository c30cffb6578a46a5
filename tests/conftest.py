"""Shared fixtures: a home of its own for every test, one small clip, and the real graph around a scripted model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import Scene, write_scene
from tests.support.scripted import ScriptedChat
from tests.support.stage import DUET, Stage, no_wait

pytest_plugins = ["tests.support.google_fixtures", "tests.support.openai_fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switch for tests/live."""
    parser.addoption("--run-live", action="store_true", help="run tests/live too: they need keys, weights or a server")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests of the offline package, and leaves the live tests out unless they are asked for."""
    for item in items:
        if "offline" in item.path.relative_to(Path(__file__).parent).parts:
            item.add_marker(pytest.mark.offline)
    if not config.getoption("--run-live"):
        for item in items:
            if item.get_closest_marker("live"):
                item.add_marker(pytest.mark.skip(reason="runs with --run-live (make live)"))


@pytest.fixture(scope="session")
def duet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds: a red circle (left) with a loud 440 Hz tone, then a blue square (right) with a soft high one."""
    path = tmp_path_factory.mktemp("clips") / "duet.mp4"
    write_scene(Scene.model_validate(DUET), path)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A person's settings with a home of the test's own."""
    return Settings(home=tmp_path / "home", allow_any_file=True)


@pytest.fixture(scope="session")
def session_store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """One clip store for all tests that only need clips read."""
    return ClipStore(Settings(home=tmp_path_factory.mktemp("store"), allow_any_file=True))


@pytest.fixture(scope="session")
def tiny_omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2.5-Omni with random weights, in a folder laid out like a published one."""
    from tests.support import tiny_qwen_omni

    return tiny_qwen_omni.write(tmp_path_factory.mktemp("weights") / "tiny-omni")


@pytest.fixture
def stage(settings: Settings, session_store: ClipStore, duet: Path) -> Iterator[Any]:
    """Makes a Stage for a script."""
    desks: list[ModelClient] = []

    def make(model: ScriptedChat, ledger: Path | None = None) -> Stage:
        book = CallLedger(ledger or settings.ledger_file, sleep=no_wait)
        desk = ModelClient(
            settings, providers={"scripted": lambda name, store: model}, store=session_store, ledger=book
        )
        desks.append(desk)
        return Stage(model, desk, duet)

    yield make
    for desk in desks:
        desk.ledger.close()
