"""Writes a tiny random checkpoint of Video-LLaMA: EVA-ViT, Q-Formers, ImageBind, LLaMA. Arguments: repository, folder.

It runs in the worker's environment. Sizes and downloads stand in the makers' code: the folder `repository` is a copy
with small sizes and without downloads, where `bert-base-uncased` is a folder.
"""

import json
import re
import shutil
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path[0] = str(Path(__file__).resolve().parent)
from llama_parts import write_bert, write_llama  # noqa: E402

copy = out / "repository"
shutil.copytree(repository, copy)


def change(name: str, **changes: str) -> None:
    text = (copy / "video_llama" / "models" / name).read_text()
    for size, value in changes.items():
        text, count = re.subn(rf"(\w*{size}=)[\d/]+", rf"\g<1>{value}", text)
        assert count, size
    (copy / "video_llama" / "models" / name).write_text(text)


change("ImageBind/models/imagebind_model.py", _embed_dim="32", _num_blocks="1", _num_heads="4")
change("eva_vit.py", embed_dim="64", depth="2", num_heads="4")
for name, found, instead in [
    ("eva_vit.py", r"    url = .*?strict=False\)\n", ""),
    ("ImageBind/models/imagebind_model.py", r"out_embed_dim=32", "out_embed_dim=1024"),
    ("blip2.py", r"        if is_url\(.*?return msg\n", "        return None\n"),
]:
    file = copy / "video_llama" / "models" / name
    text, count = re.subn(found, instead, file.read_text(), flags=re.S)
    assert count, name
    file.write_text(text)
write_bert(copy / "bert-base-uncased")
write_llama(out / "llama")
sys.path.insert(0, str(copy))
import torch  # noqa: E402
import torchaudio.compliance.kaldi  # noqa: E402, F401
import torchvision.transforms._functional_tensor as renamed  # noqa: E402

sys.modules["torchvision.transforms.functional_tensor"] = renamed
from video_llama.models.ImageBind.models import imagebind_model  # noqa: E402

torch.manual_seed(0)
torch.save(imagebind_model.imagebind_huge()[0].state_dict(), out / "imagebind_huge.pth")
torch.save({"model": {}}, out / "branch.pth")
options = {"llama_model": str(out / "llama"), "imagebind_ckpt_path": str(out)}
options |= {"ckpt": str(out / "branch.pth"), "ckpt_2": str(out / "branch.pth")}
(out / "options.json").write_text(json.dumps(options))
