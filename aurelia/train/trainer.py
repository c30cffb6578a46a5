"""Trains the adapter with TRL's SFTTrainer and peft: one example at a time, gradients summed over the batch.

Examples are encoded when they are needed, so that clips do not fill the memory. The base stays frozen.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aurelia.train.examples import ExampleSet, TrainingExample
from aurelia.train.memory import estimate_memory, weights_text
from aurelia.train.requests import ExampleRequests
from aurelia.train.settings import TrainSettings
from aurelia_core.errors import AureliaError, InputError, ModelError
from aurelia_core.installation import install_command
from aurelia_core.models.local.adapters import without_future_warnings
from aurelia_core.models.local.engine import is_memory_error
from aurelia_core.models.local.loading import (
    Placement,
    load_model,
    load_processor_with_writer,
    torch_dtype,
)
from aurelia_core.models.local.training import SampleEncoder
from aurelia_core.models.local.weights import Weights

CHECKPOINTS = "checkpoints"
_TOWERS = ("visual", "vision", "audio", "tower", "talker", "token2wav", "projector")
_COMPLETE = ("trainer_state.json", "optimizer.pt", "scheduler.pt", "adapter_model.safetensors")
_MEASURED_EXAMPLES = 16
_Progress = Callable[[str], None]


class TrainingResult(NamedTuple):
    """The end of a training: steps, the last loss on the held-out examples (None: none), tokens, and seconds."""

    steps: int
    held_out_loss: float | None
    tokens: int
    seconds: float


class _Rows(NamedTuple):
    """Encodes rows of a data set, which hold only the place of their example."""

    examples: Sequence[TrainingExample]
    requests: ExampleRequests
    encoder: SampleEncoder

    def inputs(self, rows: list[Any]) -> dict[str, Any]:
        """The model's inputs of the one row of a batch."""
        example = self.examples[rows[0]["place"]]
        return dict(self.encoder.encode(self.requests.messages(example), example.reply).inputs)


def run_training(
    weights: Weights,
    placement: Placement,
    examples: ExampleSet,
    requests: ExampleRequests,
    settings: TrainSettings,
    out: Path,
    progress: _Progress,
) -> TrainingResult:
    """Train an adapter into the folder `out`, from its last checkpoint if it has one.

    Args:
        weights: the base.
        placement: device and precision.
        examples: what to learn, and what to evaluate on.
        requests: writes the requests of the examples.
        settings: the settings.
        out: folder of the adapter.
        progress: called with one line of progress at a time.

    Raises:
        InputError: a package or a setting is missing, or the base cannot be adapted.
        ModelError: the memory is too small.
        MediaError: a clip cannot be decoded.
    """
    check_training_packages(qlora=settings.qlora)
    check_devices(placement, qlora=settings.qlora)
    loaded = load_processor_with_writer(weights)
    encoder = SampleEncoder(weights.model_id, loaded, requests.store, torch_dtype(placement))
    everything = [*examples.train, *examples.held_out]
    rows = _Rows(everything, requests, encoder)
    longest = _longest(rows)
    progress(weights_text(weights, placement, qlora=settings.qlora))
    model = load_model(weights, placement, **_quantization(settings))
    layers = adapted_layers(model, settings)
    adapted = sum(settings.rank * (m.in_features + m.out_features) for m in layers.values())
    estimate = estimate_memory(model, placement, settings, longest, adapted)
    progress(estimate.text(placement.device))
    if estimate.total > estimate.free:
        progress(f"This may not fit: {memory_remedy(placement, settings)}.")
    try:
        with without_future_warnings():
            return _run(model, layers, loaded, rows, examples, settings, placement, out, progress)
    except (RuntimeError, MemoryError) as fault:
        if isinstance(fault, AureliaError) or not is_memory_error(fault):
            raise
        raise ModelError(
            f"Training {weights.model_id} does not fit into the memory of {placement.device}:"
            f" {memory_remedy(placement, settings)}."
        ) from None


def check_training_packages(*, qlora: bool) -> None:
    """Check that the packages of the extra `train` are installed.

    Raises:
        InputError: one is missing; the message says how to install it.
    """
    from importlib.util import find_spec

    for name in ("trl", "peft", "datasets", "accelerate"):
        if find_spec(name) is None:
            raise InputError(f"Training needs a package that is not installed ({name}): {install_command('train')}")
    if qlora and find_spec("bitsandbytes") is None:
        raise InputError(
            "A base in 4 bits needs a package that is not installed (bitsandbytes): pip install bitsandbytes,"
            " or leave out --qlora."
        )


def check_devices(placement: Placement, *, qlora: bool) -> None:
    """Check that device and processes fit together.

    Raises:
        InputError: QLoRA without CUDA, or several GPUs in one process.
    """
    on_gpu = placement.device.startswith("cuda")
    if qlora and not on_gpu:
        raise InputError("A base in 4 bits needs a CUDA device: leave out --qlora, or set AURELIA_LOCAL_DEVICE=cuda.")
    if on_gpu and torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise InputError(
            f"{torch.cuda.device_count()} GPUs are visible to one process: start it with accelerate launch -m aurelia"
            " train …, or show one GPU with CUDA_VISIBLE_DEVICES=0."
        )


