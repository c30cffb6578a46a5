"""video-SALMONN: frames and sound of the request through the makers' model, in the layout of their README.

Their code reads weights below `ckpt` of the checkout, and one path that has to be edited: that one is redirected. Their
encoder aligns two frames with each second of sound (the first and the last one), and hears 30 s: here the frames of
the request nearest to these are taken, of the first 30 s. They cut a text of more than 512 tokens: an error here.
"""

from __future__ import annotations

import sys
from typing import Any

from aurelia_worker import fix_seed, read_samples, stand_in

_SECONDS = 30
_RATE = 16_000


def load(options: dict[str, Any]) -> Any:
    """Options: vicuna (folder of Vicuna 13B v1.5), device (cuda), dtype (float16)."""
    import torch
    import torchaudio.compliance.kaldi  # noqa: F401
    import torchvision.transforms._functional_tensor as renamed
    import yaml

    # pytorchvideo knows the old name; the package "data" is imported and not used.
    sys.modules["torchvision.transforms.functional_tensor"] = renamed
    stand_in("data")
    device: Any = torch.device(options.get("device", "cuda"))
    torch.cuda.current_device = lambda: device
    read = torch.load
    eva = "ckpt/pretrained_ckpt/eva_vit_g.pth"
    torch.load = lambda path, **more: read(eva if str(path).endswith("eva_vit_g.pth") else path, **more)
    from model.openllama import OpenLLAMAPEFTModel

    with open("config/test.yaml") as file:
        settings = yaml.safe_load(file)
    net = OpenLLAMAPEFTModel(**{**settings, "vicuna_ckpt_path": options["vicuna"]})
    torch.load = read
    return net.eval().to(device, getattr(torch, options.get("dtype", "float16")))


def read_sound(path: str | None) -> Any:
    """The first 30 s, at least 3 s long as in their data set; zeros, which are masked, without a sound."""
    import numpy as np

    samples = np.asarray(read_samples(path) if path else [], np.float64)[: _SECONDS * _RATE] / 32768.0
    return np.pad(samples, (0, max(0, 3 * _RATE - len(samples))))


def read_frames(images: list[dict[str, Any]], seconds: float) -> Any:
    """The frames nearest to the start and the end of each second: float [3, frames, height, width], 0 to 1."""
    import numpy as np
    import torch
    from PIL import Image

    count = max(1, round(2 * min(seconds, _SECONDS)))
    times = [number // 2 + 0.96 * (number % 2) for number in range(count)]
    shown = np.array([image["time"] or 0.0 for image in images])
    paths = [images[int(abs(shown - time).argmin())]["path"] for time in times]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in paths])
    return torch.from_numpy(pixels).permute(3, 0, 1, 2) / 255.0


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the video, the sound, or both; their model has no answer to a text alone."""
    import torch

    images, text, decoding = request["images"], request["text"], request["decoding"]
    fix_seed(decoding)
    if not images and not request["sound"]:
        raise ValueError("this model answers about a video or a sound, and the request has neither")
    words = len(model.llama_tokenizer(f"</Img> {text}\nASSISTANT:", add_special_tokens=False).input_ids)
    if words > model.max_tgt_len:
        raise ValueError(f"the text has {words} tokens, and this model reads {model.max_tgt_len}")
    sound = read_sound(request["sound"])
    heard = model.whispertransform(sound, sampling_rate=_RATE, return_tensors="pt")["input_features"][0]
    batch = {
        "output_texts": [[{"from": "human", "value": text}, {"from": "gpt", "value": ""}]],
        "image_paths": [[heard, [read_frames(images, request["duration"])]]] if images else [heard],
        "modality": "audiovideoimage" if images else "audio",
        "audiomasks": torch.tensor([[int(bool(images)), int(bool(request["sound"]))]]),
        "raw_audios": [[sound]],
    }
    settings = {"max_new_tokens": decoding.get("max_tokens") or model.max_tgt_len}
    if decoding.get("repetition_penalty"):
        settings["repetition_penalty"] = decoding["repetition_penalty"]
    with torch.inference_mode():
        reply = model(batch, generate=True, generate_config=settings)[0]
    return str(reply).replace("<s>", "").replace("</s>", "").strip()
