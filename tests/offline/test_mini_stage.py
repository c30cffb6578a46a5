"""The stage's questions, answered by measuring a rendered clip; its benchmark; wrong facts and how they are undone."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from aurelia.bench.records import read_records
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import parse_request
from aurelia_core.signals.look import observe_clip
from aurelia_core.signals.observation import Observation
from aurelia_core.types import MediaRef
from aurelia_offline.agents import inventory
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.answering.selection import is_continuous
from aurelia_offline.study.planted_errors import (
    PLANTED_ERRORS,
    PlantedError,
    make_planted_agent,
    plant_error,
    plausibility_score,
)
from aurelia_offline.training import examples
from aurelia_offline.world import benchmark, mini_world, scene
from aurelia_offline.world.stage import Referent, StageQuestion, parse_stage_question, question_text
from aurelia_offline.world.stage_agent import read_stage_question, stage_answer
from aurelia_offline.world.stage_chain import question_chain
from aurelia_offline.world.stage_table import measure_table

SEED = 500_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, session_store: ClipStore) -> MediaRef:
    path = tmp_path_factory.mktemp("mini") / "clip.mp4"
    scene.write_scene(mini_world.clip_scene(mini_world.draw_clip(SEED, odd=0)), path)
    return session_store.admit(str(path))


@pytest.fixture(scope="module")
def seen(clip: MediaRef, session_store: ClipStore) -> Observation:
    return observe_clip(session_store, clip, None, [], 16, 48000)


def cells(seen: Observation) -> list[tuple[str | None, int | None]]:
    return [(turn.instrument, turn.spot) for turn in measure_table(seen) or ()]


def test_the_table_is_measured(seen: Observation) -> None:
    true, measured = mini_world.draw_clip(SEED, odd=0).table, measure_table(seen)
    assert measured is not None and cells(seen) == [(turn.instrument, turn.spot) for turn in true]
    assert max(abs(a.level - b.level) for a, b in zip(true, measured, strict=True)) < 1.0


def test_a_soft_flute_is_one_though_noise_raises_its_brightness(seen: Observation) -> None:
    noisy = [replace(sound, brightness=sound.brightness + 500.0) for sound in seen.sounds]
    assert cells(replace(seen, sounds=tuple(noisy))) == cells(seen)


def test_a_clip_of_another_length_is_none_of_the_stage(seen: Observation) -> None:
    assert measure_table(replace(seen, duration=10.0)) is None
    assert read_stage_question("What is odd in this clip?", replace(seen, duration=10.0)) is None
    assert read_stage_question("What is heard?", seen) is None


def test_what_cannot_be_measured_is_unknown(seen: Observation) -> None:
    blank = replace(seen, sounds=(), audio_spans=())
    asked, table = read_stage_question(question_text(StageQuestion("food", Referent("loudest"))), blank) or pytest.fail(
        "it is a question of the stage"
    )
    assert stage_answer(asked, table, ["rice", "bread"]) == "unknown"
    assert {turn.instrument for turn in table} == {"unknown"}


def fields(clip: MediaRef, role: str, asked: StageQuestion, choices: list[str]) -> dict[str, object]:
    known = {"role": role, "question": question_text(asked), "choices": choices, "clip": clip, "tracks": []}
    return {**known, "duration": clip["duration"], "frames": 16, "samples": 48000}


@pytest.mark.parametrize(
    "asked",
    [
        StageQuestion("food", Referent("loudest", ("left",))),
        StageQuestion("order", Referent("loudest"), Referent("softest")),
        StageQuestion("caption"),
    ],
)
def test_the_generators_steps_are_the_chains_hops(
    clip: MediaRef, session_store: ClipStore, asked: StageQuestion
) -> None:
    table = mini_world.draw_clip(SEED, odd=0).table
    example = examples.make_example(asked, table, np.random.default_rng(0))
    assert example is not None
    model = MeasuringChat(store=session_store)
    reasoning = model._reply(parse_request(fields(clip, "generator", asked, example.choices)))
    assert [step["step"] for step in reasoning["steps"]] == [hop.text for hop in question_chain(asked)]
    assert [step["answer"] for step in reasoning["steps"]] == [hop.value for hop in example.hops]
    assert reasoning["answer"] == example.answer
    told = inventory.describe_audio(observe_clip(session_store, clip, None, [], 16, 48000), 12)[0]
    assert told in reasoning["steps"][0]["justification"]
    assert model._reply(parse_request(fields(clip, "target", asked, example.choices))) == example.answer


def test_a_chain_of_knowledge_leans_on_the_clip(clip: MediaRef, session_store: ClipStore) -> None:
    asked = StageQuestion("food", Referent("bell"))
    reasoning = MeasuringChat(store=session_store)._reply(parse_request(fields(clip, "generator", asked, [])))
    assert reasoning["answer"] == "rice" and reasoning["steps"][0]["modality"] == "both"


def test_the_benchmark_has_as_many_of_every_number_of_hops(tmp_path: Path) -> None:
    posed = benchmark.draw_questions(100, seed=3, each=4)
    hops = [len(one.example.hops) for one in posed]
    assert [hops.count(number) for number in range(1, 6)] == [20] * 5
    assert sum(one.example.asked.kind == "caption" for one in posed) == 5
    (tmp_path / benchmark.CLIPS_FOLDER).mkdir()
    for one in posed:
        (tmp_path / benchmark.CLIPS_FOLDER / benchmark.clip_file_name(one.seed)).touch()
    made = benchmark.write_benchmark(tmp_path, 100, seed=3)
    records = list(read_records(made.file))
    assert made.clips == 25 and [record.question for record in records] == [one.example.question for one in posed]
    assert {record.column for record in records} >= {"music-avqa", "av-geoiq", "av-meme", "av-captioning"}


@pytest.mark.parametrize("plant", [plant for plant in PLANTED_ERRORS if plant != "none"])
def test_a_wrong_fact_is_told_by_the_first_look_only(
    plant: PlantedError, clip: MediaRef, session_store: ClipStore
) -> None:
    model, true = make_planted_agent(plant, session_store), MeasuringChat(store=session_store)
    asked = MediaRequest.parse(fields(clip, "generator", StageQuestion("caption"), []))
    wrong = true.observe(asked, [[]], 48000)
    assert model.observe(asked, [[]], 48000) == plant_error(wrong, plant) != wrong
    closer = [{"start": 0.0, "end": 2.0}, {"start": 2.0, "end": 4.0}]
    assert cells(model.observe(asked, [[], *([window] for window in closer)], 48000)) == cells(wrong)


@pytest.mark.parametrize("plant", ["missed", "order", "count"])
def test_where_a_sound_is_not_heard_there_is_silence(plant: PlantedError, seen: Observation) -> None:
    wrong = plant_error(seen, plant)
    assert is_continuous("sound", seen) == is_continuous("sound", wrong)
    gaps = [(0.0, 0.0), *((sound.start, sound.end) for sound in wrong.sounds), (seen.duration, seen.duration)]
    between = [(earlier[1], later[0]) for earlier, later in pairwise(gaps) if later[0] - earlier[1] >= 0.3]
    assert list(wrong.silences) == between


def test_a_caption_is_as_plausible_with_a_wrong_fact(seen: Observation) -> None:
    told = [
        " ".join([*inventory.describe_audio(one), *inventory.describe_picture(one)])
        for one in (seen, plant_error(seen, "source"))
    ]
    assert told[0] != told[1] and plausibility_score(told[0]) == plausibility_score(told[1])
    assert (
        plausibility_score(
            "Two sounds are heard: a tone from 3.0 s to 3.5 s, then a click at 1.0 s, then a tone at 2.0 s"
        )
        < 8
    )


def test_an_unknown_plant_is_refused(session_store: ClipStore) -> None:
    with pytest.raises(InputError, match="no plant"):
        make_planted_agent("nonsense", session_store)


def test_a_follow_up_is_understood_as_the_question_it_stands_for() -> None:
    posed = benchmark.draw_questions(10, first=SEED, follow_up=True)
    for one in posed:
        assert one.example.history and " it" in one.example.question
        assert parse_stage_question(one.example.put) == one.example.asked
