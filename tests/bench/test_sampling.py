"""Sampling: exact shares, the same draw for the same seed, and plain words where a category has too few."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurelia.bench.records import COLUMNS, Column, Record
from aurelia.bench.sampling import SampleResult, Stratum, draw_sample, largest_remainder, paper_composition
from aurelia_core.errors import InputError


def record(name: str, column: Column, category: str) -> Record:
    made: dict[str, Any] = {"id": name, "column": column, "category": category, "video": f"{name}.mp4", "question": "?"}
    return Record.model_validate({**made, "answers": ["x"], "source": {"dataset": "made"}})


def records(counts: Mapping[tuple[Column, str], int]) -> list[Record]:
    return [
        record(f"{column}/{category.replace(' ', '-')}/{number}", column, category)
        for (column, category), count in counts.items()
        for number in range(count)
    ]


def ids(sampled: SampleResult) -> list[str]:
    return [one.id for one in sampled.records]


FULL = records({(column, category.name): 1100 for category in paper_composition() for column in category.columns})


def test_the_papers_composition_is_as_printed() -> None:
    composition = paper_composition()
    assert len(composition) == 17
    assert sum(category.questions for category in composition) == 4504
    shared = {category.name: category.columns for category in composition}
    assert shared["Commonsense Reasoning"] == {"av-geoiq", "av-meme", "dm-match"}
    assert set().union(*shared.values()) == COLUMNS.keys() - {"other"}


def test_a_full_sample_is_the_papers() -> None:
    sampled = draw_sample(FULL, None, 0, "paper")
    assert len(sampled.records) == len(set(ids(sampled))) == 4504
    assert Counter(one.category for one in sampled.records) == {
        category.name: category.questions for category in paper_composition()
    }
    assert all(stratum.wanted == stratum.got for stratum in sampled.strata)
    assert sampled.outside == 0
    shares = Counter(one.column for one in sampled.records if one.category == "Miscellaneous")
    assert shares == {"av-geoiq": 53, "avsd": 53, "av-captioning": 53}


def test_the_draw_depends_on_the_seed_and_the_ids_alone() -> None:
    first = draw_sample(FULL, 500, 7, "paper")
    back = draw_sample(list(reversed(FULL)), 500, 7, "paper")
    assert ids(first) == ids(draw_sample(FULL, 500, 7, "paper")) == list(reversed(ids(back)))
    assert len(set(ids(first)) & set(ids(draw_sample(FULL, 500, 8, "paper")))) < 250
    places = {one.id: place for place, one in enumerate(FULL)}
    assert [places[name] for name in ids(first)] == sorted(places[name] for name in ids(first))


def test_a_larger_sample_keeps_a_smaller_one() -> None:
    one = records({("avsd", "Dynamic Scene"): 300})
    assert set(ids(draw_sample(one, 40, 1, "proportional"))) < set(ids(draw_sample(one, 90, 1, "proportional")))
    smaller, larger = (draw_sample(FULL, size, 1, "paper") for size in (500, 1000))
    assert set(ids(smaller)) < set(ids(larger))


def test_too_few_is_said_and_nothing_is_taken_in_its_place() -> None:
    few = records({("music-avqa", "musical performances "): 2000, ("avsd", "Dynamic Scene"): 10})
    stray = records({("avsd", "Compositional"): 4, ("other", "Dynamic Scene"): 3, ("av-geoiq", ""): 2})
    sampled = draw_sample([*few, *stray], None, 0, "paper")
    strata = {stratum.category: stratum for stratum in sampled.strata}
    assert strata["Musical Performances"] == Stratum("Musical Performances", 1014, 2000, 1014)
    assert strata["Dynamic Scene"] == Stratum("Dynamic Scene", 931, 10, 10)
    assert strata["Compositional"] == Stratum("Compositional", 968, 0, 0)
    assert (len(sampled.records), sampled.outside) == (1024, 9)


def test_even_and_proportional_compositions() -> None:
    mixed = records({("avsd", "a"): 60, ("music-avqa", "b"): 30, ("av-meme", ""): 5})
    even = draw_sample(mixed, 30, 0, "even")
    assert [(one.category, one.wanted, one.got) for one in even.strata] == [
        ("a", 10, 10),
        ("av-meme", 10, 5),
        ("b", 10, 10),
    ]
    same = draw_sample(mixed, 19, 0, "proportional")
    assert [(one.category, one.wanted, one.got) for one in same.strata] == [
        ("a", 12, 12),
        ("av-meme", 1, 1),
        ("b", 6, 6),
    ]
    assert len(draw_sample(mixed, None, 0, "proportional").records) == 95
    with pytest.raises(InputError, match="needs --size"):
        draw_sample(mixed, None, 0, "even")
    with pytest.raises(InputError, match="one record or more"):
        draw_sample(mixed, 0, 0, "even")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 2000), max_size=12), st.integers(0, 5000))
def test_largest_remainders_add_up_and_stay_within_one_of_the_share(weights: dict[str, int], size: int) -> None:
    shares = largest_remainder(weights, size)
    total = sum(weights.values())
    assert shares.keys() == weights.keys()
    assert sum(shares.values()) == (size if total else 0)
    for key, weight in weights.items():
        assert not total or abs(shares[key] * total - size * weight) < total


def test_equal_remainders_go_to_the_first() -> None:
    assert largest_remainder({"a": 1, "b": 1, "c": 1}, 4) == {"a": 2, "b": 1, "c": 1}
    assert largest_remainder({"a": 7, "b": 2, "c": 1}, 4) == {"a": 3, "b": 1, "c": 0}
