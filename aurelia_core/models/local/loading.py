"""Loads open weights once per process: all roles and model clients with the same weights share one model.

A checkpoint's own code runs only if the operator names the model in AURELIA_TRUST_MODEL_CODE, with a warning on stderr.
"""

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.local.adapters import merge_adapter
from aurelia_core.models.local.engine import InferenceEngine, is_memory_error
from aurelia_core.models.local.processor import ModelSenses, load_options, load_processor, senses_of
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.weights import Weights

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
_MIB = 1024**2
_CPU_CACHE_MB = 2048
_GPU_CACHE_SHARE = 0.25


class Placement(NamedTuple):
    """Where a model runs.

    Attributes:
        device: cpu, mps, cuda or cuda:N.
        dtype: dtype of the weights, one of DTYPES.
        threads: CPU threads; None: torch's default.
        cache_mb: largest prefix cache, MiB; None: 2048 on a CPU, a quarter of the free memory on a GPU.
        max_reply_tokens: most tokens of one reply; None: the value in the capability table.
    """

    device: str
    dtype: str
    threads: int | None
    cache_mb: int | None
    max_reply_tokens: int | None


def choose_placement() -> Placement:
    """The operator's choice (AURELIA_LOCAL_*), or the best device of this machine: cuda, then mps, then cpu.

    Raises:
        InputError: a variable has an invalid value, or names a device that does not exist.
    """
    device = _device(os.environ.get("AURELIA_LOCAL_DEVICE", "").strip() or "auto")
    dtype = os.environ.get("AURELIA_LOCAL_DTYPE", "").strip() or "auto"
    if dtype == "auto":
        dtype = _default_dtype(device)
    if dtype not in DTYPES:
        raise InputError(f"AURELIA_LOCAL_DTYPE={dtype!r} cannot be used: write auto or one of {', '.join(DTYPES)}.")
    return Placement(
        device,
        dtype,
        _number("AURELIA_LOCAL_THREADS", 1),
        _number("AURELIA_LOCAL_CACHE_MB", 0),
        _number("AURELIA_LOCAL_TOKENS", 1),
    )


def describe_placement(placement: Placement) -> str:
    """The placement in words, for `aurelia doctor`."""
    size = f"{placement.cache_mb} MB"
    if placement.cache_mb is None:
        size = f"{_CPU_CACHE_MB} MB" if placement.device == "cpu" else "a quarter of the free memory"
    return f"{placement.device}, {placement.dtype}, {size} for cached clips"


def max_cache_bytes(placement: Placement) -> int:
    """Largest prefix cache in bytes; call it after the model is loaded."""
    if placement.cache_mb is not None:
        return placement.cache_mb * _MIB
    if not placement.device.startswith("cuda"):
        return _CPU_CACHE_MB * _MIB
    import torch

    free, _ = torch.cuda.mem_get_info(torch.device(placement.device))
    return int(free * _GPU_CACHE_SHARE)


def torch_dtype(placement: Placement) -> "torch.dtype":
    """The torch dtype."""
    import torch

    known: dict[str, torch.dtype] = {name: getattr(torch, name) for name in DTYPES}
    return known[placement.dtype]


def _device(asked: str) -> str:
    import torch

    known = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, available in known.items() if available)
    kind, _, number = asked.partition(":")
    if kind not in known or (number and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} cannot be used: write auto, cpu, mps, cuda or cuda:N.")
    if not known[kind] or (number and int(number) >= torch.cuda.device_count()):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} does not exist: write auto or cpu.")
    return asked


