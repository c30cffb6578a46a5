"""`aurelia mini learn`: does training on the reasoning beat injecting it? The paper's second open question, in small.

The mini target is adapted (LoRA) in three forms and in a mixture of two, with three seeds; every adapter answers
held-out questions alone and with injected steps. Smaller and larger sets give the curve, planted errors the noise.
`graph_check` asks the adapters once more through video files, graph and runner.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from aurelia_offline.learning.cells import WAYS, Cell, CellKey, CellStore, draw_held_out
from aurelia_offline.learning.sets import LearnedForm

FORMS: tuple[tuple[LearnedForm, ...], ...] = (("answer",), ("plan",), ("use",), ("plan", "use"))
CURVE_FORMS: tuple[tuple[LearnedForm, ...], ...] = (("plan",), ("answer",), ("use",))
"""The forms of the curve and of the noise."""
BASE = CellKey((), 0, 0.0, 0)


class LearningStudy(NamedTuple):
    """The size of the study.

    Attributes:
        out: folder for adapters, cells and tables; an existing study is resumed.
        held_out: number of held-out questions.
        others: number of questions of each other kind, for forgetting.
        trained: number of training questions of the main table and of the noise.
        seeds: number of seeds of the main table.
        curve: numbers of training questions of the curve, besides `trained`; one seed each.
        noise: shares of questions with planted errors, besides 0; one seed each.
        minutes: after so many minutes no further cell is begun; the tables then say which are missing (0: no limit).
        graph: number of questions that are asked once more through files, graph and runner (0: none).
        progress: called with lines about the progress.
    """

    out: Path
    held_out: int = 1000
    others: int = 200
    trained: int = 1000
    seeds: int = 3
    curve: tuple[int, ...] = (50, 200, 5000)
    noise: tuple[float, ...] = (0.1, 0.3)
    minutes: float = 0
    graph: int = 200
    progress: Callable[[str], None] = lambda _: None

    def main_keys(self, forms: tuple[LearnedForm, ...]) -> list[CellKey]:
        """The cells of one row of the main table, one a seed."""
        return [CellKey(forms, self.trained, 0.0, seed) for seed in range(self.seeds)]

    def keys(self) -> Iterator[CellKey]:
        """Every cell, in the order in which they are worth most."""
        yield BASE
        for seed in range(self.seeds):
            yield from (CellKey(forms, self.trained, 0.0, seed) for forms in FORMS)
        cells = [(size, 0.0) for size in sorted(self.curve) if size < self.trained]
        cells += [(self.trained, share) for share in sorted(self.noise, reverse=True)]
        cells += [(size, 0.0) for size in sorted(self.curve) if size > self.trained]
        for size, share in cells:
            yield from (CellKey(forms, size, share, 0) for forms in CURVE_FORMS)


def make_cells(study: LearningStudy, store: CellStore) -> dict[CellKey, Cell]:
    """The cells of the study, as far as its time allows; the control with other clips is asked with the first seed."""
    began, cells = time.monotonic(), dict[CellKey, Cell]()
    for key in dict.fromkeys(study.keys()):
        is_side = key != BASE and (key.questions, key.noise) != (study.trained, 0)
        ways = WAYS[:2] if is_side or key.seed else WAYS
        late = study.minutes and time.monotonic() - began > 60 * study.minutes
        found = store.find(key) if late else store.make(key, ways, is_side=is_side)
        if found:
            cells[key] = found
    return cells


def run_learning_study(study: LearningStudy) -> str:
    """Run the study and return its tables as Markdown; writes `learning.md` and `learning.png` into its folder.

    Raises:
        InputError: a setting cannot be used.
    """
    from aurelia_offline.learning.graph_check import run_graph_check
    from aurelia_offline.learning.tables import draw_curve, study_text

    base = Path(str(files("aurelia_offline.targets").joinpath("mini")))
    held = draw_held_out(study.held_out, study.others)
    store = CellStore(study.out, base, held, study.progress)
    cells = make_cells(study, store)
    checked = None
    if study.graph:
        checked = asyncio.run(run_graph_check(study, store))
    text = study_text(study, cells, held.items, checked)
    (study.out / "learning.md").write_text(text, encoding="utf-8")
    draw_curve(study, cells, study.out / "learning.png")
    return text
