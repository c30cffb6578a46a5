"""Every name in docs/architecture.md exists: paths, dotted names, commands, variables and single words of the code."""

import ast
import importlib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

from aurelia.cli.main import add_commands, main_app
from aurelia_core.plugins import EntryPointGroup

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]
_FOLDERS = "|".join([*PACKAGES, "tests", "docs", "deploy"])
_PATH = re.compile(r"\.?[\w.*-]+/[\w./*-]*|[\w.-]+\.(?:py|md|toml|json|yml|txt|lock|png|svg)|Makefile|\.env\.example")
_DOTTED = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
_WORD = re.compile(r"[A-Za-z_]\w*")
_BARE = re.compile(rf"(?<![\w./-])(?:(?:{_FOLDERS})/[\w./*-]+\w|(?:{'|'.join(PACKAGES)})(?:\.[a-zA-Z_]\w*)+)")
ORDER = ["aurelia_core", "state, targets", "prompts", "nodes", "graph", "aurelia", "aurelia_offline"]


@cache
def words_of_the_code() -> set[str]:
    """Every identifier and every whole string of the packages, and the commands of the Makefile."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for field in ("name", "id", "attr", "arg", "value"):
                    value = getattr(node, field, None)
                    if isinstance(value, str):
                        found.add(value)
    return found


@cache
def words_of_the_data() -> str:
    """The data files, where keys and model names stand."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.toml")]
    return "\n".join(path.read_text(encoding="utf-8") for path in [*files, ROOT / ".env.example", ROOT / "Makefile"])


@cache
def options() -> set[str]:
    """Every option of every command."""
    found: set[str] = set()
    waiting: list[Any] = [get_command(main_app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        for parameter in command.params:
            found.update(parameter.opts)
    return found


def fault_of(name: str) -> str | None:
    """What is wrong with one name of the page; None if it exists."""
    if name in get_args(EntryPointGroup):
        return None
    if name.startswith(("aurelia ", "make ")):
        return _command_fault(name)
    if name.startswith("--"):
        return None if name in options() else f"no command has the option {name}"
    if _DOTTED.fullmatch(name) and not _PATH.fullmatch(name):
        return _dotted_fault(name)
    if _PATH.fullmatch(name):
        return None if list(ROOT.glob(name.strip("/"))) else f"there is no file {name}"
    if name in PACKAGES:
        return None
    if not re.fullmatch(r"[\w.:=\" -]+", name):
        return f"{name} is no name: write it without backticks"
    if _WORD.fullmatch(name.split(".")[0]) and set(name.split(".")) <= words_of_the_code():
        return None
    return None if name in words_of_the_data() else f"no code of the project has {name}"


def _dotted_fault(name: str) -> str | None:
    parts = name.split(".")
    found: Any = None
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
            break
        except ModuleNotFoundError:
            continue
    for place, part in enumerate(parts[length:], length):
        fields = {**getattr(found, "model_fields", {}), **getattr(found, "__annotations__", {})}
        if not hasattr(found, part) and part not in fields:
            return f"{'.'.join(parts[:place])} has no {part}"
        found = getattr(found, part, None)
    return None


def _command_fault(name: str) -> str | None:
    program, *words = name.split()
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        return None if re.search(rf"^{re.escape(words[0])}:", makefile, re.M) else f"there is no {name}"
    add_commands([words[0]])
    command: Any = get_command(main_app)
    for word in words:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return f"there is no command {name}"
    return None


def names() -> list[str]:
    """Every name of the page: in backticks, and paths and dotted names in plain text or a code block."""
    blocks = re.findall(r"^```.*?^```", PAGE, re.M | re.S)
    text = re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S)
    marked = re.findall(r"`([^`\n]+)`", text)
    bare = _BARE.findall("\n".join([re.sub(r"`[^`\n]+`", "", text), *blocks]))
    return sorted({*marked, *bare})


def section(title: str) -> str:
    """The text of one section of the page."""
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.M)[0]


def test_every_name_exists() -> None:
    found = names()
    assert len(found) > 150
    assert [fault for name in found if (fault := fault_of(name))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "nodes/prepar.py",
        "nodes/*.rs",
        "state/schema.toml",
        "nodes.prepare.prepar",
        "nodes.prepar",
        "state.context.Context.treshold",
        "aurelia_core.models.client.ModelClient.say",
        "aurelia.bench.runner.House",
        "Desk",
        "when_def",
        "AURELIA_HOMES",
        "aurelia bench go",
        "aurelia questions",
        "make tests",
        "--sever",
        "aurelia.providres",
        "s* = M(v, a, q)",
    ],
)
def test_a_wrong_name_is_found(wrong: str) -> None:
    assert fault_of(wrong)


@pytest.mark.parametrize(
    "right",
    [
        "nodes/prepare.py",
        "prompts/*.md",
        "nodes.prepare.prepare",
        "state.context.Context.threshold",
        "aurelia.datasets",
    ],
)
def test_a_right_name_is_none_the_worse(right: str) -> None:
    assert fault_of(right) is None


def test_names_outside_of_backticks_are_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PAGE", "See nodes/nowhere.py and state.nowhere.f.\n```\ngraph/nowhere.py\n```\n")
    assert names() == ["graph/nowhere.py", "nodes/nowhere.py", "state.nowhere.f"]


def test_the_storeys_are_those_of_the_contract() -> None:
    rows = re.findall(r"^\| `([\w`, ]+)` \|", section("The storeys"), re.M)
    assert [row.replace("`", "") for row in rows] == ORDER
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [layer.replace(" | ", ", ") for layer in reversed(contract["layers"])]
    assert [layer for layer in layers if layer != "benchmarks"] == ORDER


def test_the_page_is_whole() -> None:
    changes = re.findall(r"^\| (?!I want to|---)[^|]+\| [^|]*`[^|]*\|$", section("I want to change"), re.M)
    terms = re.findall(r"^\| \*\*[^|]+\*\* \| [^|]+\|$", section("Glossary"), re.M)
    assert len(changes) >= 20 and len(terms) >= 30
