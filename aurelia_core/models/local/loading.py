"""Loads open weights once per process: every role, and every desk, that names the same weights shares one model.

No code of a checkpoint is run, but that of a model which the operator named (AURELIA_TRUST_MODEL_CODE), said aloud.
"""

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.local.engine import InferenceEngine
from aurelia_core.models.local.processor import ModelSenses, load_options, load_processor, senses_of
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.weights import Weights

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
_MIB = 1024**2
_CPU_CACHE_MB = 2048
_GPU_SHARE = 0.25


class Placement(NamedTuple):
    """Where a model runs.

    Attributes:
        device: cpu, mps, cuda or cuda:N.
        dtype: of the weights, one of DTYPES.
        threads: of the processor; None: as torch has it.
        cache_mb: most megabytes of kept keys and values; None: a share of what the device has free.
        tokens: most tokens of one reply; None: as the capability table says.
    """

    device: str
    dtype: str
    threads: int | None
    cache_mb: int | None
    tokens: int | None


def choose_placement() -> Placement:
    """The operator's choice (AURELIA_LOCAL_*), or what this machine offers: cuda before mps before cpu.

    Raises:
        InputError: a variable has a value that cannot be used, or names a device that is not there.
    """
    device = _device(os.environ.get("AURELIA_LOCAL_DEVICE", "").strip() or "auto")
    dtype = os.environ.get("AURELIA_LOCAL_DTYPE", "").strip() or "auto"
    if dtype == "auto":
        dtype = _usual(device)
    if dtype not in DTYPES:
        raise InputError(f"AURELIA_LOCAL_DTYPE={dtype!r} cannot be used: write auto or one of {', '.join(DTYPES)}.")
    return Placement(
        device,
        dtype,
        _number("AURELIA_LOCAL_THREADS", 1),
        _number("AURELIA_LOCAL_CACHE_MB", 0),
        _number("AURELIA_LOCAL_TOKENS", 1),
    )


def describe_placement(here: Placement) -> str:
    """The place in words, for the doctor."""
    kept = "a quarter of its free memory" if here.cache_mb is None else f"{here.cache_mb} MB"
    if here.cache_mb is None and here.device == "cpu":
        kept = f"{_CPU_CACHE_MB} MB"
    return f"{here.device}, {here.dtype}, {kept} of kept clips"


def max_cache_bytes(here: Placement) -> int:
    """Most bytes of keys and values that are kept, once the model is loaded."""
    if here.cache_mb is not None:
        return here.cache_mb * _MIB
    if not here.device.startswith("cuda"):
        return _CPU_CACHE_MB * _MIB
    import torch

    free, _ = torch.cuda.mem_get_info(torch.device(here.device))
    return int(free * _GPU_SHARE)


def torch_dtype(here: Placement) -> "torch.dtype":
    """The dtype as torch has it."""
    import torch

    known: dict[str, torch.dtype] = {name: getattr(torch, name) for name in DTYPES}
    return known[here.dtype]


def _device(asked: str) -> str:
    import torch

    known = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, there in known.items() if there)
    kind, _, number = asked.partition(":")
    if kind not in known or (number and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} cannot be used: write auto, cpu, mps, cuda or cuda:N.")
    if not known[kind] or (number and int(number) >= torch.cuda.device_count()):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} is not there: write auto or cpu.")
    return asked


