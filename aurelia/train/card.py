"""The card of an adapter (README.md) and its record (training.json): data, hashes, settings, versions, licences."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import installed_versions
from aurelia.train.examples import ExampleSelection, ExampleSet
from aurelia.train.settings import TrainSettings
from aurelia_core.errors import InputError, StorageError
from aurelia_core.models.local.adapters import RECORD_FILE, WEIGHTS_FILE, text_shape
from aurelia_core.models.local.weights import Weights

CARD_FILE = "README.md"
_PACKAGES = ("trl", "peft", "accelerate", "datasets")
_FREE = ("state", "result", "versions", "base_licence")
"""Parts of a record that may differ when a training is resumed."""
_OPTIONS = {"forms": "form"}


class TrainingData(NamedTuple):
    """The runs by name with their prompt hashes and their hash of the records, and the examples."""

    runs: dict[str, dict[str, Any]]
    examples: ExampleSet


def describe_runs(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The hashes, models and shown frames of each run, by its file name."""
    found = {}
    for path in paths:
        with RunFile.open(path) as run:
            meta = run.meta
        found[path.name] = {name: meta.get(name) for name in ("records_sha256", "prompts", "models")}
    return found


def training_record(
    base: Weights, data: TrainingData, selection: ExampleSelection, settings: TrainSettings
) -> dict[str, Any]:
    """What a training is made of: two trainings with equal records are the same."""
    chosen = {**asdict(selection), "test": [path.name for path in selection.test]}
    train = data.examples.train
    return {
        "state": "running",
        "base": base.model_id,
        "base_fingerprint": base.fingerprint,
        "base_shape": text_shape(base.config),
        "base_licence": _stated_licence(base.folder),
        "examples_sha256": data.examples.digest,
        "examples": len(train),
        "held_out": len(data.examples.held_out),
        "clips": len({example.clip for example in train}),
        "left_out": dict(data.examples.left_out),
        "licences": dict(Counter(example.record.licence for example in train)),
        "data_sets": dict(Counter(example.record.source.dataset for example in train)),
        "runs": data.runs,
        "selection": json.loads(json.dumps(chosen)),
        "settings": asdict(settings),
        "versions": {**installed_versions(), **{name: metadata.version(name) for name in _PACKAGES}},
    }


def open_folder(out: Path) -> None:
    """Make the folder of an adapter.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StorageError(
            f"The folder {out.name!r} cannot be used ({fault.strerror}): name another with --out."
        ) from None


def read_record(out: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stored record of the same training in a folder; None: nothing was begun there.

    Raises:
        InputError: the folder holds another training; the message names what differs.
        StorageError: the record cannot be read.
    """
    file = out / RECORD_FILE
    if not file.is_file():
        return None
    try:
        before: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise StorageError(f"The folder {out.name!r} cannot be used ({fault}): name another with --out.") from None
    differing = _differences(before, record)
    if differing:
        raise InputError(
            f"{out.name} holds a training with another {', '.join(differing)}: use the same runs and options to"
            " resume it, or name another folder with --out."
        )
    if before.get("state") == "done" and not (out / WEIGHTS_FILE).is_file():
        return {**before, "state": "running"}
    return before


def _differences(before: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """The options that differ; without one, what else does."""
    options = [
        f"--{_OPTIONS.get(name, name).replace('_', '-')}"
        for part in ("selection", "settings")
        for name, value in record[part].items()
        if (before.get(part) or {}).get(name) != value
    ]
    others = [name for name in record if name not in _FREE and before.get(name) != record[name]]
    return list(dict.fromkeys(options)) or others


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write `training.json`, completely or not at all."""
    part = out / f"{RECORD_FILE}.part"
    part.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(out / RECORD_FILE)


def write_card(out: Path, record: Mapping[str, Any]) -> None:
    """Write the card of a finished training."""
    (out / CARD_FILE).write_text(_card(out.name, record), encoding="utf-8")


def _card(name: str, record: Mapping[str, Any]) -> str:
    result = record["result"]
    loss = "no examples were held out"
    if result["held_out_loss"] is not None:
        loss = f"loss {result['held_out_loss']:.4f} on {record['held_out']} held-out examples"
    lines = [
        "---",
        "library_name: peft",
        "tags: [lora, aurelia, trl]",
        "---",
        "",
        f"# {name}",
        "",
        f"A LoRA adapter of {record['base']}, trained by `aurelia train` on reasoning of AURELIA runs. The base stays",
        f"as it is. Use it in any role: `--model target={record['base']}+{name}`.",
        "",
        f"{record['examples']} examples about {record['clips']} clips; {result['steps']} steps, {result['tokens']:,}"
        f" tokens, {result['seconds']:.0f} s; {loss}. Clip and sound are in every example.",
        "",
        "The reasoning was written by models and was not checked by people. Questions of test splits are never used.",
        "The settings below say what else was left out, and in which forms a question was learned.",
        "",
        "| left out | answers |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in sorted(record["left_out"].items())),
        "",
        "| licence of the annotation | examples |",
        "|---|---|",
        *(f"| {licence} | {count} |" for licence, count in sorted(record["licences"].items())),
        "",
        f"Licence of the base, as its own card states it: {record['base_licence'] or 'none stated'}. The clips have",
        "licences of their own. Check both before you pass the adapter on.",
        "",
        "| run | records (SHA-256) | generator | prompts (SHA-256) |",
        "|---|---|---|---|",
        *(_run_line(run, facts) for run, facts in record["runs"].items()),
        "",
        "| setting | value |",
        "|---|---|",
        f"| base (fingerprint) | {record['base_fingerprint'][:16]} |",
        f"| examples (SHA-256) | {record['examples_sha256'][:16]} |",
        *(f"| {key} | {_value_text(value)} |" for key, value in {**record["selection"], **record["settings"]}.items()),
        "",
        "| package | version |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in record["versions"].items()),
        "",
        "The same is in `training.json`.",
    ]
    return "\n".join([*lines, ""])


def _stated_licence(folder: Path) -> str | None:
    """The licence in the header of a base's own card; None: it states none."""
    card = folder / CARD_FILE
    if not card.is_file():
        return None
    found = re.search(r"\A---\n(?:(?!---).*\n)*?license: *(.+)\n", card.read_text("utf-8", errors="replace"))
    return found and found[1].strip()


def _value_text(value: Any) -> str:
    if value is None:
        return "that of each run"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


def _run_line(run: str, facts: Mapping[str, Any]) -> str:
    prompts = ", ".join(f"{name} {str(digest)[:8]}" for name, digest in (facts.get("prompts") or {}).items())
    generator = (facts.get("models") or {}).get("generator", "")
    return f"| {run} | {str(facts.get('records_sha256'))[:16]} | {generator} | {prompts} |"
