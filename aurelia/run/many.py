"""Ask many questions from Python, and read the answers as a table. For a measured benchmark use `aurelia bench run`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aurelia.run.api import ask
from aurelia.run.result import Result
from aurelia_core.background_loop import run_sync
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.installation import install_command
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import Context

if TYPE_CHECKING:
    import pandas

_FROM_RESULT = (
    "answer",
    "choice",
    "zero_shot_answer",
    "why_unknown",
    "score",
    "best_iteration",
    "stop_reason",
    "seconds",
    "warnings",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and how it ended.

    Attributes:
        question: what was asked: its keys video, question, audio and choices.
        result: the result; None if it failed.
        error: why it failed, else None.
    """

    question: Mapping[str, Any]
    result: Result | None
    error: str | None


class Results(tuple[Asked, ...]):
    """The questions in the order in which they were given, each with its result or its error."""

    __slots__ = ()

    def to_pandas(self) -> "pandas.DataFrame":
        """The answers as a table, one row a question; `error` says why a row has no answer.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise InputError(f"A table of results needs pandas: {install_command('notebook')}.") from None
        return pandas.DataFrame([_row(asked) for asked in self])


async def ask_many(
    questions: Sequence[Mapping[str, Any]],
    context: Context | None = None,
    *,
    client: ModelClient | None = None,
    concurrency: int = 4,
) -> Results:
    """Answer many questions; one that fails does not end the others.

    Args:
        questions: mappings with the keys video, question, and optionally audio and choices.
        context: the settings of all runs (default: `Context()`, which needs no key).
        client: models, clips and ledger (default: a new client with the settings of this machine).
        concurrency: number of questions at once, at least 1.

    Raises:
        InputError: the concurrency is below 1.
    """
    if concurrency < 1:
        raise InputError(f"concurrency is {concurrency}: ask at least 1 question at once.")
    own = client is None
    used = client or ModelClient(Settings.from_environment(local=True))
    free = asyncio.Semaphore(concurrency)

    async def answer(question: Mapping[str, Any]) -> Asked:
        async with free:
            try:
                return Asked(question, await ask(question, context, client=used), None)
            except AureliaError as fault:
                return Asked(question, None, str(fault))

    try:
        return Results(await asyncio.gather(*map(answer, questions)))
    finally:
        if own:
            used.close()


def ask_many_sync(
    questions: Sequence[Mapping[str, Any]],
    context: Context | None = None,
    *,
    client: ModelClient | None = None,
    concurrency: int = 4,
) -> Results:
    """Answer many questions from synchronous code; it also works in a notebook. Arguments are those of `ask_many`.

    Example:
        >>> from aurelia import ask_many_sync
        >>> asked = ["How many sounds are heard?", "What animal is shown?"]
        >>> results = ask_many_sync([{"video": "clip.mp4", "question": question} for question in asked])
        >>> list(results.to_pandas()["answer"])
        ['2', 'unknown']
    """
    return run_sync(ask_many(questions, context, client=client, concurrency=concurrency))


def _row(asked: Asked) -> dict[str, Any]:
    """One row of the table."""
    row: dict[str, Any] = {name: asked.question.get(name) for name in ("question", "video", "choices")}
    row["video"] = str(row["video"])
    values: dict[str, Any] = {}
    if asked.result:
        values = asked.result.model_dump()
    row |= {name: values.get(name) for name in _FROM_RESULT}
    row["attempts"] = len(values.get("iterations") or [])
    usage = values.get("usage") or {}
    row |= {name: usage.get(name) for name in ("calls", "cost_usd")}
    row["error"] = asked.error
    return row
