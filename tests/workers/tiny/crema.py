"""Writes a tiny random checkpoint of CREMA: EVA-ViT, BEATs, Q-Former with adapters, T5. Arguments: repository, folder.

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
from llama_parts import write_bert, write_t5  # noqa: E402

copy_lavis(repository, out / "repository")
os.chdir(out / "repository")
crema = Path("lavis/models/crema_models/crema.py")
crema.write_text(crema.read_text().replace("num_features = 1408", "num_features = 64"))
write_bert(Path("bert-base-uncased"), weights=True)
write_t5(out / "t5")
write_beats(out / "beats.pt")
import torch  # noqa: E402

torch.manual_seed(0)
torch.save({"model": {}}, out / "nothing.pth")
options = {"checkpoint": str(out / "nothing.pth"), "beats": str(out / "beats.pt"), "t5_model": str(out / "t5")}
net = load_worker("crema").load({**options, "device": "cpu"})[0]
torch.save({"model": net.state_dict()}, out / "crema.pth")
(out / "options.json").write_text(json.dumps({**options, "checkpoint": str(out / "crema.pth")}))
