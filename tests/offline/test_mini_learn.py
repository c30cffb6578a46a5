"""The study of training on the miniature, at its smallest: sets, adapters, cells, tables and curve."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from aurelia_offline.learning.cells import CellKey, CellStore, draw_held_out
from aurelia_offline.learning.sets import FIRST_LEARNING_SEED, draw_learning_set, learning_pair, wrong_share
from aurelia_offline.learning.study import BASE, LearningStudy, run_learning_study
from aurelia_offline.training import examples
from aurelia_offline.world.stage import Referent, StageQuestion, stage_names

pytestmark = [pytest.mark.offline]
MINI = Path(str(files("aurelia_offline.targets").joinpath("mini")))


def test_a_set_has_no_form_that_measures_what_carries_over() -> None:
    drawn = draw_learning_set(200, 3)
    known = stage_names()

    def form(one: Referent) -> Referent:
        """The referent of its question form: the first name stands for all of its kind."""
        for names in (known.instruments, known.spots):
            if one.start in names:
                return one._replace(start=names[0])
        return one

    asked = [one.example.asked for one in drawn]
    forms = [StageQuestion(a.kind, form(a.one), a.other and form(a.other)) for a in asked]
    assert len(drawn) == 200 and len({one.clip for one in drawn}) >= 50
    assert min(one.clip for one in drawn) >= FIRST_LEARNING_SEED
    assert {len(one.example.hops) for one in drawn} == {1, 2, 3, 4, 5}
    assert {examples.training_group(one) for one in forms} == {"trained"}
    assert draw_learning_set(40, 3) == drawn[:40]
    assert wrong_share(drawn) == 0


def test_planted_errors_are_as_many_as_asked_and_reach_reply_and_answer() -> None:
    clean, noisy = draw_learning_set(400, 1), draw_learning_set(400, 1, 0.3)
    wrong = [one for one in noisy if one.hops != one.example.hops]
    assert [one.example for one in clean] == [one.example for one in noisy]
    assert 0.2 < len(wrong) / 400 < 0.35
    assert 0.1 < wrong_share(noisy) < 0.3
    told = next(one for one in wrong if one.is_wrong)
    prompt, reply = learning_pair(told, "plan")
    assert reply.endswith(f"Answer: {told.hops[-1].value}") and told.example.answer != told.hops[-1].value
    assert reply.startswith(f"1. {told.hops[0].text}\n")
    assert told.hops[0].text not in prompt
    assert f"1. {told.hops[0].text}\n" in learning_pair(told, "use")[0]
    assert learning_pair(told, "answer")[1] == f"Answer: {told.hops[-1].value}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_study_trains_measures_and_resumes(tmp_path: Path) -> None:
    lines: list[str] = []
    study = LearningStudy(
        tmp_path / "study", held_out=10, others=2, trained=8, seeds=1, curve=(4,), noise=(0.5,), graph=2,
        progress=lines.append,
    )  # fmt: skip
    text = run_learning_study(study)
    for part in ("Every way", "trained to plan and to use a plan, with injected steps", "What is forgotten",
                 "Over the number of training questions", "Agents of different quality", "Through video files",
                 "The price"):  # fmt: skip
        assert part in text
    assert "Not measured" not in text
    assert (study.out / "learning.md").read_text() == text
    assert (study.out / "learning.png").read_bytes().startswith(b"\x89PNG")
    store = CellStore(study.out, MINI, draw_held_out(10, 2), lines.append)
    for key in dict.fromkeys(study.keys()):
        cell = store.find(key)
        assert cell and len(cell.right["alone"]) == 10 and set(np.unique(cell.right["alone"])) <= {0, 1}
        assert key == BASE or (store.adapter(key) / "adapter_model.safetensors").is_file()
    began = len(lines)
    assert run_learning_study(study) == text
    assert not [line for line in lines[began:] if "training" in line]
    late = study._replace(trained=9, minutes=1e-9, graph=0)
    assert "Not measured, because the time ended: answer-9-0-0" in run_learning_study(late)
    assert store.find(CellKey(("plan",), 8, 0.5, 0)) is not None
