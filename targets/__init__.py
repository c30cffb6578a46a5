"""The registry of targets: one TOML file a row or family, with the form of its prompt and how it is run.

A model without a row is asked as `default.toml` says. A field that could not be confirmed from the maker's own pages is
null, and `notes` says so. Nothing here runs a model. Installed packages add rows (entry point `aurelia.targets`).
"""

import tomllib
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from aurelia_core import plugins
from aurelia_core.errors import InputError
from aurelia_core.models.decoding import Decoding
from aurelia_core.types import MediaRef

_TargetReadiness = Literal[
    "works here", "needs a key", "needs a server", "needs weights", "needs its own environment", "no public weights"
]
_RunKind = Literal["provider", "native", "worker"]
_ModelPattern = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]+:\S+)$", max_length=120)]
_HubId = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$", max_length=120)]
_ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_WorkerState = Literal["ran here with random weights", "written, not run", "cannot"]


class WorkerRecord(BaseModel):
    """What was seen of a row's worker, and what its installation takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: _WorkerState = Field(description="How far it was run; cannot: no script of it is shipped.")
    reason: str | None = Field(
        default=None, min_length=1, max_length=120, description="Why it cannot, or why it was not run."
    )
    log: str | None = Field(
        default=None, max_length=1500, description="When, with which commit and versions, and what it answered."
    )
    script: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]+$",
        description="Name of a script in targets/workers that several rows share; null: the row's name.",
    )
    weights: dict[str, _ShortText] = Field(
        default={}, max_length=10, description="The options of `load` that are paths of weights, and what each one is."
    )
    decoding: list[Literal["max_tokens", "temperature", "top_p", "repetition_penalty", "seed"]] = Field(
        default=["max_tokens", "temperature", "top_p", "repetition_penalty", "seed"],
        description="The decoding settings that the script carries.",
    )
    environment_gb: float | None = Field(
        default=None,
        gt=0,
        description="Disk of the environment with the CPU build of torch, in GB; null: not measured.",
    )

    @model_validator(mode="after")
    def _is_honest(self) -> "WorkerRecord":
        """A run has its log, everything else its reason."""
        if self.state == "ran here with random weights":
            if self.log is None or self.reason is not None:
                raise ValueError("a worker that ran has a log, and no reason why not")
        elif self.reason is None or self.log is not None:
            raise ValueError("a worker that did not run has the reason, and no log")
        return self

    @property
    def summary(self) -> str:
        """The state, with the reason of one that did not run in brackets."""
        if self.reason is None:
            return self.state
        return f"{self.state} ({self.reason})"


class Target(BaseModel):
    """How one target model, or a family of models, is asked and run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=60, description="Its name in tables; a paper row's as printed there.")
    paper_row: bool = Field(default=False, description="Whether it is a row of the paper's Table 1.")
    models: list[_ModelPattern] = Field(
        min_length=1,
        max_length=20,
        description="The `provider:model` names it describes; the first one is complete; a trailing `*` is any ending.",
    )
    modalities: list[Literal["video", "image", "audio"]] = Field(
        default=[], description="What it takes beside text; image without video: frames, or a single picture."
    )
    together: bool | None = Field(
        default=None,
        description="Whether it sees and hears in one request; false: either of both; null: it does one of both, or"
        " unconfirmed.",
    )
    frames: int | None = Field(
        default=None, ge=1, le=4096, description="Frames that its own code takes from a clip; null: it varies."
    )
    placement: Literal["chat turn", "instruction", "plain text"] = Field(
        default="chat turn",
        description="Where our text (reasoning first, then question and form) goes: the user's turn of a chat, the"
        " instruction of a one-shot template, or the bare text input.",
    )
    wrapper: str | None = Field(
        default=None,
        pattern=r"\{\{prompt\}\}",
        max_length=600,
        description="What its own code puts around that text: `{{prompt}}` and, where its place is fixed, `{{media}}`;"
        " a long fixed part is shortened to an ellipsis.",
    )
    reasoning: str = Field(
        pattern=r"\{\{reasoning\}\}",
        max_length=600,
        description="Text before the question, with `{{reasoning}}` in place of the injected reasoning.",
    )
    short: _ShortText = Field(description="Instruction on the form of a free answer.")
    choice: _ShortText = Field(description="Instruction on the form of an answer that is one of several choices.")
    working: Literal["silent", "aloud"] = Field(
        default="silent",
        description="Whether an answer with reasoning is the answer alone, or the working and then the answer on the"
        " last line.",
    )
    decoding: Decoding = Field(
        default=Decoding(), description="Its makers' decoding settings; those of a run replace them one by one."
    )
    domain: str | None = Field(
        default=None,
        max_length=60,
        description="The only world of clips and questions that it knows; its package decides what belongs to it."
        " null: any clip and question.",
    )
    run: _RunKind = Field(
        default="provider",
        description="provider: a service or code of this project; native: weights in this process; worker: a process"
        " with an environment of its own.",
    )
    state: _TargetReadiness | None = Field(
        default=None, description="What a user needs before an answer; null only for the row of any model."
    )
    key: str | None = Field(
        default=None, pattern=r"^[A-Z_]+$", description="Environment variable from which its provider takes the key."
    )
    python: str | None = Field(
        default=None, pattern=r"^3\.\d+$", description="Python version that its own environment asks for."
    )
    upstream: str | None = Field(
        default=None, pattern=r"^https://\S+$", description="The makers' repository, with the branch where it matters."
    )
    weights: list[_HubId] = Field(
        default=[], max_length=10, description="Names of its weights on the Hugging Face hub."
    )
    weights_elsewhere: _ShortText | None = Field(
        default=None, description="Where its weights are, when not on the hub."
    )
    licence_code: _ShortText | None = Field(
        default=None, description="Licence of the makers' code; null: not confirmed."
    )
    licence_weights: _ShortText | None = Field(default=None, description="Licence of the weights; null: not confirmed.")
    worker: WorkerRecord | None = Field(
        default=None, description="Of the worker that is shipped for it, or why there is none; null: nothing is known."
    )
    notes: str = Field(default="", max_length=1500, description="What a user should know, and what is unconfirmed.")

    @model_validator(mode="after")
    def _is_honest(self) -> "Target":
        """A state promises no more than the row can show for it."""
        public = bool(self.weights or self.weights_elsewhere)
        promises = {
            "works here": self.run == "provider" and self.key is None,
            "needs a key": self.run == "provider" and self.key is not None,
            "needs a server": self.models[0].startswith("compatible:") and self.upstream is not None and public,
            "needs weights": self.run == "native" and bool(self.weights),
            "needs its own environment": self.run == "worker" and self.upstream is not None and public,
            "no public weights": not public,
            None: self.models == ["*"],
        }
        if not promises[self.state]:
            raise ValueError(f"the state {self.state!r} is not borne out by run, key, weights and upstream")
        if self.models[0].endswith("*") and self.state is not None:
            raise ValueError("the first of models must be a name that can be written as it is")
        return self

    def fit(self, spec: str) -> int:
        """How exactly this row describes the model `spec`: 0 not at all, more the longer the name it shares."""
        fits = [0]
        for name in self.models:
            if name == spec:
                fits.append(len(name) + 1)
            elif name.endswith("*") and spec.startswith(name[:-1]):
                fits.append(len(name))
        return max(fits)


