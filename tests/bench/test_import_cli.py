"""`bench import`, `sample` and `schema` as their users meet them: what goes where, and the exit status."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aurelia.bench.records import read_records, record_schema
from aurelia.cli.bench_import import import_app
from aurelia_core.errors import InputError

HEADER = "id,video,question,answer,category\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "0.mp4").write_bytes(b"x")
    rows = [f"{number},{number}.mp4,What is {number}?,x,Currency\n" for number in range(30)]
    (tmp_path / "geo.csv").write_text(HEADER + "".join(rows) + "30,,Where?,x,Currency\n0,0.mp4,What is 0?,x,Currency\n")
    return tmp_path


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(import_app, list(arguments))


def geo(*more: str) -> Result:
    return bench("import", "geoiq", "geo.csv", "--media", "clips", "--out", "out/geo.jsonl", *more)


def test_an_import_accounts_for_every_row(folder: Path) -> None:
    ended = geo("--report", "out/report.json", "--licence", "CC0-1.0")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == (
        "geoiq: 30 records of 32 rows; 1 malformed row; 1 duplicate; 0 questions with conflicting answers (kept); "
        "29 with missing media.\n"
    )
    told = ended.stderr.splitlines()
    assert (
        told[0] == "malformed, left out: geo.csv, row 30 (line 32): it names no clip: give video (a path) or video_id"
    )
    assert told[1] == "duplicate, left out: geo.csv, row 31 (line 33): it is equal to row 0 (geoiq:0)"
    assert told[2] == "missing media, marked: geoiq:1: 1.mp4"
    assert told[-1] == "… and 24 more of these; --report FILE lists all"
    assert len(told) == 2 + 5 + 1
    report: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    assert [entry["row"] for entry in report["malformed"]] == [30]
    assert [entry["id"] for entry in report["missing"]] == [f"geoiq:{number}" for number in range(1, 30)]
    records = list(read_records(folder / "out" / "geo.jsonl"))
    assert [bool(record.missing) for record in records] == [False] + [True] * 29
    assert {record.licence for record in records} == {"CC0-1.0"}


def test_only_what_is_there_with_require_media(folder: Path) -> None:
    assert geo("--require-media").exit_code == 0
    assert [record.id for record in read_records(folder / "out" / "geo.jsonl")] == ["geoiq:0"]


def test_an_import_without_any_record_fails_and_writes_the_account_alone(folder: Path) -> None:
    (folder / "clips" / "0.mp4").unlink()
    ended = geo("--require-media", "--report", "report.json")
    assert isinstance(ended.exception, InputError)
    assert "the media of all are missing, '0.mp4' first" in str(ended.exception)
    assert json.loads((folder / "report.json").read_text())["records"] == 0
    assert not (folder / "out").exists()
    (folder / "geo.csv").write_text(HEADER)
    assert "geo.csv gave no record, nothing is written: it has no rows" in str(geo().exception)


def test_what_is_read_is_not_overwritten(folder: Path) -> None:
    before = (folder / "geo.csv").read_text()
    ended = bench("import", "geoiq", "geo.csv", "--media", "clips", "--out", "./clips/../geo.csv")
    assert "is also an input file" in str(ended.exception)
    assert (folder / "geo.csv").read_text() == before


def test_a_sample_says_what_it_lacks(folder: Path) -> None:
    assert geo().exit_code == 0
    ended = bench("sample", "out/geo.jsonl", "--out", "few.jsonl", "--report", "few.json")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "13 records of 4504 wanted; categories with too few: 16.\n"
    assert "too few: Compositional: 968 wanted, 0 found" in ended.stderr.splitlines()
    report = json.loads((folder / "few.json").read_text())
    assert {"category": "Currency", "wanted": 13, "had": 30, "got": 13} in report["strata"]
    assert (report["got"], report["composition"], report["seed"]) == (13, "paper", 0)
    drawn = [record.id for record in read_records(folder / "few.jsonl")]
    assert len(drawn) == len(set(drawn)) == 13


def test_samples_are_drawn_from_several_files_and_by_seed(folder: Path) -> None:
    geo()
    geo("--pattern", "{id}.webm")
    (folder / "more.jsonl").write_text((folder / "out" / "geo.jsonl").read_text().replace("geoiq:", "more:"))
    draw = ("sample", "out/geo.jsonl", "more.jsonl", "--composition", "proportional", "--size", "10")
    for seed, out in (("1", "a"), ("1", "b"), ("2", "c")):
        ended = bench(*draw, "--seed", seed, "--out", out)
        assert (ended.exit_code, ended.stdout) == (0, "10 records of 10 wanted; categories with too few: 0.\n")
    a, b, c = ((folder / name).read_text() for name in "abc")
    assert a == b != c
    assert {line[:11] for line in a.splitlines()} == {'{"id": "geo', '{"id": "mor'}
    twice = bench("sample", "out/geo.jsonl", "out/geo.jsonl", "--out", "d")
    assert "'geoiq:0' is in two of the files" in str(twice.exception)
    none = bench("sample", "out/geo.jsonl", "--size", "1", "--out", "e")
    assert "No record was drawn" in str(none.exception)
    assert not (folder / "e").exists()


def test_the_schema_is_printed_and_the_kinds_are_in_the_help() -> None:
    assert json.loads(bench("schema").stdout) == record_schema()
    ended = bench("import", "music", "a.json", "--media", ".", "--out", "b")
    assert isinstance(ended.exception, InputError)
    assert "There is no kind 'music'" in str(ended.exception) and "daily-omni" in str(ended.exception)
