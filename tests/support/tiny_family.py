"""What the tiny random-weight checkpoints of the native families share: a tokenizer, and how each is saved.

Each `tiny_*.py` beside this file writes one family's folder from configs alone (seconds, a few MB), laid out as the
published checkpoints are. The weights are random: they answer rubbish, always the same.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import prompts

RATE = 16_000
TOWER_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
"""The sizes of a small encoder of pictures or sound."""
_WORDS = 512


@cache
def _trained() -> str:
    """A byte-level tokenizer trained on the project's own prompts, as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=_WORDS, initial_alphabet=alphabet, show_progress=False)
    names = ("system", "generator", "summarizer", "evaluator", "feedback", "target")
    tokenizer.train_from_iterator([prompts.load_prompt(name) for name in names], trainer)
    return str(tokenizer.to_str())


def tokenizer(special: list[str], named: dict[str, str], **more: Any) -> PreTrainedTokenizerFast:
    """A tokenizer with the family's special tokens.

    Args:
        special: every special token.
        named: those that the processor asks for by name (`image_token`, ...).
        more: `bos_token`, `eos_token`, `pad_token`.
    """
    found = Tokenizer.from_str(_trained())
    found.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=found, extra_special_tokens=named, model_max_length=32768, padding_side="left", **more
    )


def text_sizes(tokens: Any) -> dict[str, Any]:
    """The sizes of a small language model, and the tokens that it knows, as settings of its configuration."""
    return {
        "vocab_size": len(tokens),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "bos_token_id": tokens.bos_token_id,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
    }


def media_ids(tokens: Any, named: dict[str, str]) -> dict[str, int]:
    """The ids of the tokens that stand for media (`image_token_id`, ...), from the named tokens of a family."""
    kinds = [f"{kind}_token" for kind in ("image", "video", "audio")]
    return {f"{kind}_id": tokens.convert_tokens_to_ids(named[kind]) for kind in kinds if kind in named}


def save(folder: Path, make: Callable[[], Any], tokens: Any, template: str, parts: dict[str, Any]) -> Path:
    """Writes model, tokenizer, chat template and processor into the folder.

    The processor's file is written as it is published, not by the processor's class: without torchvision none of these
    families' classes can be made.

    Args:
        folder: where to.
        make: makes the model; its weights are drawn after the seed is set.
        tokens: the tokenizer.
        template: the chat template.
        parts: `processor_config.json`: the class, and the settings of each part under its name.
    """
    torch.manual_seed(0)
    model = make().eval()
    model.generation_config.eos_token_id = tokens.eos_token_id
    model.generation_config.pad_token_id = tokens.pad_token_id
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    (folder / "processor_config.json").write_text(json.dumps(parts), "utf-8")
    return folder
