"""video-SALMONN 2+: frames and sound of the request through the makers' own data set, into `generate` of their model.

Their data set reads the file of the clip with torchcodec, and leaves a sound out that cannot be read. Here frames and
sound are those of the request, and a sound without features is an error. Their kernels (liger) are not needed.
"""

from __future__ import annotations

from typing import Any

from aurelia_worker import fix_seed, generation_settings, read_samples, stand_in


def load(options: dict[str, Any]) -> Any:
    """Options: checkpoint (folder), device (cuda), dtype (bfloat16). On a GPU flash-attn is needed."""
    stand_in("torchcodec", "torchcodec.decoders", "decord", "liger_kernel", "liger_kernel.transformers")
    stand_in("liger_kernel.transformers.model", "liger_kernel.transformers.model.loss_utils")
    import torch
    from qwenvl.data.dataset import LazySupervisedDataset
    from qwenvl.data.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast
    from qwenvl.model.modeling_qwen2_5_vl import video_SALMONN2_plus
    from qwenvl.train.argument import DataArguments
    from transformers import AutoTokenizer, WhisperFeatureExtractor

    folder, device, attention = options["checkpoint"], options.get("device", "cuda"), "flash_attention_2"
    if device == "cpu":
        attention = "sdpa"
        torch.cuda.current_device = lambda: -1  # Their code asks for it before it prints shapes.
    # Their settings for evaluation: 10 frames a second, 768 at most, 61,250 pixels a frame.
    settings = DataArguments(
        video_max_frames=768, video_min_frames=16, base_interval=0.1, max_pixels=61250, video_max_frame_pixels=61250,
        run_test=True,
    )  # fmt: skip
    settings.image_processor = Qwen2VLImageProcessorFast.from_pretrained(folder)
    settings.audio_processor = WhisperFeatureExtractor(
        settings.feature_size, settings.sampling_rate, settings.hop_length, settings.chunk_length
    )
    settings.model_type = "qwen2.5vl"
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=131072, padding_side="right", use_fast=False)
    dtype = getattr(torch, options.get("dtype", "bfloat16"))
    net = video_SALMONN2_plus.from_pretrained(folder, attn_implementation=attention, torch_dtype=dtype)
    return net.to(device, dtype).eval(), LazySupervisedDataset(tokenizer, settings), tokenizer


def answer(model: Any, request: dict[str, Any]) -> str:
    """One answer, about the video with or without its sound, the sound alone, or the text alone."""
    import numpy as np
    import torch
    from PIL import Image
    from qwenvl.data import dataset

    net, data, tokenizer = model
    fix_seed(request["decoding"])
    seconds = request["duration"] or 1.0  # A still picture has none.
    turns = [{"from": "human", "value": request["text"]}, {"from": "gpt", "value": ""}]
    item: dict[str, Any] = {"conversations": turns}
    if request["sound"]:
        samples = torch.tensor(np.asarray(read_samples(request["sound"]), np.float32) / 32768.0)[None]
        dataset.AudioDecoder = lambda *values, **named: _Sound(samples)
        item["audio"] = request["sound"]
    if request["images"]:
        frames = np.stack([np.asarray(Image.open(image["path"])).transpose(2, 0, 1) for image in request["images"]])
        data.process_video = lambda file: data.process_video_frames(frames, range(len(frames)), seconds)
        item |= {"video": "", "use_audio": bool(item.pop("audio", None))}
    if len(item) > 1:
        turns[0]["value"] = f"<{'video' if 'video' in item else 'audio'}>\n{request['text']}"
    inputs = data._get_item(item)
    if request["sound"] and inputs["audio_feature"] is None:
        raise ValueError("the sound could not be turned into features")
    inputs = {name: value.to(net.device) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    with torch.inference_mode():
        out = net.generate(**inputs, **generation_settings(request["decoding"], 1024))
    reply = out[0, inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(reply, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()


class _Sound:
    """The samples of the request in place of torchcodec's reader."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def get_all_samples(self) -> _Sound:
        return self
