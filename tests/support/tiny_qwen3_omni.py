"""A tiny random-weight Qwen3-Omni (mixture of experts): the thinker that answers, and the talker that speaks."""

from pathlib import Path

from transformers import Qwen3OmniMoeConfig, Qwen3OmniMoeForConditionalGeneration

from tests.support.tiny_family import media_ids, save, text_sizes, tokenizer

NAMED = {
    "image_token": "<|image_pad|>",
    "audio_token": "<|audio_pad|>",
    "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}
TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\n' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'audio' -%}<|audio_start|><|audio_pad|><|audio_end|>
{%- elif part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}
{%- endfor -%}{%- endif -%}{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "Qwen3OmniMoeProcessor",
    "image_processor": {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": 16,
        "size": {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 12},
    },
    "video_processor": {"video_processor_type": "Qwen2VLVideoProcessor", "patch_size": 16},
    "feature_extractor": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128},
}
_SPREAD = 0.15
_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
_TALKER = {
    "text_config": {**_SMALL, "vocab_size": 64, "head_dim": 16, "num_experts": 2, "num_experts_per_tok": 1}
    | {"moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "rope_parameters": None},
    "code_predictor_config": {**_SMALL, "vocab_size": 64, "head_dim": 16, "num_code_groups": 2},
    "num_code_groups": 2,
    "thinker_hidden_size": 64,
    "accept_hidden_layer": 1,
    "spatial_merge_size": 2,
}
_VOICE = {**_SMALL, "codebook_size": 16, "num_quantizers": 2, "decoder_dim": 32}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 2, 2], "mrope_interleaved": True}


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    ids = tokens.convert_tokens_to_ids
    thinker = {
        "text_config": {
            **text_sizes(tokens),
            "num_hidden_layers": 2,
            "rope_parameters": _ROPE,
            "initializer_range": _SPREAD,
            **_EXPERTS,
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
            "initializer_range": _SPREAD,
        },
        "audio_config": {
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "d_model": 32,
            "output_dim": 64,
            "downsample_hidden_size": 16,
            "initializer_range": _SPREAD,
        },
        **media_ids(tokens, NAMED),
        "audio_start_token_id": ids(NAMED["audio_bos_token"]),
        "audio_end_token_id": ids(NAMED["audio_eos_token"]),
        "vision_start_token_id": ids(NAMED["vision_bos_token"]),
        "vision_end_token_id": ids(NAMED["vision_eos_token"]),
    }
    config = Qwen3OmniMoeConfig(
        thinker_config=thinker,
        talker_config=_TALKER,
        code2wav_config=_VOICE,
        initializer_range=_SPREAD,
        im_start_token_id=ids("<|im_start|>"),
        im_end_token_id=ids("<|im_end|>"),
    )
    return save(folder, lambda: Qwen3OmniMoeForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
