"""X-InstructBLIP (LAVIS): frames, pictures and sound of the request into the makers' `generate`.

The Q-Formers read the question alone; the language model reads the whole text, and "Answer:" as in the makers'
evaluation on MUSIC-AVQA. They hear the first 10.24 s of a sound. Where one cannot be read, they answer about silence:
here it is an error. Five beams and their penalties unless a temperature is set.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from aurelia_worker import fix_seed, read_samples, skip_init, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: config (their demo's, 13B), beats (a file), device (cuda), and the makers' own: llm_model (Vicuna).

    What their configuration names by an address is fetched by their code. Of their package, what is used is imported.
    """
    import torchaudio.compliance.kaldi  # noqa: F401

    stand_in("moviepy", "moviepy.editor", "torchaudio.transforms")
    skip_init(
        ".",
        "lavis",
        *(f"lavis.{part}" for part in ("models", "models.blip2_models", "processors", "tasks", "datasets")),
    )
    stand_in("lavis.models.ulip_models", "lavis.models.ulip_models.ULIP_models")
    from lavis.common.registry import registry
    from omegaconf import OmegaConf

    for part, base in (("processors", "Processor"), ("models", "Model"), ("tasks", "Task")):
        module = import_module(f"lavis.{part}.base_{base.lower()}")
        setattr(sys.modules[f"lavis.{part}"], f"Base{base}", getattr(module, f"Base{base}"))
    registry.register("MAX_INT", sys.maxsize)
    registry.register_path("cache_root", ".cache")
    from lavis.models.blip2_models.blip2_vicuna_xinstruct import Blip2VicunaXInstruct
    from lavis.processors.alpro_processors import AlproVideoEvalProcessor
    from lavis.processors.audio_processors import BeatsAudioProcessor
    from lavis.processors.clip_processors import ClipImageEvalProcessor

    given = {"modalities": ["audio", "video", "image"], **options}
    device = given.pop("device", "cuda")
    config = given.pop("config", "projects/xinstructblip/demo/configs/vicuna13b.yaml")
    given["audio_encoder_kwargs"] = {"checkpoint_path": given.pop("beats")}
    settings = OmegaConf.merge(OmegaConf.load(config).model, given)
    if device == "cpu":
        settings.update({f"{kind}_precision": "fp32" for kind in given["modalities"]})
    net = Blip2VicunaXInstruct.from_config(settings).to(device).eval()
    if device == "cpu":
        net = net.float()
    readers = {
        "audio": BeatsAudioProcessor("iter3", sampling_rate=16_000, n_frames=2, frame_length=512, is_eval=False),
        "video": AlproVideoEvalProcessor(n_frms=4, image_size=224),
        "image": ClipImageEvalProcessor(),
    }
    return net, readers


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
    """The makers' features of the frames."""
    import numpy as np
    import torch
    from PIL import Image

    frames = [np.array(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    return reader.transform(torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2).float())


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer about frames, one picture and sound; the makers' model has no answer to a text alone."""
    import torch
    from PIL import Image

    net, readers = model
    decoding = request["decoding"]
    fix_seed(decoding)
    frames = [image["path"] for image in request["images"] if image["time"] is not None]
    stills = [image["path"] for image in request["images"] if image["time"] is None]
    found: dict[str, Any] = {}
    if request["sound"]:
        found["audio"] = read_sound(request["sound"], readers["audio"])
    if frames:
        found["video"] = read_frames(frames, readers["video"])
    if stills:
        found["image"] = readers["image"](Image.open(stills[0]).convert("RGB"))
    if len(stills) > 1 or not found or not found.keys() <= {*net.modalities}:
        raise ValueError(f"this model takes frames, one picture and sound, here {', '.join(net.modalities)}")
    samples = {name: value[None].to(net.device) for name, value in found.items()}
    sampling = {"num_beams": 5}
    if decoding.get("temperature"):
        sampling = {"num_beams": 1, "use_nucleus_sampling": True, "temperature": decoding["temperature"]}
        sampling["top_p"] = decoding.get("top_p") or 1.0
    with torch.inference_mode():
        out = net.generate(
            {**samples, "prompt": f"{request['text']} Answer:"},
            max_length=decoding.get("max_tokens") or 256,
            repetition_penalty=decoding.get("repetition_penalty") or 1.5,
            special_qformer_input_prompt=request["question"] or request["text"],
            **sampling,
        )
    return str(out[0]).strip()
