"""Table 1 of the paper as data: arXiv 2503.23219, ICCV 2025, transcribed in `data/paper_table1.csv`.

The paper prints zero-shot cells as "X / Y". In all but a few cells the printed relative gain is against Y, so Y is the
zero-shot figure used here. The paper does not say what X means.
"""

import csv
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from aurelia.bench.importers.registry import DATASET_KINDS
from aurelia.bench.records import Column

PAPER_SOURCE = "Table 1 of AURELIA (arXiv 2503.23219, ICCV 2025)"
COLUMN_TITLES: dict[Column, str] = {
    "music-avqa": "Music-AVQA",
    "avsd": "AVSD",
    "av-captioning": "AV-Captioning",
    "av-compositional": "AV-Compositional",
    "av-geoiq": "AV-GeoIQ",
    "av-meme": "AV-Meme",
    "dm-match": "DM-Match",
}
ALL_COLUMN_TITLES: dict[Column, str] = {**COLUMN_TITLES, "other": "other"}


class PaperCell(NamedTuple):
    """One cell in percent; None if the table has no value. `gain` is the printed relative gain.

    `zero_shot` is the second of the two printed figures, Y, and `first` is X.
    """

    zero_shot: float | None
    aurelia: float | None
    gain: float | None
    first: float | None = None


class PaperRow(NamedTuple):
    """One model's row; `kind` is open or closed."""

    model: str
    kind: str
    cells: dict[Column, PaperCell]


def foreign_datasets(found: Iterable[tuple[Column, str]]) -> list[str]:
    """Of (column, data set) of questions: the data sets in the paper's columns that are not the paper's."""
    paper = {(kind.column, kind.dataset) for kind in DATASET_KINDS.values()}
    return sorted({dataset for column, dataset in found if column in COLUMN_TITLES and (column, dataset) not in paper})


def read_paper_table1() -> list[PaperRow]:
    """Reads the rows in the paper's order, each with a cell for every column."""
    columns = {title: column for column, title in COLUMN_TITLES.items()}
    rows: dict[str, PaperRow] = {}
    text = files("aurelia.report").joinpath("data/paper_table1.csv").read_text(encoding="utf-8")
    for line in csv.DictReader(text.splitlines()):
        row = rows.setdefault(line["model"], PaperRow(line["model"], line["kind"], {}))
        row.cells[columns[line["column"]]] = PaperCell(
            _number(line["zero_shot_second"]),
            _number(line["with_aurelia"]),
            _number(line["printed_relative_gain_percent"]),
            _number(line["zero_shot_first"]),
        )
    return list(rows.values())


def _number(text: str) -> float | None:
    if not text:
        return None
    return float(text)
