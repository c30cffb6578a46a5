"""Writes a tiny random checkpoint of PandaGPT: ImageBind, Vicuna, LoRA and projection. Arguments: repository, folder.

It runs in the worker's environment. ImageBind's sizes stand in the makers' code: the folder `repository` is a copy with
small ones.
"""

import re
import shutil
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copytree(repository, out / "repository")
source = out / "repository" / "code" / "model" / "ImageBind" / "models" / "imagebind_model.py"
small = source.read_text()
for size, value in {"_embed_dim": 32, "_num_blocks": 1, "_num_heads": 4}.items():
    small = re.sub(rf"(vision|text|audio|depth|thermal|imu){size}=\d+", rf"\g<1>{size}={value}", small)
source.write_text(small)
sys.path[:0] = [str(out / "repository/code/model"), str(Path(__file__).resolve().parent)]
import torch  # noqa: E402
from ImageBind import imagebind_model  # noqa: E402
from llama_parts import write_llama  # noqa: E402

torch.manual_seed(0)
for folder in ("imagebind_ckpt", "pandagpt_ckpt/13b"):
    (out / folder).mkdir(parents=True)
encoder, width = imagebind_model.imagebind_huge(pretrained=False)
torch.save(encoder.state_dict(), out / "imagebind_ckpt" / "imagebind_huge.pth")
hidden = write_llama(out / "vicuna_ckpt" / "13b_v0")
delta = {"llama_proj.weight": torch.randn(hidden, width), "llama_proj.bias": torch.randn(hidden)}
torch.save(delta, out / "pandagpt_ckpt/13b/pytorch_model.pt")
