"""Local weights: what one encoding per clip saves, in a whole run of one model in all roles (T = 3, both answers).

The weights are random: time, memory and sameness are measured, never quality. Every call really generates; the roles
then go on with written replies, so that the loop takes its full course. On a CPU a model of about 8M parameters is
used, with CUDA the shape of Qwen2.5-Omni-3B in bfloat16. Prefill: forward passes of several tokens, towers included.
Without kept encodings each call is transformers' plain `generate`. The last line is what a batch would add: a prototype
with equal requests, which need no padding, so the most that a batch can bring.
"""

import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.chat import LocalChat
from aurelia_core.models.local.engine import InferenceEngine
from aurelia_core.models.local.loading import choose_placement, max_cache_bytes
from aurelia_core.models.local.weights import find_weights
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import Scene, write_scene
from state.context import ROLES, make_context
from tests.support import tiny_qwen_omni
from tests.support.scripted import DEFAULTS, verdict

REPLY_TOKENS = 16
BATCH, BATCH_TOKENS = 4, 64
PIXELS = 28 * 28 * 1280
CLIP: dict[str, Any] = {
    "seconds": 4.0, "fps": 12, "width": 640, "height": 360, "background": "black",
    "shapes": [{"colour": "red", "shape": "circle", "x": 0.3, "y": 0.5, "size": 0.3, "moves": [[0.5, 3.5]]}],
    "sounds": [{"start": 0.5, "end": 3.5, "voice": "tone", "pitch": 440.0, "level": -14.0}],
}  # fmt: skip
MIDDLE: dict[str, dict[str, Any]] = {
    "text": {
        "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 6,
        "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]},
    },
    "vision": {
        "depth": 2, "hidden_size": 128, "intermediate_size": 384, "num_heads": 4, "out_hidden_size": 384,
        "fullatt_block_indexes": [1], "window_size": 112,
    },
    "audio": {
        "num_mel_bins": 128, "encoder_layers": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 512, "d_model": 128,
        "max_source_positions": 1500, "n_window": 100, "output_dim": 384,
    },
}  # fmt: skip
THREE_B: dict[str, dict[str, Any]] = {
    "text": {
        "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
        "num_attention_heads": 16, "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    },
    "vision": {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
        "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112,
    },
    "audio": {
        "num_mel_bins": 128, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
        "d_model": 1280, "max_source_positions": 1500, "n_window": 100, "output_dim": 2048,
    },
}  # fmt: skip
# Dense bfloat16, as the makers' data sheets say, in 1e12 operations a second.
PEAKS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "4090": 165.0}


@dataclass
class Meter:
    """What one run's forward passes took, and what was said."""

    prefill: float = 0.0
    read: int = 0
    decode: float = 0.0
    written: int = 0
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[BaseMessage] = field(default_factory=list)

    def watch(self, model: Any) -> Callable[[], None]:
        """Measures every forward pass of the model; returns what ends that."""
        began = [0.0]

        def before(module: Any, args: Any, kwargs: Any) -> None:
            _wait(model)
            began[0] = time.perf_counter()

        def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
            _wait(model)
            spent, tokens = time.perf_counter() - began[0], kwargs["input_ids"].shape[1]
            if tokens > 1:
                self.prefill, self.read = self.prefill + spent, self.read + tokens
            else:
                self.decode, self.written = self.decode + spent, self.written + 1

        hooks = [
            model.register_forward_pre_hook(before, with_kwargs=True),
            model.register_forward_hook(after, with_kwargs=True),
        ]
        return lambda: [hook.remove() for hook in hooks] and None


class Played(LocalChat):
    """The local model, whose replies are noted and then replaced by ones that the next role can use."""

    meter: Any

    def _answer(self, messages: list[BaseMessage], *arguments: Any) -> ChatResult:
        result = super()._answer(messages, *arguments)
        self.meter.asked = messages
        fields = messages[-1].additional_kwargs["request"]
        message: Any = result.generations[0].message
        self.meter.said[fields["role"], str(messages[-1].content)] = message.content
        written: Any = DEFAULTS[fields["role"]]
        reply = verdict(3) if fields["role"] == "evaluator" else written(fields, messages)
        message.content = reply if isinstance(reply, str) else json.dumps(reply)
        return result


def _wait(model: Any) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def three_b(folder: Path) -> None:
    """Puts a model of the 3B shape, made on the GPU, in the place of the tiny one in the folder."""
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    weights, here = find_weights(str(folder)), choose_placement()
    reader = local_load.load_processor_with_writer(weights)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(here.device):
        made = Qwen2_5OmniThinkerForConditionalGeneration(tiny_qwen_omni.config(reader.processor.tokenizer, THREE_B))
    torch.set_default_dtype(torch.float32)
    engine = InferenceEngine(
        weights.model_id, made.eval(), reader.writer, reuses=True, cache_bytes=max_cache_bytes(here)
    )
    local_load._engines[weights.fingerprint, here] = engine


async def run(folder: Path, weights: Path, clip: Path, *, reuse: bool) -> Meter:
    """One question with the model in all roles, with kept encodings or without."""
    meter = Meter()
    found, here = find_weights(str(weights)), choose_placement()
    engine = local_load.load_engine(found, here)
    engine.prefixes.clear()
    engine.reuses_prefixes = reuse
    settings = Settings(home=folder, allow_any_file=True)
    desk = ModelClient(
        settings,
        providers={"played": lambda name, store: Played(weights=found, placement=here, store=store, meter=meter)},
    )
    stop = meter.watch(engine.model)
    question: Any = {"video": str(clip), "question": "What is heard while the circle moves?", "choices": []}
    await answer_question(
        question, make_context({**dict.fromkeys(ROLES, "played:one"), "max_iterations": 3}), client=desk
    )
    stop()
    desk.close()
    return meter


