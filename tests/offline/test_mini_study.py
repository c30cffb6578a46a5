"""The mini world's commands, end to end at the smallest size: training, card, study and recovery."""

from pathlib import Path

import numpy as np
import pytest

from aurelia.bench.records import read_records
from aurelia_offline.study.error_recovery import run_recovery
from aurelia_offline.study.loops import StudySettings
from aurelia_offline.study.study import run_study
from aurelia_offline.training.evaluate import VALIDATION_SEED
from aurelia_offline.training.model_card import measure_checkpoint, spread_table
from aurelia_offline.training.train import TrainingSettings, train_checkpoint


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own."""
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))


def test_training_leaves_a_checkpoint_that_can_be_asked(tmp_path: Path) -> None:
    told: list[str] = []
    least = TrainingSettings(minutes=0.001, clips=1, questions=2, cores=1, turns=2, texts=100)
    folder = train_checkpoint(tmp_path / "ck", least, told.append)
    found = measure_checkpoint(folder, 2, VALIDATION_SEED)
    assert set(found) >= {"zero-shot", "own steps", "steps", "steps, blind", "corrupted"}
    assert all(marks.shape == (2,) for marks in found.values())


def test_the_spread_over_checkpoints() -> None:
    right, wrong = np.array([True, True]), np.array([True, False])
    told = spread_table([{"steps": right}, {"steps": wrong}]).splitlines()
    assert told[2:] == ["| 1 | 100.0 |", "| 2 | 50.0 |", "| mean | 75.0 |", "| standard deviation | 35.4 |"]


async def test_a_study_asks_every_arm_once_and_is_gone_on_with(tmp_path: Path) -> None:
    study = StudySettings(
        tmp_path / "study",
        4,
        "transformers:mini",
        first=VALIDATION_SEED,
        ablation_questions=1,
        reliance_questions=1,
        follow_ups=2,
    )
    text = await run_study(study)
    for arm in ("zero-shot", "steps", "own steps", "blind, steps", "full"):
        assert f"| {arm} | " in text
    assert "Over T (tau = 10)" in text and "no sound" in text
    kept = (tmp_path / "study" / "controls.ledger").stat().st_mtime_ns
    assert await run_study(study) == text
    assert (tmp_path / "study" / "controls.ledger").stat().st_mtime_ns == kept
    assert len(list(read_records(tmp_path / "study" / "mini.jsonl"))) == 6
    rows = {line.split(" | ")[0]: line.split(" | ")[1] for line in text.splitlines() if line.startswith("| ")}
    assert rows["| avsd"] == "2" and rows["| zero-shot"] == "4"


async def test_recovery_tells_noticed_from_mended(tmp_path: Path) -> None:
    text = await run_recovery(StudySettings(tmp_path, 1, "offline:measure", first=VALIDATION_SEED))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    found = {(row[0], row[1].split(":")[0]): row[2:] for row in rows[1:]}
    always, never = "100.0 [20.7, 100.0]", "0.0 [0.0, 79.3]"
    assert found["measuring, holistic", "a missed event"][2:] == [always, "0", always]
    assert found["measuring, claim by claim", "a wrong source"][2:] == [always, "0", always]
    assert found["miniature, claim by claim", "a missed event"][2] == always
    assert ("miniature, holistic", "a wrong count") not in found
    assert found["caption only", "a missed event"][2] == never
    assert found["tools", "a wrong source"][0] == "1"
    assert (tmp_path / "recovery.md").read_text(encoding="utf-8") == text


async def test_a_first_look_that_is_wrong_without_the_planted_error_does_not_count(tmp_path: Path) -> None:
    # The whole-clip look at this clip misplaces a shape.
    text = await run_recovery(StudySettings(tmp_path, 1, "offline:measure", first=500_202), ["caption only"])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    counts = {row[1].split(":")[0]: row[2] for row in rows[1:]}
    assert (counts["a wrong place"], counts["a wrong order"]) == ("0", "1")
