"""Writes a tiny random checkpoint of ImageBind-LLM: ImageBind, LLaMA, adapter and cache. Arguments: repository, folder.

It runs in the worker's environment. Sizes and CUDA stand in the makers' code: the folder `repository` is a copy with
small sizes that runs on a CPU.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copytree(repository / "imagebind_LLM", out / "repository" / "imagebind_LLM")
os.chdir(out / "repository" / "imagebind_LLM")
sys.path[:1] = [os.getcwd(), str(Path(__file__).resolve().parent)]
sys.path.append(str(Path(__file__).resolve().parents[3] / "aurelia_core/models/worker"))


def change(name: str, **changes: str) -> None:
    text = Path(name).read_text()
    for found, instead in changes.items():
        text, count = re.subn(CHANGES[found], instead, text)
        assert count, found
    Path(name).write_text(text)


CHANGES = {
    "width": r"(\w+_embed_dim=)\d+",
    "blocks": r"(\w+_num_blocks=)\d+",
    "heads": r"(\w+_num_heads=)\d+",
    "out": r"out_embed_dim=32",
    "hidden": r"4096",
    "layers": r"query_layer = 32",
    "cuda": r"\.cuda\(\)",
    "half": r"torch\.cuda\.HalfTensor",
    "cast": r"torch\.cuda\.amp\.autocast\(\)",
    "points": r"depth: \d+",
}
small = {"width": r"\g<1>32", "blocks": r"\g<1>1", "heads": r"\g<1>4", "out": "out_embed_dim=1024"}
change("ImageBind/models/imagebind_model.py", **small)
change("ImageBind/models/pointbert/PointTransformer_8192point.yaml", points="depth: 1")
change("llama/llama_adapter.py", hidden="64", layers="query_layer = 2", cuda="", half="torch.FloatTensor",
       cast="torch.autocast('cpu', enabled=False)")  # fmt: skip
change("llama/llama.py", cuda="")
import faiss  # noqa: E402
import kit  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchaudio.compliance.kaldi  # noqa: E402, F401

kit.stand_in("knn_cuda")
sys.modules["knn_cuda"].KNN = lambda **sizes: None
sys.modules["torch._six"] = torch
import llama  # noqa: E402
from ImageBind.models import imagebind_model  # noqa: E402
from llama_parts import write_words  # noqa: E402

torch.manual_seed(0)
words, kind = out / "llama", out / "llama" / "7B_chinese"
kind.mkdir(parents=True)
Path("ckpts").mkdir()
write_words(words)
params = {"dim": 64, "n_layers": 2, "n_heads": 4, "multiple_of": 32, "norm_eps": 1e-6}
(kind / "params.json").write_text(json.dumps(params | {"vocab_size": -1}))
torch.save(imagebind_model.imagebind_huge().state_dict(), "ckpts/imagebind_w3D.pth")
net = llama.LLaMA_adapter(str(kind), str(words / "tokenizer.model"))
for layer in net.llama.layers:
    layer.attention.gate.data.fill_(1.0)  # At their start, 0, nothing of the media is let in.
torch.save(net.llama.state_dict(), kind / "consolidated.00.pth")
adapter = {name: value for name, value in net.state_dict().items() if not name.startswith(("image_bind.", "llama."))}
torch.save({"model": adapter}, "ckpts/7B.pth")
index = faiss.IndexFlatIP(1024)
index.add(np.random.default_rng(0).normal(size=(20, 1024)).astype("float32"))
faiss.write_index(index, "ckpts/knn.index")
(out / "options.json").write_text(json.dumps({"llama_dir": str(words)}))
