"""The live scenario: one question about a clip whose truth is known, through the real graph, with a small budget."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurelia import profiles
from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import missing_requirements
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import ROLES

QUESTION = "Which shape moves while the tone is heard?"
CHOICES = ["the red circle", "the blue square", "neither of them"]
RIGHT = CHOICES[0]
DOLLARS = 0.10
TOKENS = 200_000
AGENTS = ("generator", "summarizer", "evaluator", "feedback")


class Bill(NamedTuple):
    """What one question cost."""

    what: str
    result: dict[str, Any]

    def line(self) -> str:
        used = self.result["usage"]
        dollars = "price unknown" if used["cost_usd"] is None else f"${used['cost_usd']:.4f}"
        return (
            f"{self.what}: {self.result['answer'][:80]!r} in {self.result['seconds']:.0f} s; {used['calls']} calls,"
            f" {used['media_uploads']} media sent, {used['input_tokens']} tokens read ({used['cached_tokens']} cached),"
            f" {used['output_tokens']} written, {dollars}"
        )


class Live:
    """Asks the question, each time as a new process would."""

    def __init__(self, clip: Path, home: Path, bills: list[Bill]) -> None:
        self.settings = Settings(home=home, allow_any_file=True)
        self.clip, self.bills, self.desks = clip, bills, list[ModelClient]()

    def close(self) -> None:
        for desk in self.desks:
            desk.close()

    def ask(self, what: str, profile: str = "offline", **context: Any) -> dict[str, Any]:
        """The result; at most two attempts."""
        known = {"threshold": 10, "max_iterations": 2, "frames": 8, "max_tokens": TOKENS, **context}
        self.desks.append(ModelClient(self.settings))
        question: Any = {"video": str(self.clip), "question": QUESTION, "choices": CHOICES}
        result = asyncio.run(
            answer_question(question, profiles.context_from_profile(profile, known), client=self.desks[-1])
        )
        self.bills.append(Bill(what, result))
        return result

    def replies(self) -> list[tuple[str, dict[str, Any]]]:
        """Role and reply of every call that was paid for."""
        with closing(sqlite3.connect(self.settings.ledger_file)) as ledger:
            rows = ledger.execute("SELECT role, reply FROM calls ORDER BY created").fetchall()
        return [(role, json.loads(reply)) for role, reply in rows]


def needs(provider: str) -> None:
    """Skips, naming what this machine lacks."""
    if lacks := missing_requirements(provider):
        pytest.skip(f"{provider} lacks {', '.join(lacks)}")


def everyone(model: str | None) -> dict[str, str]:
    """The model in every role; nothing without one, so that the profile's own models stand."""
    return dict.fromkeys(ROLES, model) if model else {}


def check_loop(live: Live, result: dict[str, Any]) -> None:
    """The loop ended well, every agent kept its form at the first try, and the bill is not empty."""
    attempts = result["iterations"]
    assert result["stop_reason"] in ("threshold", "max_iterations"), result["warnings"]
    assert len(attempts) == (1 if result["stop_reason"] == "threshold" else 2)
    assert all(attempt["error"] is None and 1 <= attempt["score"] <= 10 for attempt in attempts)
    assert result["best"]["steps"] and result["answer"].strip() and result["zero_shot_answer"].strip()
    asked = [role for role, _ in live.replies()]
    expected = {"generator": len(attempts), "summarizer": len(attempts), "evaluator": len(attempts)}
    expected |= {"feedback": len(attempts) - 1}
    assert {role: asked.count(role) for role in AGENTS} == expected, "an agent had to be asked again for its form"
    used = result["usage"]
    assert used["calls"] == len(asked)
    assert used["input_tokens"] > 1000 and used["output_tokens"] > len(asked)
    assert 0 <= used["cached_tokens"] <= used["input_tokens"]


def check_again(live: Live, what: str, profile: str, **context: Any) -> None:
    """The same question once more costs nothing."""
    assert live.ask(f"{what}, again", profile, **context)["usage"]["calls"] == 0


def check_wrong_key(live: Live, monkeypatch: pytest.MonkeyPatch, variable: str, wrong: str, **asked: Any) -> None:
    """A key that nobody gave out is one line, without the key, before anything is sent."""
    real = os.environ[variable]
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(InputError) as told:
        live.ask("wrong key", **asked)
    said = str(told.value)
    assert variable in said and "\n" not in said
    assert wrong not in said and wrong[:12] not in said and real not in said
    assert not live.settings.ledger_file.exists() or live.replies() == []
