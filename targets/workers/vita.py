"""VITA (Mixtral 8x7B): frames, text and sound of the request into `generate` of the makers' model.

In the makers' demonstration the sound is the spoken question, and a written question comes with zeros in its place.
Here the clip's sound stands behind the written question as their `<audio>`, a combination that their demonstration
excludes; without a sound (sounds = 0 in the settings) it is asked as they ask it. They answer text alone with a black
picture, which is not in the prompt.
"""

from __future__ import annotations

from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (folder), device (cuda: layers spread over all GPUs), dtype (float16)."""
    stand_in("xformers", "xformers.ops", "decord")
    import torch
    from transformers import AutoTokenizer
    from vita.model.language_model.vita_mixtral import VITAMixtralForCausalLM

    folder, device = options["checkpoint"], options.get("device", "cuda")
    dtype = getattr(torch, options.get("dtype", "float16"))
    places: Any = {"": device}
    if device == "cuda":
        places = "auto"
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    net = VITAMixtralForCausalLM.from_pretrained(folder, low_cpu_mem_usage=True, device_map=places, torch_dtype=dtype)
    net.resize_token_embeddings(len(tokenizer))
    tower = net.get_vision_tower()
    if not tower.is_loaded:
        tower.load_model()
    tower.to(net.device, dtype)
    net.get_audio_encoder().to(net.device, dtype)
    return net.eval(), tokenizer


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the video, the sound, both, or the text alone."""
    import numpy as np
    import torch
    import torchaudio
    from PIL import Image
    from vita.conversation import conv_templates
    from vita.util.mm_utils import tokenizer_image_audio_token

    net, tokenizer = model
    fix_seed(request["decoding"])
    frames = [Image.open(image["path"]) for image in request["images"]]
    sound, pictures, text = torch.zeros(400, 80), torch.zeros(1, 3, 448, 448), request["text"]
    if frames:
        pictures, text = net.process_images(frames, net.config), f"{'<image>' * len(frames)}\n{text}"
    if request["sound"]:
        samples = torch.tensor(np.asarray(read_samples(request["sound"]), np.float32) / 32768.0)[None]
        torchaudio.load = lambda path: (samples, 16_000)
        sound, _ = net.get_audio_encoder().audio_processor.process(request["sound"])
        text += "<audio>"
    talk = conv_templates["mixtral_two"].copy()
    talk.append_message(talk.roles[0], text)
    talk.append_message(talk.roles[1], None)
    prompt = talk.get_prompt("video" if frames else "lang")
    ids = tokenizer_image_audio_token(prompt, tokenizer, return_tensors="pt")[None].to(net.device)
    audios = {"audios": sound[None].to(net.device, net.dtype), "lengths": torch.tensor([len(sound)]).to(net.device)}
    with torch.inference_mode():
        out = net.generate(
            ids,
            images=torch.as_tensor(pictures).to(net.device, net.dtype),
            audios=audios,
            **generation_settings(request["decoding"], 1024),
        )
    reply = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    for mark in ("<1>", "<2>", "<3>"):  # States: spoken question, noise, written question.
        reply = reply.replace(mark, "")
    return str(reply).strip()
