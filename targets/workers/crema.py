"""CREMA: frames and sound of the request into the makers' `generate`, with the checkpoint of video and sound.

Their code cuts the text at 77 tokens, the question with it; here it is read whole. They hear the first 10.24 s of a
sound. Where one cannot be read, they answer about silence: here it is an error. Five beams, as in their evaluation on
MUSIC-AVQA. A sound alone is asked twice in one batch, which their code needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from aurelia_worker import fix_seed, read_samples, skip_init, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (crema_pretrained.pth), beats (a file), t5_model (google/flan-t5-xl), device (cuda).

    EVA-ViT and BERT are fetched by the makers' code. Of their package, what is used is imported.
    """
    import torchaudio.compliance.kaldi  # noqa: F401

    stand_in("moviepy", "moviepy.editor", "torchaudio.transforms")
    stand_in("positional_encodings", "positional_encodings.torch_encodings")
    parts = ("models", "models.blip2_models", "models.crema_models", "processors", "datasets")
    skip_init(".", "lavis", *(f"lavis.{part}" for part in parts))
    from lavis.common.registry import registry
    from omegaconf import OmegaConf

    for part, base in (("processors", "Processor"), ("models", "Model")):
        module = import_module(f"lavis.{part}.base_{base.lower()}")
        setattr(sys.modules[f"lavis.{part}"], f"Base{base}", getattr(module, f"Base{base}"))
    registry.register("MAX_INT", sys.maxsize)
    registry.register_path("cache_root", ".cache")
    from lavis.models import beats_encoder
    from lavis.models.crema_models.crema import CREMA
    from lavis.processors.audio_processors import BeatsAudioProcessor
    from lavis.processors.blip_processors import BlipVideoEvalProcessor

    beats_encoder.BeatsEncoder.__init__.__defaults__ = (options["beats"],)
    given = {"image_size": 224, "num_query_token": 32, "t5_model": options.get("t5_model", "google/flan-t5-xl")}
    given |= {"finetuned": options["checkpoint"], "modalities": "audio_rgb-skip"}
    settings = OmegaConf.merge(OmegaConf.load("lavis/projects/crema/eval/music_avqa_eval.yaml").model, given)
    device = options.get("device", "cuda")
    net = CREMA.from_config(settings).to(device).eval()
    if device == "cpu":
        net = net.float()
    net.max_txt_len = 2048
    sounds = BeatsAudioProcessor("iter3", sampling_rate=16_000, n_frames=2, frame_length=512, is_eval=False)
    return net, BlipVideoEvalProcessor(image_size=224, n_frms=4), sounds


def read_sound(path: str, reader: Any) -> Any:
    """The makers' features of the sound."""
    import torch
    import torchaudio

    samples = torch.tensor(read_samples(path))[None] / 32768.0
    torchaudio.load = lambda name: (samples, 16_000)
    found = reader(path)
    if not found.any():
        raise ValueError("the makers' code could not read the sound and took silence for it")
    return found


def read_frames(paths: list[str], reader: Any) -> Any:
    """Four of the frames as the makers' features, (4, 3, 224, 224)."""
    import numpy as np
    import torch
    from PIL import Image

    chosen = [paths[round(number)] for number in np.linspace(0, len(paths) - 1, 4)]
    frames = [np.array(Image.open(path).convert("RGB").resize((224, 224))) for path in chosen]
    return reader.transform(torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2).float()).transpose(0, 1)


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer about frames, sound, or both; pictures count as frames."""
    import torch

    net, frame_reader, sound_reader = model
    fix_seed(request["decoding"])
    samples: dict[str, Any] = {}
    if request["sound"]:
        samples["audio"] = read_sound(request["sound"], sound_reader)
    if request["images"]:
        samples["rgb"] = read_frames([image["path"] for image in request["images"]], frame_reader)
    if not samples:
        raise ValueError("this model answers about pictures or a sound, and the request has none")
    net.modalities = list(samples)
    net.skip = ["-skip" if name == "rgb" else "" for name in samples]
    copies = 2 if samples.keys() == {"audio"} else 1
    batch: dict[str, Any] = {name: torch.stack([value] * copies).to(net.device) for name, value in samples.items()}
    batch |= {"question_id": [0] * copies, "qa_input": [request["text"]] * copies, "qa_output": [""] * copies}
    most = request["decoding"].get("max_tokens") or 30
    with torch.inference_mode():
        return str(net.generate(batch, num_beams=5, max_length=most, length_penalty=-1.0)["output_text"][0]).strip()
