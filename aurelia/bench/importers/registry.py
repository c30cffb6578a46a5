"""The kinds of annotations that can be imported: row format, column and category of the paper, and licence."""

from dataclasses import dataclass

from aurelia.bench.importers.datasets import AvsdRow, DailyOmniRow, MusicAvqaRow, ValorQaRow, ValorRow
from aurelia.bench.importers.draft import RowModel
from aurelia.bench.importers.paper_tasks import ChoiceRow, MatchRow, PaperTaskRow
from aurelia.bench.importers.rows import ROW_FORMATS
from aurelia.bench.records import Column
from aurelia_core import plugins
from aurelia_core.errors import InputError

RECORDS_KIND = "jsonl"
"""The kind of files that hold benchmark records."""


@dataclass(frozen=True)
class DatasetKind:
    """One kind of annotations.

    Attributes:
        row: Model of its rows; None for files of benchmark records.
        column: Column of Table 1 that it counts for.
        dataset: Name of the data set.
        category: Category (Table 2) of a row that names none.
        licence: Licence of the annotations, as stated in the data set's repository.
        formats: Suffixes of its files.
        under: Key of the rows in a JSON object; None if the file is a list of rows.
        pattern: Path of a clip under the media folder, with fields of the row in braces.
        merged: Whether rows about one clip are references of one question (captions).
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
    """The kind `name`: a built-in one, or one that an installed package adds (entry point `aurelia.datasets`).

    Raises:
        InputError: there is no such kind, or its package cannot be imported.
    """
    if name in DATASET_KINDS:
        return DATASET_KINDS[name]
    added = plugins.entry_points("aurelia.datasets")
    if name not in added:
        raise InputError(
            f"There is no kind {name!r} of annotations: choose one of {', '.join([*DATASET_KINDS, *added])}."
        )
    found = plugins.load_entry_point("aurelia.datasets", name)
    if not isinstance(found, DatasetKind):
        raise InputError(f"The data set {name!r} of {added[name].module} is not a DatasetKind: see docs/extending.md.")
    return found
