"""The report's tables as files: one CSV each, and one LaTeX document part with all (`tables.tex`)."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from aurelia.report.tables import ReportTable
from aurelia_core.sanitize import escape_invisible

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "–": "--",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
}
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
_NO_NAME = re.compile(r"[^a-z0-9]+")
_FORMULA = ("=", "+", "@", "\t", "\r")


def write_table_files(tables: Sequence[ReportTable], folder: Path) -> list[Path]:
    """Writes the tables into a folder, which is created; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, table in enumerate(tables, 1):
        path = folder / f"{number:02}-{_NO_NAME.sub('-', table.caption.lower()).strip('-')[:60]}.csv"
        path.write_text(render_csv(table), encoding="utf-8", newline="")
        written.append(path)
    latex = folder / "tables.tex"
    latex.write_text("\n".join(map(render_latex, tables)), encoding="utf-8")
    return [*written, latex]


def render_csv(table: ReportTable) -> str:
    """A table as CSV; a text that a spreadsheet would take for a formula is preceded by '."""
    text = io.StringIO()
    writer = csv.writer(text)
    for cells in (table.heads, *(line.cells for line in table.rows)):
        writer.writerow([_plain(cell) for cell in cells])
    return text.getvalue()


def render_latex(table: ReportTable) -> str:
    """A table for LaTeX with the package booktabs."""
    columns = "l" + "r" * (len(table.heads) - 1)
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape_latex(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
    ]
    lines += [_latex_row(table.heads, ""), r"\midrule"]
    lines += [_latex_row(line.cells, line.css) for line in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"% {escape_latex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def escape_latex(text: str) -> str:
    """The text on one line that LaTeX shows unchanged."""
    plain = " ".join(escape_invisible(text).split())
    return _SPECIAL.sub(lambda match: _LATEX[match[0]], plain)


def _latex_row(cells: Sequence[str], css: str) -> str:
    shown = [escape_latex(cell) for cell in cells]
    if css == "ours":
        shown = [rf"\textbf{{{cell}}}" if cell else cell for cell in shown]
    return " & ".join(shown) + r" \\"


def _plain(cell: str) -> str:
    text = " ".join(escape_invisible(cell).split())
    if text.startswith(_FORMULA) and not re.fullmatch(r"[+-]?[\d.,]+( .*)?", text):
        return f"'{text}"
    return text
