"""One step of LoRA on a Qwen2.5-Omni thinker of real size with random weights, on a GPU: memory, and tokens a second.

    python -m tests.live.train_real_size 3B      (or 7B, or tiny: a check of this script on any machine)

It writes random weights in bfloat16 into a folder that it deletes again (7B: 17 GB, 3B: 9 GB), and trains on a rendered
clip with sound through `aurelia.train`, as `aurelia train` does. Nobody has run it on a GPU yet.
"""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from aurelia.bench.records import Record, RecordSource
from aurelia.bench.runner import RunResources
from aurelia.train.examples import ExampleSet, TrainingExample
from aurelia.train.requests import ExampleRequests
from aurelia.train.settings import TrainSettings
from aurelia.train.trainer import run_training
from aurelia_core.models.local.loading import choose_placement
from aurelia_core.models.local.weights import find_weights
from aurelia_core.settings import Settings
from aurelia_core.types import Reasoning
from aurelia_offline.world.scene import Scene, write_scene
from tests.live.conftest import TRUTH
from tests.support import tiny_qwen_omni

VISION = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
          "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112}  # fmt: skip
AUDIO = {"num_mel_bins": 128, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
         "d_model": 1280, "max_source_positions": 1500, "n_window": 100}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}


def shape(hidden: int, inner: int, layers: int, heads: int, shared: int, vocabulary: int) -> dict[str, dict[str, Any]]:
    """The sizes of the text model and of the encoders, from the published configurations."""
    text = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": shared, "max_position_embeddings": 32768,
            "rope_parameters": ROPE, "vocab_size": vocabulary}  # fmt: skip
    return {
        "text": text, "vision": {**VISION, "out_hidden_size": hidden}, "audio": {**AUDIO, "output_dim": hidden},
    }  # fmt: skip


SHAPES = {
    "7B": shape(3584, 18944, 28, 28, 4, 152064),
    "3B": shape(2048, 11008, 36, 16, 2, 151936),
    "tiny": tiny_qwen_omni.SIZES,
}


def say(line: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(size: str) -> None:
    """Train one step and print memory and speed."""
    placement = choose_placement()
    if size != "tiny" and not placement.device.startswith("cuda"):
        sys.exit("This needs a CUDA device. Give tiny to check the script on this machine.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"{size}: writing random weights")
        dtype = torch.get_default_dtype()
        if size != "tiny":
            torch.set_default_dtype(torch.bfloat16)
        with torch.device(placement.device):
            tiny_qwen_omni.write(folder / "weights", sizes=SHAPES[size])
        torch.set_default_dtype(dtype)
        (folder / "clips").mkdir()
        write_scene(Scene.model_validate(TRUTH), folder / "clips" / "truth.mp4")
        resources = RunResources(Settings(home=folder / "home", allow_any_file=True), folder / "clips")
        store = resources.clip_store()
        base = f"transformers:{folder / 'weights'}"
        if placement.device.startswith("cuda"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        settings = TrainSettings(max_steps=2, batch=1, every=2)
        examples = ExampleSet([example(store.admit("truth.mp4")["id"])], [], Counter())
        requests = ExampleRequests(base, store, {"made": {"frames": 16}})
        began = time.perf_counter()
        result = run_training(
            find_weights(str(folder / "weights")), placement, examples, requests, settings, folder / "out", say
        )
        say(f"{result.tokens / result.seconds:.0f} tokens a second over {result.steps} steps, the first included")
        say(f"{time.perf_counter() - began:.0f} s with loading")
        if placement.device.startswith("cuda"):
            say(f"{torch.cuda.max_memory_allocated() / 1024**3:.1f} GiB at most")


def example(clip: str) -> TrainingExample:
    """A question about the clip with a reasoning."""
    source = RecordSource(dataset="made")
    record = Record(
        id="truth", column="other", video="truth.mp4", question="Which shape moves while the tone sounds?",
        answers=["the red circle"], source=source,
    )  # fmt: skip
    reasoning: Reasoning = {
        "steps": [{"step": "Find the tone.", "justification": "", "answer": "0.5 to 1.5 s", "modality": "audio"}],
        "answer": "the red circle",
    }
    reply = "1. Find the tone. 0.5 to 1.5 s\nAnswer: the red circle"
    return TrainingExample("truth", clip, record, reasoning, "plan", reply, 10, "made")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "7B")
