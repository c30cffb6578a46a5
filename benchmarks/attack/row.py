"""What an attack measured: one row of the table that `make attack` prints."""

from typing import NamedTuple


class Row(NamedTuple):
    """One figure.

    Attributes:
        area: which attack: clips, paths, text, providers, crashes, secrets.
        what: what was counted or measured, with its number of trials.
        measured: the figure, as it is printed.
        bound: what it has to be.
        holds: whether it is.
    """

    area: str
    what: str
    measured: str
    bound: str
    holds: bool
