"""The report's tables as Markdown: the same figures as the page, without pictures and questions.

All text is escaped (`escape_markdown`): text from records, models and file names is shown, never interpreted.
"""

import re
from collections.abc import Iterable, Sequence

from aurelia.report.tables import ReportTable
from aurelia_core.sanitize import escape_invisible

_MARKDOWN_SYNTAX = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def escape_markdown(text: str) -> str:
    """The text on one line that Markdown shows unchanged: no markup, table cells, HTML or invisible characters."""
    return _MARKDOWN_SYNTAX.sub(r"\\\1", " ".join(escape_invisible(text).split()))


def render_document(title: str, sections: Iterable[tuple[str, Sequence[ReportTable]]]) -> str:
    """A document: the title, then each section with its tables."""
    parts = [f"# {escape_markdown(title)}"]
    for name, tables in sections:
        parts.append(f"## {escape_markdown(name)}")
        parts += [render_table(table) for table in tables]
    return "\n\n".join(parts) + "\n"


def render_table(table: ReportTable) -> str:
    """One table with its caption and notes."""
    lines = [f"**{escape_markdown(table.caption)}**", ""]
    lines.append(_row([escape_markdown(head) for head in table.heads]))
    lines.append(_row(["---"] * len(table.heads)))
    for line in table.rows:
        cells = []
        for cell in line.cells:
            text = escape_markdown(cell)
            if line.css and cell.strip():
                text = f"**{text}**"
            cells.append(text)
        lines.append(_row(cells))
    notes = [f"\n{escape_markdown(note)}" for note in table.notes]
    return "\n".join([*lines, *notes])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