def batch(weights: Path, store: ClipStore, messages: list[BaseMessage]) -> None:
    """Prints what kept encodings and a batch save for equal requests on one clip, beside plain `generate`."""
    found, here = find_weights(str(weights)), choose_placement()
    engine = local_load.load_engine(found, here)
    converter = LocalChat(weights=found, placement=here, store=store)._converter
    request = converter.parse(messages)
    clock = time.perf_counter if engine.model.device.type == "cuda" else time.process_time

    def seconds(work: Callable[[], Any]) -> float:
        _wait(engine.model)
        began = clock()
        work()
        _wait(engine.model)
        return clock() - began

    def one_by_one(reuse: bool) -> None:
        engine.reuses_prefixes = reuse
        for _ in range(BATCH):
            engine.generate(engine.encode(request, converter, BATCH_TOKENS), BATCH_TOKENS, min_new_tokens=BATCH_TOKENS)

    def together() -> None:
        encoded = engine.encode(request, converter, BATCH_TOKENS)
        encoded.inputs["past_key_values"].batch_repeat_interleave(BATCH)
        for name, value in encoded.inputs.items():
            if name == "position_ids":
                encoded.inputs[name] = value.repeat_interleave(BATCH, 1)
            elif name in ("input_ids", "attention_mask"):
                encoded.inputs[name] = value.repeat_interleave(BATCH, 0)
        engine.generate(encoded, BATCH_TOKENS, min_new_tokens=BATCH_TOKENS)

    def over_clips() -> None:
        engine.reuses_prefixes = False
        encoded = engine.encode(request, converter, BATCH_TOKENS)
        for name, value in encoded.inputs.items():
            encoded.inputs[name] = torch.cat([value] * BATCH, 1 if name == "position_ids" else 0)
        engine.generate(encoded, BATCH_TOKENS, min_new_tokens=BATCH_TOKENS)

    one_by_one(True)
    ways = (lambda: one_by_one(False), lambda: one_by_one(True), together, over_clips)
    plain, kept, batched, clips = (min(seconds(work) for _ in range(3)) for work in ways)
    print(
        f"local batch  {BATCH} requests on one clip, {BATCH_TOKENS} tokens each: plain generate {plain:.2f} s, kept"
        f" encodings {kept:.2f} s ({plain / kept:.1f} times), in one batch too {batched:.2f} s"
        f" ({plain / batched:.1f} times); as if on {BATCH} clips, in one batch without kept encodings {clips:.2f} s"
        f" ({plain / clips:.1f} times)"
    )


def report(with_reuse: Meter, without: Meter, engine: InferenceEngine) -> None:
    """Prints ratio, speed, memory and, on a known GPU, the share of its peak."""
    parameters = sum(parameter.numel() for parameter in engine.model.parameters())
    same = "the same" if with_reuse.said == without.said else "ANOTHER"
    ratio = without.prefill / with_reuse.prefill
    print(
        f"local reuse  {ratio:6.1f} times less prefill ({with_reuse.prefill:.2f} s against {without.prefill:.2f} s"
        f" without; {with_reuse.read} against {without.read} tokens) in {len(without.said)} calls, T = 3, both answers,"
        f" {same} text; limit 4 times"
    )
    device = engine.model.device
    print(
        f"local speed  {without.read / without.prefill:6.0f} tokens/s read,"
        f" {with_reuse.written / with_reuse.decode:.0f} tokens/s written"
        f" ({parameters / 1e6:.0f}M parameters, {engine.model.dtype}, {device.type})"
    )
    kept = engine.prefixes.total_bytes / 2**20
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    if device.type == "cuda":
        used = torch.cuda.max_memory_allocated(device) / 2**20
        peak = next((p for name, p in PEAKS.items() if name in torch.cuda.get_device_name(device)), None)
        reached = 2 * parameters * without.read / without.prefill / 1e12
        share = f"{reached / peak:.0%} of its peak" if peak else "its peak is not known here"
        print(f"local GPU    {reached:6.0f} TFLOP/s in prefill, {share}")
    print(f"local memory {used:6.0f} MB at most, {kept:.0f} MB of them the kept clip")


def main() -> None:
    """Prints what reuse saves, tokens a second and memory."""
    os.environ["AURELIA_LOCAL_TOKENS"] = str(REPLY_TOKENS)
    gpu = choose_placement().device.startswith("cuda")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(Scene.model_validate(CLIP), folder / "clip.mp4")
        sizes = tiny_qwen_omni.SIZES if gpu else MIDDLE
        weights = tiny_qwen_omni.write(folder / "weights", sizes=sizes, pixels=PIXELS)
        if gpu:
            three_b(weights)
            asyncio.run(run(folder / "warm", weights, folder / "clip.mp4", reuse=False))
        without = asyncio.run(run(folder / "without", weights, folder / "clip.mp4", reuse=False))
        with_reuse = asyncio.run(run(folder / "with", weights, folder / "clip.mp4", reuse=True))
        report(with_reuse, without, local_load.load_engine(find_weights(str(weights)), choose_placement()))
        batch(weights, ClipStore(Settings(home=folder / "with", allow_any_file=True)), with_reuse.asked)
    local_load.unload_all()


if __name__ == "__main__":
    main()
