"""Unified-IO 2 (large, XL, XXL): frames and sound of the request through the makers' preprocessor, text out.

As in their reader of videos: the sound is cut into one part a frame, of each its middle 4.08 s; the last frame and part
are the image and the audio, the others its history. Their preprocessor cuts a text of more than 511 tokens: an error
here. Their configuration has defaults that Python 3.11 refuses; they are made hashable while it is imported.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples

_MOST_FRAMES = 5
_PART_SECONDS = 4.08
_MOST_WORDS = 511


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint, preprocessor (allenai/uio2-preprocessor), tokenizer (LLaMA's file), device, dtype."""
    import torch
    import uio2.vocabulary

    plain = dataclasses.dataclass
    dataclasses.dataclass = functools.partial(plain, unsafe_hash=True)
    try:
        import uio2.config  # noqa: F401
    finally:
        dataclasses.dataclass = plain
    from uio2.model import UnifiedIOModel
    from uio2.preprocessing import UnifiedIOPreprocessor

    preparer = UnifiedIOPreprocessor.from_pretrained(
        options.get("preprocessor", "allenai/uio2-preprocessor"), tokenizer=options["tokenizer"]
    )
    net = UnifiedIOModel.from_pretrained(options["checkpoint"])
    net.set_modalities(target_modalities=["text"])
    dtype = getattr(torch, options.get("dtype", "bfloat16"))
    net.to_dtype(dtype, vit_dtype=torch.float32, vqgan_dtype=torch.float32)
    return net.to(options.get("device", "cuda")).eval(), preparer


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the frames, the sound, both, or the text alone."""
    import numpy as np
    import torch
    from PIL import Image
    from uio2.audio_utils import extract_spectrograms_from_audio
    from uio2.preprocessing import build_batch

    net, preparer = model
    fix_seed(request["decoding"])
    words = len(preparer.tokenizer.encode(preparer.PREFIXES["text"] + request["text"]))
    if words > _MOST_WORDS:
        raise ValueError(f"the text has {words} tokens, and Unified-IO 2 reads {_MOST_WORDS}")
    if len(request["images"]) > _MOST_FRAMES:
        raise ValueError(f"Unified-IO 2 takes {_MOST_FRAMES} frames: set frames in its settings")
    inputs: dict[str, Any] = {}
    frames = [np.asarray(Image.open(image["path"]).convert("RGB")) for image in request["images"]]
    if len(frames) == 1:
        inputs["image_inputs"] = frames[0]
    elif frames:
        inputs["video_inputs"] = np.stack(frames)
    if request["sound"]:
        samples = np.asarray(read_samples(request["sound"]), np.float32) / 32768.0
        seconds = len(samples) / 16_000
        inputs["audio_inputs"] = extract_spectrograms_from_audio(
            samples, seconds, seconds / (len(frames) or _MOST_FRAMES), _PART_SECONDS
        )
    batch = build_batch([preparer(request["text"], "text", **inputs)], device=net.device)
    with torch.inference_mode():
        out = net.generate(batch, modality="text", use_cache=True, **generation_settings(request["decoding"], 128))
    return str(preparer.tokenizer.decode(out[0].cpu())).strip()
