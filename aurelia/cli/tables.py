"""A report's table on the terminal: plain columns for people, without markup."""

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aurelia.report.tables import ReportTable
from aurelia_core.sanitize import escape_invisible

_WIDTH_OF_A_FILE = 400
_LINE = 100


def print_table(table: ReportTable) -> None:
    """Prints a table with its caption and notes to stdout; in a file every row is one line."""
    is_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, highlight=False, width=None if is_terminal else _WIDTH_OF_A_FILE)
    shown = Table(box=SIMPLE_HEAD, title=Text(escape_invisible(table.caption)), title_justify="left", pad_edge=False)
    for number, head in enumerate(table.heads):
        is_text = number == 0 or table.css == "words"
        shown.add_column(Text(escape_invisible(head)), justify="left" if is_text else "right")
    for line in table.rows:
        style = "bold" if line.css else ""
        cells = line.cells if is_terminal else [" ".join(cell.split()) for cell in line.cells]
        shown.add_row(*(Text(escape_invisible(cell), style) for cell in cells))
    with console.capture() as captured:
        console.print(shown)
        for note in table.notes:
            console.print(Text(escape_invisible(note)), width=min(_LINE, console.width))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
