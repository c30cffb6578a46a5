"""Intervals against closed forms and a simulation of coverage, where the bootstrap over clips fails."""

import numpy as np
import pytest
from scipy.stats import binomtest, t, ttest_1samp

from aurelia.bench.intervals import compare_cells, holm, share_interval, sign_flip_p
from aurelia_core.errors import InputError


def singly(count: int) -> list[str]:
    return [f"clip{number}" for number in range(count)]


def test_all_right_is_wilsons_interval_over_clips() -> None:
    found = share_interval([1.0] * 285, singly(285))
    wilson = binomtest(285, 285).proportion_ci(0.95, method="wilson")
    assert (found.value, found.method, found.says_nothing) == (1.0, "wilson", False)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))
    assert found.low is not None and found.low < 0.99
    together = share_interval([1.0] * 285, [name for name in singly(57) for _ in range(5)])
    assert together.low == pytest.approx(binomtest(57, 57).proportion_ci(0.95, method="wilson").low)
    assert share_interval([0.0] * 6, singly(6)).low == pytest.approx(0.0)


def test_one_clip_has_no_interval_and_two_questions_say_nothing() -> None:
    alone = share_interval([1.0, 0.0, 1.0], ["a"] * 3)
    assert (alone.low, alone.high, alone.method, alone.says_nothing) == (None, None, "none", True)
    two = share_interval([1.0, 0.0], singly(2))
    assert (two.method, two.says_nothing, two.low, two.high) == ("t", True, 0.0, 1.0)
    assert share_interval([1.0, 1.0], singly(2)).says_nothing


def test_few_clips_with_one_question_each_give_students_interval() -> None:
    marks = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    found, half = share_interval(marks, singly(10)), t.ppf(0.975, 9) * np.std(marks, ddof=1) / np.sqrt(10)
    assert (found.low, found.high) == pytest.approx((0.6 - half, 0.6 + half))
    assert share_interval(marks * 3, singly(30)).method == "bootstrap"


def test_the_interval_of_ten_clips_covers_the_truth_as_often_as_it_says() -> None:
    generator, covered = np.random.default_rng(3), 0
    clips = [name for name in singly(10) for _ in range(6)]
    for _ in range(400):
        correct = generator.random(60) < np.repeat(generator.beta(2, 2, size=10), 6)
        found = share_interval(correct.astype(float).tolist(), clips)
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.5 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_arms_are_compared_clip_by_clip() -> None:
    first, second = [0.0, 1.0, 0.0, 0.0, None, 1.0] * 10, [1.0, 1.0, 1.0, 0.0, 1.0, 0.0] * 10
    found = compare_cells(first, second, singly(60))
    assert (found.fixed, found.broke, found.difference.value) == (30, 10, pytest.approx(20 / 60))
    assert found.p < 0.01
    together = compare_cells(first, second, [name for name in singly(3) for _ in range(20)])
    assert (together.difference.says_nothing, together.p) == (True, pytest.approx(0.25))


def test_no_change_at_all_still_has_an_interval() -> None:
    found = compare_cells([1.0] * 40, [1.0] * 40, singly(40))
    assert (found.difference.value, found.difference.method, found.p) == (0.0, "wilson", 1.0)
    assert found.difference.high == pytest.approx(binomtest(0, 40).proportion_ci(0.95, method="wilson").high)
    assert compare_cells([1.0], [1.0], ["a"]).difference.method == "none"


def test_flipped_signs_are_the_exact_test_and_agree_with_t_on_many() -> None:
    assert sign_flip_p([1.0, 1.0, 1.0, -1.0], singly(4)) == pytest.approx(10 / 16)
    assert sign_flip_p([1.0, -1.0], ["a", "a"]) == 1.0
    changes = np.random.default_rng(1).normal(0.2, 1.0, 200)
    theirs = ttest_1samp(changes, 0.0).pvalue
    assert sign_flip_p(changes.tolist(), singly(200)) == pytest.approx(theirs, abs=0.01)


def test_holm_is_the_step_down_correction() -> None:
    # Holm 1979, as in R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(InputError):
        share_interval([], [])
    with pytest.raises(InputError, match="same questions"):
        compare_cells([1.0], [1.0, 0.0], ["a", "b"])
