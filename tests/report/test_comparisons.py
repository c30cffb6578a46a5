"""Chance, confusion, harm, runs question by question, calibration and claims, counted by hand from made runs."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.run_file import RunFile, StoredScore
from aurelia.report.build import build_report
from aurelia.report.rows import Case, read_report_rows
from aurelia.report.view import ReportServer
from aurelia_core.errors import InputError
from tests.support.bench_records import made_run, with_choices_and_claims
from tests.support.browser import in_browser, open_question, until, visit


def made(path: Path, seed: int = 0) -> Path:
    return made_run(path, 60, seed=seed, change=with_choices_and_claims)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("two")
    return [made(folder / "one.run"), made(folder / "it's two.run", seed=1)]


@pytest.fixture(scope="module")
def report(two: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(two, tmp_path_factory.mktemp("report"), blind=two[1]).html


def cases(run: Path) -> list[Case]:
    with RunFile.open(run) as opened:
        return [row.case for row in read_report_rows(opened)]


def table(report: Path, caption: str) -> list[list[str]]:
    """The cells of a table of the Markdown file, head included."""
    lines = (report.parent / "report.md").read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if caption in line)
    rows = []
    for line in lines[start:]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return [row for row in rows if not set("".join(row)) <= set("-: ")]


def right(case: Case, arm: Any) -> bool | None:
    verdict = case.answers[arm].verdict
    return None if verdict in ("failed", "unscored") else verdict == "right"


def test_harm_is_the_share_of_right_answers_that_became_wrong(two: list[Path], report: Path) -> None:
    pairs = [(right(case, "zero_shot"), right(case, "aurelia")) for case in cases(two[0])]
    known = [pair for pair in pairs if None not in pair]
    harmed = known.count((True, False))
    row = table(report, "Harm and help, one")[1]
    assert row[:3] == ["all", str(sum(zero is True for zero, _ in known)), str(harmed)]
    assert row[4:6] == [str(sum(zero is False for zero, _ in known)), str(known.count((False, True)))]
    assert harmed > 0
    text = report.read_text(encoding="utf-8")
    assert f"{harmed} of {row[1]} right answers became wrong" in text


def test_runs_are_compared_question_by_question(two: list[Path], report: Path) -> None:
    first, second = ({case.record: right(case, "zero_shot") for case in cases(run)} for run in two)
    both = [(first[name], second[name]) for name in first]
    counts = [both.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
    row = table(report, "Runs question by question")[1]
    assert row[1:6] == [str(len(both)), *map(str, counts)]


def test_chance_and_the_blind_target_stand_beside_the_accuracy(two: list[Path], report: Path) -> None:
    row = table(report, "Chance and blind beside accuracy, one")[1]
    asked = [case for case in cases(two[0]) if case.choices]
    blind = {case.record: right(case, "zero_shot") for case in cases(two[1])}
    share = 100 * sum(blind[case.record] is True for case in asked) / len(asked)
    assert row[:3] == ["all with choices", str(len(asked)), "25.0"]
    assert row[4].split(" ")[0] == f"{share:.1f}"


def test_confusion_counts_the_choices_that_were_scored(two: list[Path], report: Path) -> None:
    rows = table(report, "Confusion of choices, zero-shot, one")
    asked = [case for case in cases(two[0]) if case.choices]
    # Question n has choice n % 4 right, and its score says that 7 n % 4 was read.
    assert {(case.truths, case.answers["zero_shot"].chosen) for case in asked} == {((1,), 3), ((3,), 1)}
    assert rows[2][4] == str(sum(case.truths == (1,) for case in asked))
    assert rows[4][2] == str(sum(case.truths == (3,) for case in asked))
    position = table(report, "Position of the choice, one")
    assert [row[0] for row in position[1:]] == ["A", "B", "C", "D"]


def test_a_judge_that_read_an_answer_names_the_choice(tmp_path: Path) -> None:
    run = made(tmp_path / "judged.run")
    with RunFile.open(run) as opened:
        record = opened.record("made:1")
        said = f"{record.choices[2]}: It is the third."
        opened.store_scores([StoredScore(record.id, "zero_shot", 0, "correct", 0.0, "judge", said)])
    assert cases(run)[1].answers["zero_shot"].chosen == 2


def test_accuracy_by_score_and_claims_by_kind(two: list[Path], report: Path) -> None:
    scored = [case for case in cases(two[0]) if case.best_score is not None]
    rows = table(report, "By the evaluator's score of the best attempt, one")
    assert [row[0] for row in rows[1:]] == sorted({str(case.best_score) for case in scored}, key=int)
    claims = [claim for case in cases(two[0]) for claim in case.claims]
    order = next(row for row in table(report, "Claims, one") if row[0] == "order")
    assert order[1:4] == [
        str(sum(kind == "order" for kind, _ in claims)),
        str(claims.count(("order", "supported"))),
        str(claims.count(("order", "contradicted"))),
    ]


def test_a_blind_run_about_other_questions_is_refused(two: list[Path], tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "other.run", [], {"settings": {}, "models": {}}):
        pass
    with pytest.raises(InputError, match="other.run has no scored zero-shot answer"):
        build_report(two, tmp_path / "out", blind=tmp_path / "other.run")


class TestInABrowser:
    pytestmark = in_browser

    def test_a_question_shows_claims_other_runs_and_the_trace_command(self, driver: Any, report: Path) -> None:
        visit(driver, report)
        text = open_question(driver, 3)
        assert "contradicted Claim 1 of 3." in text and "0.5–1.5 s, made:witness, margin 0.25: A bell is heard." in text
        assert "This question in the other runs" in text and "it's two" in text
        assert "aurelia trace one.run made:3" in text
        driver.get(f"{report.as_uri()}#question=made%3A4&rollout=0&run=1")
        driver.refresh()
        until(driver, "return document.documentElement.dataset.ready === 'yes'")
        assert "aurelia trace 'it'\\''s two.run' made:4" in open_question(driver, 0)

    def test_filters_and_orders_of_claims_kinds_and_unparsed(self, driver: Any, report: Path, two: list[Path]) -> None:
        found = [case for run in two for case in cases(run)]
        contradicted = sum(("order", "contradicted") in case.claims for case in found)

        def counted(fragment: str) -> int:
            driver.get(f"{report.as_uri()}#{fragment}")
            driver.refresh()
            until(driver, "return document.documentElement.dataset.ready === 'yes'")
            return int(driver.execute_script("return document.getElementById('count').textContent").split(" ")[0])

        assert counted("claims=contradicted") == contradicted > 0
        assert counted("kind=1") == sum(int(case.record[5:]) % 2 for case in found)
        assert counted("order=unparsed") == len(found)
        first = driver.execute_script("return document.querySelector('.question .marks').textContent")
        assert "?" in first

    def test_no_table_is_clipped_and_axe_finds_nothing(self, driver: Any, report: Path) -> None:
        axe = pytest.importorskip("axe_core_python")
        visit(driver, report, width=1280)
        open_question(driver, 1)
        clipped = driver.execute_script(
            "return [...document.querySelectorAll('.wide')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
            ".map((one) => one.ariaLabel)"
        )
        assert clipped == []
        driver.execute_script((Path(axe.__path__[0]) / "axe.min.js").read_text(encoding="utf-8"))
        faults = driver.execute_async_script(
            "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((one) => one.id)))"
        )
        assert faults == []
        unnamed = driver.execute_script(
            "return [...document.querySelectorAll('figure, .figures svg, select, input, .wide')].filter((one) =>"
            " !one.closest('.strip') && !one.ariaLabel && !(one.labels && one.labels.length)).length"
        )
        assert unnamed == 0


@pytest.mark.enable_socket
def test_the_served_page_knows_when_its_run_went_on(tmp_path: Path) -> None:
    run = made(tmp_path / "going.run")
    with ReportServer([run]) as server:
        page = urllib.request.urlopen(server.address).read().decode()
        meta = json.loads(page.split('id="meta">')[1].split("</script>")[0])
        asked = f"{server.address}state"
        assert urllib.request.urlopen(asked).read().decode() == meta["live"]
        assert "connect-src 'self'" in page
        with RunFile.open(run) as opened:
            opened.store_meta("limit", 3)
        assert urllib.request.urlopen(asked).read().decode() != meta["live"]
    assert "connect-src" not in build_report([run], tmp_path / "still").html.read_text(encoding="utf-8")
