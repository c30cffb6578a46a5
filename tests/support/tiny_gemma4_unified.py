"""A tiny random-weight Gemma 4 without encoders of its own: patches of pixels and of samples go into the text model."""

from pathlib import Path

from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

from tests.support.tiny_family import save, text_sizes
from tests.support.tiny_gemma4 import TEMPLATE, gemma_tokenizer, special_ids

PROCESSOR = {
    "processor_class": "Gemma4UnifiedProcessor",
    "image_processor": {"image_processor_type": "Gemma4UnifiedImageProcessor", "max_soft_tokens": 70},
    "video_processor": {"video_processor_type": "Gemma4UnifiedVideoProcessor"},
    "feature_extractor": {"feature_extractor_type": "Gemma4UnifiedAudioFeatureExtractor"},
    "image_seq_length": 70,
}
_SPREAD = 0.15


def write(folder: Path) -> Path:
    """Writes the checkpoint into the folder."""
    tokens = gemma_tokenizer()
    config = Gemma4UnifiedConfig(
        text_config={
            **text_sizes(tokens),
            "num_hidden_layers": 4,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 64,
            "global_head_dim": 32,
            "initializer_range": _SPREAD,
        },
        vision_config={"mm_embed_dim": 32, "output_proj_dims": 32, "initializer_range": _SPREAD},
        audio_config={"initializer_range": _SPREAD},
        **special_ids(tokens),
    )
    return save(folder, lambda: Gemma4UnifiedForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
