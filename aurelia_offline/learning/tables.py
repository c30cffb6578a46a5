"""The tables of the study of training as Markdown, and its curve as a figure."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aurelia.bench.statistics import compare_paired
from aurelia_offline.learning.cells import SIDE_QUESTIONS, Cell, CellKey
from aurelia_offline.learning.graph_check import INJECTED, ZERO_SHOT, GraphCheck
from aurelia_offline.learning.sets import LearnedForm
from aurelia_offline.study.tables import study_table
from aurelia_offline.training import examples
from aurelia_offline.training.evaluate import EvaluationItem

if TYPE_CHECKING:
    from aurelia_offline.learning.study import LearningStudy

Cells = Mapping[CellKey, Cell]
FORM_WORDS: dict[tuple[LearnedForm, ...], str] = {
    (): "not trained",
    ("answer",): "trained on answers",
    ("plan",): "trained to plan",
    ("use",): "trained to use a plan",
    ("plan", "use"): "trained to plan and to use a plan",
}
_WAY_WORDS = {"alone": "question alone", "injected": "with injected steps"}
_GROUP_WORDS = {
    "trained": "trained in every way", "steps": "trained with steps only, adapters never", "never": "never trained",
}  # fmt: skip
_SIDE = f"first seed, at most {SIDE_QUESTIONS} held-out questions"
Part = tuple[str, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]


def study_text(study: "LearningStudy", cells: Cells, items: Sequence[EvaluationItem], check: GraphCheck | None) -> str:
    """All tables with their notes."""
    lacking = [key.name for key in dict.fromkeys(study.keys()) if key not in cells]
    parts = [_heading(study, cells, items), _main_table(study, cells, items), _difference_table(study, cells, items)]
    parts += [_forgetting_table(study, cells), _curve_table(study, cells), _noise_table(study, cells)]
    if check is not None:
        parts += [_graph_table(check), _price_text(study, cells, check)]
    if lacking:
        parts.append(f"Not measured, because the time ended: {', '.join(lacking)}.")
    return "\n\n".join(parts) + "\n"


def _heading(study: "LearningStudy", cells: Cells, items: Sequence[EvaluationItem]) -> str:
    return (
        f"## Training on the reasoning against injecting it\n\nTarget: the miniature, adapted by LoRA."
        f" {len(items)} held-out questions with choices on test clips; {study.trained} training questions in the main"
        f" table; {len(cells) - 1} adapters and the frozen target. The sets are written from the clips' true"
        " descriptions in the words of the runs. A reply counts only if its answer is exactly right."
    )


def _parts(items: Sequence[EvaluationItem]) -> list[Part]:
    hops = np.array([len(item.example.hops) for item in items])
    groups = np.array([examples.training_group(item.composition) for item in items])
    found: list[Part] = [("all", hops > 0)]
    found += [(f"2+ hops, {words}", (hops > 1) & (groups == name)) for name, words in _GROUP_WORDS.items()]
    found += [(f"{number} hop{'s' * (number > 1)}", hops == number) for number in sorted(set(hops.tolist()))]
    return [part for part in found if part[1].any()]


def _main_cells(study: "LearningStudy", cells: Cells, forms: tuple[LearnedForm, ...]) -> list[Cell]:
    """The cells of the main table with these forms, one a seed; without a form the frozen target."""
    from aurelia_offline.learning.study import BASE

    keys = study.main_keys(forms) if forms else [BASE]
    return [cells[key] for key in keys if key in cells]


def _main_table(study: "LearningStudy", cells: Cells, items: Sequence[EvaluationItem]) -> str:
    parts = _parts(items)
    rows = []
    for forms, words in FORM_WORDS.items():
        found = _main_cells(study, cells, forms)
        for way in ("alone", "injected", "blind"):
            rights = [np.array(cell.right[way]) for cell in found if way in cell.right]
            if rights:
                name = f"{words}, {_WAY_WORDS.get(way, 'question alone, another clip')}"
                rows.append(
                    [name, str(len(rights)), *(_spread(right[chosen] for right in rights) for _, chosen in parts)]
                )
    chances = np.array([1 / len(item.example.choices) for item in items])
    chance = [f"{100 * chances[chosen].mean():.1f}" for _, chosen in parts]
    counts = ["questions", "", *(str(int(chosen.sum())) for _, chosen in parts)]
    heads = ["right, %", "seeds", *(name for name, _ in parts)]
    notes = (
        "With several seeds: mean ± standard deviation over the seeds. One seed: ± half of the 95 % interval of the"
        " questions (normal approximation). Injected steps are true plans without findings, as r* holds them.",
    )
    return study_table("Every way", heads, [counts, ["chance", "", *chance], *rows], *notes)


def _spread(rights: Iterable["np.ndarray[tuple[int], np.dtype[np.int64]]"]) -> str:
    """Mean ± spread in percent."""
    marks = list(rights)
    means = [100 * float(right.mean()) for right in marks]
    if len(means) > 1:
        return f"{np.mean(means):.1f} ± {np.std(means, ddof=1):.1f}"
    share = means[0] / 100
    return f"{means[0]:.1f} ± {196 * (share * (1 - share) / marks[0].size) ** 0.5:.1f}"


def _difference_table(study: "LearningStudy", cells: Cells, items: Sequence[EvaluationItem]) -> str:
    """Every adapter against the frozen target in both ways, question by question."""
    from aurelia_offline.learning.study import BASE

    clips, rows = [str(item.seed) for item in items], []
    for forms, words in FORM_WORDS.items():
        found = _main_cells(study, cells, forms)
        for way, said in _WAY_WORDS.items():
            if found and forms:
                mine = np.mean([cell.right[way] for cell in found], axis=0).tolist()
                changes = [compare_paired(cells[BASE].right[first], mine, clips).difference for first in _WAY_WORDS]
                texts = [f"{100 * c.value:+.1f} [{100 * c.low:+.1f}, {100 * c.high:+.1f}]" for c in changes]
                rows.append([f"{words}, {said}", *texts])
    heads = ["points over", *(f"not trained, {said}" for said in _WAY_WORDS.values())]
    note = "Each question counts with its share of right answers over the seeds; 95 % intervals resample clips."
    return study_table("Differences on the same questions", heads, rows, note)


def _forgetting_table(study: "LearningStudy", cells: Cells) -> str:
    from aurelia_offline.learning.study import BASE

    kinds = list(cells[BASE].forgetting)
    rows = []
    for forms, words in FORM_WORDS.items():
        if found := _main_cells(study, cells, forms):
            rows.append([words, *(f"{100 * np.mean([cell.forgetting[kind] for cell in found]):.1f}" for kind in kinds)])
    note = f"{study.others} questions of each kind, none of which an adapter was trained on; mean over the seeds."
    return study_table("What is forgotten: other kinds of questions, right, %", ["", *kinds], rows, note)


def _curve_points(study: "LearningStudy", cells: Cells, forms: tuple[LearnedForm, ...]) -> list[tuple[int, Cell]]:
    sizes = sorted({*study.curve, study.trained})
    found = [(size, cells.get(CellKey(forms, size, 0.0, 0))) for size in sizes]
    return [(size, cell) for size, cell in found if cell is not None]


def _curve_table(study: "LearningStudy", cells: Cells) -> str:
    from aurelia_offline.learning.study import FORMS

    rows = []
    for forms in FORMS:
        for size, cell in _curve_points(study, cells, forms):
            rows.append([
                FORM_WORDS[forms], str(size), str(cell.passes), *(_percent(cell, way) for way in _WAY_WORDS),
                f"{cell.training_seconds:.0f}",
            ])  # fmt: skip
    heads = ["", "training questions", "passes", *_WAY_WORDS.values(), "processor seconds"]
    return study_table(f"Over the number of training questions ({_SIDE}), right, %", heads, rows)


def _noise_table(study: "LearningStudy", cells: Cells) -> str:
    rows = []
    for forms, words in FORM_WORDS.items():
        for share in (0.0, *study.noise):
            cell = cells.get(CellKey(forms, study.trained, share, 0))
            if cell is not None:
                wrong = f"{100 * cell.wrong:.1f}"
                rows.append([words, f"{100 * share:.0f}", wrong, *(_percent(cell, way) for way in _WAY_WORDS)])
    heads = ["", "questions with a planted error, %", "wrong answers learned, %", *_WAY_WORDS.values()]
    return study_table(f"Agents of different quality ({_SIDE}), right, %", heads, rows)


def _percent(cell: Cell, way: str) -> str:
    return f"{100 * _side_share(cell, way):.1f}"


def _side_share(cell: Cell, way: str) -> float:
    """Share of right answers to the questions that curve and noise ask, 0..1."""
    return float(np.mean(cell.right[way][:SIDE_QUESTIONS]))


def _graph_table(check: GraphCheck) -> str:
    rows = [
        [name, f"{100 * row.right:.1f}", f"{row.seconds:.2f}", f"{row.prompt:.0f}", f"{row.reply:.1f}"]
        for name, row in check.rows.items()
    ]
    heads = ["", "right, %", "processor seconds an answer", "tokens read", "tokens written"]
    return study_table(
        f"Through video files, graph and runner ({check.questions} questions, first seed)", heads, rows,
        "The row of injected r* includes the loop of the measuring agents; injected rows of adapters use its reasoning"
        " and count only the target's answer.",
    )  # fmt: skip


def _price_text(study: "LearningStudy", cells: Cells, check: GraphCheck) -> str:
    """After how many questions a training is cheaper than the loop."""
    loop = check.rows[INJECTED].seconds
    making = loop * study.trained
    lines = ["**The price**", ""]
    lines.append(
        f"* The loop with its answer takes {loop:.2f} processor seconds a question, zero-shot"
        f" {check.rows[ZERO_SHOT].seconds:.2f}. Reasoning for {study.trained} training questions costs {making:.0f} s."
    )
    for forms, words in FORM_WORDS.items():
        cell = cells.get(CellKey(forms, study.trained, 0.0, 0))
        row = check.rows.get(f"{'+'.join(forms)}, alone")
        if cell is None or row is None:
            continue
        saved = loop - row.seconds
        text = "never: its answers take as long as the loop"
        if saved > 0:
            text = f"after {(making + cell.training_seconds) / saved:,.0f} questions"
        lines.append(
            f"* {words}: {cell.training_seconds:.0f} s of training, {row.seconds:.2f} s an answer; it has paid for"
            f" itself {text}."
        )
    return "\n".join(lines)


def draw_curve(study: "LearningStudy", cells: Cells, out: Path) -> None:
    """Draw accuracy over the number of training questions as PNG."""
    from matplotlib.figure import Figure

    from aurelia_offline.learning.study import BASE, CURVE_FORMS

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    lines = {"alone": "-", "injected": "--"}
    for number, forms in enumerate(CURVE_FORMS):
        points = _curve_points(study, cells, forms)
        for way, line in lines.items():
            label = f"{FORM_WORDS[forms]}, {_WAY_WORDS[way]}"
            heights = [100 * _side_share(cell, way) for _, cell in points]
            axes.plot([size for size, _ in points], heights, line, marker="o", color=f"C{number}", label=label)
    for way, line in lines.items():
        label = f"not trained, {_WAY_WORDS[way]}"
        axes.axhline(100 * _side_share(cells[BASE], way), linestyle=line, color="gray", label=label)
    sizes = sorted({*study.curve, study.trained})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.set_xlabel("training questions")
    axes.set_ylabel("right, %")
    axes.set_title(f"The miniature: {_SIDE}")
    figure.legend(loc="outside right upper", fontsize=8)
    figure.savefig(out, dpi=150)
