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


def join_closest(spans: Iterable[Span], most: int) -> list[Span]:
    """The spans in order of time, joined where they touch, and then the closest ones until at most `most` are left."""
    joined = list(join_spans(spans))
    while len(joined) > most:
        at = min(range(len(joined) - 1), key=lambda i: joined[i + 1][0] - joined[i][1])
        joined[at : at + 2] = [(joined[at][0], joined[at + 1][1])]
    return joined
