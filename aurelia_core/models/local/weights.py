"""Finds open weights on this machine by folder or hub id and checks their files; it downloads and loads nothing.

`BASE+ADAPTER` names a base and an adapter of it (`adapters`).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core import plugins
from aurelia_core.errors import InputError
from aurelia_core.models.local.adapters import ADAPTER_MARK, Adapter, read_adapter
from aurelia_core.settings import HUB_MODEL_ID

_SMALL_BYTES = 1_000_000
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_FOLDERS = "AURELIA_LOCAL_MODELS"


class Weights(NamedTuple):
    """A checkpoint on this machine.

    Attributes:
        model_id: its name in messages: `transformers:ID`; a folder is shortened to its last part.
        folder: the folder with its files.
        config: the content of its config.json.
        fingerprint: SHA-256 (hex) of everything that determines its replies: small files by content and weights by size
            and time, or the hub's revision.
        trusted: whether the operator allows its own Python code to run.
        adapter: the adapter that is merged into the weights; None: the weights alone.
    """

    model_id: str
    folder: Path
    config: dict[str, Any]
    fingerprint: str
    trusted: bool = False
    adapter: Adapter | None = None

    @property
    def model_type(self) -> str:
        """The architecture in the config."""
        return str(self.config["model_type"])


def find_weights(name: str, *, any_folder: bool = True, trusted: Sequence[str] = ()) -> Weights:
    """The weights `name`: a folder, or the id of a model that was downloaded from the hub.

    Args:
        name: the name after `transformers:`.
        any_folder: whether any folder is allowed; otherwise only folders below those in AURELIA_LOCAL_MODELS.
        trusted: the models whose own code may run: folders and hub ids.

    Raises:
        InputError: the weights are missing, incomplete, or in an unsupported format; the message names the remedy.
    """
    base, added = _split_adapter(name)
    if added:
        return _with_adapter(find_weights(base, any_folder=any_folder, trusted=trusted), added, any_folder=any_folder)
    if packaged := _packaged(name):
        return _checked(f"transformers:{name}", packaged, "install its package again")
    path = Path(name).expanduser()
    if path.is_dir() and (any_folder or _allowed(path)):
        model_id = f"transformers:{path.resolve().name}"
        folders = [Path(entry).expanduser().resolve() for entry in trusted if not HUB_MODEL_ID.fullmatch(entry)]
        return _checked(model_id, path.resolve(), "give the folder of a model", path.resolve() in folders)
    if not HUB_MODEL_ID.fullmatch(name):
        where = ""
        if not any_folder:
            where = f" below the folders of {_FOLDERS}"
        raise InputError(
            f"There is no folder {path.name!r}{where}, and the name is not a hub id (ORGANISATION/MODEL) either."
        )
    model_id = f"transformers:{name}"
    remedy = f"hf download {name}"
    folder = _snapshot(name)
    if folder is None:
        raise InputError(f"The weights of {model_id} are not on this machine: {remedy}")
    return _checked(model_id, folder, remedy, name in trusted)


def _split_adapter(name: str) -> tuple[str, str]:
    """Base and adapter in a name; ("", "") without an adapter. A folder's own name may contain the mark, too."""
    if Path(name).expanduser().is_dir():
        return "", ""
    places = [place for place, letter in enumerate(name) if letter == ADAPTER_MARK]
    splits = [(name[:place], name[place + 1 :]) for place in places if 0 < place < len(name) - 1]
    for base, added in splits:
        if Path(added).expanduser().is_dir():
            return base, added
    return splits[0] if splits else ("", "")


def _with_adapter(base: Weights, name: str, *, any_folder: bool) -> Weights:
    """The base with the adapter in the folder, or of the hub id, `name`."""
    if base.adapter is not None:
        raise InputError(f"{base.model_id} has an adapter already: name one adapter, or merge the first into its base.")
    path = Path(name).expanduser()
    folder: Path | None = None
    if path.is_dir() and (any_folder or _allowed(path)):
        folder = path.resolve()
    elif HUB_MODEL_ID.fullmatch(name):
        folder = _snapshot(name)
    if folder is None:
        where = "" if any_folder else f" below the folders of {_FOLDERS}"
        raise InputError(
            f"There is no adapter {path.name!r}{where}: give the folder that aurelia train wrote, or hf download it."
        )
    model_id = f"{base.model_id}{ADAPTER_MARK}{folder.name if path.is_dir() else name}"
    adapter = read_adapter(folder, model_id, base.config)
    digest = hashlib.sha256(f"{base.fingerprint}\0{_fingerprint(folder, trusted=False)}".encode())
    return base._replace(model_id=model_id, adapter=adapter, fingerprint=digest.hexdigest())


def missing_weights(name: str) -> list[str]:
    """The missing parts of the weights `name`, in words for `aurelia doctor`; [] if they are complete."""
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
    """The checkpoint in a folder of this name inside an installed package of targets; None if there is none."""
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
            f"{model_id} contains no model: its config.json is missing or names no model_type; {remedy}"
        ) from None
    missing = [name for name in _weight_files(folder, model_id) if not (folder / name).is_file()]
    # Without this file transformers would use a processor with default settings.
    if not any((folder / name).is_file() for name in _PROCESSORS):
        missing.append(_PROCESSORS[-1])
    if missing or not model_type:
        raise InputError(f"{model_id} is incomplete, {missing[0]} is missing: {remedy}")
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
            f"{model_id} contains pickled weights ({other[0]}), which are not loaded: convert them to safetensors."
        )
    return ["model.safetensors"]


def _fingerprint(folder: Path, trusted: bool) -> str:
    digest = hashlib.sha256()
    if trusted:
        digest.update(b"with its code")
    # The name of a snapshot in the hub's cache is its commit: it never changes.
    if folder.parent.name == "snapshots":
        digest.update(f"{folder.parent.parent.name}@{folder.name}".encode())
        return digest.hexdigest()
    for file in _files(folder, trusted):
        facts = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{facts.st_size}\0".encode())
        if facts.st_size < _SMALL_BYTES:
            digest.update(file.read_bytes())
        else:
            digest.update(str(facts.st_mtime_ns).encode())
    return digest.hexdigest()


def _files(folder: Path, trusted: bool) -> Iterator[Path]:
    suffixes = {".json", ".jinja", ".txt", ".model", ".safetensors"}
    if trusted:
        suffixes.add(".py")
    return (file for file in sorted(folder.iterdir()) if file.is_file() and file.suffix in suffixes)
