"""Records about sounds and still pictures: what a line may hold, a run of them, its report and its exports."""

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.media import find_missing_media, group_by_clip
from aurelia.bench.records import Record
from aurelia.bench.training import export_training_set
from aurelia.report.build import build_report
from aurelia.report.media import picture_media
from nodes.prepare import admit_media
from tests.support.bench_runs import Bench, line, player
from tests.support.other_media import write_picture, write_sound

SOUNDS: dict[str, Any] = {"video": None, "audio": ["low.wav", "high.wav"], "choices": ["Sound A", "Sound B"]}
PICTURE: dict[str, Any] = {"video": None, "images": ["red.png"], "audio": ["low.wav"]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder of two sounds and a picture, and a model that says "with"."""
    folder = tmp_path / "media"
    folder.mkdir()
    write_sound(folder / "low.wav", [(0.3, 0.9, 220, 0.5)])
    write_sound(folder / "high.wav", [(0.3, 0.9, 880, 0.5)])
    write_picture(folder / "red.png", (220, 20, 20))
    target = lambda fields, messages: "Sound B" if fields["choices"] else "with"  # noqa: E731
    return Bench.reading(folder, tmp_path, player(target=target))


def test_a_record_names_some_medium_and_an_old_line_stays_as_it_was() -> None:
    with pytest.raises(ValueError, match="it names no media: give video, images or audio"):
        Record.model_validate(line(1, video=None))
    old = Record.model_validate(line(1))
    assert json.loads(old.to_json_line()) == line(1)
    sounds = Record.model_validate(line(2, **SOUNDS, answers=["Sound B"]))
    assert (sounds.media_names, sounds.clip_name) == (["low.wav", "high.wav"], "low.wav")
    assert "video" not in json.loads(sounds.to_json_line())
    picture = Record.model_validate(line(3, **PICTURE))
    assert picture.media_names == ["red.png", "low.wav"]
    assert [record.id for record in group_by_clip([picture, old, picture.model_copy(update={"id": "q4"})])] == [
        "q3", "q4", "q1",
    ]  # fmt: skip


async def test_a_run_asks_about_sounds_and_pictures(bench: Bench) -> None:
    lines = [line(1, **SOUNDS, answers=["Sound B"]), line(2, **PICTURE)]
    await bench.run(lines)
    found = {(outcome.record, outcome.arm): outcome for outcome in bench.outcomes()}
    assert len(found) == 4 and all(outcome.state == "answered" for outcome in found.values())
    assert found["q1", "aurelia"].choice == "Sound B"
    told = ["\n".join(str(part) for part in messages[-1].content) for _, _, messages in bench.model.heard]
    assert any("the clip is 2 sounds (Sound A: 2.00 s, Sound B: 2.00 s)" in text for text in told)
    assert any("the clip is 1 image and 1 sound" in text for text in told)
    written = bench.folder / "train.jsonl"
    assert export_training_set(bench.out, written).examples == 2
    contents = [json.loads(row)["messages"][0]["content"] for row in written.read_text().splitlines()]
    kinds = sorted([part["type"] for part in content] for content in contents)
    assert kinds == [["audio", "audio", "text"], ["image", "audio", "text"]]


async def test_the_report_shows_them(bench: Bench) -> None:
    await bench.run([line(1, **SOUNDS, answers=["Sound B"]), line(2, **PICTURE)])
    written = build_report([bench.out], bench.folder / "report", media="all", store=bench.store)
    page = written.html.read_text()
    clips = [
        json.loads(gzip.decompress(b64decode(found)))
        for found in re.findall(r'<script[^>]*id="m\d+"[^>]*>([^<]+)</script>', page)
    ]
    notes = sorted((len(clip["frames"]), clip["notes"][0]) for clip in clips)
    assert notes == [(0, "The first of 2 sounds is shown."), (1, "The sound is a separate track.")]


def test_pictures_of_a_still_have_no_time_and_no_length(bench: Bench) -> None:
    shown = picture_media(bench.store, admit_media(bench.store, None, ["red.png"], []))
    assert (shown["duration"], shown["peaks"], shown["notes"]) == (0.0, [], [])
    assert [frame["time"] for frame in shown["frames"]] == [None]
    sound = picture_media(bench.store, admit_media(bench.store, None, [], ["low.wav"]))
    assert (sound["duration"], sound["frames"], max(sound["peaks"])) == (2.0, [], 100)


def test_a_missing_picture_is_named(bench: Bench) -> None:
    gone = Record.model_validate(line(1, video=None, images=["red.png", "gone.png"]))
    assert list(find_missing_media([gone], bench.store)) == ["gone.png"]
