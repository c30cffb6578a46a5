"""A tiny random-weight Muse Spark Open: window and full attention, experts, raw sound of 24 kHz, video of its own."""

from pathlib import Path

from transformers import MuseSparkConfig, MuseSparkForConditionalGeneration

from tests.support.tiny_family import TOWER_SIZES, media_ids, save, text_sizes, tokenizer

NAMED = {
    "image_token": "<|patch|>",
    "image_start_token": "<|image_start|>",
    "image_end_token": "<|image_end|>",
    "video_token": "<|video|>",
    "video_sep_token": "<|vid_frame_separator|>",
    "video_start_token": "<|vid_start|>",
    "video_end_token": "<|vid_end|>",
    "audio_token": "<|audio|>",
    "audio_start_token": "<|soft_audio_start|>",
    "audio_end_token": "<|soft_audio_end|>",
}
# The form of the published template was not seen: the placeholders are those of the processor.
TEMPLATE = """{{- bos_token -}}{%- for message in messages -%}
{{- '<|header_start|>' + message.role + '<|header_end|>\n\n' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|patch|>
{%- elif part.type == 'audio' -%}<|audio|>
{%- elif part.type == 'video' -%}<|video|>
{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}
{%- endfor -%}{%- endif -%}<|eot|>
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|header_start|>assistant<|header_end|>\n\n' -}}{%- endif -%}
"""
PROCESSOR = {
    "processor_class": "MuseSparkProcessor",
    "image_processor": {"image_processor_type": "MuseGlimmerImageProcessor", "max_image_tokens": 64},
    "video_processor": {"video_processor_type": "MuseGlimmerVideoProcessor", "max_video_frame_tokens": 36},
    "feature_extractor": {"feature_extractor_type": "MuseSparkFeatureExtractor"},
}
_SPREAD = 0.1


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    special = ["<|begin|>", "<|eot|>", "<|header_start|>", "<|header_end|>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, bos_token="<|begin|>", eos_token="<|eot|>", pad_token="<|eot|>")
    config = MuseSparkConfig(
        text_config={
            **text_sizes(tokens),
            "num_hidden_layers": 4,
            "sliding_window": 64,
            "moe_intermediate_size": 32,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "moe_hidden_size": 32,
            "initializer_range": _SPREAD,
            "max_position_embeddings": 32768,
        },
        vision_config={**TOWER_SIZES, "intermediate_size": 64},
        audio_config={"hidden_sizes": (8, 16, 24, 32), "depths": (1, 1, 1, 1), "out_hidden_size": 64},
        out_hidden_size=128,
        projector_hidden_size=64,
        **media_ids(tokens, NAMED),
    )
    return save(folder, lambda: MuseSparkForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
