"""Spans of time, joined. It imports no measuring package."""

from collections.abc import Iterable

from aurelia_core.types import Span


def join_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans in order of time, joined where they overlap or touch."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + 1e-3:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
