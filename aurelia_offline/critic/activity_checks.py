"""Checks claims about motion in a textured picture: whether, roughly where, in which colours; not how many things."""

import numpy as np

from aurelia_offline.critic.claims import Description
from aurelia_offline.critic.matching import Fact, grade
from aurelia_offline.critic.signal_activity import ROWS, Activity

CLEAR_PICTURE = 0.5
"""Clearness of the picture below which only its activity is used."""
_MOVING_SHARE = 0.0015
"""Moving share of the picture above which something moves."""
_SUPPORTED_VERDICT = 0.8
_PARTS = {
    "top": np.s_[: ROWS // 2],
    "bottom": np.s_[ROWS // 2 :],
    "left": np.s_[:, :4],
    "centre": np.s_[:, 3:6],
    "right": np.s_[:, 5:],
}


def activity_facts(about: Description, film: Activity) -> list[Fact]:
    """The facts of a described motion against the activity: time, place and colour.

    Start and end of a motion inside a longer activity are not judged.
    """
    span = _described_span(about, film)
    frames = film.inside(*span)
    share = film.share[frames]
    lasting = moving_share(film, span)
    claim_text = "motion"
    if about.spans:
        claim_text = f"motion from {span[0]:g} s to {span[1]:g} s"
    facts = [Fact(min(_SUPPORTED_VERDICT, grade(1 - lasting, 0.45, 0.95)), 1.2, claim_text, "hardly any motion", span)]
    total = share.sum(axis=0)
    if lasting <= 0.3:
        return facts
    for place in about.places:
        part = total[_PARTS[place]]
        there = float(part.sum() / max(1e-9, float(total.sum())))
        facts.append(Fact(min(_SUPPORTED_VERDICT, grade(-there, -0.4, -0.12)), 1.0, place, "motion elsewhere", span))
    for colour in about.colours:
        seen = film.colours.get(colour, 0.0)
        if seen > 0.12:
            verdict = _SUPPORTED_VERDICT
        elif seen < 0.01:
            verdict = -1.0
        else:
            verdict = 0.0
        facts.append(Fact(verdict, 1.0, colour, f"nothing {colour} that moves", span))
    return facts


def moving_share(film: Activity, span: tuple[float, float]) -> float:
    """The share of a time span, 0..1, in which something moves by itself."""
    return float((film.share[film.inside(*span)].mean(axis=(1, 2)) > _MOVING_SHARE).mean())


def stillness_verdict(about: Description, film: Activity) -> float:
    """Confidence that nothing moves in the described time span, -1..1; 0 if only the whole picture shifts."""
    span = _described_span(about, film)
    lasting = moving_share(film, span)
    if lasting > 0.3:
        return -1.0
    slipping = float((film.slips[film.inside(*span)] > 0.02).mean())
    if lasting < 0.03 and slipping < 0.1:
        return 0.8
    return 0.0


def _described_span(about: Description, film: Activity) -> tuple[float, float]:
    first, last = float(film.times[0]), float(film.times[-1])
    if not about.spans:
        return first, last
    start, end = about.spans[0]
    if end is None:
        return max(first, start - 0.1), min(last, start + 0.3)
    return max(first, min(start, last)), max(first, min(end, last))
