"""Makes a tiny Qwen2.5-Omni checkpoint with random weights, laid out like a published one; it talks rubbish."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    WhisperFeatureExtractor,
)
from transformers.utils import logging

import prompts

SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|vision_bos|>",
    "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>", "<|VIDEO|>",
]  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{% elif c['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% elif c['type'] == 'video' %}<|vision_bos|><|VIDEO|><|vision_eos|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NAMED = {
    "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "text": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    },
    "vision": {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
        "fullatt_block_indexes": [1], "window_size": 112,
    },
    "audio": {
        "num_mel_bins": 128, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "d_model": 32,
        "max_source_positions": 1500, "n_window": 100, "output_dim": 64,
    },
}  # fmt: skip


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on the prompts, so that merges across borders happen as in a real one."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    breaks = ["a\n\n\n\n\nb"] * 50
    core.train_from_iterator([*breaks, *(prompts.load_prompt(name) for name in prompts.PROMPT_NAMES)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=NAMED,
        model_max_length=32768,
    )


def config(words: PreTrainedTokenizerFast, sizes: dict[str, dict[str, Any]]) -> Qwen2_5OmniThinkerConfig:
    """The thinker's configuration with every special token's id."""
    ids = words.convert_tokens_to_ids
    made = Qwen2_5OmniThinkerConfig(
        text_config={
            "vocab_size": len(words),
            "tie_word_embeddings": False,
            "pad_token_id": words.pad_token_id,
            "eos_token_id": words.eos_token_id,
            **sizes["text"],
        },
        vision_config=sizes["vision"],
        audio_config=sizes["audio"],
        audio_token_index=ids("<|AUDIO|>"),
        image_token_index=ids("<|IMAGE|>"),
        video_token_index=ids("<|VIDEO|>"),
        audio_start_token_id=ids("<|audio_bos|>"),
        audio_end_token_id=ids("<|audio_eos|>"),
        user_token_id=ids("u"),
        tie_word_embeddings=False,
    )
    made.vision_start_token_id = ids("<|vision_bos|>")
    made.vision_end_token_id = ids("<|vision_eos|>")
    made.pad_token_id = words.pad_token_id
    return made


def write(
    folder: Path,
    *,
    seed: int = 0,
    sizes: dict[str, dict[str, Any]] = SIZES,
    pixels: int = 28 * 28 * 9,
    spread: float = 8.0,
) -> Path:
    """Writes weights, tokenizer and processor files, those of the names that published checkpoints have.

    Args:
        folder: where to.
        seed: of the weights.
        sizes: of the language model and the two towers.
        pixels: largest picture.
        spread: how much the last layer's weights are enlarged, so that another picture is heard in the greedy text.
    """
    logging.disable_progress_bar()
    words = tokenizer()
    torch.manual_seed(seed)
    model = Qwen2_5OmniThinkerForConditionalGeneration(config(words, sizes)).eval()
    with torch.no_grad():
        model.lm_head.weight *= spread
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    model.save_pretrained(folder)
    words.chat_template = TEMPLATE
    words.save_pretrained(folder)
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28 * 4, "longest_edge": pixels})
    sounds = WhisperFeatureExtractor(
        feature_size=128, sampling_rate=16000, hop_length=160, n_fft=400, chunk_length=30, return_attention_mask=True
    )
    known = {**pictures.to_dict(), **sounds.to_dict(), "processor_class": "Qwen2_5OmniProcessor"}
    known["image_processor_type"] = "Qwen2VLImageProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(known, default=str))
    return folder
