"""What the live tests share: a clip whose truth is known, a home of the test's own, and the bill at the end."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurelia_offline.world.scene import Scene, write_scene
from tests.live.scenario import Bill, Live

TRUTH: dict[str, Any] = {
    "seconds": 4.0,
    "fps": 12,
    "width": 320,
    "height": 240,
    "background": "black",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.25, "y": 0.5, "size": 0.35, "moves": [[0.5, 1.5]]},
        {"colour": "blue", "shape": "square", "x": 0.75, "y": 0.5, "size": 0.35, "moves": [[2.5, 3.5]]},
    ],
    "sounds": [{"start": 0.5, "end": 1.5, "voice": "tone", "pitch": 440.0, "level": -14.0}],
}
MORE_THAN_INLINE = 1_200_000
BILLS: list[Bill] = []


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: the red circle moves while the only tone sounds, then the blue square in silence. 1.2 MB."""
    path = tmp_path_factory.mktemp("live") / "truth.mp4"
    write_scene(Scene.model_validate(TRUTH), path)
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", MORE_THAN_INLINE, b"free") + bytes(MORE_THAN_INLINE - 8))
    return path


@pytest.fixture
def live(clip: Path, tmp_path: Path) -> Iterator[Live]:
    """Asks about the clip."""
    made = Live(clip, tmp_path / "home", BILLS)
    yield made
    made.close()


@pytest.fixture
def variable() -> Any:
    """The value of a variable, or a skip that names it."""

    def read(name: str, what: str) -> str:
        value = os.environ.get(name, "").strip()
        if not value:
            pytest.skip(f"{name} is not set: {what}")
        return value

    return read


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each question that was asked."""
    for bill in BILLS:
        terminalreporter.write_line(f"live: {bill.line()}")
