"""The rooms of the house: imports go one way, prompts and targets are in order, help and errors come without weight."""

import ast
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
ORDER = [
    (
        "aurelia_core.errors",
        "aurelia_core.answers.answer_leaks",
        "aurelia_core.sanitize",
        "aurelia_core.settings",
        "aurelia_core.answers.tokens",
        "aurelia_core.answers.options",
        "aurelia_core.answers.multiple_choice",
        "state",
        "prompts",
    ),
    ("aurelia.profiles", "aurelia_core.media"),
    ("aurelia_core.signals",),
    ("aurelia_core.models",),
    ("targets",),
    ("nodes",),
    ("graph",),
    ("aurelia.bench",),
    (
        "aurelia.report",
        "aurelia_offline",
        "aurelia.server",
        "aurelia.cli.doctor",
        "aurelia.cli.progress",
        "aurelia.cli.trace_view",
    ),
    ("aurelia.cli.options",),
    (
        "aurelia.cli.bench",
        "aurelia.cli.bench_import",
        "aurelia.cli.bench_report",
        "aurelia_offline.cli",
        "aurelia.cli.threads",
    ),
    ("aurelia.cli.main", "aurelia.__main__", "aurelia_offline.demo"),
]
SCENES = ("aurelia_offline.world.scene", "aurelia_offline.world.synth")


def room(module: str) -> int | None:
    """The floor of a module, None for a foreign one."""
    if any(module == scene or module.startswith(f"{scene}.") for scene in SCENES):
        return 0
    floors = {name: floor for floor, names in enumerate(ORDER) for name in names}
    known = [name for name in floors if module == name or module.startswith(f"{name}.")]
    return floors[max(known, key=len)] if known else None


def imports(path: Path) -> set[str]:
    """The modules that a file imports for its work, those for type checking aside."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return [
        path
        for top in ("aurelia", "graph", "nodes", "state", "prompts", "targets")
        for path in (ROOT / top).rglob("*.py")
    ]


def test_imports_go_one_way() -> None:
    wrong = []
    for path in modules():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        floor = room(name)
        if name == "aurelia":
            continue
        assert floor is not None, f"{name} stands on no floor of the house"
        for imported in imports(path):
            below = room(imported)
            if below is not None and below > floor:
                wrong.append(f"{name} imports {imported}")
    assert not wrong


def test_modules_stay_small() -> None:
    assert [str(path) for path in modules() if len(path.read_text().splitlines()) > 300] == []


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
    assert len(set(hashes.values())) == len(prompts.PROMPT_NAMES)


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


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_is_a_documented_context(name: str) -> None:
    assert profiles.read(name)["description"]
    assert profiles.context_for(name, {}).profile == name


def test_a_profile_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('threshold = 6\ninject = "full"\n')
    context = profiles.context_for(str(path), {"threshold": None, "max_iterations": 2})
    assert (context.profile, context.threshold, context.inject, context.max_iterations) == ("mine", 6, "full", 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [("threshold = 12", "threshold"), ("tau = 5", "tau"), ("threshold = ", "not valid TOML")],
)
def test_a_bad_profile_names_its_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        profiles.context_for(str(path), {})


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="offline"):
        profiles.read("nowhere")


def test_every_setting_is_described_and_titled() -> None:
    for name, field in Context.model_fields.items():
        assert field.title and field.description, name
