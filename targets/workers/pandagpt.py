"""PandaGPT: frames and sound of the request through ImageBind into Vicuna, by the makers' own functions.

The makers' reader takes five pairs of frames, each 2 s apart; here a pair is two neighbours of ten frames of the clip.
Their sampling is replaced by the request's decoding; the stop token is theirs.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples, stand_in


def read_pairs(paths: list[str]) -> Any:
    """Ten of the frames in five pairs, each (3, 2, height, width), 0 to 255."""
    import numpy as np
    import torch
    from PIL import Image

    chosen = [paths[round(number)] for number in np.linspace(0, len(paths) - 1, 10)]
    frames = np.stack([np.array(Image.open(path).convert("RGB")) for path in chosen])
    return iter(torch.from_numpy(frames).permute(3, 0, 1, 2).float().split(2, dim=1))


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (the folder `pretrained_ckpt` as the README fills it), device (cuda), dtype (float16)."""
    import torch
    import torchaudio.compliance.kaldi  # noqa: F401
    import torchvision.transforms._functional_tensor as renamed
    import transformers.deepspeed  # noqa: F401

    # pytorchvideo knows the old name; the other three are imported and not used to answer.
    sys.modules["torchvision.transforms.functional_tensor"] = renamed
    stand_in("deepspeed", "ipdb", "data")
    sys.path.insert(0, "code")
    device: Any = torch.device(options.get("device", "cuda"))
    torch.cuda.current_device = lambda: device
    from model.openllama import OpenLLAMAPEFTModel

    folder = options["checkpoint"]
    model = OpenLLAMAPEFTModel(
        imagebind_ckpt_path=f"{folder}/imagebind_ckpt",
        vicuna_ckpt_path=f"{folder}/vicuna_ckpt/13b_v0",
        max_tgt_len=400,
        stage=2,
        lora_r=32,
        lora_alpha=32,
        lora_dropout=0.1,
    )
    delta = torch.load(f"{folder}/pandagpt_ckpt/13b/pytorch_model.pt", map_location="cpu")
    model.load_state_dict(delta, strict=False)
    return model.eval().to(model.device, getattr(torch, options.get("dtype", "float16")))


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer about frames, pictures and sound; the makers' model has no answer to a text alone."""
    import torch
    from model import openllama
    from transformers import StoppingCriteriaList

    fix_seed(request["decoding"])
    frames = [image["path"] for image in request["images"] if image["time"] is not None]
    if not request["images"] and not request["sound"]:
        raise ValueError("this model answers about pictures or a sound, and the request has none")
    data = openllama.data
    if frames:
        pairs = read_pairs(frames)
        reader = SimpleNamespace(duration=request["duration"], get_clip=lambda start, end: {"video": next(pairs)})
        data.EncodedVideo.from_path = lambda path, **options: reader
    data.torchaudio.load = lambda path: (torch.tensor(read_samples(path))[None] / 32768.0, 16_000)
    inputs = {
        "prompt": request["text"],
        "image_paths": [image["path"] for image in request["images"] if image["time"] is None],
        "audio_paths": [request["sound"]] if request["sound"] else [],
        "video_paths": ["the frames"] if frames else [],
        "thermal_paths": [],
        "modality_embeds": [],
    }
    with torch.inference_mode():
        out = model.llama_model.generate(
            inputs_embeds=model.prepare_generation_embedding(inputs),
            stopping_criteria=StoppingCriteriaList([openllama.StoppingCriteriaSub(stops=[2277])]),
            **generation_settings(request["decoding"], 128),
        )
    return str(model.llama_tokenizer.decode(out[0], skip_special_tokens=True)).split("###")[0].strip()
