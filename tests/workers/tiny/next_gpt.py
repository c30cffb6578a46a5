"""Writes a tiny random checkpoint of NExT-GPT: ImageBind, Vicuna, projection. Arguments: repository, folder.

It runs in the worker's environment. ImageBind's sizes stand in the makers' code: the folder `repository` is a copy with
small ones.
"""

import re
import shutil
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
code = out / "repository" / "NExT-GPT-Lagacy" / "code"
shutil.copytree(repository / "NExT-GPT-Lagacy" / "code", code)
source = code / "model" / "ImageBind" / "models" / "imagebind_model.py"
small = source.read_text()
for size, value in {"_embed_dim": 32, "_num_blocks": 1, "_num_heads": 4}.items():
    small = re.sub(rf"(vision|text|audio|depth|thermal|imu){size}=\d+", rf"\g<1>{size}={value}", small)
source.write_text(small)
sys.path[:0] = [str(code / "model"), str(Path(__file__).resolve().parent)]
import torch  # noqa: E402
from ImageBind import imagebind_model  # noqa: E402
from llama_parts import write_llama  # noqa: E402

torch.manual_seed(0)
for folder in ("pretrained_ckpt/imagebind_ckpt/huge", "delta_ckpt/nextgpt/7b_tiva_v0"):
    (out / folder).mkdir(parents=True)
encoder, width = imagebind_model.imagebind_huge(pretrained=False)
torch.save(encoder.state_dict(), out / "pretrained_ckpt/imagebind_ckpt/huge/imagebind_huge.pth")
hidden = write_llama(out / "pretrained_ckpt/vicuna_ckpt/7b_v0")
delta = {"llama_proj.weight": torch.randn(hidden, width), "llama_proj.bias": torch.randn(hidden)}
torch.save(delta, out / "delta_ckpt/nextgpt/7b_tiva_v0/pytorch_model.pt")
