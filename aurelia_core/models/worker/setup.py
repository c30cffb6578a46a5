"""The settings of one worker: `workers/ROW.toml` in the home folder."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aurelia_core.errors import InputError

PROTOCOL_VERSION = 2
_NAME = re.compile(r"[a-z0-9_]{1,60}")
# Settings of services and of this project's own code: no worker's script can carry them.
_DecodingName = Literal["temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "thinking"]


class WorkerSetup(BaseModel):
    """Settings of one worker: the fields of `workers/ROW.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal[2] = Field(default=2, description="Version of the protocol that the script is written for.")
    python: Path = Field(description="The Python of the model's own environment.")
    script: Path = Field(description="The file with load(options) and answer(model, request).")
    folder: Path | None = Field(
        default=None, description="Checkout of the research repository: working folder, and importable."
    )
    options: dict[str, Any] = Field(default={}, description="Given to load: paths of weights, dtype, device.")
    frames: int | None = Field(
        default=None, ge=1, le=4096, description="Frames of a clip that the model takes; null: as many as the run's."
    )
    sees: bool = Field(default=True, description="Whether the model takes pictures.")
    sounds: int = Field(default=1, ge=0, le=64, description="Most sounds in one request; 0: the model does not hear.")
    windows: bool = Field(default=False, description="Whether the script uses closer looks at parts of the clip.")
    decoding: list[_DecodingName] = Field(default=[], description="The decoding settings that the script carries.")
    load_seconds: float = Field(default=900.0, gt=0, le=86_400, description="Time limit of loading.")
    answer_seconds: float = Field(default=300.0, gt=0, le=86_400, description="Time limit of one answer.")


def check_worker_name(name: str) -> None:
    """Refuse a name that could be a path.

    Raises:
        InputError: it has other characters than small letters, digits and underscores.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"worker:{name} cannot be used: a worker's name has only small letters, digits and underscores."
        )


def read_worker_setup(home: Path, name: str) -> WorkerSetup:
    """The settings of the worker `name` in the home folder.

    Raises:
        InputError: the worker is not set up, its file is invalid, or it is written for another protocol.
    """
    check_worker_name(name)
    file_name = f"workers/{name}.toml"
    try:
        values = tomllib.loads((home / file_name).read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"worker:{name} is not set up: there is no {file_name} in AURELIA_HOME. aurelia targets {name} lists the"
            " requirements of the model; the file names python and script."
        ) from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{file_name} in AURELIA_HOME cannot be read: {type(fault).__name__}.") from None
    if values.get("protocol") != PROTOCOL_VERSION:
        raise InputError(
            f"{file_name} in AURELIA_HOME is for protocol {values.get('protocol', 1)} of workers, and this version"
            f" speaks {PROTOCOL_VERSION}: adapt the script as docs/workers.md says, then write protocol ="
            f" {PROTOCOL_VERSION}."
        )
    try:
        setup = WorkerSetup.model_validate(values)
    except ValidationError as fault:
        problems = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors())
        raise InputError(f"{file_name} in AURELIA_HOME cannot be used: {problems}.") from None
    for field in ("python", "script"):
        if not getattr(setup, field).is_file():
            raise InputError(f"{file_name} in AURELIA_HOME names a {field} that does not exist.")
    return setup
