"""Loads open weights once per process: every role, and every desk, that names the same weights shares one model."""

import threading
from typing import Any, NamedTuple

from aurelia.errors import InputError, ModelError
from aurelia.models.local_engine import Engine
from aurelia.models.local_processor import Senses, load_processor, senses_of
from aurelia.models.local_setup import Place, cache_bytes, torch_dtype
from aurelia.models.local_weights import Weights
from aurelia.models.local_writer import Writer

_lock = threading.Lock()
_readers: "dict[str, Reader]" = {}
_engines: dict[tuple[str, Place], Engine] = {}


class Reader(NamedTuple):
    """What is known of a model before its weights are loaded: its processor, its senses, its way of writing."""

    processor: Any
    senses: Senses
    writer: Writer


def reader_of(weights: Weights) -> Reader:
    """The model's processor, loaded once.

    Raises:
        InputError: the architecture is not known, or the processor cannot be loaded.
    """
    with _lock:
        if weights.fingerprint not in _readers:
            config = _configured(weights)
            processor = load_processor(weights)
            senses = senses_of(weights, processor, config)
            _readers[weights.fingerprint] = Reader(processor, senses, Writer(weights.spec, processor, senses))
        return _readers[weights.fingerprint]


def engine_of(weights: Weights, here: Place) -> Engine:
    """The loaded model, loaded once.

    Raises:
        InputError: the architecture is not known, or the weights do not fit it.
        ModelError: it does not fit into memory.
    """
    reader = reader_of(weights)
    with _lock:
        key = (weights.fingerprint, here)
        if key not in _engines:
            model = _loaded(weights, here)
            _engines[key] = Engine(
                weights.spec,
                model,
                reader.writer,
                reuses=reader.senses.row.reuse and here.cache_mb != 0,
                cache_bytes=cache_bytes(here),
            )
        return _engines[key]


def forget() -> None:
    """Lets go of every loaded model that nobody else holds; processors stay."""
    with _lock:
        _engines.clear()


def _configured(weights: Weights) -> Any:
    """The configuration of the part that writes text: of an omni model that also speaks, its thinker."""
    from transformers import AutoConfig, AutoModelForMultimodalLM

    try:
        config = AutoConfig.from_pretrained(weights.folder, trust_remote_code=False, local_files_only=True)
    except (ValueError, KeyError, OSError, TypeError) as fault:
        raise InputError(_unknown(weights)) from fault
    config = getattr(config, "thinker_config", config)
    if type(config) not in AutoModelForMultimodalLM._model_mapping:
        raise InputError(_unknown(weights))
    return config


def _unknown(weights: Weights) -> str:
    return (
        f"{weights.spec} is of the architecture {weights.model_type!r}, which this transformers cannot run as a"
        " multimodal chat model without code of its own: pip install -U transformers, or serve it (compatible:MODEL)."
    )


def _loaded(weights: Weights, here: Place) -> Any:
    import torch
    from transformers import AutoModelForMultimodalLM, GenerationConfig
    from transformers.utils import logging

    noise: Any = logging
    settings: Any = GenerationConfig
    config = _configured(weights)
    if here.threads is not None:
        torch.set_num_threads(here.threads)
    bars = noise.is_progress_bar_enabled()
    noise.disable_progress_bar()
    try:
        model, found = AutoModelForMultimodalLM.from_pretrained(
            weights.folder,
            config=config,
            dtype=torch_dtype(here),
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        # transformers would fill them with random numbers and go on.
        if found["missing_keys"]:
            raise ValueError(f"its weights lack {len(found['missing_keys'])} tensors of the model")
        model = model.to(here.device).eval()
    except (torch.OutOfMemoryError, MemoryError):
        raise ModelError(
            f"{weights.spec} does not fit into the memory of {here.device}: set AURELIA_LOCAL_DTYPE=bfloat16, choose"
            " another AURELIA_LOCAL_DEVICE, or take a smaller model."
        ) from None
    except Exception as fault:
        said = " ".join(str(fault).split())[:200].replace(str(weights.folder), weights.spec)
        raise InputError(f"{weights.spec} cannot be loaded ({type(fault).__name__}: {said}).") from fault
    finally:
        if bars:
            noise.enable_progress_bar()
    # Sampling settings of the checkpoint would only be warned about: replies are greedy.
    known = model.generation_config
    model.generation_config = settings(
        eos_token_id=known.eos_token_id,
        bos_token_id=known.bos_token_id,
        pad_token_id=known.pad_token_id if known.pad_token_id is not None else _first(known.eos_token_id),
        repetition_penalty=known.repetition_penalty,
    )
    return model


def _first(tokens: Any) -> Any:
    return tokens[0] if isinstance(tokens, list) else tokens
