"""What a user is told before a run: profiles whose access is here, and questions that the target cannot answer."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from aurelia.cli import doctor
from aurelia.cli.profile_hint import print_hints, why_unanswerable
from aurelia.cli.progress import ProgressPrinter
from aurelia_core.models.client import ModelClient
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.questions.question import parse_question
from state.context import make_context
from tests.docs.test_pages import ROOT

VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "AURELIA_COMPATIBLE_URL")


@pytest.fixture(autouse=True)
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def hints(question: str, settings: Any, *, named: bool = False, **context: Any) -> str:
    console = Console(record=True, width=300, file=StringIO())
    client = ModelClient(settings)
    asked = {"question": question, "choices": []}
    print_hints(ProgressPrinter(None, console), client, make_context(context), asked, profile_named=named)
    return console.export_text()


def test_without_a_key_nothing_is_offered(settings: Any) -> None:
    assert hints("How many sounds are heard?", settings) == ""


@pytest.mark.parametrize(
    ("variable", "profile"),
    [("GEMINI_API_KEY", "gemini"), ("OPENAI_API_KEY", "openai"), ("AURELIA_COMPATIBLE_URL", "compatible")],
)
def test_a_profile_whose_access_is_here_is_offered_once(
    variable: str, profile: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1")
    (line,) = hints("How many sounds are heard?", settings).splitlines()
    assert f"--profile {profile}" in line and "because none was named" in line
    assert hints("How many sounds are heard?", settings, named=True) == ""
    assert hints("How many sounds are heard?", settings, target="openai:x") == ""


def test_a_package_that_is_missing_is_named_with_the_profile(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor,
        "examine_profile",
        lambda name, client: {"lacks": ["the package x"] if name == "openai" else ["the variable Y"]},
    )
    assert "--profile openai (lacks the package x)" in hints("How many sounds are heard?", settings)


def test_a_question_about_things_says_at_once_what_it_needs(settings: Any) -> None:
    (line,) = hints("What animal is shown?", settings).splitlines()
    assert "the question speaks of 'animal'" in line
    assert "GOOGLE_API_KEY" in line and "--profile gemini" in line


def test_the_questions_of_the_readme_are_answered_or_not_as_it_says() -> None:
    rows = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.count("?") == 2]
    asked = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("|")]
    assert len(asked) == 3
    model = MeasuringChat(store=None)
    for known, unknown in asked:
        assert parse_question(known, []).ask != "unknowable"
        assert why_unanswerable(model, known, []) is None
        assert why_unanswerable(model, unknown, [])
