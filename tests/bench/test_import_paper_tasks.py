"""Tables of one's own, the examples of the documentation, and what a damaged table costs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.importers.registry import DATASET_KINDS
from aurelia.bench.importers.run import ImportOptions, ImportResult, import_records
from aurelia.bench.records import Record

DOCS = (Path(__file__).parents[2] / "docs" / "benchmark-records.md").read_text(encoding="utf-8")
SECTIONS = {name: text for name, text in re.findall(r"^### `([a-z-]+)`\n(.*?)(?=^##)", DOCS, re.M | re.S)}
EXAMPLES = [
    (name, suffix, text)
    for name, section in SECTIONS.items()
    for suffix, text in re.findall(r"^```(jsonl?|csv)\n(.*?)^```", section, re.M | re.S)
]


def imported(folder: Path, kind: str, text: str, suffix: str = "csv") -> ImportResult:
    path = folder / f"annotations.{suffix}"
    path.write_text(text, encoding="utf-8")
    return import_records(path, ImportOptions(kind, folder))


def one(folder: Path, kind: str, **row: Any) -> Record:
    (record,) = imported(folder, kind, json.dumps([row]), "json").records
    return record


@pytest.mark.parametrize(("kind", "suffix", "text"), EXAMPLES, ids=[f"{name}.{suffix}" for name, suffix, _ in EXAMPLES])
def test_the_examples_of_the_docs_are_imported_whole(tmp_path: Path, kind: str, suffix: str, text: str) -> None:
    found = imported(tmp_path, kind, text, suffix)
    assert len(found.records) == found.report.rows > 0
    assert (found.report.malformed, found.report.notes) == ([], [])


def test_the_docs_are_in_step() -> None:
    assert SECTIONS.keys() == DATASET_KINDS.keys() == {name for name, _, _ in EXAMPLES}
    record = re.search(r"^```json\n(.*?)^```", DOCS, re.M | re.S)
    assert record and Record.model_validate_json(record[1])
    for name, kind in DATASET_KINDS.items():
        if kind.row:
            line = f"| `{name}` | {kind.dataset} | `{kind.column}` | {kind.category or '—'} | {kind.licence} |"
            assert line in DOCS, line
    for field in Record.model_fields:
        assert re.search(rf"^\| .*`{field}`.* \|", DOCS, re.M), field


def test_dance_matching_has_four_tracks_and_says_what_goes_without_saying(tmp_path: Path) -> None:
    audio = ["m/1.wav", "m/2.wav", "m/3.wav", "m/4.wav"]
    for answer in ("C", "3", "m/3.wav", "audio C", "(c)"):
        record = one(tmp_path, "dmmatch", video="d.mp4", audio=audio, answer=answer)
        assert (record.answers, record.audio, record.task) == (["audio C"], audio, "dm-match"), answer
        assert record.choices == ["audio A", "audio B", "audio C", "audio D"]
        assert (record.category, record.missing) == ("Dance Performances", ["d.mp4", *audio])
    own = one(
        tmp_path, "dmmatch", video="d.mp4", audio=audio, choices=["w", "x", "y", "z"], answer=2, question="Which?"
    )
    assert (own.answers, own.question) == (["x"], "Which?")


def test_an_answer_is_a_text_before_it_is_a_letter(tmp_path: Path) -> None:
    made = {"video": "v.mp4", "question": "Which note?", "choices": ["B", "A", "flat C."]}
    for said, meant in (("A", "A"), ("b.", "A"), ("FLAT C.", "flat C."), ("C", "flat C.")):
        assert one(tmp_path, "avcomp", **made, answer=said).answers == [meant], said


def test_a_table_in_csv_says_the_same_as_in_json(tmp_path: Path) -> None:
    header = "id,video_id,question,choice_1,choice_2,choice_3,answer,category,kinds,reasoning,licence"
    cells = f'{header}\nq1,v,"Why, then?",one,2,,b,Humor,a|b,because,MIT\n'
    (table,) = imported(tmp_path, "avmeme", cells).records
    row = {"id": "q1", "video_id": "v", "question": "Why, then?", "choices": ["one", "2"], "answer": "b"}
    more = {"category": "Humor", "kinds": ["a", "b"], "reasoning": ["because"], "licence": "MIT"}
    assert table == one(tmp_path, "avmeme", **row, **more)
    assert (table.id, table.answers, table.licence, table.video) == ("avmeme:q1", ["2"], "MIT", "v.mp4")
    assert imported(
        tmp_path, "avmeme", cells.replace(",", "\t").replace('"Why\t then?"', "Why, then?"), "tsv"
    ).records == [table]


@pytest.mark.parametrize(
    ("kind", "row", "fault"),
    [
        ("avcomp", {"question": "x", "choices": ["a", "b"], "answer": "a"}, "names no clip"),
        ("avcomp", {"video": "v.mp4", "question": "x", "answer": "a"}, "two choices or more, not 0"),
        (
            "avcomp",
            {"video": "v.mp4", "question": "x", "choices": ["a", "b"], "answer": "c"},
            "not one of the 2 choices",
        ),
        ("avmeme", {"video": "v.mp4", "question": "x", "choices": ["a", "A"], "answer": "a"}, "alike"),
        ("geoiq", {"video": "v.mp4", "question": "x"}, "its answer is empty"),
        ("geoiq", {"video": "v.mp4", "answer": "x"}, "its question is empty"),
        ("geoiq", {"video": "c:\\v.mp4", "question": "x", "answer": "y"}, "inside the media folder"),
        ("geoiq", {"video": "c:/v.mp4", "question": "x", "answer": "y"}, "inside the media folder"),
        ("geoiq", {"video": "v.mp4", "question": "x", "answer": "y", "reasoning": 3}, "reasoning"),
        (
            "geoiq",
            {"video": "v.mp4", "question": "x", "answer": "y", "reasoning": [{"text": "z", "start": -1}]},
            "start",
        ),
        ("geoiq", {"video": "v.mp4", "question": "x", "answer": "\ud800"}, "unicode"),
        (
            "avmeme",
            {"video": "v.mp4", "choice_1": "a", "choice_3": "b", "choice_2": ""},
            "an empty choice column precedes",
        ),
        ("dmmatch", {"video": "v.mp4", "audio": ["a", "b", "c"], "answer": "A"}, "four different audio files"),
        ("dmmatch", {"video": "v.mp4", "audio": ["a", "b", "c", "a"], "answer": "A"}, "four different audio files"),
        ("dmmatch", {"video": "v.mp4", "audio": ["a", "b", "c", "d"], "answer": "5"}, "not one of the 4 choices"),
        ("dmmatch", {"video": "v.mp4", "audio": list("abcd"), "choices": ["x", "y"], "answer": "x"}, "four choices"),
        ("dmmatch", {"video": "v.mp4", "audio": ["../a", "b", "c", "d"], "answer": "A"}, "inside the media folder"),
    ],
)
def test_a_row_that_does_not_hold_together_is_malformed(
    tmp_path: Path, kind: str, row: dict[str, Any], fault: str
) -> None:
    found = imported(tmp_path, kind, json.dumps([row]), "json")
    assert not found.records
    assert fault in found.report.reason()


def test_an_id_stands_for_one_question(tmp_path: Path) -> None:
    text = "id,video,question,answer\n1,v.mp4,What?,a\n1,v.mp4,Who?,a\n1,v.mp4,What?,b\n1,v.mp4,What?,a\n2,,What?,a\n"
    found = imported(tmp_path, "geoiq", text)
    assert [record.id for record in found.records] == ["geoiq:1", "geoiq:1#2"]
    assert [(entry.row, entry.said) for entry in found.report.malformed] == [
        (1, "its id 'geoiq:1' is that of another question or answer in row 0"),
        (4, "it names no clip: give video (a path) or video_id"),
    ]
    assert [entry.row for entry in found.report.duplicates] == [3]


def test_a_damaged_table_loses_the_damaged_rows_alone_and_says_which(tmp_path: Path) -> None:
    rows = [
        "video,question,answer,note",
        "a.mp4,What?,x,",
        'b.mp4,"What"s that?,x,',
        "c.mp4,Who?",
        'd.mp4,"Two\nlines?",x,seen',
        "",
        'e.mp4,"never closed,x,',
        "f.mp4,Lost?,x,",
    ]
    found = imported(tmp_path, "geoiq", "\n".join(rows) + "\n")
    assert [(record.video, record.question) for record in found.records] == [
        ("a.mp4", "What?"),
        ("d.mp4", "Two\nlines?"),
    ]
    assert [(entry.row, entry.line) for entry in found.report.malformed] == [(1, 3), (2, 4), (4, 9)]
    assert "lines 8 to 9 cannot be read" in found.report.malformed[2].said
    assert [(entry.row, entry.said) for entry in found.report.notes] == [(3, "the column 'note' is not used")]
