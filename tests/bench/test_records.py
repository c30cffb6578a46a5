"""Benchmark records: what a line may hold, and what is said of one that cannot be used."""

from pathlib import Path

import pytest

from aurelia.bench.records import COLUMNS, Record, read_records, record_schema, write_records
from aurelia_core.errors import InputError

PLAIN = {
    "id": "music-avqa:93:12",
    "column": "music-avqa",
    "video": "00000093.mp4",
    "question": "How many instruments are heard?",
    "answers": ["one"],
    "source": {"dataset": "MUSIC-AVQA"},
}


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    history = [{"question": "is he alone ?", "answer": "yes"}]
    reasoning = [{"text": "he is in his resources", "start": 0.0, "end": 23.7}]
    told = {**PLAIN, "id": "b", "column": "avsd", "history": history, "reasoning": reasoning, "question": "où ?"}
    records = [Record.model_validate(PLAIN), Record.model_validate(told)]
    assert write_records(records, tmp_path / "deep" / "bench.jsonl") == 2
    assert list(read_records(tmp_path / "deep" / "bench.jsonl")) == records
    assert [record.task for record in records] == ["av-qa", "av-qa"]
    assert records[0].full_question() == PLAIN["question"]
    assert records[1].full_question().splitlines()[1:] == ["Q: is he alone ?", "A: yes", "The question now: où ?"]


def test_every_column_belongs_to_one_of_six_tasks() -> None:
    assert len(COLUMNS.keys() - {"other"}) == 7
    assert len(set(COLUMNS.values())) == 6
    assert set(record_schema()["required"]) == {"id", "column", "question", "answers", "source"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not a benchmark record"),
        ('{"id": "x"}', "column: Field required"),
        (Record.model_validate(PLAIN).to_json_line().replace('"one"', '" "'), "answers.0"),
        (Record.model_validate(PLAIN).to_json_line().replace("music-avqa:93:12", "../x"), "id: "),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "bench.jsonl").write_text(f"{Record.model_validate(PLAIN).to_json_line()}\n\n{line}\n")
    with pytest.raises(InputError, match="bench.jsonl, line 3") as fault:
        list(read_records(tmp_path / "bench.jsonl"))
    assert said in str(fault.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    (tmp_path / "bench.jsonl").write_text(f"{Record.model_validate(PLAIN).to_json_line()}\n" * 2)
    with pytest.raises(InputError, match="line 2: the id 'music-avqa:93:12' is also in line 1"):
        list(read_records(tmp_path / "bench.jsonl"))
    with pytest.raises(InputError, match=r"no benchmark file 'none\.jsonl'"):
        list(read_records(tmp_path / "none.jsonl"))
