"""The pictures of README and docs are there, small, described, load nothing, and show what the commands print."""

import re
from pathlib import Path

import pytest

from tests.docs import pictures
from tests.support.browser import lacking

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def labels(svg: str) -> list[str]:
    """How the lines at a terminal's left edge begin; figures differ from one machine to the next."""
    said = re.findall(r'<text class="\w+-r\d+" x="0" [^>]*>([^<]*)</text>', svg)
    words = [" ".join(re.sub(r"[\d.]+", "#", text.replace("&#160;", " ")).split()) for text in said]
    marked = "Clip|Attempt|Target|Reasoning|Zero-shot|AURELIA|right|[├└]─"
    # The two answers are asked for at once, so that either may be the last line of a trace.
    return sorted(re.sub("[├└]─ ", "", word)[:40] for word in words if re.match(marked, word))


def test_every_picture_stands_on_a_page_with_words_in_its_place() -> None:
    shown: dict[Path, str] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        marked = re.findall(r"!\[([^\]]+)\]\(([\w./-]+)\)", text)
        drawn = re.findall(r'<img src="([\w./-]+)"[^>]* alt="([^"]+)">', text)
        pictures_of_page = {path: words for words, path in marked} | dict(drawn)
        shown |= {(page.parent / path).resolve(): words for path, words in pictures_of_page.items()}
    assert set(shown) == set(FOLDER.resolve().iterdir())
    assert all(len(words) > 60 for words in shown.values())


def test_every_picture_is_small_and_loads_nothing() -> None:
    for path in FOLDER.iterdir():
        assert path.stat().st_size < 200_000, path.name
        if path.suffix == ".svg":
            svg = path.read_text(encoding="utf-8")
            assert not re.search(r"url\(\s*[\"']?https?:|<script|<image|href=|@import", svg), path.name
        else:
            assert path.read_bytes().startswith(b"\x89PNG")


def test_the_terminals_show_what_the_commands_print(tmp_path: Path) -> None:
    pictures.terminals(tmp_path, tmp_path)
    for name in ("run.svg", "trace.svg"):
        kept, made = (labels((folder / name).read_text(encoding="utf-8")) for folder in (FOLDER, tmp_path))
        assert len(kept) > 6, kept
        assert kept == made, "make pictures renews them"


@pytest.mark.skipif(lacking() is None, reason="there is a browser")
def test_without_a_browser_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pictures: "):
        pictures.main(tmp_path / "pictures", tmp_path / "work")
