"""The figures of the mini target's model card: every prompt mode and every control, on clips not used in training.

The reasonings come from the clips' true descriptions: they show what the target does with a correct plan and with a
wrong statement. What it does with the agents' reasonings is measured by the study, through files and the graph.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aurelia.bench.statistics import PairedComparison, compare_paired
from aurelia_offline.training import examples
from aurelia_offline.training.evaluate import (
    CheckpointAnswerer,
    EvaluationItem,
    ask_checkpoint,
    draw_items,
    plan_of_another_question,
)
from aurelia_offline.world import mini_world
from aurelia_offline.world.stage import stage_names
from aurelia_offline.world.stage_chain import Hop, MissingReferent, question_chain

TASK_OF_KIND = {
    "spot": "AV-QA", "instrument": "AV-QA", "before": "AV-QA", "after": "AV-QA", "left": "AV-QA",
    "continent": "AV-GeoIQ", "food": "AV-GeoIQ", "currency": "AV-GeoIQ", "order": "AV-Compositional", "odd": "AV-Meme",
}  # fmt: skip
RightOrWrong = npt.NDArray[np.bool_]


def corrupt_chain(hops: Sequence[Hop], rng: np.random.Generator) -> list[Hop]:
    """The chain with two wrong findings: a random one and the last; all others stay."""
    at = int(rng.integers(len(hops)))
    return [
        hop._replace(value=_other_value(hop, rng)) if number in (at, len(hops) - 1) else hop
        for number, hop in enumerate(hops)
    ]


def _other_value(hop: Hop, rng: np.random.Generator) -> str:
    names = stage_names()
    kinds = {
        "instrument": names.instruments, "spot": names.spots, "turn": names.turns, "count": names.counts,
        "yes": ["yes", "no"], **{kind: list(facts.values()) for kind, facts in names.facts.items()},
    }  # fmt: skip
    others = [value for value in kinds.get(hop.kind, []) if value != hop.value]
    if others:
        return str(rng.choice(others))
    return hop.value


def chain_on_another_clip(item: EvaluationItem, rng: np.random.Generator) -> list[Hop]:
    """The findings of the same question on another clip."""
    while True:
        try:
            return question_chain(item.example.asked, mini_world.draw_clip(int(rng.integers(10**5, 2 * 10**5))).table)
        except MissingReferent:
            continue


def measure_checkpoint(
    folder: Path, count: int, first: int = 0, progress: Callable[[str], Any] = lambda text: None
) -> dict[str, RightOrWrong]:
    """Whether each answer is correct, bool[count], for every prompt mode and control, by its name."""
    asker, items, rng = CheckpointAnswerer(folder), draw_items(count, first), np.random.default_rng(4)
    plans = {
        "another question's steps": [plan_of_another_question(item, rng) for item in items],
        "corrupted": [corrupt_chain(item.example.hops, rng) for item in items],
        "another clip's answers": [chain_on_another_clip(item, rng) for item in items],
    }
    found: dict[str, RightOrWrong] = {}
    for name, way, options in (
        ("zero-shot", "direct", {}),
        ("own steps", "own", {}),
        ("steps", "steps", {}),
        ("zero-shot, blind", "direct", {"blind": True}),
        ("steps, blind", "steps", {"blind": True}),
        ("another question's steps", "steps", {}),
        ("steps+answers", "steps+answers", {}),
        ("full", "full", {}),
        ("corrupted", "steps+answers", {}),
        ("another clip's answers", "steps+answers", {}),
    ):
        arguments: Any = {**options, "plans": plans.get(name)}
        found[name] = ask_checkpoint(asker, items, way, **arguments).right  # type: ignore[arg-type]
        progress(f"{name}: {100 * found[name].mean():.1f} %")
    return found


def card_table(items: Sequence[EvaluationItem], found: dict[str, RightOrWrong]) -> str:
    """The table of the card in Markdown: a column for each mode; rows for all, each number of hops, group and task."""
    hops = np.array([len(item.example.hops) for item in items])
    groups = np.array([examples.training_group(item.composition) for item in items])
    tasks = np.array([TASK_OF_KIND[item.example.asked.kind] for item in items])
    chances = np.array([1 / len(item.example.choices) for item in items])
    rows: list[tuple[str, RightOrWrong]] = [("all", hops > 0)]
    rows += [(f"{number} hop{'s' * (number > 1)}", hops == number) for number in sorted(set(hops.tolist()))]
    several = hops > 1
    words = {"trained": "trained in every way", "steps": "trained with steps only", "never": "never trained"}
    rows += [(f"2+ hops, {words[name]}", several & (groups == name)) for name in words]
    rows += [(task, tasks == task) for task in sorted(set(tasks.tolist()))]
    lines = [f"| questions | n | chance | {' | '.join(found)} |", "|---" * (3 + len(found)) + "|"]
    for name, chosen in rows:
        if chosen.any():
            cells = " | ".join(f"{100 * marks[chosen].mean():.1f}" for marks in found.values())
            lines.append(f"| {name} | {chosen.sum()} | {100 * chances[chosen].mean():.1f} | {cells} |")
    return "\n".join(lines)


def spread_table(found: Sequence[dict[str, RightOrWrong]]) -> str:
    """Percent correct of several checkpoints in Markdown, for every mode, with mean and standard deviation."""
    names = list(found[0])
    lines = [f"| checkpoint | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    rights = np.array([[100 * marks[name].mean() for name in names] for marks in found])
    rows = {**{str(number): row for number, row in enumerate(rights, 1)}, "mean": rights.mean(0)}
    rows["standard deviation"] = rights.std(0, ddof=1)
    lines += [f"| {name} | {' | '.join(f'{cell:.1f}' for cell in row)} |" for name, row in rows.items()]
    return "\n".join(lines)


def list_gains(items: Sequence[EvaluationItem], found: dict[str, RightOrWrong]) -> str:
    """Paired differences between modes, with a 95 % interval that resamples whole clips, and McNemar's p."""
    clips = [str(item.seed) for item in items]
    lines = []
    for better, worse in (
        ("steps", "zero-shot"),
        ("steps", "own steps"),
        ("zero-shot", "zero-shot, blind"),
        ("steps", "another question's steps"),
        ("steps, blind", "zero-shot, blind"),
        ("steps+answers", "zero-shot"),
        ("corrupted", "zero-shot"),
    ):
        change = compare_paired(found[worse].tolist(), found[better].tolist(), clips)
        lines.append(f"* {better} over {worse}: {_points_text(change)}, McNemar p = {change.p:.2g}")
    return "\n".join(lines)


def _points_text(change: PairedComparison) -> str:
    gain = change.difference
    return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
