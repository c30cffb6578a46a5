"""Any table by a mapping, and the published benchmarks: a folder each, read through the real importer."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aurelia.bench.importers import sets
from aurelia.bench.importers.run import ImportOptions, ImportResult, import_records
from aurelia.bench.importers.sets import find_sets
from aurelia.bench.importers.table import TableMapping
from aurelia.bench.records import Record, read_records
from aurelia.cli.bench_import import import_app
from aurelia_core.errors import InputError

SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>Good morning.</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nThe leaves fall.\n"


def imported(name: str, media: Path, tmp_path: Path) -> list[Record]:
    example = find_sets()[name].example
    path = tmp_path / example.name
    path.write_bytes(example.read_bytes())
    found = import_records(path, ImportOptions(name, media))
    assert found.report.malformed == [], found.report.malformed
    return found.records


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "subtitle").mkdir(parents=True)
    (folder / "subtitle" / "vid901abc.srt").write_text(SRT)
    return folder


@pytest.mark.parametrize("name", find_sets())
def test_the_example_of_each_benchmark_is_imported_whole(name: str, media: Path, tmp_path: Path) -> None:
    records = imported(name, media, tmp_path)
    assert records
    assert len({record.id for record in records}) == len(records)
    assert all(record.id.startswith(f"{name}:") and record.column == "other" for record in records)
    assert all(record.source.dataset == find_sets()[name].facts["title"] for record in records)
    assert {"title", "source", "licence", "file", "checked"} == find_sets()[name].facts.keys()


def test_atomic_reasoning_chains_become_reference_reasoning(media: Path, tmp_path: Path) -> None:
    first, second = imported("omnivideobench", media, tmp_path)
    assert first.choices == ["Two short beeps", "A long horn", "A bell", "Nothing"]
    assert first.answers == ["Two short beeps"]
    assert [step.modality for step in first.reasoning] == ["visual", "audio"]
    assert first.reasoning[1].text == "Two beeps at 0:04. Two short beeps follow."
    assert (second.answers, second.video, second.kinds) == (["Two"], "video_901.mp4", ["counting", "Sound"])


def test_questions_that_are_nested_by_video_are_rows(media: Path, tmp_path: Path) -> None:
    first, second = imported("worldsense", media, tmp_path)
    assert (first.video, first.answers, first.kinds) == (
        "videos/AbCdEf12.mp4",
        ["A hum"],
        ["Recognition", "Audio Recognition"],
    )
    assert (second.question, second.answers, second.source.row) == ("Why does the speaker stop?", ["Someone enters"], 1)


def test_subtitles_stand_before_the_question_if_they_are_wanted(media: Path, tmp_path: Path) -> None:
    with_them = imported("video-mme-subtitles", media, tmp_path)[0]
    without = imported("video-mme", media, tmp_path)[0]
    assert without.question == "How many leaves fall?"
    assert "\nGood morning.\nThe leaves fall.\nHow many leaves fall?" in with_them.question
    (media / "subtitle" / "vid901abc.srt").unlink()
    example = find_sets()["video-mme-subtitles"].example
    path = tmp_path / "again.json"
    path.write_bytes(example.read_bytes())
    found = import_records(path, ImportOptions("video-mme-subtitles", media))
    assert "are not in the media folder" in found.report.malformed[0].said


def test_sounds_and_pictures_are_lists_of_files(media: Path, tmp_path: Path) -> None:
    several, video = imported("av-odyssey", media, tmp_path)
    assert (several.video, several.images, len(several.audio)) == (None, ["image/901.png"], 4)
    assert several.answers == ["[audio2]"]
    assert (video.video, video.audio) == ("video/902.mp4", ["audio/902.wav"])
    (sound,) = imported("mmau", media, tmp_path)
    assert (sound.video, sound.audio) == (None, ["test-mini-audios/0f-901.wav"])
    (picture,) = imported("omnibench", media, tmp_path)
    assert (picture.images, picture.audio) == (["mm_data/image/900.jpg"], ["mm_data/audio/900.wav"])
    (speaker,) = imported("av-speakerbench", media, tmp_path)
    assert speaker.answers == ["Three, and the child's voice"]
    (path,) = imported("avut", media, tmp_path)
    assert (path.video, path.answers) == ("clip901.mp4", ["The woman in red"])


def test_yes_or_no_is_only_offered_where_the_answer_is_one(media: Path, tmp_path: Path) -> None:
    no, yes, caption = imported("avhbench", media, tmp_path)
    assert (no.choices, no.answers) == (["Yes", "No"], ["No"])
    assert yes.answers == ["Yes"]
    assert (caption.choices, caption.answers) == ([], ["A dog barks at a parked car."])


def table(tmp_path: Path, text: str, *mapping: str, suffix: str = "csv") -> ImportResult:
    path = tmp_path / f"table.{suffix}"
    path.write_text(text, encoding="utf-8")
    return import_records(path, ImportOptions("table", tmp_path, mapping=TableMapping.parse(mapping)))


BASE = ("question=Question", "answer=Key", "video={Clip}.mp4")


@pytest.mark.parametrize(
    ("column", "options", "key"),
    [
        ("Options", '"A. left\nB. right"', "B"),
        ("Options", '"A. left B. right"', "(B)"),
        ("Options", "\"['left', 'right']\"", "right"),
        ("Options", '"[""left"", ""right""]"', "B. right"),
        ("=left|right", "", "right"),
        ("Options", "A) left; B) right", "Option B"),
        ("Options", "left|right|RIGHT", "right"),
        ("Options", "left;right", "2:from1"),
        ("Options", "left|right", "1:from0"),
    ],
)
def test_choices_come_in_many_forms(tmp_path: Path, column: str, options: str, key: str) -> None:
    key, counted, first = key.partition(":")
    mapping = [*BASE, f"choices={column}", f"answer={{Key:{first}}}" if counted else "answer=Key"]
    found = table(tmp_path, f"Clip,Question,Options,Key\nc1,Where?,{options},{key}\n", *mapping)
    (record,) = found.records
    assert (record.choices, record.answers, record.video) == (["left", "right"], ["right"], "c1.mp4")


def test_a_row_without_a_value_names_the_column_and_what_there_is(tmp_path: Path) -> None:
    found = table(tmp_path, "Clip,Question,Key\nc1,Where?,\n,Who?,me\nc2,When?,now\n", *BASE)
    assert [note.said for note in found.report.malformed] == [
        "it has no answer in 'Key'; its columns are Clip, Question, Key",
        "it has no video in '{Clip}.mp4'; its columns are Clip, Question, Key",
    ]
    assert len(found.records) == 1


def test_files_are_read_by_what_is_in_them(tmp_path: Path) -> None:
    found = table(tmp_path, "\ufeffClip;Question;Key\r\nc1;Who, and why?;me (or you)\r\n", *BASE)
    assert found.records[0].question == "Who, and why?"
    row = {"Clip": "c1", "Question": "Who?", "Key": "me"}
    lines = f"{json.dumps(row)}\n{json.dumps(row | {'Key': 'you', 'Question': 'When?'})}\n"
    assert len(table(tmp_path, lines, *BASE, suffix="json").records) == 2
    nested = json.dumps({"data": {"train": [row]}, "version": 1})
    assert len(table(tmp_path, nested, *BASE, suffix="json").records) == 1


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        ("left", "left", "are one text"),
        ("left|right", "1", "'{COLUMN:from0}'"),
        ("left|up (1)", "up (2)", "not one of"),
    ],
)
def test_choices_that_cannot_be_read_say_why(tmp_path: Path, options: str, key: str, said: str) -> None:
    found = table(tmp_path, f"Clip,Question,Options,Key\nc1,Where?,{options},{key}\n", *BASE, "choices=Options")
    assert said in found.report.malformed[0].said


def test_slips_in_the_names_of_modalities_are_read(tmp_path: Path) -> None:
    steps = [{"modality": name, "text": "x"} for name in ("aduio", "vison,", "smell")]
    row = json.dumps({"Clip": "c1", "Question": "Who?", "Key": "me", "Steps": steps})
    found = table(tmp_path, row, *BASE, "reasoning=Steps", suffix="jsonl")
    assert [step.modality for step in found.records[0].reasoning] == ["audio", "visual", None]


def test_parquet_is_read_without_the_media_in_it(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"q": "Who?", "a": "me", "v": {"bytes": b"x" * 9, "path": "clips/1.mp4"}, "o": ["me", "you"]}]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    mapping = TableMapping.parse(["question=q", "answer=a", "video=v", "choices=o"])
    (record,) = import_records(tmp_path / "t.parquet", ImportOptions("table", tmp_path, mapping=mapping)).records
    assert (record.video, record.choices) == ("clips/1.mp4", ["me", "you"])
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(InputError, match="bad.parquet is not a Parquet file"):
        import_records(tmp_path / "bad.parquet", ImportOptions("table", tmp_path, mapping=mapping))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (["question"], "write FIELD=COLUMN"),
        (["questions=Q"], "there is no field 'questions'"),
        (["question=Q", "answer=A"], "'video' has no column"),
        (["none.toml"], "none.toml cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(mapping: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TableMapping.parse(mapping)


def test_the_command_maps_saves_and_reads_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jsonl").write_text(json.dumps({"Clip": "c1", "Question": "Who?", "Key": "me"}) + "\n")
    run = ("import", "table", "t.jsonl", "--media", ".", "--out", "r.jsonl")
    named = [part for text in BASE for part in ("--map", text)]
    ended = CliRunner().invoke(import_app, [*run, *named, "--save-map", "mine.toml", "--split", "mine"])
    assert ended.exit_code == 0, ended.output
    first = (tmp_path / "r.jsonl").read_text()
    assert CliRunner().invoke(import_app, [*run, "--map", "mine.toml", "--split", "mine"]).exit_code == 0
    assert (tmp_path / "r.jsonl").read_text() == first
    assert next(read_records(tmp_path / "r.jsonl")).source.dataset == "t"
    assert "table needs a mapping" in str(CliRunner().invoke(import_app, run).exception)
    ended = CliRunner().invoke(import_app, ["import", "avsd", *run[2:], "--map", "mine.toml"])
    assert "--map belongs to the kind table" in str(ended.exception)
    listed = CliRunner().invoke(import_app, ["kinds"]).stdout
    assert all(name in listed for name in [*find_sets(), "music-avqa", "table"])


def test_a_folder_is_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sets"
    shutil.copytree(Path(sets.__file__).parent / "mmau", package / "my-sounds")
    monkeypatch.setattr(sets, "files", lambda name: package)
    find_sets.cache_clear()
    try:
        (record,) = imported("my-sounds", tmp_path, tmp_path)
    finally:
        monkeypatch.undo()
        find_sets.cache_clear()
    assert record.id == "my-sounds:0f-901"


def test_the_coco_shaped_file_of_avsd_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "test_set4DSTC7-AVSD_multiref.json"
    path.write_text(json.dumps({"info": {}, "images": [{"id": 1}], "annotations": [{"id": 1}], "type": "captions"}))
    with pytest.raises(InputError, match=r"COCO-shaped .* DSTC7 test_set4DSTC7-AVSD.json"):
        import_records(path, ImportOptions("avsd", tmp_path))
    turns = [{"question": "is it loud ?", "answer": "yes"}, {"question": "who sings ?", "answer": "a man"}]
    dialog = {"image_id": "AB1CD", "caption": "a man sings", "summary": "he sings", "dialog": turns}
    path.write_text(json.dumps({"type": "dialog", "version": "0.1", "dialogs": [dialog]}))
    (record,) = import_records(path, ImportOptions("avsd", tmp_path)).records
    assert (record.question, record.answers, len(record.history)) == ("who sings ?", ["a man"], 1)
