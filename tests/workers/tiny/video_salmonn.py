"""Writes a tiny random checkpoint of video-SALMONN, each of its encoders too. Arguments: repository, folder.

It runs in the worker's environment. The makers' code has EVA's sizes and the names of Whisper and BERT: the folder
`repository` is a copy with small ones and paths, and with the weights where their README puts them.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from llama_parts import write_bert, write_llama

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
copy = out / "repository"
shutil.copytree(repository, copy)
weights, vicuna, whisper, bert = copy / "ckpt" / "pretrained_ckpt", out / "vicuna", out / "whisper", out / "bert"
(copy / "ckpt" / "MultiResQFormer").mkdir(parents=True)
weights.mkdir()
eva = copy / "model" / "eva_vit.py"
small = {"embed_dim=1408": "embed_dim=32", "depth=39": "depth=2", "num_heads=1408//88": "num_heads=2"}
source = eva.read_text()
for size, value in small.items():
    source = source.replace(size, value)
eva.write_text(source)
main = copy / "model" / "openllama.py"
source = re.sub('"openai/whisper-large-v2"', repr(str(whisper)), main.read_text())
main.write_text(re.sub('"bert-base-uncased"', repr(str(bert)), source))
sys.path[0] = str(copy)
import torch  # noqa: E402
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel  # noqa: E402

sys.path.insert(0, str(copy / "model"))
from beats.BEATs import BEATs, BEATsConfig  # noqa: E402

torch.manual_seed(0)
write_llama(vicuna)
write_bert(bert)
size = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 64}
layers = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
WhisperModel(WhisperConfig(**size, **layers, **marks)).save_pretrained(whisper)
WhisperFeatureExtractor().save_pretrained(whisper)
sizes = {"encoder_embed_dim": 32, "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 2, "encoder_layers": 2}
sizes |= {"embed_dim": 16, "input_patch_size": 16, "conv_pos_groups": 2}
hearing = BEATs(BEATsConfig(sizes))
beats = weights / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"
torch.save({"cfg": sizes, "model": hearing.state_dict()}, beats)
torch.save({"pos_embed": torch.zeros(1, 257, 32)}, weights / "eva_vit_g.pth")
torch.save({"model": {}}, weights / "instruct_blip_vicuna13b_trimmed.pth")
torch.save({}, copy / "ckpt" / "MultiResQFormer" / "pytorch_model_4_5001.pt")
(out / "options.json").write_text(json.dumps({"vicuna": str(vicuna)}))
