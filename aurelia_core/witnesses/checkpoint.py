"""Loads a witness's checkpoint through transformers, once per process; nothing is downloaded."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.models.local.weights import find_weights, missing_weights
from aurelia_core.witnesses.base import missing_packages, weights_name

_PACKAGES = ("torch", "transformers")
_lock = threading.Lock()
_loaded: "dict[tuple[str, str], Checkpoint]" = {}


class Checkpoint(NamedTuple):
    """A model in evaluation mode, the parts that prepare its input by name, and its device."""

    model: Any
    parts: Mapping[str, Any]
    device: str


def missing_checkpoint(name: str) -> list[str]:
    """What a witness lacks for the weights `name` (a hub id or a folder), in words with the commands; [] if nothing."""
    return missing_packages(_PACKAGES) or missing_weights(name)


class WeightsWitness:
    """The part that all witnesses with weights share: which weights, and what is missing of them.

    Attributes:
        name: the witness's name in `thresholds.toml`; a subclass sets it.
    """

    name = ""

    def __init__(self, weights: str = "") -> None:
        """Use the weights of `thresholds.toml`, or others: a hub id or a folder."""
        self._weights = weights or weights_name(self.name)

    def lacks(self) -> list[str]:
        """The packages or the weights, if they are not on this machine."""
        return missing_checkpoint(self._weights)


def load_checkpoint(name: str, model_class: str, parts: Mapping[str, str]) -> Checkpoint:
    """The checkpoint `name`.

    Args:
        name: a hub id that was downloaded, or a folder.
        model_class: the class of transformers that holds the model.
        parts: the classes of transformers that prepare its input, by the names under which they are returned.

    Raises:
        InputError: the weights are missing, incomplete, or of another architecture.
    """
    weights = find_weights(name)
    key = (weights.fingerprint, model_class)
    with _lock:
        if key not in _loaded:
            try:
                _loaded[key] = _load(weights.folder, weights.model_id, model_class, parts)
            except (ImportError, OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as fault:
                if isinstance(fault, InputError):
                    raise
                said = " ".join(str(fault).split())[:200].replace(str(weights.folder), weights.model_id)
                raise InputError(f"{weights.model_id} cannot be loaded ({type(fault).__name__}: {said}).") from fault
        return _loaded[key]


def _load(folder: Any, model_id: str, model_class: str, parts: Mapping[str, str]) -> Checkpoint:
    import transformers

    from aurelia_core.models.local.loading import choose_placement, torch_dtype

    placement = choose_placement()
    library: Any = transformers
    model, report = getattr(library, model_class).from_pretrained(
        folder, dtype=torch_dtype(placement), local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    # transformers would fill missing tensors with random numbers.
    if report["missing_keys"]:
        raise InputError(f"{model_id} is no checkpoint of {model_class}: {len(report['missing_keys'])} tensors lack.")
    made = {key: getattr(library, kind).from_pretrained(folder, local_files_only=True) for key, kind in parts.items()}
    return Checkpoint(model.eval().to(placement.device), made, placement.device)
