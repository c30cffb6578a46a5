"""The Feedback agent offline: where the next attempt should look again, by the evaluator's doubts. It sees no clip."""

from collections.abc import Mapping
from typing import Any

from aurelia.models.offline.inventory import STRETCH, between, coalesced
from state.schema import Reasoning, Window

_MOST = 4
_PAD = 0.2
_FULL_RATE = 16000
_FEWEST_SECONDS = 1.5


def advise(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What to look at again and why, with at most four windows inside the clip.

    The windows are together short enough that a look spends enough frames and samples on each: at most the seconds that
    the sample budget carries at 16 kHz. Without doubts they are the stretches that no closer look has covered yet.
    """
    duration = float(fields["duration"])
    budget = max(_FEWEST_SECONDS, float(fields.get("samples") or 48000) / _FULL_RATE)
    doubts = [Window(start=float(w["start"]), end=float(w["end"])) for w in fields.get("doubts") or []]
    windows = _bounded(coalesced(doubts[:_MOST], duration, pad=_PAD), budget)
    asked = _bounded(_still_open(fields.get("reasoning"), duration), budget)
    if asked:
        windows = asked
        text = f"The question is still open; look and listen again {between(windows)}, where its answer must lie."
    elif windows:
        cause = _cause(fields.get("critique"))
        text = f"Look and listen again {between(windows)}, where the caption and the clip disagree.{cause}"
    else:
        windows = _uncovered(fields, duration, budget)
        text = (
            f"Nothing stood out; look and listen more closely {between(windows)}, which no close look has covered yet."
        )
    return {"feedback": text, "windows": windows}


def _still_open(reasoning: Reasoning | None, duration: float) -> list[Window]:
    """The stretches that the last step names while its answer is unknown: what the question itself still needs."""
    if not reasoning or not reasoning["steps"] or not reasoning["answer"].lower().startswith("unknown"):
        return []
    found = STRETCH.findall(reasoning["steps"][-1]["justification"])
    windows = [Window(start=float(start), end=float(end)) for start, end in found if float(start) < float(end)]
    return coalesced(windows, duration)


def _cause(critique: str | None) -> str:
    """The first sentences of the evaluator's justification."""
    if not critique:
        return ""
    return " The evaluator says: " + critique.strip()[:300]


def _bounded(windows: list[Window], budget: float) -> list[Window]:
    """Windows whose lengths together stay inside the budget, each shortened about its centre by the same share."""
    total = sum(w["end"] - w["start"] for w in windows)
    if total <= budget or total == 0.0:
        return windows
    share = budget / total
    return [_shrunk(window, share) for window in windows]


def _shrunk(window: Window, share: float) -> Window:
    centre, half = (window["start"] + window["end"]) / 2, (window["end"] - window["start"]) * share / 2
    return Window(start=round(max(0.0, centre - half), 2), end=round(centre + half, 2))


def _uncovered(fields: Mapping[str, Any], duration: float, budget: float) -> list[Window]:
    """The next stretch, of the budget's length, that no guided look has covered; by attempt number when all are."""
    length = min(duration, budget)
    parts = max(1, round(duration / length))
    step = duration / parts
    slots = [Window(start=round(i * step, 2), end=round((i + 1) * step, 2)) for i in range(parts)]
    covered = [window for look in fields.get("looks") or [] for window in look]
    open_slots = [slot for slot in slots if not any(_inside(slot, window) for window in covered)]
    if open_slots:
        return open_slots[:1]
    return [slots[(int(fields.get("iteration") or 1) - 1) % parts]]


def _inside(slot: Window, window: Window) -> bool:
    common = min(slot["end"], window["end"]) - max(slot["start"], window["start"])
    return common > 0.5 * (slot["end"] - slot["start"])
