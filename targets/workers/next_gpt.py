"""NExT-GPT (the folder NExT-GPT-Lagacy, whose weights are public): frames and sound through ImageBind into Vicuna.

Text comes out; their diffusion models are not loaded. Their demonstration writes sound and video so that only the first
is encoded, and the path of the other stands in the prompt as text: here both are encoded, each in marks of its own.
Their reader takes five pairs of frames, each 2 s apart; here a pair is two neighbours of ten frames of the clip.
"""

from __future__ import annotations

import os
import re
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
    """Options: checkpoint (the folder `ckpt` as their README fills it), device (cuda), dtype (float16)."""
    import torch
    import torchaudio.compliance.kaldi  # noqa: F401
    import torchvision.transforms._functional_tensor as renamed
    import transformers.deepspeed  # noqa: F401

    # pytorchvideo knows the old name; the others are imported and not used to answer with text.
    sys.modules["torchvision.transforms.functional_tensor"] = renamed
    stand_in("deepspeed", "ipdb", "data", "omegaconf", "scipy", "diffusers", "diffusers.utils")
    stand_in("torch.utils.tensorboard", "model.custom_sd", "model.custom_vd", "model.custom_ad")
    os.chdir("NExT-GPT-Lagacy/code")
    sys.path.insert(0, os.getcwd())
    device: Any = torch.device(options.get("device", "cuda"))
    torch.cuda.current_device = lambda: device
    from config import load_config
    from model.anyToImageVideoAudio import NextGPTModel

    folder = options["checkpoint"]
    settings = {"model": "nextgpt", "stage": 3, "mode": "validate", "root_dir": "../"}
    settings |= {**load_config(settings), "pretrained_ckpt_path": f"{folder}/pretrained_ckpt"}
    net = NextGPTModel(**settings)
    delta = torch.load(f"{folder}/delta_ckpt/nextgpt/7b_tiva_v0/pytorch_model.pt", map_location="cpu")
    net.load_state_dict(delta, strict=False)
    return net.eval().to(device, getattr(torch, options.get("dtype", "float16")))


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the frames, the sound, both, or the text alone."""
    import torch
    from model import anyToImageVideoAudio as theirs
    from transformers import StoppingCriteriaList

    fix_seed(request["decoding"])
    data = theirs.data
    data.torchaudio.load = lambda path: (torch.tensor(read_samples(path))[None] / 32768.0, 16_000)

    def embed(text: str) -> list[Any]:
        ids = model.llama_tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        ids = torch.cat([torch.tensor([[model.llama_tokenizer.bos_token_id]]), ids], 1).to(model.device)
        return [model.llama_model.model.model.embed_tokens(ids)]

    with torch.inference_mode():
        parts = embed("### Human:")
        if request["sound"]:
            parts.append(model._prepare_audio_embed(f"Audio>{request['sound']}</Audio", 1))
        if request["images"]:
            pairs = read_pairs([image["path"] for image in request["images"]])
            seconds = request["duration"] or 1.0  # A still picture has none.
            reader = SimpleNamespace(duration=seconds, get_clip=lambda start, end: {"video": next(pairs)})
            data.EncodedVideo.from_path = lambda path, **options: reader
            parts.append(model._prepare_video_embed("Video>the frames</Video", 1))
        parts += embed(f" {request['text']}\n### Assistant:")
        out = model.llama_model.generate(
            inputs_embeds=torch.cat(parts, dim=1),
            stopping_criteria=StoppingCriteriaList([theirs.StoppingCriteriaSub(stops=[[835]])]),
            **generation_settings(request["decoding"], 200),
        )
    text = str(model.llama_tokenizer.decode(out[0], skip_special_tokens=True)).split("###")[0]
    return re.sub(r"\[(IMG|VID|AUD)\d+\]", "", text).strip()
