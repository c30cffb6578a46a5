"""`aurelia mini study`: measures what the loop does for a target on the mini world, with the real graph and runner.

It renders the clips, runs loop and controls, and writes the tables. The true description of a clip is used only to
score answers.
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
"""Coarse looks, for the tables over T and tau: the first look of the agents is often wrong."""
_TASKS_NOTE = "Captions: share of turns told rightly. Follow-ups on a dialogue (avsd) are counted here alone."
_ALL_NOTE = "Questions with choices; what cannot be read counts as wrong."
_CALIBRATION_TITLE = "What the score is worth"
_INJECT_MODES = ("steps+answers", "full")


async def run_study(study: StudySettings) -> str:
    """Run the study and return its tables as Markdown; writes them to `study.md`, and all values to `study.json`.

    Raises:
        InputError: the target or a setting cannot be used.
    """
    made = write_benchmark(
        study.out, study.questions, study.seed, study.first, progress=study.progress, follow_ups=study.follow_ups
    )
    house = study.house(made.media)
    records = list(read_records(made.file))
    study.progress("the loop and zero-shot")
    runs = await run_loops(study, made.file, study.out / "loop.run", house, study.context())
    plans: dict[str, Any] = {name: best for name, found in runs.loops.items() if (best := best_reasoning(found))}
    study.progress("controls")
    asked = {mode: [GivenQuestion(r, plans[r.id], mode) for r in records if r.id in plans] for mode in _INJECT_MODES}  # type: ignore[arg-type]
    asked |= make_controls(records[: study.questions][: study.control_questions], plans, study.seed)
    given = await ask_conditions(asked, study.target, house, study.out / "controls.ledger", study.concurrency)
    arms = {**runs.values(records), **{name: arm.values for name, arm in given.items()}}
    parts = [
        _main_tables(arms, records, plans),
        calibration_table(_CALIBRATION_TITLE, best_attempts(records, runs), "Best attempts."),
    ]
    if study.reliance_questions:
        study.progress("modality reliance")
        parts.append(await measure_reliance(study, records[: study.reliance_questions]))
    if study.ablation_questions:
        study.progress("iterations and thresholds")
        parts.append(await _grid_tables(study, records[: study.ablation_questions], made.media))
    if study.mixed_questions:
        parts.append(await run_mixed_agents(study, records[: study.mixed_questions], made.media))
    text = "\n\n".join([_heading(study, len(records), made.clips, runs), *parts]) + "\n"
    (study.out / "study.md").write_text(text, encoding="utf-8")
    _write_json(study.out / "study.json", study, arms, runs, given)
    return text


def _main_tables(arms: dict[str, ValuesById], records: list[Record], plans: Plans) -> str:
    """The conditions against zero-shot, overall, without leaking steps, and by part."""
    with_choices = [record for record in records if record.choices and not record.history]
    safe = [record for record in with_choices if record.id in plans and not steps_leak(record, plans[record.id])]
    leaking = len(with_choices) - len(safe)
    main_arms = {name: arms[name] for name in arms if not name.startswith(("blind, steps+", "corrupted"))}
    new = [record for record in with_choices if group_label(record) != "trained"]
    parts = [
        comparison_table("Every arm", arms, with_choices, ZERO_SHOT, _ALL_NOTE),
        comparison_table(
            f"Again, without the {leaking} questions whose steps name an option or a measured value",
            arms, safe, ZERO_SHOT,
        ) if safe else "",
        parts_table("By task", main_arms, records, lambda record: record.column, _TASKS_NOTE),
        parts_table("By number of hops", main_arms, with_choices, hops_label),
        parts_table("By what the target was trained on (never: not in any way)", main_arms, with_choices, group_label),
        parts_table("Never or only with steps trained, by hops", main_arms, new, hops_label),
    ]  # fmt: skip
    if "own steps" in arms:
        pair = {"own steps": arms["own steps"], WITH_STEPS: arms[WITH_STEPS]}
        parts.insert(1, comparison_table("Steps against the target's own steps", pair, with_choices, "own steps"))
    return "\n\n".join(part for part in parts if part)


async def _grid_tables(study: StudySettings, records: list[Record], media: Path) -> str:
    """Accuracy over T = 1..5 and over tau, with coarse looks and the findings injected (Tables 5 and 6)."""
    file, out = study.out / "coarse.jsonl", study.out / "coarse.run"
    write_records((record for record in records if record.choices), file)
    context = study.context(max_iterations=_MAX_ITERATIONS, early_stop=False, inject="steps+answers", **_COARSE_LOOKS)
    house = study.house(media)
    runs = await run_loops(study, file, out, house, context)
    settings = setting_grid(range(1, _MAX_ITERATIONS + 1), range(4, 11), ["steps+answers"])
    questions = await ablate(out, settings, house, score_without_judge, concurrency=study.concurrency)
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


def _heading(study: StudySettings, questions: int, clips: int, runs: RunOutcomes) -> str:
    failed = sum(found.state == "failed" for found in [*runs.zero_shot.values(), *runs.loops.values()])
    return (
        f"# A study of {study.target} on the mini world\n\n{questions} questions about {clips} clips from seed"
        f" {study.first}; questions chosen with seed {study.seed}; agents offline:measure, T = 3, tau = 8; {failed}"
        " answers failed. Intervals resample whole clips; p is McNemar's exact test. Not included: the choice of a"
        " track (DM-Match), which only the measuring target supports."
    )


def _write_json(
    path: Path, study: StudySettings, arms: dict[str, ValuesById], runs: RunOutcomes, given: dict[str, ConditionResult]
) -> None:
    answers = {name: arm.answers for name, arm in given.items()}
    answers |= {
        ZERO_SHOT: {n: f.answer for n, f in runs.zero_shot.items()},
        WITH_STEPS: {n: f.answer for n, f in runs.loops.items()},
    }
    data = {"target": study.target, "questions": study.questions, "seed": study.seed}
    data |= {"values": arms, "answers": answers}
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")
