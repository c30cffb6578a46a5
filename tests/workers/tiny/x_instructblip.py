"""Writes a tiny random checkpoint of X-InstructBLIP: EVA-ViT, BEATs, Q-Formers, Vicuna. Arguments: repository, folder.

It runs in the worker's environment. Sizes and downloads stand in the makers' code: the folder `repository` is a copy
with small sizes and without downloads, where `bert-base-uncased` is a folder.
"""

import json
import os
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path[0] = str(Path(__file__).resolve().parent)
from lavis_parts import copy_lavis, load_worker, write_beats  # noqa: E402
from llama_parts import write_bert, write_llama  # noqa: E402

copy_lavis(repository, out / "repository")
os.chdir(out / "repository")
write_bert(Path("bert-base-uncased"))
write_llama(out / "vicuna")
write_beats(out / "beats.pt")
options = {"llm_model": str(out / "vicuna"), "beats": str(out / "beats.pt"), "load_pretrained": False}
kinds = ("audio", "video", "image")
import torch  # noqa: E402

torch.manual_seed(0)
nothing = {f"pretrained_{kind}_qformer": None for kind in kinds}
net, _ = load_worker("x_instructblip").load({**options, **nothing, "device": "cpu"})
torch.save({"model": net.state_dict()}, out / "qformers.pth")
options |= {f"pretrained_{kind}_qformer": str(out / "qformers.pth") for kind in kinds}
(out / "options.json").write_text(json.dumps(options))
