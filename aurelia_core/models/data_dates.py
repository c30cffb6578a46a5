"""When the tables of this project were last read from the providers: names, limits, prices, tokens.

A provider changes them without notice, so an old figure is a reason to look it up, not an error.
"""

import tomllib
from collections import defaultdict
from datetime import date, timedelta
from importlib.resources import files
from typing import NamedTuple

from aurelia_core.models.capabilities import capability_table
from aurelia_core.models.media_tokens import token_rows

_LASTING = timedelta(days=90)
_CAPABILITIES = "aurelia_core/models/capabilities.toml"
_TOKENS = "aurelia_core/models/media_tokens.toml"
_GOOGLE_PRICES = "aurelia_core/models/google/google_prices.toml"


class DataDate(NamedTuple):
    """One part of the tables.

    Attributes:
        what: what it holds, in words.
        models: patterns of the models that it describes; []: all.
        read: the day on which it was last read.
        file: the file to correct.
    """

    what: str
    models: list[str]
    read: date
    file: str

    def is_old(self, today: date | None = None) -> bool:
        """Whether it was read more than 90 days ago."""
        return (today or date.today()) - self.read > _LASTING


def data_dates() -> list[DataDate]:
    """Every part of the tables, with the day on which it was last read."""
    table = capability_table()
    prices: dict[date, list[str]] = defaultdict(list)
    for row in table.model:
        if row.price.read:
            prices[row.price.read] += row.models
    tokens: dict[date, list[str]] = defaultdict(list)
    for counts in token_rows():
        tokens[counts.read] += counts.models
    text = files("aurelia_core.models.google").joinpath("google_prices.toml").read_text("utf-8")
    return [
        DataDate("names and last days of models", [], table.names_read, _CAPABILITIES),
        DataDate("limits of models", [], table.limits_read, _CAPABILITIES),
        DataDate("prices", ["google_genai:*"], tomllib.loads(text)["read"], _GOOGLE_PRICES),
        *(DataDate("prices", models, read, _CAPABILITIES) for read, models in sorted(prices.items(), reverse=True)),
        *(DataDate("tokens of a clip", models, read, _TOKENS) for read, models in sorted(tokens.items(), reverse=True)),
    ]