@lru_cache
def target_rows() -> dict[str, Target]:
    """Every row by the name of its file: those of this folder and those that installed packages add.

    Raises:
        InputError: a row cannot be read, or two packages have a row of the same name.
    """
    found = read_target_rows(files("targets"))
    for name, added in _package_rows().items():
        if both := sorted(found.keys() & added.keys()):
            package = plugins.entry_points("aurelia.targets")[name].value
            raise InputError(
                f"The target row {both[0]!r} of the package {package} has the name of another row: rename it."
            )
        found |= added
    return found


@lru_cache
def _package_rows() -> dict[str, dict[str, Target]]:
    """The rows of each installed package, by the name of its entry point."""
    entries = plugins.entry_points("aurelia.targets")
    return {name: read_target_rows(files(entry.value)) for name, entry in entries.items()}


def reload_target_rows() -> None:
    """Reads the files anew at their next use: a server calls it at the start of each run."""
    find_target.cache_clear()
    target_rows.cache_clear()
    _package_rows.cache_clear()


def is_in_target_domain(spec: str, question: str, clip: MediaRef, others: list[MediaRef]) -> bool | None:
    """Whether media and question belong to the one world that the target `spec` knows; None for a target of any world.

    The package that adds the row decides it by its function `in_domain(domain, question, clip, others)`; `others` are
    the separate sounds and pictures.
    """
    row = find_target(spec)
    if row.domain is None:
        return None
    for name, rows in _package_rows().items():
        if row in rows.values():
            package = plugins.load_entry_point("aurelia.targets", name)
            return bool(package.in_domain(row.domain, question, clip, others))
    return None


def read_target_rows(folder: Traversable) -> dict[str, Target]:
    """The rows of a folder, each checked, by the name of its file.

    Raises:
        InputError: a data file cannot be read; the message names it.
    """
    found: dict[str, Target] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            try:
                found[file.name.removesuffix(".toml")] = Target.model_validate(tomllib.loads(file.read_text("utf-8")))
            except ValueError as fault:
                raise InputError(f"targets/{file.name} cannot be used: {fault}") from None
    return found


@lru_cache
def find_target(spec: str) -> Target:
    """The row that describes the model `spec` most exactly; `default` when no other names it.

    Local weights with an adapter (`transformers:BASE+ADAPTER`) are asked as their base is.
    """
    base = spec
    if spec.startswith("transformers:"):
        base = spec.partition("+")[0]
    return max(target_rows().values(), key=lambda row: row.fit(base))
