"""VideoLLaMA 2, branch audio_visual: pictures and sound of the request into `generate` of the makers' model.

The makers' `mm_infer` moves everything to CUDA in float16, takes one of its 2 s parts of the sound at a time from a
file with ffmpeg, and answers about silence when that fails. Here the sound is that of the request.
"""

from __future__ import annotations

from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (folder), device (cuda), dtype (float16)."""
    stand_in("moviepy", "moviepy.editor")
    import torch
    from videollama2 import model_init

    device = options.get("device", "cuda")
    model, processor, tokenizer = model_init(options["checkpoint"], device=device)
    model = model.to(device=device, dtype=getattr(torch, options.get("dtype", "float16"))).eval()
    return model, processor, tokenizer


def np_samples(path: str) -> Any:
    """The sound as float32 in -1 to 1, as the makers' own reader returns it."""
    import numpy as np

    return np.asarray(read_samples(path), np.float32) / 32768.0


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the video with its sound, the sound alone, or the text alone."""
    import torch
    from PIL import Image
    from videollama2 import mm_utils

    net, processor, tokenizer = model
    fix_seed(request["decoding"])
    tensor, modal = None, ""
    if request["images"]:
        tensor, modal = processor["video"]([Image.open(image["path"]) for image in request["images"]]), "video"
        tensor = tensor.to(net.device, net.dtype)
        if request["sound"]:
            # Read here: the makers' function replaces a sound that its reader cannot read by silence.
            samples = np_samples(request["sound"])
            mm_utils.load_audio_from_video = lambda path: (samples, 16_000)
            sound = mm_utils.process_audio_from_video(request["sound"], request["duration"])
            tensor = {"video": tensor, "audio": sound.to(net.device, net.dtype)}
    elif request["sound"]:
        tensor, modal = mm_utils.process_audio_file(request["sound"]).to(net.device, net.dtype), "audio"
    token = f"<{modal}>" if modal else ""
    turns = [{"role": "user", "content": f"{token}\n{request['text']}"}]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = mm_utils.tokenizer_multimodal_token(prompt, tokenizer, token, return_tensors="pt")[None].to(net.device)
    with torch.inference_mode():
        out = net.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            images=[(tensor, modal)] if modal else None,
            pad_token_id=tokenizer.eos_token_id,
            **generation_settings(request["decoding"], 2048),
        )
    return str(tokenizer.batch_decode(out, skip_special_tokens=True)[0]).strip()
