"""The notebook of docs runs from top to bottom, draws what it says, and is stored with what it shows."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="needs pip install -e '.[notebook]'")
pytest.importorskip("pandas", reason="needs pip install -e '.[notebook]'")

from tests.docs import notebook

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.ipynb"
STORED: dict[str, Any] = json.loads(PAGE.read_text(encoding="utf-8"))


def kinds(cells: list[Any]) -> list[list[str]]:
    """For each cell of code what it shows."""
    shown = []
    for cell in cells:
        if cell["cell_type"] == "code":
            shown.append([kind for output in cell["outputs"] for kind in output.get("data", {"stdout": 0})])
    return shown


def text_of(cells: list[Any]) -> str:
    return "".join(line for cell in cells for output in cell.get("outputs", []) for line in output.get("text", []))


async def test_the_notebook_runs_inside_a_running_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AURELIA_MEDIA_ROOTS", raising=False)
    cells = notebook.run(PAGE)["cells"]
    assert "with reasoning: right | without: unknown" in text_of(cells)
    assert kinds(cells) == kinds(STORED["cells"]), "make pictures stores it anew"
    assert sum(parts.count("image/png") for parts in kinds(cells)) == 2
    table = cells[-1]["outputs"][0]["data"]["text/plain"]
    assert "unknown" in table and "How many sounds are heard?" in table


def test_the_stored_notebook_shows_no_place_on_a_machine() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not [word for word in ("/tmp/", "/home/", "/root/", "/work/") if word in text]
    assert "right | without: unknown" in text_of(STORED["cells"])
