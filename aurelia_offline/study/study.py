"""`aurelia mini study`: what the loop does for a target on the mini world, through the real graph and runner.

It renders, runs and asks; the controls are `aurelia_offline.study.controls`', the tables `aurelia_offline.study.tables`'. The truth
about a clip is used to score answers and for nothing else.
"""

import json
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import ablate, setting_grid
from aurelia.bench.records import Record, read_records, write_records
from aurelia.bench.score_run import score_without_judge
from aurelia_offline.study.calibration import asked_attempts, best_attempts, calibration_table
from aurelia_offline.study.conditions import ConditionResult, GivenQuestion, ValuesById, ask_conditions
from aurelia_offline.study.controls import Plans, make_controls, steps_leak
from aurelia_offline.study.loops import WITH_STEPS, ZERO_SHOT, RunOutcomes, StudySettings, best_reasoning, run_loops
from aurelia_offline.study.mixed_agents import run_mixed_agents
from aurelia_offline.study.modality_reliance import measure_reliance
from aurelia_offline.study.tables import comparison_table, group_label, hops_label, parts_table, study_table
from aurelia_offline.world.benchmark import write_benchmark

_MAX_ITERATIONS = 5
_COARSE_LOOKS = {"samples": 8000, "frames": 4}
"""Looks so coarse that the agents' first one often errs: for the tables over T and tau."""
_TASKS_NOTE = "Captions: share of turns told rightly. Follow-ups on a dialogue (avsd) are counted here alone."
_CALIBRATION_TITLE = "What the score is worth"
_INJECT_MODES = ("steps+answers", "full")


async def run_study(how: StudySettings) -> str:
    """Runs it all; gives the tables as Markdown, which it also leaves in `study.md`, with the marks in `study.json`.

    Raises:
        InputError: the target or a setting cannot be used.
    """
    made = write_benchmark(how.out, how.questions, how.seed, how.first, tell=how.tell, talks=how.talks)
    house = how.house(made.media)
    records = list(read_records(made.file))
    how.tell("the loop and zero-shot")
    runs = await run_loops(how, made.file, how.out / "loop.run", house, how.context())
    plans: dict[str, Any] = {name: best for name, found in runs.loops.items() if (best := best_reasoning(found))}
    how.tell("controls")
    asked = {mode: [GivenQuestion(r, plans[r.id], mode) for r in records if r.id in plans] for mode in _INJECT_MODES}  # type: ignore[arg-type]
    asked |= make_controls(records[: how.questions][: how.controlled], plans, how.seed)
    given = await ask_conditions(asked, how.target, house, how.out / "controls.ledger", how.concurrency)
    arms = {**runs.values(records), **{name: arm.values for name, arm in given.items()}}
    parts = [
        _main_tables(arms, records, plans),
        calibration_table(_CALIBRATION_TITLE, best_attempts(records, runs), "Best attempts."),
    ]
    if how.reliant:
        how.tell("modality reliance")
        parts.append(await measure_reliance(how, records[: how.reliant]))
    if how.ablated:
        how.tell("iterations and thresholds")
        parts.append(await _grid_tables(how, records[: how.ablated], made.media))
    if how.mixed:
        parts.append(await run_mixed_agents(how, records[: how.mixed], made.media))
    text = "\n\n".join([_heading(how, len(records), made.clips, runs), *parts]) + "\n"
    (how.out / "study.md").write_text(text, encoding="utf-8")
    _write_json(how.out / "study.json", how, arms, runs, given)
    return text


