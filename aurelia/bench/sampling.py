"""A stratified subset of benchmark records: the paper's composition or that of its Table 1, an even one, or the file's.

A stratum with too few records gives all it has; it is not filled from other strata.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from aurelia.bench.records import COLUMNS, Column, Record
from aurelia_core.errors import InputError

Composition = Literal["paper", "columns", "even", "proportional"]
TABLE1_COMPOSITION: dict[Column, int] = {
    "music-avqa": 1000,
    "avsd": 1000,
    "av-captioning": 1000,
    "av-compositional": 1000,
    "av-geoiq": 200,
    "av-meme": 100,
    "dm-match": 200,
}
"""Questions of each column of Table 1, 4,500 in total, inferred from the steps between its printed figures."""
_PAPER_CSV = Path(__file__).parent / "data" / "paper_composition.csv"
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class PaperCategory:
    """One of the paper's 17 categories (Table 2): the columns that share it, and its number of questions."""

    name: str
    columns: frozenset[Column]
    questions: int


@dataclass(frozen=True)
class Stratum:
    """Counts of a category: records wanted, records in the file, and records drawn."""

    category: str
    wanted: int
    had: int
    got: int


@dataclass(frozen=True)
class SampleResult:
    """The subset in file order, the counts of each stratum, and the number of records outside all strata."""

    records: list[Record]
    strata: list[Stratum]
    outside: int


@cache
def paper_composition() -> tuple[PaperCategory, ...]:
    """The paper's categories with their numbers of questions, 4,504 in total."""
    lines = [line for line in _PAPER_CSV.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return tuple(
        PaperCategory(row["category"], frozenset(map(_parse_column, row["task"].split("|"))), int(row["questions"]))
        for row in csv.DictReader(lines)
    )


def draw_sample(records: Sequence[Record], size: int | None, seed: int, composition: Composition) -> SampleResult:
    """Draws a subset of `size` records. The same records and seed give the same subset, in any order of the records.

    The size is divided among the categories by largest remainders. A category's share is divided among its columns in
    proportion to their records. A larger size keeps the records of a smaller one where a share does not shrink.

    Args:
        records: Records to draw from.
        size: Records wanted; None means the paper's 4,504 for its composition, 4,500 for `columns`, and all records for
            `proportional`.
        seed: Any integer.
        composition: `paper` (Table 2), `columns` (Table 1), `even` (the same number of each category), or
            `proportional` (as in `records`).

    Raises:
        InputError: The size is missing or below 1.
    """
    pools = _pools(records, composition)
    parts = _weights(pools, composition)
    if size is None:
        size = _default_size(parts, composition)
    if size < 1:
        raise InputError(f"--size {size} cannot be used: ask for one record or more.")
    strata = []
    taken: set[str] = set()
    for category, wanted in largest_remainder(parts, size).items():
        pool = pools.get(category, [])
        chosen = _draw(pool, min(wanted, len(pool)), seed)
        taken |= chosen
        strata.append(Stratum(category, wanted, len(pool), len(chosen)))
    outside = len(records) - sum(map(len, pools.values()))
    return SampleResult([record for record in records if record.id in taken], strata, outside)


def largest_remainder(weights: Mapping[_Key, int], size: int) -> dict[_Key, int]:
    """Divides `size` among the keys in proportion to their weights, in whole numbers that add up to `size`.

    Exact integer arithmetic. Of equal remainders the earlier key comes first. All zero if all weights are zero.
    """
    total = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, 0)
    shares = {key: size * weight // total for key, weight in weights.items()}
    order = sorted(weights, key=lambda key: -(size * weights[key] % total))
    for key in order[: size - sum(shares.values())]:
        shares[key] += 1
    return shares


def _parse_column(task: str) -> Column:
    for column in COLUMNS:
        if column == task.strip().lower():
            return column
    raise InputError(f"{_PAPER_CSV.name} names the task {task!r}, which is not one of {', '.join(COLUMNS)}.")


def _pools(records: Sequence[Record], composition: Composition) -> dict[str, list[Record]]:
    pools: dict[str, list[Record]] = defaultdict(list)
    paper = {category.name.casefold(): category for category in paper_composition()}
    for record in records:
        if composition == "columns":
            if record.column in TABLE1_COMPOSITION:
                pools[record.column].append(record)
        elif composition != "paper":
            pools[record.category or record.column].append(record)
        elif (category := paper.get(record.category.strip().casefold())) and record.column in category.columns:
            pools[category.name].append(record)
    return pools


def _weights(pools: Mapping[str, list[Record]], composition: Composition) -> dict[str, int]:
    if composition == "paper":
        return {category.name: category.questions for category in paper_composition()}
    if composition == "columns":
        return {column: count for column, count in TABLE1_COMPOSITION.items()}
    if composition == "even":
        return dict.fromkeys(sorted(pools), 1)
    return {name: len(pools[name]) for name in sorted(pools)}


def _default_size(parts: Mapping[str, int], composition: Composition) -> int:
    if composition == "even":
        raise InputError("An even composition needs --size: the number of records you want.")
    return sum(parts.values())


def _draw(pool: Sequence[Record], size: int, seed: int) -> set[str]:
    counts = Counter(record.column for record in pool)
    shares = largest_remainder({column: counts[column] for column in sorted(counts)}, size)
    drawn: set[str] = set()
    for column, share in shares.items():
        ids = [record.id for record in pool if record.column == column]
        drawn.update(sorted(ids, key=lambda name: _draw_rank(name, seed))[:share])
    return drawn


def _draw_rank(name: str, seed: int) -> bytes:
    """A record's rank in the draw; it depends only on its id and the seed."""
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()
