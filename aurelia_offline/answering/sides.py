"""On which side of the picture more moves, from how much each half of it changes."""

from aurelia_core.signals.observation import Observation
from aurelia_offline.answering.finding import MeasuredAnswer, unknown_finding, yes_no_finding
from aurelia_offline.questions.choices import Value
from aurelia_offline.questions.query import Query

_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_CLEAR_RATIO = 1.5
_LEAST_CHANGE = 0.02


def answer_side(query: Query, seen: Observation) -> MeasuredAnswer | None:
    """The side with more movement, or whether one has more; None if the question is another one.

    A moving camera changes both sides alike: then it is not known.
    """
    pick, changes = query.pick, seen.side_changes
    if changes is None or not (query.prop or "").startswith("amount"):
        return None
    side = pick.place or "left"
    other = _OPPOSITE.get(side)
    if other is None or query.other is not None and query.other.place not in {side, other}:
        return None
    amounts = {name: float(getattr(changes, name)) for name in (side, other)}
    cue = ", ".join(f"{name} {amount:.2f}" for name, amount in amounts.items())
    more, less = sorted(amounts, key=lambda name: -amounts[name])
    if amounts[more] < max(_LEAST_CHANGE, _CLEAR_RATIO * amounts[less]):
        return unknown_finding(f"both sides change about as much ({cue})", "visual")
    most = (query.prop or "").endswith("+")
    found = more if most else less
    if query.yes_no:
        return yes_no_finding((found == side) != query.negated, f"how much each side changes: {cue}", "visual")
    return MeasuredAnswer((Value("place", found),), found, f"how much each side changes: {cue}", "visual")
