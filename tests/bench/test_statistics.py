"""Statistics against closed forms, scipy, and a simulation of coverage."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from aurelia.bench.statistics import compare_paired, estimate_accuracy, mcnemar_p, relative_gain
from aurelia_core.errors import InputError


def singly(count: int) -> list[str]:
    return [f"clip{number}" for number in range(count)]


def test_one_question_a_clip_gives_the_binomial_interval() -> None:
    correct = [1.0] * 700 + [0.0] * 300
    found = estimate_accuracy(correct, singly(1000))
    half = norm.ppf(0.975) * np.sqrt(0.7 * 0.3 / 1000)
    assert found.value == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.002)
    assert (found.questions, found.clips) == (1000, 1000)


def test_one_question_a_clip_agrees_with_scipy() -> None:
    correct = np.random.default_rng(1).integers(0, 2, 60).astype(float)
    theirs = bootstrap((correct,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2))
    ours = estimate_accuracy(correct.tolist(), singly(60), draws=20_000)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.017)


def test_questions_of_one_clip_count_as_one() -> None:
    correct = [1.0] * 10 + [0.0] * 10
    every = [mark for mark in correct for _ in range(25)]
    clips = [name for name in singly(20) for _ in range(25)]
    alone, together = estimate_accuracy(correct, singly(20)), estimate_accuracy(every, clips)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert (together.questions, together.clips) == (500, 20)
    naive = estimate_accuracy(every, singly(500))
    assert together.high - together.low > 4 * (naive.high - naive.low)


def test_unparsed_is_not_right_and_the_seed_decides_the_interval() -> None:
    marks = [1.0, None, 0.0, 1.0]
    assert estimate_accuracy(marks, singly(4)).value == 0.5
    assert estimate_accuracy(marks, singly(4)) == estimate_accuracy(marks, singly(4))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    covered = 0
    for number in range(300):
        difficulty = generator.beta(2, 2, size=80)
        clips = [name for name in singly(80) for _ in range(6)]
        correct = (generator.random(480) < np.repeat(difficulty, 6)).astype(float)
        found = estimate_accuracy(correct.tolist(), clips, draws=600, seed=number)
        covered += found.low <= 0.5 <= found.high
    assert 0.90 <= covered / 300 <= 0.985


def test_arms_are_compared_question_by_question() -> None:
    first = [1.0, 1.0, 0.0, 0.0, None, 0.0] * 20
    second = [1.0, 0.0, 1.0, 1.0, 1.0, None] * 20
    found = compare_paired(first, second, singly(120))
    assert (found.gained, found.lost) == (60, 20)
    assert found.difference.value == pytest.approx(40 / 120)
    spread = np.std([0, -1, 1, 1, 1, 0])
    half = norm.ppf(0.975) * spread / np.sqrt(120)
    assert found.difference.low == pytest.approx(1 / 3 - half, abs=0.01)
    assert found.difference.high == pytest.approx(1 / 3 + half, abs=0.01)
    assert found.p == mcnemar_p(60, 20)


def test_an_arm_against_itself_differs_in_nothing() -> None:
    same = compare_paired([1.0, 0.0], [1.0, 0.0], ["a", "b"])
    assert (same.difference.value, same.difference.low, same.difference.high, same.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 2 / 32), (3, 3, 1.0), (8, 2, 2 * (1 + 10 + 45) / 1024), (2, 8, 112 / 1024)],
)
def test_mcnemar_is_the_exact_binomial(gained: int, lost: int, p: float) -> None:
    assert mcnemar_p(gained, lost) == pytest.approx(p)


def test_the_gain_is_relative_to_zero_shot() -> None:
    # X-InstructBLIP on AV-GeoIQ in Table 1: 14.5 to 29.0.
    assert relative_gain(29.0, 14.5) == pytest.approx(100.0)
    assert relative_gain(9.0, 10.0) == pytest.approx(-10.0)
    assert relative_gain(9.0, 0.0) is None


@pytest.mark.parametrize(
    ("marks", "clips", "more"),
    [([], [], {}), ([1.0], ["a", "b"], {}), ([1.0], ["a"], {"level": 1.0}), ([1.0], ["a"], {"draws": 0})],
)
def test_what_has_no_interval_is_an_error(marks: list[float], clips: list[str], more: dict[str, float]) -> None:
    with pytest.raises(InputError):
        estimate_accuracy(marks, clips, **more)  # type: ignore[arg-type]


def test_arms_of_different_lengths_and_negative_counts_are_errors() -> None:
    with pytest.raises(InputError, match="same questions"):
        compare_paired([1.0], [1.0, 0.0], ["a", "b"])
    with pytest.raises(InputError, match="counts"):
        mcnemar_p(-1, 2)
