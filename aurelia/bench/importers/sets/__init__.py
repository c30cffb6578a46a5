"""Published benchmarks, one folder each.

`set.toml` says what the data set is and maps its columns, `example.*` is a file of our own in its form. A new folder is
a new kind of `aurelia bench import`; nothing else has to be changed.
"""

import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from aurelia.bench.importers.table import TableMapping


class SetFile:
    """One folder: its name, what `set.toml` says, and its example."""

    def __init__(self, folder: Traversable) -> None:
        """Reads `set.toml`."""
        self.name = folder.name
        self.facts: dict[str, str] = {}
        found = tomllib.loads(folder.joinpath("set.toml").read_text(encoding="utf-8"))
        self.mapping = TableMapping.checked(found.pop("map"), f"{folder.name}/set.toml")
        self.formats = tuple(found.pop("formats"))
        self.facts = {key: str(value) for key, value in found.items()}

    @property
    def example(self) -> Traversable:
        """The file of our own in the data set's form."""
        return next(
            entry for entry in files(__package__).joinpath(self.name).iterdir() if entry.name.startswith("example.")
        )


@cache
def find_sets() -> dict[str, SetFile]:
    """The folders by name, in alphabetical order."""
    folders = [
        entry for entry in files(__package__).iterdir() if entry.is_dir() and entry.joinpath("set.toml").is_file()
    ]
    return {folder.name: SetFile(folder) for folder in sorted(folders, key=lambda folder: folder.name)}
