"""The offline Feedback agent: names the windows for the next look, from the evaluator's doubts, without the clip."""

import math
from typing import Any

from aurelia_core.answers.clean_answer import UNKNOWN, clean_answer
from aurelia_core.models.requests import FeedbackRequest
from aurelia_core.types import Reasoning, Window
from aurelia_offline.agents.inventory import TIME_RANGE, merge_windows, windows_text

_MAX_WINDOWS = 4
_PAD_SECONDS = 0.1
_MIN_SECONDS = 0.25
_MAX_CRITIQUE_CHARACTERS = 240
_FULL_RATE_HZ = 16000
_MIN_BUDGET_SECONDS = 1.5


def advise(request: FeedbackRequest) -> dict[str, Any]:
    """Feedback for the next attempt: a reason and at most four windows inside the clip.

    The total length of the windows is limited to the seconds that the sample budget covers at 16 kHz, so that each gets
    enough frames and samples. Windows of earlier attempts are not repeated. Windows that do not fit are left to the
    next attempt. Without doubts, the windows are parts of the clip that no closer look has covered.
    """
    duration = request.duration
    if not duration:
        return {"feedback": "A still picture was seen whole: there is nothing to look at more closely.", "windows": []}
    budget = max(_MIN_BUDGET_SECONDS, request.samples / _FULL_RATE_HZ)
    looked = [window for look in request.looks for window in look]
    doubts = list(request.doubts)
    asked = _fit_budget(_open_question_windows(request.reasoning, duration), looked, budget)
    doubted = _fit_budget(merge_windows(doubts, duration, pad=_PAD_SECONDS, gap=0.0), looked, budget)
    contradicted = any(finding["verdict"] == "contradicted" for finding in request.claims)
    if asked:
        text = f"The question is still open; look and listen again {windows_text(asked)}, where its answer must lie."
    elif doubted:
        cause = _shorten_critique(request.critique)
        text = f"Look and listen again {windows_text(doubted)}, where the caption and the clip do not match.{cause}"
    else:
        reason, cause = "Nothing stood out", ""
        if doubts:
            reason = "What was in doubt has been looked at closely"
        elif contradicted:
            reason, cause = "What is contradicted names no time", _shorten_critique(request.critique)
        doubted = _next_uncovered_window(request, duration, budget)
        text = f"{reason}; look and listen more closely {windows_text(doubted)} next.{cause}"
    return {"feedback": text, "windows": asked or doubted}


def _open_question_windows(reasoning: Reasoning | None, duration: float) -> list[Window]:
    """The windows that the last step names while its answer is unknown."""
    if not reasoning or not reasoning["steps"] or clean_answer(reasoning["answer"]).text != UNKNOWN:
        return []
    found = TIME_RANGE.findall(reasoning["steps"][-1]["justification"])
    windows = [Window(start=float(start), end=float(end)) for start, end in found if float(start) < float(end)]
    return merge_windows(windows, duration)


def _shorten_critique(critique: str | None) -> str:
    """The start of the evaluator's justification, in whole clauses, of limited length."""
    if not critique:
        return ""
    said = critique.strip()
    if len(said) > _MAX_CRITIQUE_CHARACTERS:
        ends = [said.rfind(mark, 0, _MAX_CRITIQUE_CHARACTERS) for mark in (". ", "; ", ", and ")]
        said = (
            said[: max(ends)].rstrip(".;,") + " …"
            if max(ends) > 0
            else said[:_MAX_CRITIQUE_CHARACTERS].rsplit(" ", 1)[0] + " …"
        )
    return f" The evaluator says: {said}"


def _fit_budget(windows: list[Window], looked: list[Window], budget: float) -> list[Window]:
    """The parts of the windows without an earlier closer look, in order, within the budget of seconds."""
    spans = [(window["start"], window["end"]) for window in windows]
    for seen in looked:
        spans = [part for span in spans for part in _subtract(span, (seen["start"], seen["end"]))]
    kept: list[Window] = []
    for start, end in spans:
        end = min(end, start + budget)
        if end - start >= _MIN_SECONDS and len(kept) < _MAX_WINDOWS:
            kept.append(Window(start=round(start, 2), end=round(end, 2)))
            budget -= end - start
    return kept


def _subtract(span: tuple[float, float], seen: tuple[float, float]) -> list[tuple[float, float]]:
    """The parts of a span outside another span."""
    parts = [(span[0], min(span[1], seen[0])), (max(span[0], seen[1]), span[1])]
    return [(start, end) for start, end in parts if end > start]


def _next_uncovered_window(request: FeedbackRequest, duration: float, budget: float) -> list[Window]:
    """The next window of the budget's length without a guided look; chosen by attempt number if all have one."""
    length = min(duration, budget)
    parts = max(1, math.ceil(duration / length - 0.01))
    step = duration / parts
    slots = [Window(start=round(i * step, 2), end=round((i + 1) * step, 2)) for i in range(parts)]
    covered = [window for look in request.looks for window in look]
    open_slots = [slot for slot in slots if not any(_covers_most(slot, window) for window in covered)]
    if open_slots:
        return open_slots[:1]
    return [slots[(request.iteration - 1) % parts]]


def _covers_most(slot: Window, window: Window) -> bool:
    common = min(slot["end"], window["end"]) - max(slot["start"], window["start"])
    return common > 0.5 * (slot["end"] - slot["start"])
