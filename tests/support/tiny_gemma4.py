"""A tiny random-weight Gemma 4 that sees and hears, with its sliding windows and layers that share keys and values."""

from pathlib import Path
from typing import Any

from transformers import Gemma4Config, Gemma4ForConditionalGeneration

from tests.support.tiny_family import TOWER_SIZES, media_ids, save, text_sizes, tokenizer

NAMED = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}
TEMPLATE = """{{- bos_token -}}{%- for message in messages -%}
{%- set role = 'model' if message.role == 'assistant' else message.role -%}
{{- '<|turn>' + role + '\n' -}}
{%- if message.content is string -%}{{- message.content | trim -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}{{- '\n\n<|image|>\n\n' -}}
{%- elif part.type == 'audio' -%}<|audio|>
{%- elif part.type == 'video' -%}{{- '\n\n<|video|>\n\n' -}}
{%- elif part.type == 'text' -%}{{- part.text | trim -}}{%- endif -%}
{%- endfor -%}{%- endif -%}{{- '<turn|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|turn>model\n' -}}{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "Gemma4Processor",
    "image_processor": {"image_processor_type": "Gemma4ImageProcessor", "max_soft_tokens": 70},
    "video_processor": {"video_processor_type": "Gemma4VideoProcessor"},
    "feature_extractor": {"feature_extractor_type": "Gemma4AudioFeatureExtractor", "fft_overdrive": True},
    "image_seq_length": 70,
}
_SLIDING = 64


def gemma_tokenizer() -> Any:
    """The tokenizer of both Gemma 4."""
    special = ["<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|video|>", *NAMED.values()]
    return tokenizer(special, NAMED, bos_token="<bos>", eos_token="<turn|>", pad_token="<pad>")


def special_ids(tokens: Any) -> dict[str, int]:
    """The ids of the tokens for media and of those around them, as both Gemma 4 name them."""
    ids = tokens.convert_tokens_to_ids
    around = {f"{name}_token_id": ids(NAMED[f"{name}_token"]) for name in ("boi", "eoi", "boa")}
    return {
        **media_ids(tokens, NAMED),
        "video_token_id": ids("<|video|>"),
        **around,
        "eoa_token_index": ids(NAMED["eoa_token"]),
    }


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    tokens = gemma_tokenizer()
    config = Gemma4Config(
        text_config={
            **text_sizes(tokens),
            "vocab_size_per_layer_input": len(tokens),
            "hidden_size_per_layer_input": 8,
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": _SLIDING,
            "global_head_dim": 32,
        },
        vision_config={
            **TOWER_SIZES,
            "intermediate_size": 64,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "position_embedding_size": 256,
        },
        audio_config={
            **TOWER_SIZES,
            "subsampling_conv_channels": [128, 8],
            "output_proj_dims": 32,
        },
        **special_ids(tokens),
    )
    return save(folder, lambda: Gemma4ForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
