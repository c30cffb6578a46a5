"""What README and docs tell a user to type works: commands and options exist, and the Python of the pages runs."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from aurelia.cli.main import add_commands, main_app
from tests.docs.test_architecture import PACKAGES, fault_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = ("README.md", "docs/python.md")
MARKED = [*PAGES, ROOT / "tests" / "live" / "README.md", ROOT / "aurelia_offline" / "targets" / "mini" / "README.md"]
NAMES = re.compile(rf"(?:{'|'.join([*PACKAGES, 'tests', 'docs', 'deploy'])})[./][\w./*-]+")
NEW_FILES = {"prompts/critic.md", "nodes/critic.py", "state.py"}
"""Files of the reader."""
OF_A_PACKAGE = {"sounds"}
"""Commands that the example package of docs/extending.md adds (tests/docs/test_extending.py runs them)."""


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def command_lines(path: Path) -> Iterator[list[str]]:
    """The words of every `aurelia` command of a page: in shell blocks, and in backticks with an argument."""
    text = path.read_text(encoding="utf-8")
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`(aurelia [^`\n]+)`", text)
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["aurelia"] and not words[1].isupper():
            yield words[1:]


def unknown_part(words: list[str]) -> str | None:
    """The command or option that `aurelia WORDS` has in vain; None if there is none."""
    command: Any = get_command(main_app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        if rest[0] == "--help":
            return None
        name = rest.pop(0)
        if name not in command.commands:
            default = getattr(command, "default_command", None)
            if default is None:
                return name
            rest, name = [name, *rest], default
        command = command.commands[name]
    options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    named = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return next((option for option in named if option not in {*options, "--help"}), None)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_and_option_of_a_page_exists(path: Path) -> None:
    add_commands(["mini"])
    found = [words for words in command_lines(path) if words[0] not in OF_A_PACKAGE]
    assert [(words, part) for words in found if (part := unknown_part(words))] == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("ask --vidoe x", "--vidoe"),
        ("bench rnu x", "rnu"),
        ("answer", "answer"),
        ("mini study --question 5", "--question"),
    ],
)
def test_a_wrong_command_or_option_is_found(line: str, part: str) -> None:
    assert unknown_part(shlex.split(line)) == part


def test_the_pages_have_commands() -> None:
    assert sum(1 for path in PAGES for _ in command_lines(path)) > 50


@pytest.mark.parametrize("path", MARKED, ids=lambda path: path.parent.name + path.stem)
def test_every_path_and_dotted_name_of_a_page_exists(path: Path) -> None:
    marked = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S))
    found = {name for name in marked if NAMES.fullmatch(name)} - NEW_FILES
    assert [fault for name in sorted(found) if (fault := fault_of(name))] == []


def scripts() -> list[tuple[str, str]]:
    """Every Python block of the pages whose code is whole."""
    return [(name, block) for name in SCRIPTS for block in blocks(ROOT / name, "python")]


@pytest.mark.parametrize("number", range(6))
def test_the_python_of_the_pages_runs(
    number: int, duet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, block = scripts()[number]
    shutil.copy(duet, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    if "build_graph" in block:
        monkeypatch.setenv("AURELIA_MEDIA_ROOTS", str(tmp_path))
    exec(compile(block, name, "exec"), {"__name__": "__main__"})
    if "print" in block:
        assert capsys.readouterr().out.strip()


def test_every_python_block_is_run() -> None:
    assert len(scripts()) == 6
