"""The attack by text in short: hostile words in every field, in every reply, before the evaluator, and in a browser."""

import random
from pathlib import Path

import pytest

from benchmarks.attack import markup, verdicts, wording
from benchmarks.attack.payloads import TEXTS, hostile, steers
from tests.support.browser import browser, lacking


async def test_hostile_text_ends_in_an_answer_or_a_typed_error(tmp_path: Path) -> None:
    rows = await wording.questions(wording.place(tmp_path), 7, 40)
    assert [row for row in rows if not row.holds] == []
    assert "40 questions" in rows[0].what and " 0 answers" not in f" {rows[0].measured}"


async def test_no_order_moves_the_offline_evaluator_or_leaves_a_judges_quotation(tmp_path: Path) -> None:
    rows = [await wording.ordered(wording.place(tmp_path), 7, 3), wording.judged(7, 50)]
    assert [row for row in rows if not row.holds] == []


def test_what_is_no_verdict_is_not_read_and_leaks_are_noticed() -> None:
    assert [row for row in verdicts.rows(7, 400) if not row.holds] == []


@pytest.mark.enable_socket
@pytest.mark.browser
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
def test_script_in_a_report_is_shown_and_not_run(tmp_path: Path) -> None:
    with browser() as driver:
        row = markup.report(driver, tmp_path, 7, len(TEXTS))
    assert row.holds, row


def test_the_attack_can_tell() -> None:
    """What the checks look for is found where it is."""
    dice = random.Random(7)
    assert steers("a\u202eb\x1b") == ["\u202e", "\x1b"] and steers("a\n\tb\u00e9") == []
    assert any("ZQX" in hostile(dice) for _ in range(20))
