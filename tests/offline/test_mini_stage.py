"""The stage's questions, answered by measuring a rendered clip; its benchmark; wrong facts and how they are undone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aurelia.bench.records import read_records
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.signals.look import observe_clip
from aurelia_core.signals.observation import Observation
from aurelia_core.types import MediaRef
from aurelia_offline.agents import inventory
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.study.planted_errors import PLANTS, Plant, planted, plausibility, spoiled
from aurelia_offline.training import examples
from aurelia_offline.world import render, scene, world
from aurelia_offline.world.stage import Asked, One, understood, worded
from aurelia_offline.world.stage_agent import answer, asked_of
from aurelia_offline.world.stage_chain import chain
from aurelia_offline.world.stage_table import staged

SEED = 500_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, session_store: ClipStore) -> MediaRef:
    path = tmp_path_factory.mktemp("mini") / "clip.mp4"
    scene.write(world.staged(world.draw(SEED, odd=0)), path)
    return session_store.admit(str(path))


@pytest.fixture(scope="module")
def seen(clip: MediaRef, session_store: ClipStore) -> Observation:
    return observe_clip(session_store, clip, None, [], 16, 48000)


def cells(seen: Observation) -> list[tuple[str | None, int | None]]:
    return [(turn.instrument, turn.spot) for turn in staged(seen) or ()]


def test_the_table_is_measured(seen: Observation) -> None:
    true, measured = world.draw(SEED, odd=0).table, staged(seen)
    assert measured is not None and cells(seen) == [(turn.instrument, turn.spot) for turn in true]
    assert max(abs(a.level - b.level) for a, b in zip(true, measured, strict=True)) < 1.0


def test_a_clip_of_another_length_is_none_of_the_stage(seen: Observation) -> None:
    assert staged(replace(seen, duration=10.0)) is None
    assert asked_of("What is odd in this clip?", replace(seen, duration=10.0)) is None
    assert asked_of("What is heard?", seen) is None


def test_what_cannot_be_measured_is_unknown(seen: Observation) -> None:
    blank = replace(seen, sounds=(), audio_spans=())
    asked, table = asked_of(worded(Asked("food", One("loudest"))), blank) or pytest.fail(
        "it is a question of the stage"
    )
    assert answer(asked, table, ["rice", "bread"]) == "unknown"
    assert {turn.instrument for turn in table} == {"unknown"}


def fields(clip: MediaRef, role: str, asked: Asked, choices: list[str]) -> dict[str, object]:
    known = {"role": role, "question": worded(asked), "choices": choices, "clip": clip, "tracks": []}
    return {**known, "duration": clip["duration"], "frames": 16, "samples": 48000}


@pytest.mark.parametrize(
    "asked",
    [Asked("food", One("loudest", ("left",))), Asked("order", One("loudest"), One("softest")), Asked("caption")],
)
def test_the_generators_steps_are_the_chains_hops(clip: MediaRef, session_store: ClipStore, asked: Asked) -> None:
    table = world.draw(SEED, odd=0).table
    example = examples.posed(asked, table, np.random.default_rng(0))
    assert example is not None
    model = MeasuringChat(store=session_store)
    reasoning = model._reason(fields(clip, "generator", asked, example.choices))
    assert [step["step"] for step in reasoning["steps"]] == [hop.text for hop in chain(asked)]
    assert [step["answer"] for step in reasoning["steps"]] == [hop.value for hop in example.hops]
    assert reasoning["answer"] == example.answer
    told = inventory.heard(observe_clip(session_store, clip, None, [], 16, 48000), 12)[0]
    assert told in reasoning["steps"][0]["justification"]
    assert model._reply(fields(clip, "target", asked, example.choices)) == example.answer


def test_a_chain_of_knowledge_leans_on_the_clip(clip: MediaRef, session_store: ClipStore) -> None:
    asked = Asked("food", One("bell"))
    reasoning = MeasuringChat(store=session_store)._reason(fields(clip, "generator", asked, []))
    assert reasoning["answer"] == "rice" and reasoning["steps"][0]["modality"] == "both"


def test_the_benchmark_has_as_many_of_every_number_of_hops(tmp_path: Path) -> None:
    posed = render.posed(100, seed=3, each=4)
    hops = [len(one.example.hops) for one in posed]
    assert [hops.count(number) for number in range(1, 6)] == [20] * 5
    assert sum(one.example.asked.kind == "caption" for one in posed) == 5
    (tmp_path / render.CLIPS).mkdir()
    for one in posed:
        (tmp_path / render.CLIPS / render.video_of(one.seed)).touch()
    made = render.render(tmp_path, 100, seed=3)
    records = list(read_records(made.file))
    assert made.clips == 25 and [record.question for record in records] == [one.example.question for one in posed]
    assert {record.column for record in records} >= {"music-avqa", "av-geoiq", "av-meme", "av-captioning"}


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant != "none"])
def test_a_wrong_fact_is_told_by_the_first_look_only(plant: Plant, clip: MediaRef, session_store: ClipStore) -> None:
    model, true = planted(plant, session_store), MeasuringChat(store=session_store)
    asked = fields(clip, "generator", Asked("caption"), [])
    wrong = true._observe(asked, [[]])
    assert model._observe(asked, [[]]) == spoiled(wrong, plant) != wrong
    closer = [{"start": 0.0, "end": 2.0}, {"start": 2.0, "end": 4.0}]
    assert cells(model._observe(asked, [[], *([window] for window in closer)])) == cells(wrong)


def test_a_caption_is_as_plausible_with_a_wrong_fact(seen: Observation) -> None:
    told = [" ".join([*inventory.heard(one), *inventory.visible(one)]) for one in (seen, spoiled(seen, "source"))]
    assert told[0] != told[1] and plausibility(told[0]) == plausibility(told[1])
    assert (
        plausibility("Two sounds are heard: a tone from 3.0 s to 3.5 s, then a click at 1.0 s, then a tone at 2.0 s")
        < 8
    )


def test_an_unknown_plant_is_refused(session_store: ClipStore) -> None:
    with pytest.raises(InputError, match="no plant"):
        planted("nonsense", session_store)


def test_a_follow_up_is_understood_as_the_question_it_stands_for() -> None:
    posed = render.posed(10, first=SEED, talk=True)
    for one in posed:
        assert one.example.history and " it" in one.example.question
        assert understood(one.example.put) == one.example.asked
