"""A tiny random-weight Nemotron Omni: state-space, attention and expert layers; pictures, video and sound."""

from pathlib import Path

from transformers import NemotronH_Omni_Reasoning_V3, NemotronH_Omni_Reasoning_V3_Config

from tests.support.tiny_family import TOWER_SIZES, media_ids, save, text_sizes, tokenizer

NAMED = {
    "image_token": "<image>",
    "video_token": "<video>",
    "audio_token": "<so_embedding>",
    "image_start_token": "<img>",
    "image_end_token": "</img>",
}
TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\n' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<image>
{%- elif part.type == 'audio' -%}<so_embedding>
{%- elif part.type == 'video' -%}<video>
{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}
{%- endfor -%}{%- endif -%}{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}<think></think>{%- else -%}{{- '<think>\n' -}}{%- endif -%}
{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "NemotronH_Omni_Reasoning_V3Processor",
    "image_processor": {
        "image_processor_type": "NemotronH_Omni_Reasoning_V3ImageProcessor",
        "min_num_patches": 16,
        "max_num_patches": 64,
    },
    "video_processor": {
        "video_processor_type": "NemotronH_Omni_Reasoning_V3VideoProcessor",
        "norm_mean": [0.48, 0.46, 0.41],
        "norm_std": [0.27, 0.26, 0.28],
        "video_target_num_patches": 16,
    },
    "feature_extractor": {"feature_extractor_type": "ParakeetFeatureExtractor"},
}
_SPREAD = 0.1


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<pad>", "<s>", "<|im_start|>", "<|im_end|>", "<so_start>", "<so_end>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, bos_token="<s>", eos_token="<|im_end|>", pad_token="<pad>")
    config = NemotronH_Omni_Reasoning_V3_Config(
        text_config={
            **text_sizes(tokens),
            "layers_block_type": ["linear_attention", "moe", "full_attention", "linear_attention", "mlp"],
            "ssm_state_size": 16,
            "mamba_num_heads": 8,
            "mamba_head_dim": 16,
            "n_groups": 2,
            "chunk_size": 32,
            "initializer_range": _SPREAD,
            "n_routed_experts": 4,
            "moe_intermediate_size": 32,
            "moe_shared_expert_intermediate_size": 32,
        },
        vision_config={
            **TOWER_SIZES,
            "max_img_size": 256,
            "num_registers": 2,
            "num_cls_tokens": 2,
            "video_temporal_patch_size": 2,
            "initializer_range": _SPREAD,
        },
        audio_config={
            **TOWER_SIZES,
            "intermediate_size": 64,
            "subsampling_conv_channels": 16,
            "projection_hidden_size": 32,
            "projection_bias": False,
            "initializer_range": _SPREAD,
        },
        projector_hidden_size=64,
        vision_hidden_size=32,
        **media_ids(tokens, NAMED),
    )
    return save(folder, lambda: NemotronH_Omni_Reasoning_V3(config), tokens, TEMPLATE, PROCESSOR)
