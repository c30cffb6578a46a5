"""The study's tables as Markdown: accuracy with intervals, paired differences, and parts of the questions.

`aurelia.bench.statistics` computes the statistics.
"""

from collections.abc import Callable, Mapping, Sequence

from aurelia.bench.records import Record
from aurelia.bench.statistics import compare_paired, estimate_accuracy
from aurelia_offline.study.conditions import ValuesById

_BOOTSTRAP_DRAWS = 2000
ValuesByCondition = Mapping[str, ValuesById]
_Rows = Sequence[Sequence[str]]


def study_table(title: str, heads: Sequence[str], rows: _Rows, *notes: str) -> str:
    """One Markdown table with its title and notes."""
    lines = [f"**{title}**", "", _line(heads), _line(["---"] * len(heads)), *map(_line, rows)]
    return "\n".join([*lines, *(f"\n{note}" for note in notes if note)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def share_text(hits: int, count: int) -> str:
    """A share in percent with Wilson's 95 % interval; "–" without cases."""
    if not count:
        return "–"
    from scipy.stats import binomtest

    found = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return f"{100 * hits / count:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def comparison_table(title: str, arms: ValuesByCondition, records: Sequence[Record], first: str, *notes: str) -> str:
    """Every condition with its accuracy and its paired difference to condition `first`, over their common records."""
    heads = ["arm", "n", "accuracy, % [95 %]", f"points over {first} [95 %]", "gained / lost", "McNemar p"]
    rows = []
    for name, values in arms.items():
        both = [record for record in records if record.id in values and record.id in arms[first]]
        if both:
            rows.append([name, str(len(both)), *comparison_cells(values, arms[first], both, same=name == first)])
    return study_table(title, heads, rows, *notes)


def comparison_cells(values: ValuesById, first: ValuesById, both: Sequence[Record], *, same: bool) -> list[str]:
    """Four cells: accuracy, points over `first`, gained and lost, and p; with `same` the last three are "–"."""
    clips = [record.clip_name for record in both]
    mine, theirs = [values[record.id] for record in both], [first[record.id] for record in both]
    found = estimate_accuracy(mine, clips, draws=_BOOTSTRAP_DRAWS)
    accuracy_cell = f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    if same:
        return [accuracy_cell, "–", "–", "–"]
    change = compare_paired(theirs, mine, clips, draws=_BOOTSTRAP_DRAWS)
    over = change.difference
    points = f"{100 * over.value:+.1f} [{100 * over.low:+.1f}, {100 * over.high:+.1f}]"
    return [accuracy_cell, points, f"{change.gained} / {change.lost}", f"{change.p:.2g}"]


def parts_table(
    title: str, arms: ValuesByCondition, records: Sequence[Record], part: Callable[[Record], str], *notes: str
) -> str:
    """The accuracy of every condition in each part of the records, sorted by the part's name."""
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(part(record), []).append(record)
    rows = []
    for name in sorted(parts):
        found = [_mean(values, parts[name]) for values in arms.values()]
        rows.append([name, str(len(parts[name])), f"{100 * chance_accuracy(parts[name]):.1f}", *found])
    return study_table(title, ["", "n", "chance", *arms], rows, *notes)


def _mean(values: ValuesById, records: Sequence[Record]) -> str:
    known = [values[record.id] for record in records if record.id in values]
    if known:
        return f"{100 * sum(known) / len(known):.1f}"
    return "–"


def chance_accuracy(records: Sequence[Record]) -> float:
    """The accuracy of a random choice, 0..1."""
    return sum(1 / len(record.choices) for record in records if record.choices) / max(1, len(records))


def hops_label(record: Record) -> str:
    """The number of hops, from the record's category."""
    return record.category.partition(",")[0]


def group_label(record: Record) -> str:
    """The training group, from the record's category."""
    return record.category.partition(", ")[2]
