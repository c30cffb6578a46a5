"""The attack of failing providers (`make attack`), in short: every figure of it holds."""

from pathlib import Path

import pytest

from benchmarks.attack import outages, weather

pytestmark = pytest.mark.enable_socket


def test_in_every_fault_each_answer_is_one_or_a_typed_failure_and_the_bill_is_right(tmp_path: Path) -> None:
    rows = outages.storm(tmp_path, questions=20, unheard=2, seed=7)
    assert len(rows) == 10
    assert [row for row in rows if not row.holds] == []


def test_a_call_that_is_tried_too_often_or_after_its_reply_is_seen() -> None:
    met = [weather.Met("500", "again")] * 3 + [weather.Met("none", "answered")]
    assert weather.tries(met) == (4, 1, 0, 1)
    assert weather.tries([*met, weather.Met("none", "answered")]).after == 1
    assert weather.tries([weather.Met("lost", "gone")] * 5 + met).sends == 6
    assert weather.tries([*[weather.Met("500", "again")] * 4, *met]).asked == 2
