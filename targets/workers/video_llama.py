"""Video-LLaMA: frames and sound of the request through the makers' own `Chat`, with their words around them.

Their `upload_video` answers about the picture alone when the sound cannot be read; here the sound is read before it.
Their sampling is replaced by the request's decoding, and the start of a long text is not cut off.
"""

from __future__ import annotations

import sys
from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples


def load(options: dict[str, Any]) -> Any:
    """Options: device (cuda), dtype of LLaMA (bfloat16), model_type (llama_v2, or vicuna), and the makers' own.

    The makers' own are those of eval_configs/video_llama_eval_withaudio.yaml, which is no valid file before it is
    edited: llama_model, imagebind_ckpt_path, ckpt and ckpt_2 are paths of weights. The other ones (EVA-ViT, Q-Former,
    BERT's words) are fetched by their code.
    """
    import torch
    import torchaudio.compliance.kaldi  # noqa: F401
    import torchvision.transforms._functional_tensor as renamed

    sys.modules["torchvision.transforms.functional_tensor"] = renamed  # pytorchvideo knows the old name.
    from omegaconf import OmegaConf
    from video_llama.conversation import conversation_video as talks
    from video_llama.models import VideoLLAMA
    from video_llama.processors import AlproVideoEvalProcessor

    given = dict(options)
    device, kind = given.pop("device", "cuda"), given.pop("model_type", "llama_v2")
    dtype = getattr(torch, given.pop("dtype", "bfloat16"))
    if device == "cpu":
        given["vit_precision"] = "fp32"
    settings = OmegaConf.load("video_llama/configs/models/video_llama.yaml").model
    net = VideoLLAMA.from_config(OmegaConf.merge(settings, given))
    net = net.to(device).eval()
    net.llama_model.to(dtype)
    chat = talks.Chat(net, AlproVideoEvalProcessor(image_size=224, n_frms=8), device=device)
    return chat, talks.conv_llava_llama_2 if kind == "llama_v2" else talks.default_conversation


def read_frames(images: list[dict[str, Any]]) -> Any:
    """The frames as (3, frames, 224, 224), 0 to 255, and the makers' sentence about their times."""
    import numpy as np
    import torch
    from PIL import Image

    frames = [np.array(Image.open(image["path"]).convert("RGB").resize((224, 224))) for image in images]
    times = ", ".join(str(round(image["time"], 1)) for image in images)
    said = f"The video contains {len(frames)} frames sampled at {times} seconds. "
    return torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2).float(), said


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the video with its sound or without, or about one picture."""
    import torch
    from transformers import StoppingCriteriaList
    from video_llama.conversation import conversation_video as talks
    from video_llama.models.ImageBind import data

    chat, start = model
    fix_seed(request["decoding"])
    frames = [image for image in request["images"] if image["time"] is not None]
    talk = start.copy()
    seen: list[Any] = []
    talk.system = ""
    with torch.inference_mode():
        if frames:
            talks.load_video = lambda **options: read_frames(frames)
            if request["sound"]:
                samples = torch.tensor(read_samples(request["sound"]))[None] / 32768.0
                data.torchaudio.load = lambda path: (samples, 16_000)
                sound = data.load_and_transform_audio_data([request["sound"]], "cpu", clips_per_video=8)
                talks.load_and_transform_audio_data = lambda *paths, **options: sound
                chat.upload_video("the frames", talk, seen)
            else:
                chat.upload_video_without_audio("the frames", talk, seen)
        elif len(request["images"]) == 1 and not request["sound"]:
            talk.system = "You are able to understand the visual content that the user provides."
            talk.system += " Follow the instructions carefully and explain your answers in detail."
            chat.upload_img(request["images"][0]["path"], talk, seen)
        else:
            raise ValueError("this model answers about a video, with or without sound, or about one picture")
        chat.ask(request["text"], talk)
        talk.append_message(talk.roles[1], None)
        inputs = chat.get_context_emb(talk, seen).to(chat.model.llama_model.dtype)
        words = [[835], [2277, 29937]] if talk.sep == "###" else [[2]]
        stops = [torch.tensor(word, device=inputs.device) for word in words]
        out = chat.model.llama_model.generate(
            inputs_embeds=inputs,
            stopping_criteria=StoppingCriteriaList([talks.StoppingCriteriaSub(stops=stops)]),
            **generation_settings(request["decoding"], 300),
        )
    text = str(chat.model.llama_tokenizer.decode(out[0], skip_special_tokens=True))
    return text.split("###")[0].split(f"{talk.roles[1]}:")[-1].strip()