def _usual(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float16" if device == "mps" else "float32"


def _number(name: str, least: int) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < least:
        raise InputError(f"{name}={text!r} cannot be used: write a whole number from {least}.")
    return int(text)


_lock = threading.Lock()
_readers: "dict[str, LoadedProcessor]" = {}
_engines: dict[tuple[str, Placement], InferenceEngine] = {}
_OWN_MAKERS = ("AutoModelForMultimodalLM", "AutoModelForImageTextToText", "AutoModelForCausalLM")
"""Under which of these a folder's own code may offer its model."""


class LoadedProcessor(NamedTuple):
    """What is known of a model before its weights are loaded: its processor, its senses, its way of writing."""

    processor: Any
    senses: ModelSenses
    writer: PromptWriter


def load_processor_with_writer(weights: Weights) -> LoadedProcessor:
    """The model's processor, loaded once.

    Raises:
        InputError: the architecture is not known, or the processor cannot be loaded.
    """
    with _lock:
        if weights.fingerprint not in _readers:
            if weights.trusted:
                sys.stderr.write(f"aurelia: WARNING: {own_code_note(weights)}\n")
            config = _configured(weights)
            processor = load_processor(weights)
            senses = senses_of(weights, processor, config)
            _readers[weights.fingerprint] = LoadedProcessor(
                processor, senses, PromptWriter(weights.model_id, processor, senses)
            )
        return _readers[weights.fingerprint]


def own_code_note(weights: Weights) -> str:
    """What a person has to know of a model whose own code is run."""
    return (
        f"{weights.model_id} runs Python code of its own with all rights of this process, because the operator's"
        " AURELIA_TRUST_MODEL_CODE names it."
    )


def load_engine(weights: Weights, here: Placement) -> InferenceEngine:
    """The loaded model, loaded once.

    Raises:
        InputError: the architecture is not known, or the weights do not fit it.
        ModelError: it does not fit into memory.
    """
    reader = load_processor_with_writer(weights)
    with _lock:
        key = (weights.fingerprint, here)
        if key not in _engines:
            model = _loaded(weights, here)
            _engines[key] = InferenceEngine(
                weights.model_id,
                model,
                reader.writer,
                reuses=reader.senses.row.reuse and here.cache_mb != 0,
                cache_bytes=max_cache_bytes(here),
            )
        return _engines[key]


def unload_all() -> None:
    """Lets go of every loaded model that nobody else holds; processors stay."""
    with _lock:
        _engines.clear()


def _configured(weights: Weights) -> Any:
    """The configuration of the part that writes text: of an omni model that also speaks, its thinker."""
    from transformers import AutoConfig, AutoModelForMultimodalLM

    try:
        config = AutoConfig.from_pretrained(weights.folder, **load_options(weights))
    except (ValueError, KeyError, OSError, TypeError) as fault:
        raise InputError(_unknown(weights)) from fault
    except Exception as fault:
        if not weights.trusted:
            raise
        raise InputError(_broken(weights, fault)) from fault
    config = getattr(config, "thinker_config", config)
    if not _own_maker(weights, config) and type(config) not in AutoModelForMultimodalLM._model_mapping:
        raise InputError(_unknown(weights))
    return config


def _own_maker(weights: Weights, config: Any) -> str | None:
    """Under which name the folder's own code offers its model, where it may."""
    offered = getattr(config, "auto_map", None) or {}
    return next((name for name in _OWN_MAKERS if name in offered), None) if weights.trusted else None


def _unknown(weights: Weights) -> str:
    return (
        f"{weights.model_id} is of the architecture {weights.model_type!r}, which this transformers cannot run as a"
        " multimodal chat model without code of its own: pip install -U transformers, or serve it (compatible:MODEL)."
    )


def _loaded(weights: Weights, here: Placement) -> Any:
    import torch
    import transformers
    from transformers.utils import logging

    noise: Any = logging
    config = _configured(weights)
    maker: Any = getattr(transformers, _own_maker(weights, config) or "AutoModelForMultimodalLM")
    if here.threads is not None:
        torch.set_num_threads(here.threads)
    bars = noise.is_progress_bar_enabled()
    noise.disable_progress_bar()
    try:
        model, found = maker.from_pretrained(
            weights.folder,
            config=config,
            dtype=torch_dtype(here),
            **load_options(weights),
            use_safetensors=True,
            output_loading_info=True,
        )
        # transformers would fill them with random numbers and go on.
        if found["missing_keys"]:
            raise ValueError(f"its weights lack {len(found['missing_keys'])} tensors of the model")
        model = model.to(here.device).eval()
        # Sampling settings of the checkpoint would only be warned about: replies are greedy.
        model.generation_config = _greedy(model.generation_config)
    except (torch.OutOfMemoryError, MemoryError):
        raise ModelError(
            f"{weights.model_id} does not fit into the memory of {here.device}: set AURELIA_LOCAL_DTYPE=bfloat16, choose"
            " another AURELIA_LOCAL_DEVICE, or take a smaller model."
        ) from None
    except Exception as fault:
        raise InputError(_broken(weights, fault)) from fault
    finally:
        if bars:
            noise.enable_progress_bar()
    return model


def _broken(weights: Weights, fault: Exception) -> str:
    said = " ".join(str(fault).split())[:200].replace(str(weights.folder), weights.model_id)
    return f"{weights.model_id} cannot be loaded ({type(fault).__name__}: {said})."


def _greedy(known: Any) -> Any:
    from transformers import GenerationConfig

    settings: Any = GenerationConfig
    return settings(
        eos_token_id=known.eos_token_id,
        bos_token_id=known.bos_token_id,
        pad_token_id=known.pad_token_id if known.pad_token_id is not None else _first(known.eos_token_id),
        repetition_penalty=known.repetition_penalty,
    )


def _first(tokens: Any) -> Any:
    return tokens[0] if isinstance(tokens, list) else tokens
