"""What the calls of a run cost, by role and model, read from the call ledger in its run file."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from aurelia.bench.run_schema import run_file_errors
from aurelia_core.sqlite import parse_stored_json
from aurelia_core.types import NO_USAGE, Usage, add_usage


@dataclass(frozen=True, slots=True)
class RoleCosts:
    """One role's calls to one model.

    Attributes:
        role: The role that asked.
        model_id: The model, `provider:model`.
        calls: Answered calls. The cost of failed tries is in the tokens and dollars too.
        input_tokens, cached_tokens, output_tokens: As the provider counted them.
        cost: Dollars; None if the price of a call is not known.
        seconds: Mean seconds of a call, retries and waiting included.
    """

    role: str
    model_id: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost: float | None
    seconds: float


BILLED_TABLES = ("calls", "unanswered")
"""Tables of the call ledger with billed calls: those with a usable reply, and those without one."""

_QUERY = """SELECT role, spec, sum(answered), sum(json_extract(usage, '$.input_tokens')),
    sum(coalesce(json_extract(usage, '$.cached_tokens'), 0)), sum(json_extract(usage, '$.output_tokens')),
    count(*), count(json_extract(usage, '$.cost_usd')), sum(json_extract(usage, '$.cost_usd')), avg(seconds)
    FROM ({}) GROUP BY role, spec ORDER BY min(created)"""
_ROWS = {
    "calls": "SELECT role, spec, usage, seconds, created, 1 AS answered FROM calls",
    "unanswered": "SELECT role, spec, usage, NULL AS seconds, created, 0 AS answered FROM unanswered",
}


def costs_by_role(path: Path) -> list[RoleCosts]:
    """The calls in a run file, ordered by the first call of each role; empty if there is no ledger."""
    with (
        run_file_errors(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as connection,
    ):
        tables = existing_tables(connection, BILLED_TABLES)
        if not tables:
            return []
        rows = connection.execute(_QUERY.format(" UNION ALL ".join(_ROWS[table] for table in tables))).fetchall()
    costs = []
    for role, model_id, calls, sent, cached, received, billed, priced, dollars, seconds in rows:
        if priced < billed:
            dollars = None
        costs.append(RoleCosts(role, model_id, calls, sent, cached, received, dollars, seconds or 0.0))
    return costs


def existing_tables(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """The ledger tables that a run file has: none before its first call, fewer in an older file."""
    existing = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [name for name in names if name in existing]


def sum_usages(usages: Iterable[str]) -> Usage:
    """Sum of usages stored as JSON; usages of older versions may lack fields."""
    complete: Iterable[Usage] = ({**NO_USAGE, "cost_usd": None, **parse_stored_json(text)} for text in usages)
    return reduce(add_usage, complete, NO_USAGE)


def mean_target_seconds(path: Path) -> float:
    """Mean seconds of one answer of the target; 0 if the run file holds no call to it."""
    calls = [(costs.calls, costs.seconds) for costs in costs_by_role(path) if costs.role == "target"]
    return sum(count * seconds for count, seconds in calls) / max(1, sum(count for count, _ in calls))
