"""Writes a tiny random checkpoint of video-SALMONN 2+: Qwen2.5-VL with Whisper and a Q-Former. Arguments: repository,
folder. It runs in the worker's environment.
"""

import json
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(repository))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "aurelia_core/models/worker"))
import kit  # noqa: E402

kit.stand_in("liger_kernel", "liger_kernel.transformers", "liger_kernel.transformers.model")
kit.stand_in("liger_kernel.transformers.model.loss_utils")
import torch  # noqa: E402
from qwenvl.data.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast  # noqa: E402
from qwenvl.model.configuration_qwen2_5_vl import Qwen2_5_VLConfig  # noqa: E402
from qwenvl.model.modeling_qwen2_5_vl import video_SALMONN2_plus  # noqa: E402
from transformers import Qwen2Tokenizer  # noqa: E402
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode  # noqa: E402

torch.manual_seed(0)
out.mkdir(parents=True)
words = {char: number for number, char in enumerate(bytes_to_unicode().values())}
(out / "vocab.json").write_text(json.dumps(words))
(out / "merges.txt").write_text("#version: 0.2\n")
tokenizer = Qwen2Tokenizer(str(out / "vocab.json"), str(out / "merges.txt"))
marks = ["im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad", "audio_pad"]
tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{mark}|>" for mark in marks]})
tokenizer.eos_token = "<|im_end|>"
tokenizer.save_pretrained(out)
ids = {mark: tokenizer.convert_tokens_to_ids(f"<|{mark}|>") for mark in marks}
config = Qwen2_5_VLConfig(
    vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=8192, rope_scaling={"type": "mrope", "mrope_section": [2, 3, 3]},
    vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64},
    audio_config={
        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "num_mel_bins": 128,
        "second_per_window": 0.5, "second_stride": 0.5,
        "qformer_config": {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
            "encoder_width": 32, "add_cross_attention": True, "query_length": 1, "vocab_size": 8,
            "tie_word_embeddings": False,
        },
    },
    image_token_id=ids["image_pad"], video_token_id=ids["video_pad"], audio_token_id=ids["audio_pad"],
    vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
    eos_token_id=ids["im_end"], pad_token_id=ids["im_end"],
)  # fmt: skip
video_SALMONN2_plus(config).save_pretrained(out)
Qwen2VLImageProcessorFast(patch_size=14, temporal_patch_size=2, merge_size=2).save_pretrained(out)
