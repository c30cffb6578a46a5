"""Adapters of open weights: `transformers:BASE+ADAPTER` is the base with a LoRA adapter merged into its weights.

The merged model is one of its own: it has its own engine and its own cached encodings of clips, so that nothing that
one adapter encoded reaches another. An adapter is data alone: no code of its folder runs, and pickled weights are
refused.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

ADAPTER_MARK = "+"
"""Between base and adapter in a model's name."""
CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE = "adapter_config.json", "adapter_model.safetensors", "training.json"


class Adapter(NamedTuple):
    """An adapter on this machine.

    Attributes:
        folder: its folder.
        base: name of the base that it was trained on; "": not recorded.
        shape: the base's `text_shape`; {}: not recorded.
    """

    folder: Path
    base: str
    shape: dict[str, Any]


def text_shape(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a checkpoint's configuration that an adapter must fit: kind, width and depth of its text model."""
    inner = config.get("thinker_config") or config
    text = inner.get("text_config") or inner
    kind = str(inner.get("model_type", "")).removesuffix("_thinker")
    return {"model_type": kind, "hidden_size": text.get("hidden_size"), "layers": text.get("num_hidden_layers")}


def read_adapter(folder: Path, model_id: str, config: Mapping[str, Any]) -> Adapter:
    """The adapter in a folder, its files checked; nothing is loaded.

    Args:
        folder: its folder.
        model_id: name of base and adapter in messages.
        config: the base's configuration.

    Raises:
        InputError: a file is missing or damaged, it is no LoRA adapter in safetensors, or it does not fit the base.
    """
    try:
        stored = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
        kind, base = str(stored["peft_type"]), str(stored.get("base_model_name_or_path") or "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{model_id} has no usable {CONFIG_FILE}: give the folder of an adapter, as aurelia train writes it."
        ) from None
    if kind != "LORA":
        raise InputError(f"{model_id} is an adapter of the kind {kind}: only LoRA adapters are merged.")
    if not (folder / WEIGHTS_FILE).is_file():
        raise InputError(
            f"{model_id} is incomplete, {WEIGHTS_FILE} is missing (pickled weights are not loaded):"
            " train it to its end, or convert its weights to safetensors."
        )
    adapter = Adapter(folder, base, _recorded_shape(folder))
    shape = text_shape(config)
    if adapter.shape and adapter.shape != shape:
        raise InputError(_mismatch(adapter, model_id, f"it is for {adapter.shape}, and this base has {shape}"))
    return adapter


def _recorded_shape(folder: Path) -> dict[str, Any]:
    """The shape of the base in the adapter's record; an adapter of another program has none."""
    try:
        found = json.loads((folder / RECORD_FILE).read_text("utf-8"))["base_shape"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


@contextmanager
def without_future_warnings() -> Iterator[None]:
    """In this context transformers 5.23 does not warn about names that peft, and its own trainer, still use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def merge_adapter(model: Any, adapter: Adapter, model_id: str) -> Any:
    """The model with the adapter's weights added to its own.

    Raises:
        InputError: peft is missing, or the adapter was trained on a model of another shape.
    """
    try:
        from peft import LoraConfig, PeftModel
        from peft.utils import load_peft_weights
    except ModuleNotFoundError as fault:
        raise InputError(
            f"{model_id} needs a package that is not installed ({fault.name}): {install_command('train')}"
        ) from None
    try:
        with without_future_warnings():
            # The weights are put in place by hand: peft only warns about an adapter that matches no layer.
            config: Any = LoraConfig.from_pretrained(str(adapter.folder))
            config.inference_mode = True
            adapted: Any = PeftModel(model, config)
            found = _set_weights(adapted, load_peft_weights(str(adapter.folder), device="cpu"))
            merged = adapted.merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, KeyError, TypeError, OSError) as fault:
        raise InputError(_mismatch(adapter, model_id, " ".join(str(fault).split())[:160])) from fault
    if found:
        raise InputError(_mismatch(adapter, model_id, f"{found[0]} has no place in it"))
    return merged


def _set_weights(adapted: Any, stored: dict[str, Any]) -> list[str]:
    """Load the stored tensors; returns the names that the model does not have."""
    from peft.utils import set_peft_model_state_dict

    result: Any = set_peft_model_state_dict(adapted, stored)
    missing = [name for name in result.missing_keys if "lora_" in name]
    return [*result.unexpected_keys, *missing]


def _mismatch(adapter: Adapter, model_id: str, why: str) -> str:
    trained = f" (it was trained on {adapter.base})" if adapter.base else ""
    return f"{model_id}: the adapter does not fit this base{trained}: {why}. Name the base that it was trained on."
