"""Loads open weights once per process: every role, and every desk, that names the same weights shares one model.

No code of a checkpoint is run, but that of a model which the operator named (AURELIA_TRUST_MODEL_CODE), said aloud.
"""

import sys
import threading
from typing import Any, NamedTuple

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.local.engine import InferenceEngine
from aurelia_core.models.local.processor import ModelSenses, load_options, load_processor, senses_of
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.setup import Placement, cache_bytes, torch_dtype
from aurelia_core.models.local.weights import Weights

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


def load_reader(weights: Weights) -> LoadedProcessor:
    """The model's processor, loaded once.

    Raises:
        InputError: the architecture is not known, or the processor cannot be loaded.
    """
    with _lock:
        if weights.fingerprint not in _readers:
            if weights.trusted:
                sys.stderr.write(f"aurelia: WARNING: {runs_own_code(weights)}\n")
            config = _configured(weights)
            processor = load_processor(weights)
            senses = senses_of(weights, processor, config)
            _readers[weights.fingerprint] = LoadedProcessor(
                processor, senses, PromptWriter(weights.spec, processor, senses)
            )
        return _readers[weights.fingerprint]


def runs_own_code(weights: Weights) -> str:
    """What a person has to know of a model whose own code is run."""
    return (
        f"{weights.spec} runs Python code of its own with all rights of this process, because the operator's"
        " AURELIA_TRUST_MODEL_CODE names it."
    )


def load_engine(weights: Weights, here: Placement) -> InferenceEngine:
    """The loaded model, loaded once.

    Raises:
        InputError: the architecture is not known, or the weights do not fit it.
        ModelError: it does not fit into memory.
    """
    reader = load_reader(weights)
    with _lock:
        key = (weights.fingerprint, here)
        if key not in _engines:
            model = _loaded(weights, here)
            _engines[key] = InferenceEngine(
                weights.spec,
                model,
                reader.writer,
                reuses=reader.senses.row.reuse and here.cache_mb != 0,
                cache_bytes=cache_bytes(here),
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
        f"{weights.spec} is of the architecture {weights.model_type!r}, which this transformers cannot run as a"
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
            f"{weights.spec} does not fit into the memory of {here.device}: set AURELIA_LOCAL_DTYPE=bfloat16, choose"
            " another AURELIA_LOCAL_DEVICE, or take a smaller model."
        ) from None
    except Exception as fault:
        raise InputError(_broken(weights, fault)) from fault
    finally:
        if bars:
            noise.enable_progress_bar()
    return model


def _broken(weights: Weights, fault: Exception) -> str:
    said = " ".join(str(fault).split())[:200].replace(str(weights.folder), weights.spec)
    return f"{weights.spec} cannot be loaded ({type(fault).__name__}: {said})."


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
