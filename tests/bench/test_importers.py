"""Importing data sets from small files of their real form: what becomes a record, and what is said of the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.importers.run import ImportOptions, ImportResult, import_records
from aurelia.bench.records import read_records, write_records
from aurelia_core.errors import InputError

MUSIC: dict[str, Any] = {
    "video_id": "00000012",
    "question_id": 7,
    "type": '["Audio-Visual", "Comparative"]',
    "question_content": "Is the <Object> on the <LR> louder than the <Object> on the <LR>? ",
    "templ_values": '["acoustic_guitar", "left", "piano", "right"]',
    "question_deleted": 0,
    "anser": "no",
}
DIALOGUE: dict[str, Any] = {
    "image_id": "AB1CD",
    "dialog": [
        {"question": "is she alone ?", "answer": "yes"},
        {
            "question": "does the radio play ?",
            "answer": ["yes , quietly", "there is soft music", "yes", "it does", "softly", "yes , quietly"],
            "reason": [
                {"timestamp": [2.5, 11.0], "sentence": "music is heard"},
                {"timestamp": [9.0, 4.0], "sentence": "a radio stands there"},
            ],
        },
    ],
}
HEADER = (
    "video_id,start_time,end_time,caption,type,mode,question,answer_1,answer_2,answer_3,"
    "mcq_1,mcq_2,mcq_3,mcq_4,correct_mcq"
)
BARKS = 'abc,20.000,30.000,"A dog, barking.",count,audio,How often?,twice,two times,Twice,once,never,twice,often,2'
DAILY: dict[str, Any] = {
    "Question": "What is heard?",
    "Choice": ["A. A bark", "B. A bell", "C. A voice", "D. Nothing"],
    "Answer": "B",
    "video_id": "xyz",
    "Type": "AV Event Alignment",
    "video_category": "Pets & Animals",
    "Explaination": "A bell rings.",
}


def imported(folder: Path, kind: str, rows: Any, suffix: str = ".json", **more: Any) -> ImportResult:
    path = folder / f"annotations{suffix}"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    return import_records(path, ImportOptions(kind, folder, **more))


def said(found: ImportResult) -> list[tuple[int, str]]:
    return [(entry.row, entry.said) for entry in found.report.malformed]


def test_music_avqa_fills_its_placeholders_in_order(tmp_path: Path) -> None:
    plain = {**MUSIC, "question_id": 8, "question_content": "Is there a voiceover?", "templ_values": "[]"}
    named = {**plain, "question_id": 9, "type": ["Audio", "Counting"], "anser": "acoustic_guitar"}
    filled, asked, guitar = imported(tmp_path, "music-avqa", [MUSIC, plain, named], split="test").records
    assert filled.question == "Is the acoustic guitar on the left louder than the piano on the right?"
    assert (filled.id, filled.video, filled.kinds) == (
        "music-avqa:00000012:7",
        "00000012.mp4",
        ["Audio-Visual", "Comparative"],
    )
    assert (filled.answers, filled.category, filled.licence) == (["no"], "Musical Performances", "MIT")
    assert filled.source.model_dump() == {"dataset": "MUSIC-AVQA", "split": "test", "item": "7", "row": 0}
    assert asked.question == "Is there a voiceover?"
    assert (guitar.answers, guitar.kinds) == (["acoustic guitar"], ["Audio", "Counting"])


def test_the_same_question_with_another_answer_is_kept_and_marked(tmp_path: Path) -> None:
    other = {**MUSIC, "anser": "yes"}
    found = imported(tmp_path, "music-avqa", [MUSIC, other, {**MUSIC, "question_id": 8}, MUSIC])
    first, second, third = found.records
    assert [record.id.rpartition(":")[2] for record in found.records] == ["7", "7#2", "8"]
    assert first.conflicts == [second.id]
    assert second.conflicts == [first.id, third.id]
    assert third.conflicts == [second.id]
    assert [(entry.rows, entry.answers) for entry in found.report.conflicts] == [([0, 1, 2], [["no"], ["yes"], ["no"]])]
    assert [(entry.row, entry.said) for entry in found.report.duplicates] == [
        (3, "it is equal to row 0 (music-avqa:00000012:7)")
    ]
    write_records(found.records, tmp_path / "bench.jsonl")
    assert list(read_records(tmp_path / "bench.jsonl")) == found.records


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"templ_values": '["piano"]'}, "4 placeholders and templ_values 1 values"),
        ({"templ_values": "piano"}, "templ_values"),
        ({"type": '"Audio"'}, "type"),
        ({"anser": " "}, "anser"),
        ({"anser": None}, "anser"),
        ({"video_id": "../../etc/passwd"}, "is not inside the media folder"),
        ({"video_id": "/etc/passwd"}, "is not inside the media folder"),
        ({"question_content": ""}, "question_content"),
        ({"type": ["Audio", "\ud800"]}, "type.1"),
    ],
)
def test_a_malformed_row_is_named_and_the_rest_imported(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    found = imported(tmp_path, "music-avqa", [{**MUSIC, "question_id": 1}, {**MUSIC, **change}, MUSIC, "text"])
    assert [record.source.row for record in found.records] == [0, 2]
    assert [row for row, _ in said(found)] == [1, 3]
    assert fault in said(found)[0][1]
    assert "a JSON object is needed" in said(found)[1][1]
    assert found.report.summary().startswith("music-avqa: 2 records of 4 rows; 2 malformed rows;")


def test_avsd_gives_one_record_a_dialogue(tmp_path: Path) -> None:
    single = {"image_id": "EF2GH", "dialog": [{"question": "what is heard ?", "answer": "rain"}]}
    hidden = {"image_id": "IJ3KL", "dialog": [{"question": "who sings ?", "answer": "__UNDISCLOSED__"}]}
    twice = {"image_id": "MN4OP", "dialog": [{"question": "who ?", "answer": ["a", "b"]}, *single["dialog"]]}
    found = imported(tmp_path, "avsd", {"version": "0.1", "dialogs": [DIALOGUE, single, hidden, twice]})
    record, short = found.records
    assert (record.id, record.video, record.category) == ("avsd:AB1CD", "AB1CD.mp4", "Dynamic Scene")
    assert record.question == "does the radio play ?"
    assert [(turn.question, turn.answer) for turn in record.history] == [("is she alone ?", "yes")]
    assert record.answers == DIALOGUE["dialog"][1]["answer"]
    assert [(step.text, step.start, step.end) for step in record.reasoning] == [
        ("music is heard", 2.5, 11.0),
        ("a radio stands there", 4.0, 9.0),
    ]
    assert [(entry.row, "reversed" in entry.said) for entry in found.report.notes] == [(0, True)]
    assert (short.history, short.answers, short.reasoning) == ([], ["rain"], [])
    assert [row for row, _ in said(found)] == [2, 3]
    assert "not disclosed" in said(found)[0][1]
    assert "several answers" in said(found)[1][1]


def test_valor_gives_one_record_a_clip_with_all_its_captions(tmp_path: Path) -> None:
    rows = [
        {"video_id": "abc_20.000_30.000", "desc": "A dog barks.", "subtitle": ""},
        {"video_id": "abc_20.000_30.000", "desc": "A dog is heard."},
        {"video_id": "def_0.000_10.000", "desc": " "},
    ]
    found = imported(tmp_path, "valor", rows)
    assert [record.answers for record in found.records] == [["A dog barks.", "A dog is heard."]]
    assert (found.records[0].task, found.records[0].category) == ("av-captioning", "Indoor/Kitchen Scenarios")
    assert (found.report.merged, said(found)[0][0]) == (1, 2)
    assert "desc" in said(found)[0][1]
    table = imported(tmp_path, "valor", f"{HEADER}\n{BARKS}\n{BARKS.replace('How often', 'Who')}\n", ".csv")
    assert [(record.id, record.answers) for record in table.records] == [
        ("valor:abc_20.000_30.000", ["A dog, barking."])
    ]
    assert (table.report.merged, table.report.duplicates, table.report.conflicts) == (1, [], [])


def test_valor_avqa_takes_both_versions(tmp_path: Path) -> None:
    broken = BARKS.replace("often,2", "often,even more,2")
    none = BARKS.replace("often,2", "often,4")
    alike = BARKS.replace("never,twice,often", "Twice,twice,often")
    table = imported(tmp_path, "valor-avqa", "\r\n".join([HEADER, BARKS, broken, none, alike, ""]), ".csv")
    row = {"video_id": "abc_20.000_30.000", "question": "How often?", "options": ["once", "never", "twice", "often"]}
    more = {"correct_answer_idx": 2, "rephrased_answers": ["two times"], "modality": "audio", "category": "count"}
    listed = imported(tmp_path, "valor-avqa", [{**row, **more, "id": 1}])
    for record in (table.records[0], listed.records[0]):
        assert (record.choices, record.answers) == (["once", "never", "twice", "often"], ["twice"])
        assert (record.synonyms, record.kinds) == ({"twice": ["two times"]}, ["audio", "count"])
        assert (record.column, record.video) == ("other", "abc_20.000_30.000.mp4")
    assert table.records[0].id == listed.records[0].id
    assert [(entry.row, entry.line) for entry in table.report.malformed] == [(1, 3), (2, 4), (3, 5)]
    assert [text for _, text in said(table)] == [
        "16 cells, but the first line has 15",
        "the right option is number 4 (from 0) of 4",
        "two of its choices are alike",
    ]


def test_daily_omni_takes_the_letters_off_its_choices(tmp_path: Path) -> None:
    found = imported(tmp_path, "daily-omni", [DAILY, {**DAILY, "Answer": "E", "video_id": "q"}, DAILY])
    (record,) = found.records
    assert (record.choices, record.answers) == (["A bark", "A bell", "A voice", "Nothing"], ["A bell"])
    assert (record.video, record.category, record.kinds) == (
        "xyz/xyz_video.mp4",
        "Pets & Animals",
        ["AV Event Alignment"],
    )
    assert [step.text for step in record.reasoning] == ["A bell rings."]
    assert said(found) == [(1, "the answer 'E' is not one of the 4 choices")]
    assert [entry.row for entry in found.report.duplicates] == [2]


def test_an_id_does_not_depend_on_the_place_in_the_file(tmp_path: Path) -> None:
    other = {**DAILY, "Question": "What is seen?"}
    forth = imported(tmp_path, "daily-omni", [DAILY, other]).records
    back = imported(tmp_path, "daily-omni", [other, DAILY]).records
    assert [record.id for record in forth] == [record.id for record in reversed(back)]
    strange = [{**MUSIC, "video_id": name} for name in ("a b", "a-b", "ä b")]
    assert len({record.id for record in imported(tmp_path, "music-avqa", strange).records}) == 3


def test_missing_media_are_marked_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "00000012.mp4").write_bytes(b"x")
    rows = [MUSIC, {**MUSIC, "video_id": "00000013"}]
    found = imported(tmp_path, "music-avqa", rows)
    assert [record.missing for record in found.records] == [[], ["00000013.mp4"]]
    strict = imported(tmp_path, "music-avqa", rows, require_media=True)
    assert [record.video for record in strict.records] == ["00000012.mp4"]
    assert [(entry.files, entry.kept) for entry in strict.report.missing] == [(["00000013.mp4"], False)]
    assert "1 with missing media (1 left out)" in strict.report.summary()
    (tmp_path / "clip-00000013-7.webm").write_bytes(b"x")
    named = imported(tmp_path, "music-avqa", rows, pattern="clip-{video_id}-{question_id}.webm")
    assert [record.missing for record in named.records] == [["clip-00000012-7.webm"], []]
    wrong = imported(tmp_path, "music-avqa", rows, pattern="{clip}.mp4")
    assert not wrong.records
    assert "it has no 'clip'" in wrong.report.reason()


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path: Path) -> None:
    (record,) = imported(tmp_path, "music-avqa", [{**MUSIC, "video_id": "x" * 5000}]).records
    assert record.missing == [record.video]


def test_records_of_ones_own_are_checked_and_brought_up_to_date(tmp_path: Path) -> None:
    made = imported(tmp_path, "music-avqa", [MUSIC, {**MUSIC, "anser": "yes"}])
    (tmp_path / "00000012.mp4").write_bytes(b"x")
    first, second = [record.to_json_line() for record in made.records]
    bad = first.replace('"column": "music-avqa"', '"column": "music"')
    out = first.replace("00000012.mp4", "../12.mp4")
    again = second.replace('"yes"', '"maybe"')
    lone = first.replace("}", ', "split": "\\ud800"}', 1)
    found = imported(tmp_path, "jsonl", "\n".join([first, "{", "", second, bad, first, out, again, lone]), ".jsonl")
    assert [record.to_json_line() for record in found.records] == [
        record.model_copy(update={"missing": []}).to_json_line() for record in made.records
    ]
    assert [(entry.row, entry.line) for entry in found.report.malformed] == [(1, 2), (3, 5), (5, 7), (6, 8), (7, 9)]
    assert "surrogates not allowed" in said(found)[-1][1]
    assert [entry.row for entry in found.report.duplicates] == [4]


@pytest.mark.parametrize(
    ("kind", "text", "suffix", "fault"),
    [
        ("music", "[]", ".json", "no kind 'music'"),
        ("music-avqa", "[", ".json", "annotations.json is not JSON: line 1"),
        ("music-avqa", '{"dialogs": []}', ".json", "a JSON list of objects is needed"),
        ("avsd", '{"turns": []}', ".json", "under 'dialogs'"),
        ("music-avqa", "a,b", ".csv", ".json or .jsonl, not '.csv'"),
        ("geoiq", "a,a\n1,2\n", ".csv", "needs a unique name"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, kind: str, text: str, suffix: str, fault: str) -> None:
    with pytest.raises(InputError) as refused:
        imported(tmp_path, kind, text, suffix)
    assert fault in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_wrong_folder_pattern_or_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no media folder 'clips'"):
        import_records(tmp_path / "a.json", ImportOptions("music-avqa", tmp_path / "clips"))
    with pytest.raises(InputError, match="no annotation file"):
        import_records(tmp_path / "a.json", ImportOptions("music-avqa", tmp_path))
    with pytest.raises(InputError, match="names no field"):
        imported(tmp_path, "music-avqa", [MUSIC], pattern="clip.mp4")
    with pytest.raises(InputError, match="name their media"):
        imported(tmp_path, "jsonl", "{}", ".jsonl", pattern="{video_id}.mp4")
    (tmp_path / "latin.csv").write_bytes("video,question\ncafé.mp4,x\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        import_records(tmp_path / "latin.csv", ImportOptions("geoiq", tmp_path))
