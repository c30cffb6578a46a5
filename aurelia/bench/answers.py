"""The answer of an outcome as every scorer, report and export reads it: cleaned, without the steps that it restates."""

from collections.abc import Mapping
from typing import Any

from aurelia.bench.run_file import Outcome
from aurelia_core.answers.cleaning import clean_reply

RAW_ANSWER = "raw_answer"
"""Key of an outcome's result: the reply before cleaning, if cleaning changed it."""


def cleaned_answer(outcome: Outcome) -> str | None:
    """The cleaned answer, None without one. Answers are stored cleaned; those of older runs are cleaned here."""
    if outcome.answer is None:
        return None
    return clean_target_reply(outcome.answer, outcome.result or {})


def raw_answer(outcome: Outcome) -> str | None:
    """The target's reply as it came."""
    return (outcome.result or {}).get(RAW_ANSWER, outcome.answer)


def changed_raw_answer(outcome: Outcome) -> str | None:
    """The target's reply as it came, if cleaning changed it; else None."""
    raw = raw_answer(outcome)
    if raw == cleaned_answer(outcome):
        return None
    return raw


def clean_target_reply(reply: str, result: Mapping[str, Any]) -> str:
    """A reply cleaned, without the steps of the result's best reasoning."""
    steps = (result.get("best") or {}).get("steps") or []
    return clean_reply(reply, [step["step"] for step in steps])
