"""Writes a tiny random checkpoint of VideoLLaMA 2 (audio_visual): SigLIP, BEATs, Qwen2. Arguments: repository, folder.

It runs in the worker's environment. BEATs has its full size (90 million parameters): its configuration is fixed.
"""

import json
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(repository))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "aurelia_core/models/worker"))
import kit  # noqa: E402

kit.stand_in("moviepy", "moviepy.editor")
import torch  # noqa: E402
from transformers import Qwen2Tokenizer, SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel  # noqa: E402
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode  # noqa: E402
from videollama2.model.videollama2_qwen2 import (  # noqa: E402
    Videollama2Qwen2Config,
    Videollama2Qwen2ForCausalLM,
)

torch.manual_seed(0)
tower = out / "siglip"
SiglipVisionModel(
    SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, image_size=224, patch_size=32
    )
).save_pretrained(tower)
SiglipImageProcessor(size={"height": 224, "width": 224}).save_pretrained(tower)
words = {char: number for number, char in enumerate(bytes_to_unicode().values())}
(out / "vocab.json").write_text(json.dumps(words))
(out / "merges.txt").write_text("#version: 0.2\n")
tokenizer = Qwen2Tokenizer(str(out / "vocab.json"), str(out / "merges.txt"))
tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
tokenizer.eos_token = "<|im_end|>"
tokenizer.chat_template = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
tokenizer.save_pretrained(out)
config = Videollama2Qwen2Config(
    vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=4096, eos_token_id=tokenizer.eos_token_id,
    mm_vision_tower=str(tower), mm_vision_select_layer=-2, mm_vision_select_feature="patch", mm_hidden_size=32,
    mm_projector_type="mlp2x_gelu", num_frames=16, mm_audio_tower=str(out / "audio_tower.bin"),
    mm_projector_a_type="mlp2x_gelu", mm_hidden_size_a=768, hidden_size_a=64, use_mm_proj=True,
)  # fmt: skip
Videollama2Qwen2ForCausalLM(config).save_pretrained(out, safe_serialization=False)
