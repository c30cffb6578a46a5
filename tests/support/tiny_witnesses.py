"""Tiny random checkpoints of the architectures that witnesses use, made from small configs; they answer rubbish."""

import json
import string
from pathlib import Path

import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    ParakeetCTCConfig,
    ParakeetFeatureExtractor,
    ParakeetForCTC,
    PeAudioConfig,
    PeAudioFeatureExtractor,
    PeAudioFrameLevelModel,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Tokenizer,
)

from tests.support.tiny_family import tokenizer

_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def _saved(folder: Path, model_class, config, *parts) -> Path:
    torch.manual_seed(0)
    model = model_class(config).eval()
    for name, scale in model.named_parameters():
        # A contrastive model's scale begins at zero, where every score is the same.
        if name.endswith("logit_scale"):
            torch.nn.init.constant_(scale, 5.0)
    model.save_pretrained(folder)
    for part in parts:
        part.save_pretrained(folder)
    # A published checkpoint has this file; the one that a lone part writes is complete.
    if not (folder / "preprocessor_config.json").is_file():
        (folder / "preprocessor_config.json").write_text(json.dumps(parts[0].to_dict(), default=str), "utf-8")
    return folder


def _tokens(**more):
    return tokenizer(
        ["<pad>", "<eos>", "<bos>", "<unk>"],
        {},
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<eos>",
        **more,
    )


def sound_event_model(folder: Path) -> Path:
    """PE-A-Frame."""
    words = _tokens()
    text = {**_SMALL, "model_type": "modernbert", "vocab_size": len(words), "pad_token_id": words.pad_token_id}
    audio = {
        **_SMALL,
        "head_dim": 16,
        "dac_config": {
            "encoder_hidden_size": 4, "downsampling_ratios": [2, 8, 10, 12], "codebook_dim": 8, "hidden_size": 64,
        },
    }  # fmt: skip
    config = PeAudioConfig(text_config=text, audio_config=audio)
    return _saved(folder, PeAudioFrameLevelModel, config, PeAudioFeatureExtractor(), words)


def sound_label_model(folder: Path) -> Path:
    """AST with three labels."""
    config = ASTConfig(**_SMALL, max_length=128, num_mel_bins=32, id2label={0: "Bark", 1: "Speech", 2: "Door bell"})
    return _saved(folder, ASTForAudioClassification, config, ASTFeatureExtractor(max_length=128, num_mel_bins=32))


def object_model(folder: Path) -> Path:
    """OWLv2."""
    words = _tokens()
    text = {**_SMALL, "vocab_size": len(words), "max_position_embeddings": 16, "pad_token_id": words.pad_token_id,
            "eos_token_id": words.eos_token_id, "bos_token_id": words.pad_token_id}  # fmt: skip
    vision = {**_SMALL, "image_size": 64, "patch_size": 16}
    config = Owlv2Config(text_config=text, vision_config=vision, projection_dim=32)
    image = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    return _saved(folder, Owlv2ForObjectDetection, config, image, words)


def picture_model(folder: Path) -> Path:
    """SigLIP 2."""
    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *string.ascii_lowercase, *string.punctuation]
    words = Siglip2Tokenizer(vocab={sign: place for place, sign in enumerate(signs)}, merges=[])
    text = {**_SMALL, "vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 32,
            "pad_token_id": words.pad_token_id, "eos_token_id": words.eos_token_id,
            "bos_token_id": words.pad_token_id}  # fmt: skip
    vision = {**_SMALL, "patch_size": 16, "num_patches": 256}
    image = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=64)
    return _saved(folder, Siglip2Model, Siglip2Config(text_config=text, vision_config=vision), image, words)


def transcript_model(folder: Path) -> Path:
    """Parakeet-CTC."""
    words = _tokens()
    encoder = {**_SMALL, "num_mel_bins": 80, "subsampling_conv_channels": 16}
    config = ParakeetCTCConfig(vocab_size=len(words), pad_token_id=words.pad_token_id, encoder_config=encoder)
    return _saved(folder, ParakeetForCTC, config, ParakeetFeatureExtractor(feature_size=80), words)
