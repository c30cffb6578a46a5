"""Two unlike measuring agents, alone and mixed, through the real runner; and what their scores are worth."""

import re
from pathlib import Path

import pytest

from aurelia.bench.records import Record, read_records
from aurelia.bench.run_file import RunFile
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import MediaRef
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.study.biased_agents import SENSING_LIMITS, make_biased_agent
from aurelia_offline.study.calibration import ScoredAttempt, best_attempts, calibration_error, calibration_table
from aurelia_offline.study.loops import RunOutcomes, StudySettings
from aurelia_offline.study.mixed_agents import run_mixed_agents
from aurelia_offline.world import benchmark, mini_world, scene

SEED = 500_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, session_store: ClipStore) -> MediaRef:
    path = tmp_path_factory.mktemp("keen") / "clip.mp4"
    scene.write_scene(mini_world.clip_scene(mini_world.draw_clip(SEED, odd=0)), path)
    return session_store.admit(str(path))


def test_each_agent_is_coarse_in_one_sense(clip: MediaRef, session_store: ClipStore) -> None:
    media = MediaRequest(clip=clip, frames=16)
    whole = MeasuringChat(store=session_store).observe(media, [[]], 48000)
    ears, eyes = (make_biased_agent(name, session_store).observe(media, [[]], 48000) for name in ("ears", "eyes"))
    assert ears.sounds == whole.sounds and ears.frame_gap > 3 * whole.frame_gap
    assert (
        eyes.motions == whole.motions
        and eyes.sample_rate == SENSING_LIMITS["eyes"].samples // 4 - 1 < whole.sample_rate
    )
    heard, seen = (
        make_biased_agent(name, session_store)._evidence(media, clip["duration"]) for name in ("ears", "eyes")
    )
    assert heard.video.gap > 3 * seen.video.gap
    assert heard.tracks != seen.tracks


def test_the_agents_are_told_apart(session_store: ClipStore) -> None:
    models = [make_biased_agent(name, session_store) for name in ("ears", "eyes")]
    assert models[0]._identifying_params != models[1]._identifying_params
    with pytest.raises(InputError, match="no keen:nose"):
        make_biased_agent("nose", session_store)


async def test_four_pairings_are_run_and_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    made = benchmark.write_benchmark(tmp_path, 2, first=SEED)
    records, study = list(read_records(made.file)), StudySettings(tmp_path, 2, "offline:measure", first=SEED)
    told = await run_mixed_agents(study, records, made.media)
    rows = re.findall(r"^\| (hears|sees) finely \| (hears|sees) finely \| 2 \| .* \|$", told, re.MULTILINE)
    assert rows == [("hears", "hears"), ("hears", "sees"), ("sees", "hears"), ("sees", "sees")]
    assert told.count("| – | – | – |") == 1
    runs = run_of(tmp_path / "mixed-0-eyes-eyes.run")
    assert all(found.result and found.result["models"]["generator"] == "keen:eyes" for found in runs.loops.values())
    found = best_attempts(records, runs)
    assert len(found) == 2 and {one.target for one in found} <= {0.0, 1.0}
    assert all(one.findings == 1.0 for one in found if one.agents == 1.0)


def run_of(path: Path) -> RunOutcomes:
    with RunFile.open(path) as run:
        return RunOutcomes({}, {found.record: found for found in run.outcomes("aurelia")})


def test_the_error_is_how_far_scores_lie_from_what_they_promise() -> None:
    sure = [ScoredAttempt(10, 1.0, 1.0, 0.0), ScoredAttempt(10, 1.0, 0.5, 1.0)]
    unsure = [ScoredAttempt(2, 0.0, 0.25, 0.0), ScoredAttempt(6, 1.0, 0.6, 0.0)]
    assert calibration_error(sure, "agents") == 0.0 and calibration_error(sure, "target") == pytest.approx(0.5)
    assert calibration_error([*sure, *unsure], "agents") == pytest.approx((0.2 + 0.4) / 4)
    told = calibration_table("Worth", [*sure, *unsure])
    assert "| 1–4 | 1 | 0.0 | 25.0 | 0.0 |" in told and "| 10 | 2 | 100.0 | 75.0 | 50.0 |" in told
    assert "points | 4 | 15.0 | " in told and "| 8 |" not in told
    assert "Nothing was scored." in calibration_table("Worth", [])


def test_what_has_no_score_is_left_out() -> None:
    assert best_attempts([Record.model_validate(SILENT)], RunOutcomes({}, {})) == []


SILENT = {"id": "mini/0", "column": "av-geoiq", "video": "0.mp4", "question": "Who?", "answers": ["bell"]}
SILENT |= {"source": {"dataset": "aurelia-mini"}}  # type: ignore[dict-item]
