"""The report's figures and files: what is counted, what stands beside the paper, and what Markdown makes of it."""

import gzip
import json
import re
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurelia.bench.run_file import RunFile
from aurelia.report.build import build_report
from aurelia.report.markdown import escape_markdown
from aurelia.report.measure import measure_group
from aurelia.report.paper_table1 import COLUMN_TITLES, read_paper_table1
from aurelia.report.rows import ArmAnswer, Case, read_report_rows
from aurelia_core.errors import InputError
from aurelia_core.sanitize import escape_invisible
from tests.support.bench_records import made_run


def side(verdict: Any) -> ArmAnswer:
    value = {"right": 1.0, "wrong": 0.0, "part": 0.5}.get(verdict)
    return ArmAnswer(verdict=verdict, value=value, scores={}, calls=1, cost=0.0, tokens=1)


def case(number: int, zero: str | None, aurelia: str | None) -> Case:
    sides: Any = {arm: side(said) for arm, said in (("zero_shot", zero), ("aurelia", aurelia)) if said}
    return Case(f"r{number}", 0, "avsd", "", f"clip{number}", sides)


def test_the_papers_table_is_whole_and_its_gains_are_against_its_second_figure() -> None:
    rows = read_paper_table1()
    assert len(rows) == 19
    assert all(list(row.cells) == list(COLUMN_TITLES) for row in rows)
    printed = [cell for row in rows for cell in row.cells.values() if cell.gain is not None]
    assert len(printed) == 117
    agree = [
        cell
        for cell in printed
        if cell.zero_shot and cell.aurelia and abs(100 * (cell.aurelia / cell.zero_shot - 1) - (cell.gain or 0)) < 0.1
    ]
    assert len(agree) >= 113


def test_a_group_counts_each_verdict_where_it_belongs() -> None:
    pairs = [
        ("right", "right"),
        ("wrong", "right"),
        ("unparsed", "right"),
        ("right", "wrong"),
        ("wrong", "unparsed"),
        ("right", "failed"),
        ("captioned", "right"),
        (None, "wrong"),
    ]
    group = measure_group("some", [case(number, *pair) for number, pair in enumerate(pairs)])
    zero, ours, paired = group.zero_shot, group.aurelia, group.paired
    assert (zero.n, zero.unparsed, zero.failed, zero.captions) == (6, 1, 0, 1)
    assert (ours.n, ours.unparsed, ours.failed, ours.captions) == (7, 1, 1, 0)
    assert zero.accuracy.value == pytest.approx(50.0)
    assert ours.accuracy.value == pytest.approx(100 * 4 / 7)
    assert paired and (paired.n, paired.fixed, paired.broke) == (5, 2, 1)
    assert paired.difference.value == pytest.approx(20.0)
    assert paired.gain == pytest.approx(50.0)
    assert paired.p == pytest.approx(1.0)


def test_an_arm_that_was_not_run_leaves_nothing_to_compare() -> None:
    group = measure_group("zero-shot alone", [case(0, "right", None)])
    assert group.paired is None
    assert (group.aurelia.n, group.aurelia.accuracy.value) == (0, None)


def test_the_same_clip_twice_does_not_make_the_interval_narrower() -> None:
    once = [case(number, "right" if number % 2 else "wrong", None) for number in range(20)]
    wide = measure_group("once", once).zero_shot.accuracy
    again = measure_group("three times", once * 3).zero_shot.accuracy
    assert wide.low is not None and again.low is not None
    assert (again.low, again.high) == pytest.approx((wide.low, wide.high), abs=6)


def test_rows_carry_every_verdict_and_every_attempt(tmp_path: Path) -> None:
    with RunFile.open(made_run(tmp_path / "made.run", 90)) as run:
        rows = list(read_report_rows(run))
    assert len(rows) == 90
    verdicts = [(row.case.answers["zero_shot"].verdict, row.case.answers["aurelia"].verdict) for row in rows]
    assert {zero for zero, _ in verdicts} == {"right", "wrong"}
    assert {ours for _, ours in verdicts} == {"right", "wrong", "unparsed", "failed"}
    failed = rows[7]
    assert failed.case.attempts == () and failed.detail["arms"]["aurelia"]["error"] == "made:target did not answer."
    kept = rows[0]
    assert len(kept.detail["attempts"]) == len(kept.case.attempts) == 3
    assert sum(kept.case.modalities.values()) == 4
    assert kept.case.seconds == pytest.approx(sum(attempt["seconds"] for attempt in kept.detail["attempts"]))


