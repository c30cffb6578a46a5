"""The registry of targets: one data file a row or family, saying how it wants its prompt and how it is run.

A target needs no row: a model without one is asked in the way of `default.toml`.
"""

import tomllib
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from aurelia.errors import InputError


class Target(BaseModel):
    """How one target model, or a family of them, is asked.

    Attributes:
        title: its name in tables.
        models: the `provider:model` names it stands for; a trailing `*` stands for any ending.
        state: whether it can be run from this project as it is, and if not, what it lacks.
        reasoning: text put before the question, with `{{reasoning}}` where the injected reasoning stands.
        short: what it is told about the form of a free answer.
        choice: what it is told about the form of an answer that is one of several choices.
        notes: anything that a user should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    models: list[str] = Field(min_length=1)
    state: str
    reasoning: str = Field(pattern=r"\{\{reasoning\}\}")
    short: str
    choice: str
    notes: str = ""

    def stands_for(self, spec: str) -> bool:
        """Whether this row describes the model `spec`."""
        return any(spec == name or (name.endswith("*") and spec.startswith(name[:-1])) for name in self.models)


@lru_cache
def rows() -> dict[str, Target]:
    """Every row by the name of its file.

    Raises:
        InputError: a data file cannot be read; the message names it.
    """
    found: dict[str, Target] = {}
    for file in sorted(files("targets").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            try:
                found[file.name.removesuffix(".toml")] = Target.model_validate(tomllib.loads(file.read_text("utf-8")))
            except ValueError as fault:
                raise InputError(f"targets/{file.name} cannot be used: {fault}") from None
    return found


def target_for(spec: str) -> Target:
    """The row that describes the model `spec`; `default` when none names it."""
    named = (row for name, row in rows().items() if name != "default" and row.stands_for(spec))
    return next(named, rows()["default"])
