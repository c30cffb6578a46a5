"""The sets outside the mini world: what the records say is what was rendered."""

from pathlib import Path

import numpy as np
import pytest

from aurelia.bench.records import Record, read_records
from aurelia_offline.world.scene import RGB, render_scene
from aurelia_offline.world.unusual import UnusualClip, draw_gestures, draw_signal, write_unusual_set

pytestmark = pytest.mark.offline
RATE = 48000
SECONDS = 6


def answers(clip: UnusualClip) -> dict[str, str]:
    return {record.question: record.answers[0] for record in clip.records}


def sound_onsets(clip: UnusualClip) -> list[float]:
    """The times at which it becomes loud after a tenth of a second of silence, in seconds."""
    samples = render_scene(clip.scene).samples[: RATE * SECONDS]
    loud = np.sqrt(np.mean(samples.reshape(-1, RATE // 20) ** 2, axis=1)) > 0.01
    return [at / 20 for at in range(len(loud)) if loud[at] and not loud[max(0, at - 2) : at].any()]


def moving_colours(clip: UnusualClip) -> set[str]:
    """The colours whose places in the picture change."""
    frames = list(render_scene(clip.scene).frames)
    found: set[str] = set()
    for shape in clip.scene.shapes:
        masks = [np.all(frame == RGB[shape.colour], axis=-1) for frame in frames[::3]]
        if any((mask != masks[0]).any() for mask in masks):
            found.add(shape.colour)
    return found


@pytest.mark.parametrize("number", range(8))
def test_a_signal_is_heard_and_seen_as_its_records_say(number: int) -> None:
    clip = draw_signal(number, np.random.default_rng(number))
    way = clip.records[0].category
    said = answers(clip)
    assert bool(sound_onsets(clip)) == (way != "seen") == (said["Which warning signal is heard?"] != "none")
    light = said["Which light moves?"]
    assert moving_colours(clip) == ({light.split()[1]} if way != "heard" else set())
    pairs = {"a siren": "blue", "a horn": "yellow", "a crossing bell": "red"}
    if way in ("both", "contradicting"):
        agree = pairs[said["Which warning signal is heard?"]] in light
        assert agree == (way == "both")
        assert clip.records[2].answers == ["yes" if agree else "no"]
    else:
        assert len(clip.records) == 2


@pytest.mark.parametrize("number", [0, 1])
def test_gestures_and_sounds_come_in_the_order_that_the_records_say(number: int) -> None:
    clip = draw_gestures(number, np.random.default_rng(number))
    moves = [shape.moves[0][0] for shape in clip.scene.shapes]
    assert len(moving_colours(clip)) == 3
    onsets = sound_onsets(clip)
    assert len(onsets) == 3
    assert (onsets[0] < moves[0]) == (answers(clip)["Which comes first, a sound or a movement?"] == "the sound")
    ordinals = ("first", "second", "third")
    place = next(place for place, word in enumerate(ordinals) if clip.records[0].question.endswith(f"{word}?"))
    assert clip.records[0].answers == [f"the {clip.scene.shapes[place].colour} {clip.scene.shapes[place].shape}"]
    voices = {"bell": "a bell", "reed": "a reed", "noise": "a hiss"}
    assert clip.records[1].answers == [voices[clip.scene.sounds[place].voice]]


def test_a_set_is_written_with_its_clips_and_card_and_is_the_same_again(tmp_path: Path) -> None:
    told: list[str] = []
    found = write_unusual_set("signals", tmp_path / "a", 4, 3, told.append)
    records = list(read_records(found.file))
    assert (found.clips, found.questions, len(records)) == (4, 10, 10)
    assert told == ["4 of 4 clips rendered"]
    assert all(isinstance(record, Record) and record.reasoning for record in records)
    assert all((tmp_path / "a" / "media" / str(record.video)).is_file() for record in records)
    card = found.card.read_text(encoding="utf-8")
    assert "| contradicting | 3 |" in card and "--seed 3" in card
    again = write_unusual_set("signals", tmp_path / "b", 4, 3)
    assert again.file.read_bytes() == found.file.read_bytes()
