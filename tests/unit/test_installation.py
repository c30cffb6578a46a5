"""Advice that fits the installation, and what holds on other systems: imports, types, a container."""

import ast
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from aurelia_core import installation
from aurelia_core.errors import InputError

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["mypy"]["packages"]
POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "readline"}


class Distribution:
    """An installed package with what pip stored about its source."""

    def __init__(self, origin: Any) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return json.dumps(self._origin) if self._origin else None


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'aurelia[google]'"),
        ({"url": "file:///a/clone", "dir_info": {"editable": True}}, "pip install -e '.[google]'"),
        (
            {"url": "file:///a/clone", "dir_info": {}},
            "pip install '.[google]' in the folder that aurelia was installed from",
        ),
        (
            {"url": "https://me:secret@host/a/b.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            "pip install 'aurelia[google] @ git+https://host/a/b.git'",
        ),
    ],
)
def test_the_advice_fits_the_installation(origin: Any, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.metadata, "distribution", lambda name: Distribution(origin))
    monkeypatch.setattr(installation, "_ROOT", ROOT / "docs")
    installation._origin.cache_clear()
    try:
        assert installation.install_command("google") == command
    finally:
        installation._origin.cache_clear()


def test_code_that_runs_from_a_clone_gets_the_advice_for_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.metadata, "distribution", lambda name: Distribution(None))
    installation._origin.cache_clear()
    try:
        assert installation.install_command("google") == "pip install -e '.[google]'"
    finally:
        installation._origin.cache_clear()


def test_every_advice_names_an_extra_that_exists() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = set()
    for path in sources():
        named.update(re.findall(r"install_command\(\"(\w+)\"\)|install_command\('(\w+)'\)", path.read_text("utf-8")))
    found = {one or other for one, other in named}
    assert len(found) > 4 and found <= extras
    fixed = [path.stem for path in sources() if "pip install -e" in path.read_text("utf-8")]
    assert fixed == ["installation"]


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def test_no_module_needs_a_posix_module_to_be_imported() -> None:
    found = []
    for path in sources():
        waiting: list[ast.stmt] = list(ast.parse(path.read_text("utf-8")).body)
        while waiting:
            node = waiting.pop()
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                waiting += [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
            found += [f"{path.name}: {name}" for name in names if name.split(".")[0] in POSIX_ONLY]
    assert found == []


def test_a_system_without_the_safeguards_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installation.check_system()
    monkeypatch.delattr(os, "pread")
    with pytest.raises(InputError, match="WSL 2"):
        installation.check_system()


def test_every_installed_package_is_typed() -> None:
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    tops = {pattern.split(".")[0].rstrip("*") for pattern in patterns}
    assert tops == set(PACKAGES)
    assert [name for name in tops if not (ROOT / name / "py.typed").is_file()] == []
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_the_container_copies_all_packages_and_nothing_that_is_left_out() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [words.split()[1:-1] for words in text.splitlines() if words.startswith("COPY ")]
    names = {name for line in copied for name in line}
    left_out = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert set(PACKAGES) | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == names
    assert not names & set(left_out) and all((ROOT / name).exists() for name in names)
    assert 'ENTRYPOINT ["aurelia"]' in text and "langgraph" not in text.casefold().split("from ", 1)[1]


def test_a_demo_installs_no_extra_that_it_does_not_run() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    rule = re.search(r"^\$\(DEMO_READY\):.*\n((?:\t.*\n)+)", makefile, re.M)
    assert rule is not None
    # The demo's agents read text and hear voices.
    assert re.search(r"--editable '\.\[senses\]'$", rule[1], re.M) and "dev" not in rule[1]
    light = {re.split(r"[<>=\[;]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert not light & {"torch", "transformers", "pyarrow", "selenium", "langgraph-cli", "matplotlib"}
