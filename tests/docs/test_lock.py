"""The lock of dependencies: whole, pinned, with hashes, the versions that are tested together, and nothing but that."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
APART = {"torch", "aurelia"}
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def pinned() -> list[tuple[Requirement, list[str]]]:
    """Each entry with its hashes."""
    entries = re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    parts = [entry.split(" --hash=") for entry in entries if entry.strip()]
    return [(Requirement(part[0].strip()), [text.strip() for text in part[1:]]) for part in parts]


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, extras of its own unfolded."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [
        found for lines in lists for line in lines if canonicalize_name((found := Requirement(line)).name) not in APART
    ]


def test_every_entry_has_one_version_and_its_hashes() -> None:
    entries = pinned()
    assert len(entries) > 100
    for entry, hashes in entries:
        assert re.fullmatch(r"==[^*,]+", str(entry.specifier)) and entry.url is None, entry
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), entry


def test_all_that_is_asked_for_is_in_it_within_bounds() -> None:
    versions: dict[str, set[str]] = {}
    for entry, _ in pinned():
        versions.setdefault(canonicalize_name(entry.name), set()).add(str(entry.specifier).removeprefix("=="))
    for asked in wanted():
        found = versions.get(canonicalize_name(asked.name), set())
        assert found and all(asked.specifier.contains(one) for one in found), f"{asked}: make lock"


def test_it_agrees_with_the_versions_that_are_tested() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line]
    tested = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    for entry, _ in pinned():
        version = str(entry.specifier).removeprefix("==")
        assert tested.get(canonicalize_name(entry.name), version) == version, f"{entry}: make lock"


@pytest.mark.parametrize("never", ["://", "--index", "--find-links", "nvidia", "\ntorch==", "-e ", "@ "])
def test_it_names_no_place_and_nothing_that_depends_on_the_machine(never: str) -> None:
    assert never not in LOCK


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', 0, "1 of 1 dependencies looked up, 0 with"),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}]}',
            1,
            "a 1: X-1, mended by 2",
        ),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', 2, "Not looked up: a"),
        ('{"dependencies": []}', 2, "0 of 0"),
        ("", 2, "The audit could not be made; the list of known faults has to be reachable."),
    ],
)
def test_the_audit_says_what_it_could_not_look_up(said: str, status: int, words: str) -> None:
    stub = [sys.executable, "-c", f"print({said!r})"]
    done = subprocess.run([sys.executable, str(ROOT / ".ci" / "audit"), *stub], capture_output=True, text=True)
    assert (done.returncode, words in done.stdout + done.stderr) == (status, True), done
