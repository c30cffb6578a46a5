"""The documentation site builds strictly and offline: a dead link, a dead anchor or a page without a place fails."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
README_LINES = 200


def built(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """`make docs` of a checkout."""
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}
    return subprocess.run([*BUILD, str(site)], cwd=source, env=environment, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the pages in a folder where everything else is linked."""
    source = tmp_path / "checkout"
    source.mkdir()
    shutil.copytree(ROOT / "docs", source / "docs")
    shutil.copy(ROOT / "README.md", source)
    for path in ROOT.iterdir():
        if path.name not in ("docs", "README.md", ".git", "build"):
            (source / path.name).symlink_to(path)
    return source


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    pages = [path for path in tmp_path.rglob("*.html") if path.name != "404.html"]
    written = [path for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) == len(written) + 4
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"", text)
        assert [target for target in loaded if target.startswith(("http:", "https:", "//"))] == [], page.name
        for picture in re.findall(r"<img\b[^>]*?\bsrc=\"([^\"]+)\"", text):
            assert (page.parent / picture).is_file(), f"{page.name}: {picture}"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("README.md", "[here](docs/nowhere.md)"),
        ("README.md", "[here](docs/results.md#nowhere)"),
        ("README.md", "[here](nodes/nowhere.py)"),
        ("docs/benchmark.md", "[here](nowhere.md)"),
        ("docs/benchmark.md", "[here](#nowhere)"),
        ("docs/benchmark.md", "![here](pictures/nowhere.png)"),
        ("docs/benchmark.md", "[here](../nodes/nowhere.py)"),
    ],
)
def test_a_dead_link_or_anchor_fails(checkout: Path, page: str, text: str) -> None:
    with (checkout / page).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    done = built(checkout, checkout.parent / "site")
    assert done.returncode == 1 and "nowhere" in done.stderr, done.stderr[-500:]


def test_a_page_that_is_not_in_the_navigation_fails(checkout: Path) -> None:
    (checkout / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    done = built(checkout, checkout.parent / "site")
    assert done.returncode == 1 and "lost.md" in done.stderr


def test_the_readme_is_short_and_names_the_map_first() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES
    assert any("docs/architecture.md" in line for line in lines[:12])
