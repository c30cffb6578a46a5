"""A tiny random-weight Dots 3 Note: indexed and sliding attention over latents, experts, sound in parts of 60 s."""

from pathlib import Path

from transformers import Dots3NoteConfig, Dots3NoteForConditionalGeneration

from tests.support.tiny_family import TOWER_SIZES, media_ids, save, text_sizes, tokenizer

NAMED = {"image_token": "<|imgpad|>", "video_token": "<|video_pad|>", "audio_token": "<|audio_comp_pad|>"}
# The form of the published template was not seen: the placeholders are those of the processor.
TEMPLATE = """{%- for message in messages -%}
{{- '<|' + message.role + '|>' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|img|><|imgpad|><|endofimg|>
{%- elif part.type == 'audio' -%}<|audio_comp_start|><|audio_comp_pad|><|audio_comp_end|>
{%- elif part.type == 'video' -%}<|img|><|video_pad|><|endofimg|>
{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}
{%- endfor -%}{%- endif -%}<|endofturn|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "Dots3NoteProcessor",
    "image_processor": {
        "image_processor_type": "Qwen2VLImageProcessor",
        "temporal_patch_size": 1,
        "size": {"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 12},
    },
    "video_processor": {"video_processor_type": "Qwen3VLVideoProcessor", "patch_size": 14, "temporal_patch_size": 1},
    "feature_extractor": {"feature_extractor_type": "Dots3NoteFeatureExtractor"},
}
_MARKS = ["<|img|>", "<|endofimg|>", "<|audio_comp_start|>", "<|audio_comp_end|>"]
_SPREAD = 0.1


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<|pad|>", "<|endofturn|>", "<|system|>", "<|user|>", "<|assistant|>", *_MARKS, *NAMED.values()]
    tokens = tokenizer(special, NAMED, eos_token="<|endofturn|>", pad_token="<|pad|>")
    config = Dots3NoteConfig(
        text_config={
            **text_sizes(tokens),
            "moe_intermediate_size": 32,
            "shared_experts_intermediate_size": 32,
            "num_hidden_layers": 3,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "kv_lora_rank": 16,
            "q_lora_rank": 32,
            "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 16,
            "v_head_dim": 16,
            "head_dim": 24,
            "swa_num_attention_heads": 4,
            "swa_num_key_value_heads": 4,
            "swa_q_lora_rank": 32,
            "swa_kv_lora_rank": 16,
            "swa_head_dim": 24,
            "swa_qk_nope_head_dim": 16,
            "swa_v_head_dim": 16,
            "index_topk": 2048,
            "index_head_dim": 16,
            "index_n_heads": 2,
            "sliding_window": 64,
            "max_position_embeddings": 32768,
            "initializer_range": _SPREAD,
        },
        vision_config={
            **TOWER_SIZES,
            "intermediate_size": 64,
            "mlp_layer_types": ["dense", "dense"],
            "adapter_in_dim": 32,
            "adapter_out_dim": 64,
        },
        audio_config={
            "whisper_config": {"d_model": 32, "encoder_attention_heads": 2, "encoder_layers": 2, "encoder_ffn_dim": 64},
            "adapter_input_size": 32,
            "downsample_hidden_size": 16,
            "adapter_out_dim": 64,
        },
        **media_ids(tokens, NAMED),
    )
    return save(folder, lambda: Dots3NoteForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