def unpacked(page: str, name: str) -> Any:
    found = re.search(rf'id="{name}">"([^"]+)"<', page)
    assert found
    return json.loads(gzip.decompress(b64decode(found[1])))


def test_the_page_holds_every_question_once_and_names_no_other_place(tmp_path: Path) -> None:
    written = build_report([made_run(tmp_path / "made.run", 95)], tmp_path / "out")
    page = written.html.read_text(encoding="utf-8")
    rows = unpacked(page, "index")
    details = [one for number in range(3) for one in unpacked(page, f"d{number}")]
    assert [row[0] for row in rows] == [one["id"] for one in details] == [f"made:{number}" for number in range(95)]
    assert 'id="d3"' not in page
    text = re.sub(r'"[A-Za-z0-9+/=]{200,}"', "", page)
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(link|iframe|object|embed|base|script[^>]* src)", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_several_runs_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    runs = [made_run(tmp_path / name / "made.run", 30, seed=seed) for seed, name in enumerate(("first", "second"))]
    written = build_report(runs, tmp_path / "out")
    text = written.markdown.read_text(encoding="utf-8")
    assert "made:target (first/made)" in text and "made:target (second/made)" in text
    assert "Runs compared (Table 4)" in written.html.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| second/made |"))
    assert "generator: made:agent" in row and "made:target" in row and row.count(" | ") == 7


def test_markdown_has_table_1_with_ours_and_the_papers(tmp_path: Path) -> None:
    text = build_report([made_run(tmp_path / "made.run", 60)], tmp_path / "out").markdown.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if "PandaGPT" in line)
    assert row.split(" | ")[5] == "12.5 → 25.0 (+100.0 %)"
    ours = next(line for line in text.splitlines() if line.startswith("| **made:target"))
    assert ours.count(" | ") == row.count(" | ") == 7
    assert "**By column, made**" in text and "**By category, made**" in text and "**Each arm, made**" in text


def test_markdown_obeys_nothing_that_stands_in_a_name(tmp_path: Path) -> None:
    def change(number: int, parts: dict[str, Any]) -> None:
        parts["record"]["category"] = "a | b <script>alert(1)</script> **c** \u202e `d`"

    text = build_report([made_run(tmp_path / "made.run", 5, change=change)], tmp_path / "out").markdown.read_text(
        "utf-8"
    )
    row = next(line for line in text.splitlines() if "alert" in line)
    assert row.startswith("| a \\| b \\<script\\>alert(1)\\</script\\> \\*\\*c\\*\\* \\[U+202E\\] \\`d\\` | ")


@pytest.mark.parametrize("package", ["matplotlib.figure", "jinja2"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    run = made_run(tmp_path / "made.run", 3)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[bench\]'"):
        build_report([run], tmp_path / "out")
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_report_of_nothing_or_of_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No run file"):
        build_report([], tmp_path)
    (tmp_path / "note.run").write_text("hello")
    with pytest.raises(InputError, match="note.run"):
        build_report([tmp_path / "note.run"], tmp_path)


@given(st.text(st.characters(codec=None), max_size=40))
def test_no_hidden_character_is_left_and_markdown_is_one_inert_line(text: str) -> None:
    shown = escape_invisible(text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff\ud800-\udfff]", shown
    )
    shown.encode("utf-8")
    line = escape_markdown(text)
    assert "\n" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>`\[\]*_]", line.replace("\\\\", ""))


def test_letters_of_every_script_stay() -> None:
    assert escape_invisible("שלום Ünïcode 日本 👩‍🎤 a\tb\n") == "שלום Ünïcode 日本 👩‍🎤 a\tb\n"
    assert escape_invisible("a\u202eb\x00") == "a[U+202E]b[U+0000]"
