"""What the calls of a run took, by role and model, read from the call ledger in its run file. It only reads."""

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
        role, spec: who was asked, `provider:model`.
        calls: calls that were answered; what failed tries cost is in the tokens and dollars all the same.
        input_tokens, cached_tokens, output_tokens: as the provider counted them.
        cost: dollars; null when the price of a call is not known.
        seconds: of one call on average, retries and waiting included.
    """

    role: str
    spec: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost: float | None
    seconds: float


BILLED_TABLES = ("calls", "unanswered")
"""The call ledger's tables of what was paid for: with a usable reply, and without one."""

_QUERY = """SELECT role, spec, sum(answered), sum(json_extract(usage, '$.input_tokens')),
    sum(coalesce(json_extract(usage, '$.cached_tokens'), 0)), sum(json_extract(usage, '$.output_tokens')),
    count(*), count(json_extract(usage, '$.cost_usd')), sum(json_extract(usage, '$.cost_usd')), avg(seconds)
    FROM ({}) GROUP BY role, spec ORDER BY min(created)"""
_ROWS = {
    "calls": "SELECT role, spec, usage, seconds, created, 1 AS answered FROM calls",
    "unanswered": "SELECT role, spec, usage, NULL AS seconds, created, 0 AS answered FROM unanswered",
}


def costs_by_role(path: Path) -> list[RoleCosts]:
    """The calls in a run file, in the order in which their roles were first asked; none when there is no ledger."""
    with (
        run_file_errors(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as connection,
    ):
        tables = existing_tables(connection, BILLED_TABLES)
        if not tables:
            return []
        rows = connection.execute(_QUERY.format(" UNION ALL ".join(_ROWS[table] for table in tables))).fetchall()
    return [
        RoleCosts(role, spec, calls, sent, cached, got, cost if priced == billed else None, seconds or 0.0)
        for role, spec, calls, sent, cached, got, billed, priced, cost, seconds in rows
    ]


def existing_tables(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Those of the ledger's tables that a run file has: none before its first call, fewer in an older one."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [name for name in names if name in there]


def sum_usages(usages: Iterable[str]) -> Usage:
    """The sum of bills that are stored as JSON; older ones may know less."""
    bills: Iterable[Usage] = ({**NO_USAGE, "cost_usd": None, **parse_stored_json(text)} for text in usages)
    return reduce(add_usage, bills, NO_USAGE)


def mean_target_seconds(path: Path) -> float:
    """How long the target took for one answer, on average; 0 when the run file holds no call of it."""
    calls = [(spent.calls, spent.seconds) for spent in costs_by_role(path) if spent.role == "target"]
    return sum(count * seconds for count, seconds in calls) / max(1, sum(count for count, _ in calls))
