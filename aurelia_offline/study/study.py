"""`aurelia mini study`: what the loop does for a target on the mini world, through the real graph and runner.

It renders, runs and asks; the controls are `aurelia_offline.study.controls`', the tables `aurelia_offline.study.tables`'. The truth
about a clip is used to score answers and for nothing else.
"""

import json
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import ablate, grid
from aurelia.bench.records import Record, read_records, write_records
from aurelia.bench.score_run import by_rule
from aurelia_offline.study.arms import Arm, Given, Values, ask_all
from aurelia_offline.study.calibration import asked_attempts, best_attempts, calibrated
from aurelia_offline.study.controls import Plans, controls, leaks
from aurelia_offline.study.loops import ALONE, STEPS, Runs, Study, best_of, looped
from aurelia_offline.study.mixed_agents import mixed
from aurelia_offline.study.modality_reliance import reliance
from aurelia_offline.study.tables import compared, group_of, hops_of, parted, table
from aurelia_offline.world.render import render

MOST = 5
COARSE = {"samples": 8000, "frames": 4}
"""Looks so coarse that the agents' first one often errs: for the tables over T and tau."""
_TASKS = "Captions: share of turns told rightly. Follow-ups on a dialogue (avsd) are counted here alone."
_CALIBRATED = "What the score is worth"
GIVEN = ("steps+answers", "full")


async def study(how: Study) -> str:
    """Runs it all; gives the tables as Markdown, which it also leaves in `study.md`, with the marks in `study.json`.

    Raises:
        InputError: the target or a setting cannot be used.
    """
    made = render(how.out, how.questions, how.seed, how.first, tell=how.tell, talks=how.talks)
    house = how.house(made.media)
    records = list(read_records(made.file))
    how.tell("the loop and zero-shot")
    runs = await looped(how, made.file, how.out / "loop.run", house, how.context())
    plans: dict[str, Any] = {name: best for name, found in runs.loops.items() if (best := best_of(found))}
    how.tell("controls")
    asked = {mode: [Given(r, plans[r.id], mode) for r in records if r.id in plans] for mode in GIVEN}  # type: ignore[arg-type]
    asked |= controls(records[: how.questions][: how.controlled], plans, how.seed)
    given = await ask_all(asked, how.target, house, how.out / "controls.ledger", how.concurrency)
    arms = {**runs.values(records), **{name: arm.values for name, arm in given.items()}}
    parts = [_headline(arms, records, plans), calibrated(_CALIBRATED, best_attempts(records, runs), "Best attempts.")]
    if how.reliant:
        how.tell("modality reliance")
        parts.append(await reliance(how, records[: how.reliant]))
    if how.ablated:
        how.tell("iterations and thresholds")
        parts.append(await _grid(how, records[: how.ablated], made.media))
    if how.mixed:
        parts.append(await mixed(how, records[: how.mixed], made.media))
    text = "\n\n".join([_about(how, len(records), made.clips, runs), *parts]) + "\n"
    (how.out / "study.md").write_text(text, encoding="utf-8")
    _keep(how.out / "study.json", how, arms, runs, given)
    return text


def _headline(arms: dict[str, Values], records: list[Record], plans: Plans) -> str:
    """The arms against zero-shot, by part, and again without the records whose steps tell something."""
    told = [record for record in records if record.choices and not record.history]
    safe = [record for record in told if record.id in plans and not leaks(record, plans[record.id])]
    shown = {name: arms[name] for name in arms if not name.startswith(("blind, steps+", "corrupted"))}
    new = [record for record in told if group_of(record) != "trained"]
    parts = [
        compared("Every arm", arms, told, ALONE, "Questions with choices; what cannot be read counts as wrong."),
        compared(
            f"Again, without the {len(told) - len(safe)} questions whose steps name an option or a measured value",
            arms, safe, ALONE,
        ) if safe else "",
        parted("By task", shown, records, lambda record: record.column, _TASKS),
        parted("By number of hops", shown, told, hops_of),
        parted("By what the target was trained on (never: not in any way)", shown, told, group_of),
        parted("Never or only with steps trained, by hops", shown, new, hops_of),
    ]  # fmt: skip
    if "own steps" in arms:
        pair = {"own steps": arms["own steps"], STEPS: arms[STEPS]}
        parts.insert(1, compared("Steps against the target's own steps", pair, told, "own steps"))
    return "\n\n".join(part for part in parts if part)


async def _grid(how: Study, records: list[Record], media: Path) -> str:
    """Accuracy over T = 1..5 and over tau, with coarse looks and what was found injected (Tables 5 and 6)."""
    file, out = how.out / "coarse.jsonl", how.out / "coarse.run"
    write_records((record for record in records if record.choices), file)
    context = how.context(max_iterations=MOST, early_stop=False, inject="steps+answers", **COARSE)
    house = how.house(media)
    runs = await looped(how, file, out, house, context)
    settings = grid(range(1, MOST + 1), range(4, 11), ["steps+answers"])
    questions = await ablate(out, settings, house, by_rule, concurrency=how.concurrency)
    from aurelia.report.ablation import cells
    from aurelia.report.tables import ranged

    found = []
    for cell in cells(questions, settings, 0.0):
        if cell.threshold == 10 or cell.max_iterations == MOST:
            measured = f"{cell.score or 0:.2f}", f"{cell.iterations:.2f}", f"{cell.seconds:.2f}"
            found.append([str(cell.max_iterations), str(cell.threshold), ranged(cell.point), *measured])
    heads = ["T", "tau", "accuracy, % [95 %]", "best score", "attempts", "seconds of the loop"]
    budget = f"Looks of {COARSE['samples']} samples and {COARSE['frames']} frames, steps+answers."
    each = "Every attempt that is the best at some T or tau; the target is given what it found."
    return "\n\n".join(
        [
            table("Over T (tau = 10) and over tau (T = 5), as Tables 5 and 6", heads, found, budget),
            calibrated(f"{_CALIBRATED}, with coarse looks", asked_attempts(questions, runs), each, budget),
        ]
    )


def _about(how: Study, questions: int, clips: int, runs: Runs) -> str:
    failed = sum(found.state == "failed" for found in [*runs.alone.values(), *runs.loops.values()])
    return (
        f"# A study of {how.target} on the mini world\n\n{questions} questions on {clips} clips from {how.first} on;"
        f" seed {how.seed} of the draw; agents offline:measure, T = 3, tau = 8; {failed} answers failed. Intervals draw"
        " whole clips; p is McNemar's exact. Not asked here: choosing a track (DM-Match), which is"
        " left to the measuring target."
    )


def _keep(path: Path, how: Study, arms: dict[str, Values], runs: Runs, given: dict[str, Arm]) -> None:
    said = {name: arm.answers for name, arm in given.items()}
    said |= {ALONE: {n: f.answer for n, f in runs.alone.items()}, STEPS: {n: f.answer for n, f in runs.loops.items()}}
    kept = {"target": how.target, "questions": how.questions, "seed": how.seed, "values": arms, "answers": said}
    path.write_text(json.dumps(kept) + "\n", encoding="utf-8")
