"""A tiny random-weight Phi-4-multimodal: images and sound, no video of its own; pictures cost 545 tokens each."""

from pathlib import Path

from transformers import Phi4MultimodalConfig, Phi4MultimodalForCausalLM

from tests.support.tiny_family import TOWER_SIZES, save, text_sizes, tokenizer

NAMED = {"image_token": "<|image|>", "audio_token": "<|audio|>"}
TEMPLATE = """{%- for message in messages -%}
{{- '<|' + message.role + '|>' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|image|>
{%- elif part.type == 'audio' -%}<|audio|>
{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}
{%- endfor -%}{%- endif -%}<|end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "Phi4MultimodalProcessor",
    "image_processor": {"image_processor_type": "Phi4MultimodalImageProcessor"},
    "audio_processor": {"feature_extractor_type": "Phi4MultimodalFeatureExtractor"},
}
_SPREAD = 0.15


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, bos_token="<|endoftext|>", eos_token="<|end|>", pad_token="<|endoftext|>")
    config = Phi4MultimodalConfig(
        **text_sizes(tokens),
        num_hidden_layers=2,
        initializer_range=_SPREAD,
        max_position_embeddings=32768,
        original_max_position_embeddings=32768,
        vision_config={
            **TOWER_SIZES,
            "intermediate_size": 64,
            "image_token_id": tokens.convert_tokens_to_ids("<|image|>"),
        },
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_blocks": 2,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 32,
            "depthwise_separable_out_channel": 32,
            "nemo_conv_channels": 32,
            "initializer_range": _SPREAD,
            "audio_token_id": tokens.convert_tokens_to_ids("<|audio|>"),
        },
    )
    return save(folder, lambda: Phi4MultimodalForCausalLM(config), tokens, TEMPLATE, PROCESSOR)
