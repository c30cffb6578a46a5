"""Writes a tiny random checkpoint of VITA: InternViT, its audio encoder, Mixtral. Arguments: repository, folder.

It runs in the worker's environment.
"""

import json
import shutil
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.argv = sys.argv[:1]
sys.path[0] = str(repository)  # In place of this file's folder: its name is that of their package.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "aurelia_core/models/worker"))
import kit  # noqa: E402

kit.stand_in("xformers", "xformers.ops", "decord")
import torch  # noqa: E402
import yaml  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors  # noqa: E402
from transformers import CLIPImageProcessor, PreTrainedTokenizerFast  # noqa: E402
from vita.model.language_model.vita_mixtral import VITAMixtralConfig, VITAMixtralForCausalLM  # noqa: E402
from vita.model.multimodal_encoder.internvit.configuration_intern_vit import InternVisionConfig  # noqa: E402
from vita.model.multimodal_encoder.internvit.modeling_intern_vit import InternVisionModel  # noqa: E402

torch.manual_seed(0)
tower, hearing = out / "internvit", out / "whale"
hearing.mkdir(parents=True)
InternVisionModel(
    InternVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        patch_size=28,
        use_flash_attn=False,
    )  # fmt: skip
).save_pretrained(tower)
# As published: their code reads the configuration through the folder's own class.
described = json.loads((tower / "config.json").read_text())
described["auto_map"] = {"AutoConfig": "configuration_intern_vit.InternVisionConfig"}
(tower / "config.json").write_text(json.dumps(described))
shutil.copy(repository / "vita/model/multimodal_encoder/internvit/configuration_intern_vit.py", tower)
CLIPImageProcessor(size=224, crop_size=224).save_pretrained(tower)
(hearing / "global_cmvn").write_text(json.dumps({"mean_stat": [0] * 80, "var_stat": [1] * 80, "frame_num": 1}))
settings = {
    "input_dim": 80,
    "is_json_cmvn": True,
    "encoder_conf": {
        "overview_conf": {
            "encoder-layer-config": "subsampling-transformer", "encoder-input-dim": 80, "encoder-output-dim": 32,
        },
        "para_conf": {
            "subsampling": {"subsampling-input-dim": 80, "subsampling-output-dim": 32, "subsampling-rate": 4},
            "transformer": {
                "transformer-input-dim": 32, "transformer-output-dim": 32, "transformer-attention-dim": 32,
                "transformer-attention-heads": 2, "transformer-linear-units": 64, "transformer-num-blocks": 2,
            },
        },
    },
    "model_conf": {"llm_path": "", "enc_out_dim": 32, "llm_embed_dim": 64, "adpter_type": "subsampling"},
    "dataset_conf": {
        "resample_conf": {"resample_rate": 16000},
        "fbank_conf": {"num_mel_bins": 80, "frame_length": 25, "frame_shift": 10, "dither": 0.0},
    },
}  # fmt: skip
(hearing / "train.yaml").write_text(yaml.safe_dump(settings))
special = ["<s>", "</s>", "<unk>"]
words = {word: number for number, word in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
core = Tokenizer(models.BPE(vocab=words, merges=[]))
core.add_special_tokens(special)
core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
tokenizer.save_pretrained(out)
config = VITAMixtralConfig(
    vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, num_local_experts=2, max_position_embeddings=8192, bos_token_id=0, eos_token_id=1,
    pad_token_id=1, mm_vision_tower=str(tower), mm_audio_encoder=str(hearing), mm_hidden_size=128,
    mm_projector_type="mlp2x_gelu", image_aspect_ratio="square",
)  # fmt: skip
VITAMixtralForCausalLM(config).save_pretrained(out)
