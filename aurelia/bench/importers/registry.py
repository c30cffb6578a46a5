"""The kinds of annotations that can be imported: row format, column and category of the paper, and licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurelia.bench.importers.datasets import AvsdRow, DailyOmniRow, MusicAvqaRow, ValorQaRow, ValorRow
from aurelia.bench.importers.draft import Draft, RowModel
from aurelia.bench.importers.paper_tasks import ChoiceRow, MatchRow, PaperTaskRow
from aurelia.bench.importers.rows import ROW_FORMATS, TABLE_FORMATS
from aurelia.bench.importers.sets import find_sets
from aurelia.bench.importers.table import TableMapping
from aurelia.bench.records import Column
from aurelia_core import plugins
from aurelia_core.errors import InputError

RECORDS_KIND = "jsonl"
"""The kind of files that hold benchmark records."""
TABLE_KIND = "table"
"""The kind of any table, with a mapping by the caller."""


@dataclass(frozen=True)
class DatasetKind:
    """One kind of annotations.

    Attributes:
        row: Model of its rows; None for files of benchmark records, and with a mapping.
        column: Column of Table 1 that it counts for.
        dataset: Name of the data set.
        category: Category (Table 2) of a row that names none.
        licence: Licence of the annotations, as stated in the data set's repository.
        formats: Suffixes of its files.
        under: Key of the rows in a JSON object; None if the file is a list of rows.
        pattern: Path of a clip under the media folder, with fields of the row in braces.
        merged: Whether rows about one clip are references of one question (captions).
        mapping: Columns of the rows by field of the record; instead of `row`.
    """

    row: type[RowModel] | None
    column: Column
    dataset: str
    category: str = ""
    licence: str = "unknown"
    formats: tuple[str, ...] = ROW_FORMATS
    under: str | None = None
    pattern: str = "{video_id}.mp4"
    merged: bool = False
    mapping: TableMapping | None = None

    @property
    def holds_records(self) -> bool:
        """Whether its files hold benchmark records."""
        return self.row is None and self.mapping is None

    def draft(self, fields: dict[str, Any], media: Path) -> Draft:
        """A row as a draft.

        Raises:
            ValueError: The row does not fit; the message names the field.
        """
        if self.mapping is not None:
            return self.mapping.draft(fields, media)
        if self.row is None:
            raise ValueError("this kind has no rows")
        return self.row.model_validate(fields).draft()


_JSON = (".json", ".jsonl")

DATASET_KINDS: dict[str, DatasetKind] = {
    "music-avqa": DatasetKind(MusicAvqaRow, "music-avqa", "MUSIC-AVQA", "Musical Performances", "MIT", _JSON),
    "avsd": DatasetKind(AvsdRow, "avsd", "AVSD", "Dynamic Scene", "MIT", _JSON, under="dialogs"),
    "valor": DatasetKind(ValorRow, "av-captioning", "VALOR-32K", "Indoor/Kitchen Scenarios", merged=True),
    "avcomp": DatasetKind(ChoiceRow, "av-compositional", "AV-Compositional", "Compositional"),
    "geoiq": DatasetKind(PaperTaskRow, "av-geoiq", "AV-GeoIQ"),
    "avmeme": DatasetKind(ChoiceRow, "av-meme", "AV-Meme", "Meme and Humor"),
    "dmmatch": DatasetKind(MatchRow, "dm-match", "DM-Match", "Dance Performances"),
    "valor-avqa": DatasetKind(ValorQaRow, "other", "Valor32k-AVQA", licence="CC-BY-NC-4.0"),
    "daily-omni": DatasetKind(
        DailyOmniRow,
        "other",
        "Daily-Omni",
        licence="GPL-3.0-only",
        formats=_JSON,
        pattern="{video_id}/{video_id}_video.mp4",
    ),
    RECORDS_KIND: DatasetKind(None, "other", "", formats=(".jsonl",)),
}
"""The built-in kinds."""


def find_kind(name: str) -> DatasetKind:
    """The kind `name`: a built-in one, a folder of `aurelia.bench.importers.sets`, or one of an installed package.

    Raises:
        InputError: there is no such kind, or its package cannot be imported.
    """
    if name in DATASET_KINDS:
        return DATASET_KINDS[name]
    if found_set := find_sets().get(name):
        facts = found_set.facts
        return DatasetKind(
            None,
            "other",
            facts["title"],
            licence=facts["licence"],
            formats=found_set.formats,
            mapping=found_set.mapping,
        )
    added = plugins.entry_points("aurelia.datasets")
    if name not in added:
        raise InputError(
            f"There is no kind {name!r} of annotations: choose one of "
            f"{', '.join([*DATASET_KINDS, TABLE_KIND, *find_sets(), *added])}."
        )
    found = plugins.load_entry_point("aurelia.datasets", name)
    if not isinstance(found, DatasetKind):
        raise InputError(f"The data set {name!r} of {added[name].module} is not a DatasetKind: see docs/extending.md.")
    return found


def table_kind(mapping: TableMapping, dataset: str) -> DatasetKind:
    """The kind of a table with a mapping of its own; `dataset` is its name in the records."""
    return DatasetKind(None, "other", dataset, formats=TABLE_FORMATS, mapping=mapping)
