"""A tiny random-weight Inkling: pictures in patches of 40 pixels, and sound in mel levels; no video of its own."""

from pathlib import Path

from transformers import InklingConfig, InklingForConditionalGeneration

from tests.support.tiny_family import TOWER_SIZES, media_ids, save, text_sizes, tokenizer

NAMED = {"image_token": "<|unused_200054|>", "audio_token": "<|unused_200053|>"}
_MARKS = ["<|content_text|>", "<|content_image|>", "<|content_audio_input|>", "<|content_thinking|>"]
_ROLES = ["<|message_system|>", "<|message_user|>", "<|message_model|>"]
# Each part of a message is a message with one kind of content.
TEMPLATE = """{%- for message in messages -%}
{%- set role = '<|message_' + ('model' if message.role == 'assistant' else message.role) + '|>' -%}
{%- if message.content is string -%}{{- role + '<|content_text|>' + message.content + '<|end_message|>' -}}
{%- else -%}{%- for part in message.content -%}{{- role -}}
{%- if part.type == 'image' -%}<|content_image|><|unused_200054|>
{%- elif part.type == 'audio' -%}<|content_audio_input|><|unused_200053|><|audio_end|>
{%- elif part.type == 'text' -%}{{- '<|content_text|>' + part.text -}}{%- endif -%}
{{- '<|end_message|>' -}}{%- endfor -%}{%- endif -%}
{%- if message.role == 'assistant' -%}<|content_model_end_sampling|>{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|message_model|>{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "InklingProcessor",
    "image_processor": {"image_processor_type": "InklingImageProcessor"},
    "feature_extractor": {"feature_extractor_type": "InklingFeatureExtractor"},
}
_SPREAD = 0.1


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    end = "<|content_model_end_sampling|>"
    special = ["<|endoftext|>", end, "<|end_message|>", "<|audio_end|>", *_MARKS, *_ROLES, *NAMED.values()]
    tokens = tokenizer(special, NAMED, eos_token=end, pad_token="<|endoftext|>")
    ids = tokens.convert_tokens_to_ids
    config = InklingConfig(
        text_config={
            **text_sizes(tokens),
            "num_hidden_layers": 3,
            "local_layer_ids": [0, 1],
            "swa_num_attention_heads": 4,
            "swa_num_key_value_heads": 2,
            "swa_head_dim": 16,
            "sliding_window_size": 64,
            "d_rel": 8,
            "rel_extent": 64,
            "moe_intermediate_size": 32,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_shared_experts": 1,
            "logits_mup_width_multiplier": 1.0,
            "max_position_embeddings": 32768,
            "initializer_range": _SPREAD,
        },
        vision_config=TOWER_SIZES,
        audio_config={"mel_vocab_size": 16},
        **media_ids(tokens, NAMED),
        image_bos_token_id=ids("<|content_image|>"),
        audio_bos_token_id=ids("<|content_audio_input|>"),
    )
    return save(folder, lambda: InklingForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
