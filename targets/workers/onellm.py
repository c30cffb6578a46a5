"""OneLLM: the frames or the sound of the request through the makers' encoder, their tokens one at a time.

It takes one modality at a time: set sounds = 0 or sees = false in the settings. The makers' `generate` needs CUDA and
samples; here the next token is the likeliest one unless a temperature is set. Their point cloud code is not built.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from aurelia_worker import fix_seed, read_samples, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (folder of consolidated.00-of-01.pth), config, device (cuda), dtype (float16)."""
    stand_in("pointnet2_cuda", "pytorchvideo", "pytorchvideo.data", "pytorchvideo.data.clip_sampling")
    stand_in("pytorchvideo.data.encoded_video", "pytorchvideo.data.encoded_video_decord")
    device = options.get("device", "cuda")
    if device == "cpu":
        stand_in("flash_attn")
        sys.modules["flash_attn"].flash_attn_func = _attention
    import open_clip
    import torch
    import torch.distributed as dist
    from fairscale.nn.model_parallel.initialize import initialize_model_parallel
    from model.meta import MetaModel

    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    initialize_model_parallel(1)
    weights = torch.load(Path(options["checkpoint"]) / "consolidated.00-of-01.pth", map_location="cpu")
    # Without the weights of CLIP, which the checkpoint holds.
    make = open_clip.create_model_and_transforms
    open_clip.create_model_and_transforms = lambda name, pretrained: make(name)
    net = MetaModel("onellm", options.get("config", "config/llama2/7B.json"), None, "config/llama2/tokenizer.model")
    missing, _ = net.load_state_dict(weights, strict=False)
    if missing:
        raise ValueError(f"the checkpoint lacks {len(missing)} weights, such as {missing[0]}")
    return net.to(device, getattr(torch, options.get("dtype", "float16"))).eval()


def _attention(query: Any, key: Any, value: Any, dropout_p: float, causal: bool) -> Any:
    """flash_attn_func for a CPU: [batch, length, heads, width]."""
    from torch.nn.functional import scaled_dot_product_attention

    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    return scaled_dot_product_attention(query, key, value, is_causal=causal).transpose(1, 2)


def _features(request: dict[str, Any]) -> tuple[Any, str | None]:
    """What is seen (each frame in three crops, their mean over time is taken) or heard, and its modality."""
    import numpy as np
    import torch
    import torchaudio
    import torchaudio.compliance.kaldi
    from data import data_utils, video_utils
    from PIL import Image

    if request["sound"]:
        samples = torch.tensor(np.asarray(read_samples(request["sound"]), np.float32) / 32768.0)[None]
        torchaudio.load = lambda path: (samples, 16_000)
        return data_utils.make_audio_features(request["sound"]).transpose(0, 1)[None], "audio"
    if not request["images"]:
        return None, None
    frames = np.stack([np.asarray(Image.open(image["path"]), np.float32) / 255.0 for image in request["images"]])
    pixels = torch.tensor(frames.transpose(0, 3, 1, 2))
    crops = torch.cat([video_utils.uniform_crop(pixels, 224, place, scale_size=224)[0] for place in range(3)])
    mean, spread = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    return (crops - torch.tensor(mean)[:, None, None]) / torch.tensor(spread)[:, None, None], "video"


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the frames, the sound, or the text alone."""
    import torch
    from data.conversation_lib import conv_templates

    if request["images"] and request["sound"]:
        raise ValueError("OneLLM takes one modality at a time: set sounds = 0 or sees = false in its settings")
    decoding = request["decoding"]
    fix_seed(decoding)
    weight = model.llma.norm.weight
    seen, modal = _features(request)
    talk = conv_templates["v1"].copy()
    talk.append_message(talk.roles[0], request["text"])
    talk.append_message(talk.roles[1], None)
    tokens = model.tokenizer.encode(talk.get_prompt(), bos=True, eos=False)
    start, begin = 0, len(tokens)
    end = begin + (decoding.get("max_tokens") or 256)
    if end > 2048 - 32:
        raise ValueError(f"a prompt of {begin} tokens and the reply do not fit into 2016 tokens")
    if seen is not None:
        seen = seen[None].to(weight.device, weight.dtype)
    while len(tokens) < end:
        with torch.inference_mode():
            part = torch.tensor([tokens[start:]], device=weight.device)
            logits = model.llma.forward_inference(part, start, seen if start == 0 else None, modal=modal)
        start = len(tokens)
        token = logits.argmax(-1)
        if decoding.get("temperature"):
            likely = torch.softmax(logits / decoding["temperature"], -1)
            token = model.sample_top_p(likely, decoding.get("top_p") or 1.0)
        tokens.append(int(token))
        if tokens[-1] == model.tokenizer.eos_id:
            break
    # "###" opens the next turn.
    return str(model.tokenizer.decode(tokens[begin:])).split("###")[0].strip()
