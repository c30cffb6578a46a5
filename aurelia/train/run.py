"""`aurelia train`: from run files to an adapter folder with its card."""

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.run_file import RunFile, lock_run_file
from aurelia.bench.runner import RunResources
from aurelia.bench.training import left_out_text
from aurelia.train.card import (
    TrainingData,
    describe_runs,
    open_folder,
    read_record,
    training_record,
    write_card,
    write_record,
)
from aurelia.train.examples import ExampleSelection, ExampleSet, select_examples
from aurelia.train.requests import ExampleRequests
from aurelia.train.settings import TrainSettings
from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import missing_requirements

_PROVIDER = "transformers:"


class AdapterFolder(NamedTuple):
    """The trained adapter: its folder, the base's name, and its record (`training.json`)."""

    folder: Path
    base: str
    record: dict[str, Any]


def train_on_runs(
    runs: Sequence[Path],
    base: str,
    out: Path,
    resources: RunResources,
    selection: ExampleSelection | None = None,
    settings: TrainSettings | None = None,
    progress: Any = lambda line: None,
) -> AdapterFolder:
    """Train an adapter of `base` on the reasoning of runs; an interrupted training is resumed.

    Args:
        runs: run files of `aurelia bench run`, with the arm aurelia.
        base: `transformers:ID_OR_FOLDER`.
        out: folder of the adapter.
        resources: settings of this machine and the folder of the clips.
        selection: which answers are learned, and how.
        settings: how the adapter is trained.
        progress: called with lines of progress.

    Raises:
        InputError: a run, a setting or the base cannot be used, or a package is missing.
        ModelError: the memory is too small.
        MediaError: a clip cannot be used.
        StorageError: the folder cannot be written.
    """
    selection, settings = selection or ExampleSelection(), settings or TrainSettings()
    name = _base_name(base)
    missing = missing_requirements("transformers")
    if missing:
        raise InputError(f"{base} cannot be trained here: it needs {', '.join(missing)}.")
    from aurelia.train.trainer import CHECKPOINTS, check_training_packages, is_main_process, run_training
    from aurelia_core.models.local.loading import choose_placement
    from aurelia_core.models.local.weights import find_weights

    check_training_packages(qlora=settings.qlora)
    weights = find_weights(name, trusted=resources.settings.trusted_models)
    if weights.adapter is not None:
        raise InputError(f"{base} is a base with an adapter: train an adapter of the base alone.")
    examples = select_examples(runs, selection)
    progress(_data_line(examples))
    record = training_record(weights, TrainingData(describe_runs(runs), examples), selection, settings)
    is_main = is_main_process()
    open_folder(out)
    with lock_run_file(out / "training") if is_main else nullcontext():
        if is_main and (stored := read_record(out, record)) and stored["state"] == "done":
            progress(f"{out.name} is trained already.")
            return AdapterFolder(out, base, stored)
        requests = ExampleRequests(base, resources.clip_store(), _shown_settings(runs))
        requests.check_media([*examples.train, *examples.held_out])
        if is_main:
            write_record(out, record)
        result = run_training(weights, choose_placement(), examples, requests, settings, out, progress)
        record |= {"state": "done", "result": result._asdict()}
        if is_main:
            _name_base(out, weights.model_id.removeprefix(_PROVIDER))
            write_card(out, record)
            write_record(out, record)
            shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return AdapterFolder(out, base, record)


def _base_name(base: str) -> str:
    provider, _, name = base.partition(":")
    if f"{provider}:" != _PROVIDER or not name:
        raise InputError(
            f"{base} cannot be trained: only open weights on this machine can (transformers:ID_OR_FOLDER)."
        )
    return name


def _shown_settings(runs: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The settings of each run, by its file name."""
    found = {}
    for path in runs:
        with RunFile.open(path) as run:
            found[path.name] = dict(run.meta["settings"])
    return found


def _data_line(examples: ExampleSet) -> str:
    left_out = left_out_text(examples.left_out)
    clips = len({example.clip for example in examples.train})
    text = f"{len(examples.train)} examples about {clips} clip(s), {len(examples.held_out)} held out"
    return f"{text}; left out: {left_out}." if left_out else f"{text}."


def _name_base(out: Path, base: str) -> None:
    """Write the base's name, not its place on this machine, into the adapter's configuration."""
    from aurelia_core.models.local.adapters import CONFIG_FILE

    config = json.loads((out / CONFIG_FILE).read_text("utf-8"))
    config["base_model_name_or_path"] = base
    (out / CONFIG_FILE).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