def _default_dtype(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device == "mps":
        return "float16"
    return "float32"


def _number(name: str, least: int) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < least:
        raise InputError(f"{name}={text!r} cannot be used: write a whole number from {least}.")
    return int(text)


_lock = threading.Lock()
_processors: "dict[str, LoadedProcessor]" = {}
_engines: dict[tuple[str, Placement], InferenceEngine] = {}
_OWN_MODEL_CLASSES = ("AutoModelForMultimodalLM", "AutoModelForImageTextToText", "AutoModelForCausalLM")
"""The names under which a folder's own code may register its model."""


class LoadedProcessor(NamedTuple):
    """The parts of a model that do not need its weights: processor, senses and prompt writer."""

    processor: Any
    senses: ModelSenses
    writer: PromptWriter


def load_processor_with_writer(weights: Weights) -> LoadedProcessor:
    """The model's processor, loaded once.

    Raises:
        InputError: the architecture is unknown, or the processor cannot be loaded.
    """
    with _lock:
        if weights.fingerprint not in _processors:
            if weights.trusted:
                sys.stderr.write(f"aurelia: WARNING: {own_code_note(weights)}\n")
            config = _load_config(weights)
            processor = load_processor(weights)
            senses = senses_of(weights, processor, config)
            _processors[weights.fingerprint] = LoadedProcessor(
                processor, senses, PromptWriter(weights.model_id, processor, senses)
            )
        return _processors[weights.fingerprint]


def own_code_note(weights: Weights) -> str:
    """The warning for a model whose own code runs."""
    return (
        f"{weights.model_id} runs its own Python code with all rights of this process, because the operator's"
        " AURELIA_TRUST_MODEL_CODE names it."
    )


def load_engine(weights: Weights, placement: Placement) -> InferenceEngine:
    """The inference engine of the weights, loaded once per placement.

    Raises:
        InputError: the architecture is unknown, or the weights do not match it.
        ModelError: it does not fit into memory.
    """
    loaded = load_processor_with_writer(weights)
    with _lock:
        key = (weights.fingerprint, placement)
        if key not in _engines:
            model = load_model(weights, placement)
            _engines[key] = InferenceEngine(
                weights.model_id,
                model,
                loaded.writer,
                reuses=loaded.senses.family.reuse and placement.cache_mb != 0,
                cache_bytes=max_cache_bytes(placement),
            )
        return _engines[key]


def unload_all() -> None:
    """Release all loaded models; processors stay loaded."""
    with _lock:
        _engines.clear()


def _load_config(weights: Weights) -> Any:
    """The configuration of the part that writes text: the thinker of an omni model that also speaks."""
    from transformers import AutoConfig, AutoModelForMultimodalLM

    try:
        config = AutoConfig.from_pretrained(weights.folder, **load_options(weights))
    except (ValueError, KeyError, OSError, TypeError) as fault:
        raise InputError(_unknown_architecture(weights)) from fault
    except Exception as fault:
        if not weights.trusted:
            raise
        raise InputError(_load_failure(weights, fault)) from fault
    config = getattr(config, "thinker_config", config)
    if not _own_model_class(weights, config) and type(config) not in AutoModelForMultimodalLM._model_mapping:
        raise InputError(_unknown_architecture(weights))
    return config


def _own_model_class(weights: Weights, config: Any) -> str | None:
    """The name under which the folder's own code registers its model; None if it may not run or has none."""
    if not weights.trusted:
        return None
    registered = getattr(config, "auto_map", None) or {}
    return next((name for name in _OWN_MODEL_CLASSES if name in registered), None)


def _unknown_architecture(weights: Weights) -> str:
    return (
        f"{weights.model_id} has the architecture {weights.model_type!r}, which this transformers cannot run as"
        " a multimodal chat model without the model's own code: pip install -U transformers, or serve it"
        " (compatible:MODEL)."
    )


def load_model(weights: Weights, placement: Placement, **options: Any) -> Any:
    """The model with its weights on its device, with its adapter merged into them; not shared.

    Args:
        weights: the checkpoint.
        placement: device, precision and threads.
        options: further arguments of `from_pretrained`; with a quantization the model stays where it was loaded.

    Raises:
        InputError: the architecture is unknown, or weights or adapter do not match it.
        ModelError: it does not fit into memory.
    """
    import torch
    import transformers
    from transformers.utils import logging

    transformers_logging: Any = logging
    config = _load_config(weights)
    model_class: Any = getattr(transformers, _own_model_class(weights, config) or "AutoModelForMultimodalLM")
    if placement.threads is not None:
        torch.set_num_threads(placement.threads)
    has_progress_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model, report = model_class.from_pretrained(
            weights.folder,
            config=config,
            dtype=torch_dtype(placement),
            **load_options(weights),
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        # transformers would fill missing tensors with random numbers.
        if report["missing_keys"]:
            raise ValueError(f"its weights lack {len(report['missing_keys'])} tensors of the model")
        if weights.adapter is not None:
            model = merge_adapter(model, weights.adapter, weights.model_id)
        if "quantization_config" not in options:
            model = model.to(placement.device)
        model = model.eval()
        # With the checkpoint's sampling settings transformers would print warnings at every greedy reply.
        model.generation_config = _greedy_config(model.generation_config)
    except InputError:
        raise
    except Exception as fault:
        if is_memory_error(fault):
            raise ModelError(
                f"{weights.model_id} does not fit into the memory of {placement.device}: set"
                " AURELIA_LOCAL_DTYPE=bfloat16, choose another AURELIA_LOCAL_DEVICE, or use a smaller model."
            ) from None
        raise InputError(_load_failure(weights, fault)) from fault
    finally:
        if has_progress_bar:
            transformers_logging.enable_progress_bar()
    return model


def _load_failure(weights: Weights, fault: Exception) -> str:
    text = " ".join(str(fault).split())[:200].replace(str(weights.folder), weights.model_id)
    return f"{weights.model_id} cannot be loaded ({type(fault).__name__}: {text})."


def _greedy_config(config: Any) -> Any:
    from transformers import GenerationConfig

    config_class: Any = GenerationConfig
    pad_token_id = config.pad_token_id
    if pad_token_id is None:
        pad_token_id = config.eos_token_id
        if isinstance(pad_token_id, list):
            pad_token_id = pad_token_id[0]
    return config_class(
        eos_token_id=config.eos_token_id,
        bos_token_id=config.bos_token_id,
        pad_token_id=pad_token_id,
        repetition_penalty=config.repetition_penalty,
    )
