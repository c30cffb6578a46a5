"""How far raters agree with each other and with the evaluator: Krippendorff's alpha, rank correlation, and intervals.

Intervals are bootstrapped over items (1,000 draws). Files of ratings that do not fit are refused, each with its row.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.stats import spearmanr

from aurelia.bench.records import describe_validation_error
from aurelia.report.rating import SCALE_NAMES, SCALES
from aurelia.report.tables import ReportTable, TableLine
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

_DRAWS = 1000
_LEAST_ITEMS = 3
_Matrix = NDArray[np.float64]


class _Rating(BaseModel):
    """One rater's ratings of one item; 0 is "cannot tell"."""

    model_config = ConfigDict(extra="forbid", strict=True)
    item: str
    coherence: int | None = Field(default=None, ge=0, le=5)
    grounding: int | None = Field(default=None, ge=0, le=5)


class _RatingFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    page: str
    rater: str = Field(min_length=1)
    ratings: list[dict[str, Any]]


class IntervalValue(NamedTuple):
    """A value with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ScaleAgreement(NamedTuple):
    """The agreement on one scale.

    Attributes:
        scale: Its name.
        raters: Number of raters.
        items: Items that two or more rated.
        alpha: Krippendorff's alpha for ordinal ratings.
        mean: Mean rating, 1 to 5.
        cannot_tell: Share of ratings that are "cannot tell".
        evaluator: Spearman's correlation of the evaluator's score with the mean rating of an item.
    """

    scale: str
    raters: int
    items: int
    alpha: IntervalValue
    mean: float | None
    cannot_tell: float
    evaluator: IntervalValue


def measure_agreement(key: Path, rating_files: Sequence[Path]) -> list[ScaleAgreement]:
    """The agreement on each scale.

    Args:
        key: The key file of the page.
        rating_files: One file a rater.

    Raises:
        InputError: A file cannot be read, is of another page, names a rater twice, or a row of it does not fit.
        InputError: The package krippendorff is not installed.
    """
    entries = _read_key(key)
    matrices = _read_ratings(rating_files, entries)
    scores = np.array([np.nan if entry["score"] is None else entry["score"] for entry in entries["items"].values()])
    return [_measure(name, matrices[name], scores) for name in SCALE_NAMES]


def agreement_table(found: Sequence[ScaleAgreement]) -> ReportTable:
    """The agreement as a table of the report."""
    titles = {scale.name: scale.title for scale in SCALES}
    rows = []
    for one in found:
        cells = [titles[one.scale], str(one.raters), str(one.items), _shown(one.alpha), _number(one.mean)]
        rows.append(TableLine([*cells, f"{100 * one.cannot_tell:.1f} %", _shown(one.evaluator)]))
    heads = ["", "raters", "items rated by two", "alpha", "mean", "cannot tell", "evaluator's score, rho"]
    notes = [
        "Krippendorff's alpha for ordinal ratings, 1 to 5; 1 is perfect agreement, 0 is chance. rho: Spearman's "
        "correlation of the evaluator's score with the mean rating of an item. 95 % intervals by bootstrap over items."
    ]
    return ReportTable("People's ratings of the reasoning", heads, rows, notes)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise InputError(f"{path.name} cannot be read: {fault}.") from None


def _read_key(path: Path) -> dict[str, Any]:
    found = _read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("items"), dict) or "page" not in found:
        raise InputError(f"{path.name} is no key file: name the NAME.key.json that bench rate wrote.")
    return found


def _read_ratings(paths: Sequence[Path], key: dict[str, Any]) -> dict[str, _Matrix]:
    """By scale, a row for each rater and a column for each item; not rated and "cannot tell" apart (nan, 0)."""
    places = {name: place for place, name in enumerate(key["items"])}
    matrices: dict[str, list[_Matrix]] = {name: [] for name in SCALE_NAMES}
    raters: set[str] = set()
    for path in paths:
        found = _read_file(path, key["page"])
        if found.rater in raters:
            raise InputError(f"{path.name}: another file has ratings of {found.rater!r}: give one file a rater.")
        raters.add(found.rater)
        rows = {name: np.full(len(places), np.nan) for name in SCALE_NAMES}
        for number, entry in enumerate(found.ratings, 1):
            rating = _read_rating(entry, path, number)
            if rating.item not in places:
                raise InputError(f"{path.name}, rating {number}: there is no item {rating.item!r} in the key.")
            for name in SCALE_NAMES:
                value = getattr(rating, name)
                if value is not None:
                    rows[name][places[rating.item]] = value
        for name in SCALE_NAMES:
            matrices[name].append(rows[name])
    return {name: np.array(rows) for name, rows in matrices.items()}


def _read_file(path: Path, page: str) -> _RatingFile:
    try:
        found = _RatingFile.model_validate(_read_json(path))
    except ValidationError as error:
        raise InputError(f"{path.name} is no file of ratings: {describe_validation_error(error)}.") from None
    if found.page != page:
        raise InputError(f"{path.name} rates another page ({found.page}, not {page}): give the key of that page.")
    return found


def _read_rating(entry: dict[str, Any], path: Path, number: int) -> _Rating:
    try:
        return _Rating.model_validate(entry)
    except ValidationError as error:
        raise InputError(f"{path.name}, rating {number}: {describe_validation_error(error)}.") from None


def _measure(name: str, ratings: _Matrix, scores: _Matrix) -> ScaleAgreement:
    known = np.where(ratings == 0, np.nan, ratings)
    shared = np.count_nonzero(~np.isnan(known), axis=0) >= 2
    rated = ~np.isnan(known).all(axis=0)
    given = np.count_nonzero(~np.isnan(ratings))
    mean: float | None = None
    if rated.any():
        mean = float(np.nanmean(known))
    judged = rated & ~np.isnan(scores)
    means = np.array([np.nanmean(column) for column in known.T[judged]])
    told = scores[judged]
    dice = np.random.default_rng(0)
    return ScaleAgreement(
        name,
        len(ratings),
        int(shared.sum()),
        _with_interval(lambda chosen: _alpha(known[:, shared][:, chosen]), int(shared.sum()), dice),
        mean,
        float((ratings == 0).sum() / given) if given else 0.0,
        _with_interval(lambda chosen: _correlation(told[chosen], means[chosen]), len(means), dice),
    )


def _with_interval(measure: Callable[[Any], float | None], count: int, dice: np.random.Generator) -> IntervalValue:
    """A measure over `count` items with its bootstrap interval; no value for fewer than three items."""
    if count < _LEAST_ITEMS:
        return IntervalValue(None)
    value = measure(np.arange(count))
    drawn = [measure(dice.integers(0, count, count)) for _ in range(_DRAWS)]
    known = [one for one in drawn if one is not None]
    if value is None or len(known) < _DRAWS / 2:
        return IntervalValue(value)
    low, high = np.percentile(known, [2.5, 97.5])
    return IntervalValue(value, float(low), float(high))


def _alpha(ratings: _Matrix) -> float | None:
    try:
        from krippendorff import alpha
    except ImportError:
        raise InputError(f"The agreement needs krippendorff: {install_command('bench')}.") from None
    if len(np.unique(ratings[~np.isnan(ratings)])) < 2:
        # Without any difference the chance of agreement is not defined.
        return None
    return float(alpha(reliability_data=ratings, level_of_measurement="ordinal"))


def _correlation(scores: _Matrix, means: _Matrix) -> float | None:
    if len(np.unique(scores)) < 2 or len(np.unique(means)) < 2:
        return None
    return float(spearmanr(scores, means).statistic)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _shown(found: IntervalValue) -> str:
    if found.low is None:
        return _number(found.value)
    return f"{_number(found.value)} [{_number(found.low)}, {_number(found.high)}]"
