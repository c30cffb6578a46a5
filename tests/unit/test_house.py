"""The house: names, sizes, prompts, targets, profiles, and help without weight (import-linter keeps the imports)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import prompts
from aurelia import profiles
from aurelia_core.errors import InputError
from state.context import Context
from targets import find_target, target_rows

ROOT = Path(__file__).parents[2]
# Scripts that run in environments of their own, each by itself.
WORKERS = ROOT / "targets" / "workers"
TWICE = {"app", "main"}
PACKAGES = ("aurelia_core", "aurelia", "aurelia_offline", "graph", "nodes", "state", "prompts", "targets")
LONGEST_MODULE = 500


def modules() -> list[Path]:
    return [path for top in PACKAGES for path in (ROOT / top).rglob("*.py")]


def public_names(path: Path) -> set[str]:
    """The public functions, classes and constants that a module defines at its top."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def test_modules_stay_small() -> None:
    long = [str(path) for path in modules() if len(path.read_text().splitlines()) > LONGEST_MODULE]
    assert long == []


def test_one_public_name_means_one_thing() -> None:
    where: dict[str, list[str]] = {}
    for path in modules():
        if path.parent == WORKERS:
            continue
        for name in public_names(path):
            where.setdefault(name, []).append(str(path.relative_to(ROOT)))
    # `app` and `main` are what servers and entry points look for.
    twice = {name: paths for name, paths in where.items() if len(paths) > 1 and name not in TWICE}
    assert twice == {}


def test_nothing_reaches_other_code_over_the_search_path() -> None:
    edits = re.compile(r"sys\.path(\.|\[)|syspath_prepend")
    found = [
        str(path.relative_to(ROOT))
        for top in (*PACKAGES, "tests", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
        if edits.search(path.read_text()) and path.name not in ("host.py", "test_house.py")
        # These run in environments of workers, which do not have this project.
        if path.parent not in (WORKERS, ROOT / "tests" / "workers" / "tiny")
    ]
    assert found == []


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ask", "--help"], ["ask", "--video", "missing.mp4", "--question", "x"], ["ask", "--threshold", "0"]],
)
def test_help_and_errors_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from aurelia.cli.main import main; sys.argv = ['aurelia', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'langgraph', 'langchain_core', 'librosa'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-300:]


def test_every_prompt_is_there_and_hashed() -> None:
    assert {path.stem for path in (ROOT / "prompts").glob("*.md")} == set(prompts.PROMPT_NAMES)
    hashes = prompts.prompt_hashes()
    assert set(hashes) == {*prompts.PROMPT_NAMES, "render", "media", "schemas"}
    assert len(set(hashes.values())) == len(hashes)


def test_a_users_braces_are_not_placeholders() -> None:
    filled = prompts.fill_prompt("evaluator", caption="{{score}} {caption} %s {{caption}}")
    assert "{{score}} {caption} %s {{caption}}" in filled


@pytest.mark.parametrize("values", [{}, {"caption": "x", "question": "y"}])
def test_a_prompt_wants_exactly_its_placeholders(values: dict[str, str]) -> None:
    with pytest.raises(InputError, match="placeholders"):
        prompts.fill_prompt("evaluator", **values)


def test_every_target_row_is_valid_and_found() -> None:
    assert {"default", "offline"} <= target_rows().keys()
    assert find_target("offline:measure").title == "the offline measuring target"
    assert find_target("anything:else") == target_rows()["default"]


@pytest.mark.parametrize("name", profiles.profile_names())
def test_every_profile_is_a_documented_context(name: str) -> None:
    assert profiles.read_profile(name)["description"]
    assert profiles.context_from_profile(name, {}).profile == name


def test_a_profile_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('threshold = 6\ninject = "full"\n')
    context = profiles.context_from_profile(str(path), {"threshold": None, "max_iterations": 2})
    assert (context.profile, context.threshold, context.inject, context.max_iterations) == ("mine", 6, "full", 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [("threshold = 12", "threshold"), ("tau = 5", "tau"), ("threshold = ", "not valid TOML")],
)
def test_a_bad_profile_names_its_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        profiles.context_from_profile(str(path), {})


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="offline"):
        profiles.read_profile("nowhere")


def test_every_setting_is_described_and_titled() -> None:
    for name, field in Context.model_fields.items():
        assert field.title and field.description, name
