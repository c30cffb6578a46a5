"""A tiny random-weight Gemma 4 without encoders of its own: patches of pixels and of samples go into the text model."""

from pathlib import Path

from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

from tests.support.tiny_family import save, tokenizer
from tests.support.tiny_gemma4 import NAMED, TEMPLATE

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
    special = ["<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|video|>", *NAMED.values()]
    tokens = tokenizer(special, NAMED, bos_token="<bos>", eos_token="<turn|>", pad_token="<pad>")
    ids = tokens.convert_tokens_to_ids
    config = Gemma4UnifiedConfig(
        text_config={
            "vocab_size": len(tokens),
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 64,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "global_head_dim": 32,
            "initializer_range": _SPREAD,
            "pad_token_id": tokens.pad_token_id,
            "bos_token_id": tokens.bos_token_id,
            "eos_token_id": tokens.eos_token_id,
        },
        vision_config={"mm_embed_dim": 32, "output_proj_dims": 32, "initializer_range": _SPREAD},
        audio_config={"initializer_range": _SPREAD},
        image_token_id=ids("<|image|>"),
        video_token_id=ids("<|video|>"),
        audio_token_id=ids("<|audio|>"),
        boi_token_id=ids("<|image>"),
        eoi_token_id=ids("<image|>"),
        boa_token_id=ids("<|audio>"),
        eoa_token_index=ids("<audio|>"),
    )
    return save(folder, lambda: Gemma4UnifiedForConditionalGeneration(config), tokens, TEMPLATE, PROCESSOR)