def _main_tables(arms: dict[str, ValuesById], records: list[Record], plans: Plans) -> str:
    """The arms against zero-shot, by part, and again without the records whose steps tell something."""
    told = [record for record in records if record.choices and not record.history]
    safe = [record for record in told if record.id in plans and not steps_leak(record, plans[record.id])]
    shown = {name: arms[name] for name in arms if not name.startswith(("blind, steps+", "corrupted"))}
    new = [record for record in told if group_label(record) != "trained"]
    parts = [
        comparison_table("Every arm", arms, told, ZERO_SHOT, "Questions with choices; what cannot be read counts as wrong."),
        comparison_table(
            f"Again, without the {len(told) - len(safe)} questions whose steps name an option or a measured value",
            arms, safe, ZERO_SHOT,
        ) if safe else "",
        parts_table("By task", shown, records, lambda record: record.column, _TASKS_NOTE),
        parts_table("By number of hops", shown, told, hops_label),
        parts_table("By what the target was trained on (never: not in any way)", shown, told, group_label),
        parts_table("Never or only with steps trained, by hops", shown, new, hops_label),
    ]  # fmt: skip
    if "own steps" in arms:
        pair = {"own steps": arms["own steps"], WITH_STEPS: arms[WITH_STEPS]}
        parts.insert(1, comparison_table("Steps against the target's own steps", pair, told, "own steps"))
    return "\n\n".join(part for part in parts if part)


async def _grid_tables(how: StudySettings, records: list[Record], media: Path) -> str:
    """Accuracy over T = 1..5 and over tau, with coarse looks and what was found injected (Tables 5 and 6)."""
    file, out = how.out / "coarse.jsonl", how.out / "coarse.run"
    write_records((record for record in records if record.choices), file)
    context = how.context(max_iterations=_MAX_ITERATIONS, early_stop=False, inject="steps+answers", **_COARSE_LOOKS)
    house = how.house(media)
    runs = await run_loops(how, file, out, house, context)
    settings = setting_grid(range(1, _MAX_ITERATIONS + 1), range(4, 11), ["steps+answers"])
    questions = await ablate(out, settings, house, score_without_judge, concurrency=how.concurrency)
    from aurelia.report.ablation import grid_cells
    from aurelia.report.tables import format_range

    found = []
    for cell in grid_cells(questions, settings, 0.0):
        if cell.threshold == 10 or cell.max_iterations == _MAX_ITERATIONS:
            measured = f"{cell.score or 0:.2f}", f"{cell.iterations:.2f}", f"{cell.seconds:.2f}"
            found.append([str(cell.max_iterations), str(cell.threshold), format_range(cell.point), *measured])
    heads = ["T", "tau", "accuracy, % [95 %]", "best score", "attempts", "seconds of the loop"]
    budget = f"Looks of {_COARSE_LOOKS['samples']} samples and {_COARSE_LOOKS['frames']} frames, steps+answers."
    each = "Every attempt that is the best at some T or tau; the target is given what it found."
    return "\n\n".join(
        [
            study_table("Over T (tau = 10) and over tau (T = 5), as Tables 5 and 6", heads, found, budget),
            calibration_table(
                f"{_CALIBRATION_TITLE}, with coarse looks", asked_attempts(questions, runs), each, budget
            ),
        ]
    )


def _heading(how: StudySettings, questions: int, clips: int, runs: RunOutcomes) -> str:
    failed = sum(found.state == "failed" for found in [*runs.alone.values(), *runs.loops.values()])
    return (
        f"# A study of {how.target} on the mini world\n\n{questions} questions on {clips} clips from {how.first} on;"
        f" seed {how.seed} of the draw; agents offline:measure, T = 3, tau = 8; {failed} answers failed. Intervals draw"
        " whole clips; p is McNemar's exact. Not asked here: choosing a track (DM-Match), which is"
        " left to the measuring target."
    )


def _write_json(
    path: Path, how: StudySettings, arms: dict[str, ValuesById], runs: RunOutcomes, given: dict[str, ConditionResult]
) -> None:
    said = {name: arm.answers for name, arm in given.items()}
    said |= {
        ZERO_SHOT: {n: f.answer for n, f in runs.alone.items()},
        WITH_STEPS: {n: f.answer for n, f in runs.loops.items()},
    }
    kept = {"target": how.target, "questions": how.questions, "seed": how.seed, "values": arms, "answers": said}
    path.write_text(json.dumps(kept) + "\n", encoding="utf-8")
