"""Draws the report's figures as SVG text that uses the page's text colour.

Needs matplotlib: its SVG writer without Agg, without a window and without pyplot's state.
"""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from aurelia_core.sanitize import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
_COLOURS = ("#2f7ec7", "#d9822b", "#3a9d5d", "#9a6fc4", "#c4574f", "#7f8a94")
_SIZE = (6.2, 3.5)
_NAME_CHARS = 28


class SvgFigure(NamedTuple):
    """A figure: its title, a note in words, and the SVG."""

    title: str
    note: str
    svg: str


class Point(NamedTuple):
    """A value with its interval (in the value's unit, None if undefined) and its number of cases."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


class AxisScale(NamedTuple):
    """The label and the range of an axis."""

    label: str
    low: float
    high: float


PERCENT_SCALE = AxisScale("accuracy, %", 0, 105)


def draw_curves(
    title: str,
    note: str,
    x: Sequence[int],
    label: str,
    lines: Mapping[str, Sequence[Point]],
    scale: AxisScale = PERCENT_SCALE,
) -> SvgFigure:
    """A value over an integer (iterations, threshold, score): one curve per name, with intervals."""
    figure, axes = _new_axes()
    _lines(axes, x, lines, scale)
    axes.set_xlabel(label)
    axes.set_xticks(list(x))
    _legend(axes)
    return SvgFigure(title, note, _svg(figure, title))


def draw_curves_with_seconds(
    title: str, note: str, x: Sequence[int], label: str, lines: Mapping[str, Sequence[Point]], seconds: Sequence[float]
) -> SvgFigure:
    """Accuracy over a setting, with seconds per sample on a second axis (Tables 5 and 6)."""
    figure, axes = _new_axes()
    _lines(axes, x, lines, PERCENT_SCALE)
    axes.set_xlabel(label)
    axes.set_xticks(list(x))
    other = axes.twinx()
    other.plot(list(x), list(seconds), color=_COLOURS[5], linestyle="--", marker="s", markersize=4, label="seconds")
    other.set_ylabel("seconds per sample", color=INK)
    other.set_ylim(bottom=0)
    _style_axes(other)
    handles, names = axes.get_legend_handles_labels()
    more, more_names = other.get_legend_handles_labels()
    _legend_above(axes, [*handles, *more], [*names, *more_names])
    return SvgFigure(title, note, _svg(figure, title))


def draw_bars(title: str, note: str, groups: Mapping[str, Mapping[str, Point]]) -> SvgFigure:
    """One group of bars per name, with one bar per series, with intervals."""
    figure, axes = _new_axes()
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    width = 0.8 / max(1, len(series))
    for index, name in enumerate(series):
        places = [place + (index - (len(series) - 1) / 2) * width for place in range(len(groups))]
        points = [group.get(name, Point(None)) for group in groups.values()]
        heights = [point.value or 0.0 for point in points]
        axes.bar(places, heights, width * 0.92, color=_COLOURS[index % len(_COLOURS)], label=shorten(name, _NAME_CHARS))
        _whiskers(axes, places, points)
    axes.set_xticks(range(len(groups)), [shorten(name, _NAME_CHARS) for name in groups], rotation=20, ha="right")
    axes.set_ylabel(PERCENT_SCALE.label, color=INK)
    _legend(axes)
    return SvgFigure(title, note, _svg(figure, title))


def draw_stacks(title: str, note: str, groups: Mapping[str, Mapping[str, float]], label: str) -> SvgFigure:
    """One horizontal bar per name, stacked from its parts."""
    figure, axes = _new_axes()
    parts = list(dict.fromkeys(part for group in groups.values() for part in group))
    names = [shorten(name, _NAME_CHARS) for name in groups]
    left = [0.0] * len(groups)
    for index, part in enumerate(parts):
        values = [group.get(part, 0.0) for group in groups.values()]
        axes.barh(range(len(groups)), values, left=left, color=_COLOURS[index % len(_COLOURS)], label=part, height=0.7)
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.set_yticks(range(len(groups)), names)
    axes.invert_yaxis()
    axes.set_xlabel(label, color=INK)
    _legend(axes)
    return SvgFigure(title, note, _svg(figure, title))


def _lines(axes: "Axes", x: Sequence[int], lines: Mapping[str, Sequence[Point]], scale: AxisScale) -> None:
    for index, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        known = [(place, point) for place, point in zip(x, points, strict=True) if point.value is not None]
        axes.plot([place for place, _ in known], [point.value or 0.0 for _, point in known], "o-", color=colour,
                  markersize=5, label=shorten(name, _NAME_CHARS))  # fmt: skip
        banded = [(p, q.low, q.high) for p, q in known if q.low is not None and q.high is not None]
        if banded:
            places, low, high = zip(*banded, strict=True)
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_ylabel(scale.label, color=INK)
    axes.set_ylim(scale.low, scale.high)


def _whiskers(axes: "Axes", places: Sequence[float], points: Sequence[Point]) -> None:
    for place, point in zip(places, points, strict=True):
        if point.value is not None and point.low is not None and point.high is not None:
            axes.plot([place, place], [point.low, point.high], color=INK, linewidth=1)


def _legend(axes: "Axes") -> None:
    handles, names = axes.get_legend_handles_labels()
    if names:
        _legend_above(axes, handles, names)


def _legend_above(axes: "Axes", handles: Sequence[Any], names: Sequence[str]) -> None:
    """A legend above the plot, where it covers nothing."""
    axes.legend(
        handles,
        names,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        ncols=min(len(names), 4),
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
    )


def _new_axes() -> "tuple[Figure, Axes]":
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(f"A report's figures need matplotlib: {install_command('bench')}.") from None
    figure = Figure(figsize=_SIZE, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.grid(axis="y", color=_COLOURS[5], alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    _style_axes(axes)
    return figure, axes


def _style_axes(axes: "Axes") -> None:
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)


def _svg(figure: "Figure", title: str) -> str:
    """The SVG element alone, with ids that are unique on the page, in the page's text colour."""
    import matplotlib

    out = io.StringIO()
    # A name from a run file must not be parsed as mathematics; text remains text, for search and scaling.
    settings: Any = {
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": title,
        "font.family": "sans-serif",
    }
    with matplotlib.rc_context(settings):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = text.replace("<svg", f'<svg role="img" aria-label="{escape(title, quote=True)}"', 1)
    prefix = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", text)