def adapted_layers(model: Any, settings: TrainSettings) -> dict[str, Any]:
    """The linear layers that the adapter changes, by name; never the last one, which writes the tokens.

    Raises:
        InputError: the model has none.
    """
    last = model.get_output_embeddings()
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not last
    }
    if settings.layers == "language":
        found = {
            name: module
            for name, module in found.items()
            if not any(tower in part for part in name.split(".") for tower in _TOWERS)
        }
    if not found:
        raise InputError("This base has no linear layers that an adapter could change: choose another base.")
    return found


def memory_remedy(placement: Placement, settings: TrainSettings) -> str:
    """What is left to do where the memory is too small."""
    remedies = ["make the runs with fewer frames", "use a smaller base"]
    if settings.layers == "all":
        remedies.insert(0, "leave out --layers all")
    if placement.dtype == "float32":
        remedies.insert(0, "set AURELIA_LOCAL_DTYPE=bfloat16")
    if placement.device.startswith("cuda") and not settings.qlora:
        remedies.insert(0, "use --qlora")
    return ", ".join(remedies[:-1]) + f", or {remedies[-1]}"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones, which a killed process leaves, are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    newest: Path | None = None
    for path in found:
        if all((path / name).is_file() for name in _COMPLETE):
            newest = path
        else:
            shutil.rmtree(path)
    return newest


def is_main_process() -> bool:
    """Whether this process writes files and progress; with accelerate one of several does."""
    return int(os.environ.get("RANK", "0")) == 0


def _run(
    model: Any,
    layers: dict[str, Any],
    loaded: Any,
    rows: _Rows,
    examples: ExampleSet,
    settings: TrainSettings,
    placement: Placement,
    out: Path,
    progress: _Progress,
) -> TrainingResult:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    places = range(len(rows.examples))
    first = len(examples.train)
    held_out = None
    if examples.held_out:
        held_out = Dataset.from_list([{"place": place} for place in places[first:]])
    trainer = SFTTrainer(
        model,
        args=_arguments(settings, placement, out, evaluates=held_out is not None),
        data_collator=rows.inputs,
        train_dataset=Dataset.from_list([{"place": place} for place in places[:first]]),
        eval_dataset=held_out,
        processing_class=getattr(loaded.processor, "tokenizer", loaded.processor),
        peft_config=LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=list(layers)),
        callbacks=[_progress_callback(progress)],
    )
    # It would write dictionaries to stdout.
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(out / CHECKPOINTS)
    if checkpoint:
        progress(f"Resumed after step {checkpoint.name.rpartition('-')[2]}.")
    output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    step = trainer.state.global_step
    losses = {line["step"]: line["eval_loss"] for line in trainer.state.log_history if "eval_loss" in line}
    if held_out is not None and step not in losses:
        losses[step] = trainer.evaluate()["eval_loss"]
    adapted: Any = trainer.accelerator.unwrap_model(trainer.model)
    if is_main_process():
        adapted.save_pretrained(out, save_embedding_layers=False)
    trainer.accelerator.wait_for_everyone()
    tokens = int(trainer._total_train_tokens)
    return TrainingResult(step, losses.get(step), tokens, float(output.metrics["train_runtime"]))


def _arguments(settings: TrainSettings, placement: Placement, out: Path, *, evaluates: bool) -> Any:
    from trl.trainer.sft_config import SFTConfig

    on_gpu = placement.device.startswith("cuda")
    return SFTConfig(
        str(out / CHECKPOINTS),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=settings.batch,
        activation_checkpointing=True,
        bf16=on_gpu and placement.dtype == "bfloat16",
        fp16=on_gpu and placement.dtype == "float16",
        use_cpu=placement.device == "cpu",
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.every,
        save_strategy="steps",
        save_steps=settings.every,
        save_total_limit=2,
        logging_steps=max(1, settings.every // 10),
        disable_tqdm=True,
        report_to=[],
        seed=settings.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        dataset_kwargs={"skip_prepare_dataset": True},
        log_level="error",
    )


def _progress_callback(progress: _Progress) -> Any:
    from transformers import TrainerCallback

    class ProgressLines(TrainerCallback):
        """One line for each log of the trainer."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            where = f"step {state.global_step} of {state.max_steps}"
            logs = logs or {}
            if "loss" in logs:
                progress(f"{where}, loss {float(logs['loss']):.3f}{_memory_text()}")
            if "eval_loss" in logs:
                progress(f"{where}, held-out loss {float(logs['eval_loss']):.3f}")

    return ProgressLines()


def _memory_text() -> str:
    if not torch.cuda.is_available() or not torch.cuda.max_memory_allocated():
        return ""
    return f", {torch.cuda.max_memory_allocated() / 1024**3:.1f} GiB at most"


def _quantization(settings: TrainSettings) -> dict[str, Any]:
    if not settings.qlora:
        return {}
    from transformers import BitsAndBytesConfig

    kind: Any = BitsAndBytesConfig
    return {
        "quantization_config": kind(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        "device_map": {"": torch.cuda.current_device()},
    }


def _longest(rows: _Rows) -> int:
    """Tokens of the longest of some examples: those with the longest replies."""
    order = sorted(range(len(rows.examples)), key=lambda place: -len(rows.examples[place].reply))
    lengths: list[int] = [rows.inputs([{"place": place}])["input_ids"].shape[1] for place in order[:_MEASURED_EXAMPLES]]
    return max(lengths)
