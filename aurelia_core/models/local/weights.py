"""Finds open weights on this machine by folder or hub id, and says what is missing; it downloads and loads nothing."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core import plugins
from aurelia_core.errors import InputError
from aurelia_core.settings import HUB_MODEL_ID

_SMALL_BYTES = 1_000_000
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_FOLDERS = "AURELIA_LOCAL_MODELS"


class Weights(NamedTuple):
    """A model that lies on this machine.

    Attributes:
        model_id: how messages name it: `transformers:ID`, or of a folder its last part.
        folder: where it lies.
        config: its config.json.
        fingerprint: SHA-256 (hex) of what decides its replies: small files by content, weights by size and time, or by
            the hub's own revision.
        trusted: whether the operator lets it run Python code of its own.
    """

    model_id: str
    folder: Path
    config: dict[str, Any]
    fingerprint: str
    trusted: bool = False

    @property
    def model_type(self) -> str:
        """The architecture, as the config names it."""
        return str(self.config["model_type"])


def find_weights(name: str, *, any_folder: bool = True, trusted: Sequence[str] = ()) -> Weights:
    """The weights `name`: a folder, or the id of a model that was downloaded from the hub.

    Args:
        name: what stands behind `transformers:`.
        any_folder: whether any folder may be named; else only one below those of AURELIA_LOCAL_MODELS.
        trusted: the models whose own code may run: whole folders, and ids of the hub.

    Raises:
        InputError: they are not there, not complete, or not in a form that is loaded; the message says what to do.
    """
    if packaged := _packaged(name):
        return _checked(f"transformers:{name}", packaged, "install its package again")
    path = Path(name).expanduser()
    if path.is_dir() and (any_folder or _allowed(path)):
        model_id = f"transformers:{path.resolve().name}"
        own = path.resolve() in [Path(one).expanduser().resolve() for one in trusted if not HUB_MODEL_ID.fullmatch(one)]
        return _checked(model_id, path.resolve(), "give the folder of a model", own)
    if not HUB_MODEL_ID.fullmatch(name):
        where = "" if any_folder else f" below the folders of {_FOLDERS}"
        raise InputError(f"There is no folder {path.name!r}{where}, and that is no id of the hub (ORGANISATION/MODEL).")
    model_id, remedy = f"transformers:{name}", f"hf download {name}"
    folder = _snapshot(name)
    if folder is None:
        raise InputError(f"The weights of {model_id} are not on this machine: {remedy}")
    return _checked(model_id, folder, remedy, name in trusted)


def missing_weights(name: str) -> list[str]:
    """What is missing of the weights `name`, in words for the doctor; [] when they are there."""
    try:
        find_weights(name)
    except InputError as fault:
        if HUB_MODEL_ID.fullmatch(name) and not Path(name).expanduser().is_dir():
            return [f"the weights (hf download {name})"]
        return [f"usable weights ({fault})"]
    except ImportError:
        return []
    return []


def _allowed(path: Path) -> bool:
    roots = [Path(part).expanduser().resolve() for part in os.environ.get(_FOLDERS, "").split(os.pathsep) if part]
    return any(path.resolve().is_relative_to(root) for root in roots)


def _packaged(name: str) -> Path | None:
    """The checkpoint that an installed package of targets holds beside its rows, in a folder of this name."""
    if not name.isidentifier():
        return None
    for entry in plugins.entry_points("aurelia.targets").values():
        folder = Path(str(files(entry.value).joinpath(name)))
        if (folder / "config.json").is_file():
            return folder
    return None


def _snapshot(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _checked(model_id: str, folder: Path, remedy: str, trusted: bool = False) -> Weights:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        model_type = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{model_id} holds no model: its config.json is missing or names no model_type; {remedy}"
        ) from None
    missing = [name for name in _weight_files(folder, model_id) if not (folder / name).is_file()]
    # Without one transformers would go on with a processor of its own defaults.
    if not any((folder / name).is_file() for name in _PROCESSORS):
        missing.append(_PROCESSORS[-1])
    if missing or not model_type:
        raise InputError(f"{model_id} is not complete, {missing[0]} is missing: {remedy}")
    return Weights(model_id, folder, config, _fingerprint(folder, trusted), trusted)


def _weight_files(folder: Path, model_id: str) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError):
            raise InputError(f"{model_id} cannot be used: its model.safetensors.index.json is damaged.") from None
    other = sorted(file.name for file in folder.glob("*.bin"))
    if other and not (folder / "model.safetensors").is_file():
        raise InputError(
            f"{model_id} holds pickled weights ({other[0]}), which are not loaded: convert to safetensors."
        )
    return ["model.safetensors"]


def _fingerprint(folder: Path, trusted: bool) -> str:
    digest = hashlib.sha256(b"with its code" if trusted else b"")
    # A snapshot of the hub's cache is named by its commit: it never changes.
    if folder.parent.name == "snapshots":
        digest.update(f"{folder.parent.parent.name}@{folder.name}".encode())
        return digest.hexdigest()
    for file in _files(folder, trusted):
        facts = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{facts.st_size}\0".encode())
        digest.update(file.read_bytes() if facts.st_size < _SMALL_BYTES else str(facts.st_mtime_ns).encode())
    return digest.hexdigest()


def _files(folder: Path, trusted: bool) -> Iterator[Path]:
    kinds = {".json", ".jinja", ".txt", ".model", ".safetensors", *([".py"] if trusted else [])}
    return (file for file in sorted(folder.iterdir()) if file.is_file() and file.suffix in kinds)
