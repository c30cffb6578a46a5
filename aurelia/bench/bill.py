"""What the calls of a run took, by role and model, read from the call ledger in its run file. It only reads."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """One role's calls to one model.

    Attributes:
        role, spec: who was asked, `provider:model`.
        calls: paid calls; tries that failed are not among them.
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


_QUERY = """SELECT role, spec, count(*), sum(json_extract(usage, '$.input_tokens')),
    sum(coalesce(json_extract(usage, '$.cached_tokens'), 0)), sum(json_extract(usage, '$.output_tokens')),
    count(json_extract(usage, '$.cost_usd')), sum(json_extract(usage, '$.cost_usd')), avg(seconds)
    FROM calls GROUP BY role, spec ORDER BY min(rowid)"""


def by_role(path: Path) -> list[Spent]:
    """The calls in a run file, in the order in which their roles were first asked; none when there is no ledger."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            return []
        rows = connection.execute(_QUERY).fetchall()
    return [
        Spent(role, spec, calls, sent, cached, got, cost if priced == calls else None, seconds)
        for role, spec, calls, sent, cached, got, priced, cost, seconds in rows
    ]


def target_seconds(path: Path) -> float:
    """How long the target took for one answer, on average; 0 when the run file holds no call of it."""
    calls = [(spent.calls, spent.seconds) for spent in by_role(path) if spent.role == "target"]
    return sum(count * seconds for count, seconds in calls) / max(1, sum(count for count, _ in calls))
