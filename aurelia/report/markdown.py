"""The report's tables as Markdown: the same figures as the page, without pictures and without the questions."""

from collections.abc import Iterable, Sequence

from aurelia.report.safe import markdown
from aurelia.report.tables import Table


def written(title: str, sections: Iterable[tuple[str, Sequence[Table]]]) -> str:
    """A document: the title, then each section with its tables."""
    parts = [f"# {markdown(title)}"]
    for name, tables in sections:
        parts.append(f"## {markdown(name)}")
        parts += [table_text(table) for table in tables]
    return "\n\n".join(parts) + "\n"


def table_text(table: Table) -> str:
    """One table with its caption and notes."""
    lines = [f"**{markdown(table.caption)}**", "", _row(table.heads), _row(["---"] * len(table.heads), plain=True)]
    for line in table.rows:
        cells = [f"**{markdown(cell)}**" if line.css and cell.strip() else markdown(cell) for cell in line.cells]
        lines.append(_row(cells, plain=True))
    return "\n".join([*lines, *(f"\n{markdown(note)}" for note in table.notes)])


def _row(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cells if plain else map(markdown, cells))} |"
