"""Writes a tiny random checkpoint of Unified-IO 2. Arguments: repository, folder. In the worker's environment."""

import dataclasses
import functools
import json
import sys
from pathlib import Path

from llama_parts import write_words

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(repository))
import torch  # noqa: E402
import uio2.vocabulary  # noqa: E402, F401

plain = dataclasses.dataclass
dataclasses.dataclass = functools.partial(plain, unsafe_hash=True)
from uio2 import config  # noqa: E402

dataclasses.dataclass = plain
from uio2.model import UnifiedIOModel  # noqa: E402
from uio2.preprocessing import UnifiedIOPreprocessor  # noqa: E402

torch.manual_seed(0)
words, net, preparer = (out / name for name in ("words", "net", "preparer"))
words.mkdir(parents=True)
write_words(words)
small = {"emb_dim": 32, "num_heads": 2, "head_dim": 16, "mlp_dim": 64}
settings = config.Config(
    t5_config=config.T5Config(**small, num_encoder_layers=2, num_decoder_layers=2),
    image_history_cfg=config.ImageResamplerConfig(**small),
    audio_history_cfg=config.AudioResamplerConfig(**small),
    image_vit_cfg=config.ImageVitFeatureConfig(**small, num_layers=3),
    audio_vit_cfg=config.AudioVitFeatureConfig(**small, num_layers=3),
    target_modalities=("text",),
)
tokenizer = str(words / "tokenizer.model")
UnifiedIOModel(settings).save_pretrained(net, config=settings.to_dict())
UnifiedIOPreprocessor.from_config(settings, tokenizer).save_pretrained(preparer)
options = {"checkpoint": str(net), "preprocessor": str(preparer), "tokenizer": tokenizer}
(out / "options.json").write_text(json.dumps(options))
