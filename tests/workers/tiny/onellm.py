"""Writes a tiny random checkpoint of OneLLM. Arguments: repository, folder. It runs in the worker's environment.

CLIP ViT-L/14 and the resamplers have their full size (0.7 billion parameters): their sizes are fixed in the code.
"""

import json
import os
import sys
from pathlib import Path

repository, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(repository))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "aurelia_core/models/worker"))
import kit  # noqa: E402

kit.stand_in("pointnet2_cuda", "flash_attn")
import open_clip  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from fairscale.nn.model_parallel.initialize import initialize_model_parallel  # noqa: E402

out.mkdir(parents=True)
os.chdir(repository)
sizes = out / "sizes.json"
sizes.write_text(json.dumps({"dim": 64, "multiple_of": 32, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-05}))
(out / "options.json").write_text(json.dumps({"config": str(sizes)}))
torch.manual_seed(2)
dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
initialize_model_parallel(1)
make = open_clip.create_model_and_transforms
open_clip.create_model_and_transforms = lambda name, pretrained: make(name)
from model.meta import MetaModel  # noqa: E402

net = MetaModel("onellm", str(sizes), None, "config/llama2/tokenizer.model").half()
torch.save(net.state_dict(), out / "consolidated.00-of-01.pth")
