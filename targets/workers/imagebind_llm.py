"""ImageBind-LLM (LLaMA-Adapter): frames and sound of the request, with equal weight, into the makers' `generate`.

Their reader takes five pairs of frames, each 2 s apart; here a pair is two neighbours of ten frames of the clip. The
model reads 512 tokens, its answer among them; a text that leaves no room is an error. Their code for point clouds needs
packages that are stood in for.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

from aurelia_worker import fix_seed, read_samples, stand_in

LEAST_TOKENS = 16


def load(options: dict[str, Any]) -> Any:
    """Options: llama_dir, llama_type (7B_chinese), adapter (7B), knn (their cache: true), device (cuda).

    Their code fetches the adapter, the cache and ImageBind into imagebind_LLM/ckpts of the checkout.
    """
    import torch
    import torchaudio.compliance.kaldi  # noqa: F401
    import torchvision.transforms._functional_tensor as renamed

    sys.modules["torchvision.transforms.functional_tensor"] = renamed  # pytorchvideo knows the old name.
    sys.modules["torch._six"] = torch  # It had `inf`.
    stand_in("open3d", "knn_cuda")
    sys.modules["knn_cuda"].KNN = lambda **sizes: None
    os.chdir("imagebind_LLM")
    sys.path.insert(0, os.getcwd())
    import llama

    device = options.get("device", "cuda")
    kind = options.get("llama_type", "7B_chinese")
    cached = options.get("knn", True)
    net = llama.load(options.get("adapter", "7B"), options["llama_dir"], device, knn=cached, llama_type=kind)
    return net.eval(), device


def read_pairs(paths: list[str]) -> Any:
    """Ten of the frames in five pairs, each (3, 2, height, width), 0 to 255."""
    import numpy as np
    import torch
    from PIL import Image

    chosen = [paths[round(number)] for number in np.linspace(0, len(paths) - 1, 10)]
    frames = np.stack([np.array(Image.open(path).convert("RGB")) for path in chosen])
    return iter(torch.from_numpy(frames).permute(3, 0, 1, 2).float().split(2, dim=1))


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer about frames or a picture, and sound; the makers' model has no answer to a text alone."""
    import llama
    import torch
    from ImageBind import data

    net, device = model
    decoding = request["decoding"]
    fix_seed(decoding)
    frames = [image["path"] for image in request["images"] if image["time"] is not None]
    stills = [image["path"] for image in request["images"] if image["time"] is None]
    inputs: dict[str, Any] = {}
    if frames:
        pairs = read_pairs(frames)
        reader = SimpleNamespace(duration=request["duration"], get_clip=lambda start, end: {"video": next(pairs)})
        data.EncodedVideo.from_path = lambda path, **options: reader
        inputs["Video"] = [data.load_and_transform_video_data(["the frames"], device), 1]
    if stills:
        if len(stills) > 1:
            raise ValueError("this model takes one picture, and the request has several")
        inputs["Image"] = [data.load_and_transform_vision_data(stills, device), 1]
    if request["sound"]:
        samples = torch.tensor(read_samples(request["sound"]))[None] / 32768.0
        data.torchaudio.load = lambda path: (samples, 16_000)
        inputs["Audio"] = [data.load_and_transform_audio_data([request["sound"]], device), 1]
    if not inputs:
        raise ValueError("this model answers about pictures or a sound, and the request has none")
    prompt = llama.format_prompt(request["text"])
    length, most = len(net.tokenizer.encode(prompt, bos=True, eos=False)), net.llama.params.max_seq_len
    if length > most - LEAST_TOKENS:
        raise ValueError(f"the text has {length} tokens, and the model reads {most}, its answer among them")
    sampling = {"temperature": decoding.get("temperature") or 0, "top_p": decoding.get("top_p") or 1.0}
    return str(net.generate(inputs, [prompt], max_gen_len=decoding.get("max_tokens") or 256, **sampling)[0]).strip()
