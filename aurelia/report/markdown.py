"""The report's tables as Markdown: the same figures as the page, without pictures and without the questions."""

from collections.abc import Iterable, Sequence

from aurelia.report.safe import escape_markdown
from aurelia.report.tables import ReportTable


def render_document(title: str, sections: Iterable[tuple[str, Sequence[ReportTable]]]) -> str:
    """A document: the title, then each section with its tables."""
    parts = [f"# {escape_markdown(title)}"]
    for name, tables in sections:
        parts.append(f"## {escape_markdown(name)}")
        parts += [render_table(table) for table in tables]
    return "\n\n".join(parts) + "\n"


def render_table(table: ReportTable) -> str:
    """One table with its caption and notes."""
    lines = [
        f"**{escape_markdown(table.caption)}**",
        "",
        _row(table.heads),
        _row(["---"] * len(table.heads), plain=True),
    ]
    for line in table.rows:
        cells = [
            f"**{escape_markdown(cell)}**" if line.css and cell.strip() else escape_markdown(cell)
            for cell in line.cells
        ]
        lines.append(_row(cells, plain=True))
    return "\n".join([*lines, *(f"\n{escape_markdown(note)}" for note in table.notes)])


def _row(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cells if plain else map(escape_markdown, cells))} |"
