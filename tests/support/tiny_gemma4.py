"""A tiny random-weight Gemma 4 that sees and hears, with its sliding windows and layers that share keys and values."""

from pathlib import Path

from transformers import Gemma4Config, Gemma4ForConditionalGeneration

from tests.support.tiny_family import save, tokenizer

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


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|video|>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, bos_token="<bos>", eos_token="<turn|>", pad_token="<pad>")
    ids = tokens.convert_tokens_to_ids
    config = Gemma4Config(
        text_config={
            "vocab_size": len(tokens),
            "vocab_size_per_layer_input": len(tokens),
            "hidden_size_per_layer_input": 8,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": _SLIDING,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "global_head_dim": 32,
            "pad_token_id": tokens.pad_token_id,
            "bos_token_id": tokens.bos_token_id,
            "eos_token_id": tokens.eos_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "position_embedding_size": 256,
        },
        audio_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 8],
            "output_proj_dims": 32,
        },
        image_token_id=ids("<|image|>"),
        video_token_id=ids("<|video|>"),
        audio_token_id=ids("<|audio|>"),
        boi_token_id=ids("<|image>"),
        eoi_token_id=ids("<image|>"),
        boa_token_id=ids("<|audio>"),
        eoa_token_index=ids("<audio|>"),
    )
    return save(folder, lambda: Gemma4ForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
