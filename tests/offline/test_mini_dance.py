"""Dances with four candidate tracks: their truth, their records and files, and who may answer about them."""

from collections import Counter
from typing import Any

import pytest

from aurelia.bench.records import read_records
from aurelia_core.media import ClipStore
from aurelia_core.models.requests import parse_request
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.world import benchmark, dance
from aurelia_offline.world.stage import Referent, StageQuestion, question_text, stage_names
from targets import is_in_target_domain

SEED = 500_000


def test_three_of_four_tracks_are_wrong_each_in_its_way() -> None:
    for seed in range(SEED, SEED + 200):
        drawn = dance.draw_dance(seed)
        by = {track.fault: track for track in drawn.tracks}
        assert sorted(by) == sorted(dance.TRACK_FAULTS) and len({track.voice for track in drawn.tracks}) == 4
        assert by["none"].strikes == drawn.jumps == drawn.tracks[drawn.right].strikes
        later = [b - a for a, b in zip(drawn.jumps, by["late"].strikes, strict=True)]
        assert later == pytest.approx([drawn.beat / 2] * len(later), abs=0.003)
        gaps = [track.strikes[-1] - track.strikes[0] for track in (by["none"], by["other tempo"])]
        assert gaps[1] / gaps[0] < 0.9 or gaps[1] / gaps[0] > 1.1
        assert {len(track.strikes) for track in drawn.tracks} == {len(drawn.jumps)}
        assert {*by["other rhythm"].strikes} != {*drawn.jumps}
        assert all(strike + drawn.beat / 2 < dance.DANCE_SECONDS for track in drawn.tracks for strike in track.strikes)


def test_the_fitting_track_may_stand_anywhere() -> None:
    places = Counter(dance.draw_dance(seed).right for seed in range(400))
    assert sorted(places) == [0, 1, 2, 3] and min(places.values()) > 70


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> benchmark.RenderedBenchmark:
    """One question and one dance behind it, with their files."""
    return benchmark.write_benchmark(tmp_path_factory.mktemp("danced"), 1, first=SEED, dances=1)


def test_dances_stand_behind_the_questions(made: benchmark.RenderedBenchmark) -> None:
    question, danced = read_records(made.file)
    assert (made.questions, made.clips) == (2, 2)
    assert question == benchmark.question_record(0, benchmark.draw_questions(1, first=SEED)[0])
    assert danced.column == danced.task == "dm-match" and danced.correct_choices == {dance.draw_dance(SEED).right}
    assert all((made.media / name).stat().st_size for name in (danced.video, *danced.audio))


def fields(made: benchmark.RenderedBenchmark, store: ClipStore, frames: int) -> dict[str, Any]:
    """What a role is told of the dance."""
    danced = list(read_records(made.file))[1]
    clip = store.admit(str(made.media / danced.video))
    tracks = [store.admit(str(made.media / name), kind="audio") for name in danced.audio]
    known = {"question": danced.question, "choices": danced.choices, "clip": clip, "tracks": tracks}
    return {**known, "duration": clip["duration"], "frames": frames, "samples": 4 * 48000}


def test_a_fine_look_picks_the_fitting_track(made: benchmark.RenderedBenchmark, session_store: ClipStore) -> None:
    told = fields(made, session_store, 96)
    assert not told["clip"]["has_audio"]
    reasoning = MeasuringChat(store=session_store)._reply(parse_request({"role": "generator", **told}))
    assert reasoning["answer"] == dance.dance_record(SEED).answers[0]


def test_tracks_are_none_of_the_mini_targets_world(made: benchmark.RenderedBenchmark, session_store: ClipStore) -> None:
    told = fields(made, session_store, 16)
    assert is_in_target_domain("transformers:mini", told["question"], told["clip"], told["tracks"]) is False
    like = stage_names().clip
    sides = {side: int(like[side]) for side in ("width", "height", "fps")}
    clip = {**told["clip"], **sides, "duration": like["seconds"], "has_audio": True}
    question = question_text(StageQuestion("spot", Referent("first")))
    assert is_in_target_domain("transformers:mini", question, clip, []) is True  # type: ignore[arg-type]
    assert is_in_target_domain("transformers:mini", question, clip, told["tracks"]) is False  # type: ignore[arg-type]
    assert is_in_target_domain("offline:measure", question, clip, told["tracks"]) is None  # type: ignore[arg-type]
