"""From a query and what was measured to the finding that answers it."""

from collections.abc import Callable, Sequence

from aurelia_core.signals.observation import Observation
from aurelia_offline.answering import clip_answers as whole
from aurelia_offline.answering import comparisons as comparing
from aurelia_offline.answering import readout
from aurelia_offline.answering.finding import Finding, sense, unknown
from aurelia_offline.questions.choices import UNKNOWN, choose
from aurelia_offline.questions.query import Query

_READERS: dict[str, Callable[[Query, Observation], Finding]] = {
    "count": readout.count,
    "exists": readout.exists,
    "check": readout.check,
    "compare": comparing.compare,
    "choose": comparing.choose,
    "same": comparing.same,
    "bound": comparing.bound,
    "order": whole.order,
    "sequence": comparing.sequence,
    "gap": comparing.gap,
    "relative": comparing.relative,
    "tempo": whole.tempo,
    "steady": whole.steady,
    "sync": whole.sync,
    "lag": whole.lag,
    "trend": whole.trend,
    "still": whole.still,
    "silent": whole.silent,
    "has_audio": whole.has_audio,
    "duration": whole.duration,
}


def find(
    query: Query,
    seen: Observation,
    tracks: list[tuple[str, Observation]] | None = None,
    pieces: Sequence[Observation] = (),
) -> Finding:
    """The finding that answers a query.

    Args:
        query: what is asked.
        seen: what was measured in the clip (with its own sound, or the one track that replaces it).
        tracks: for candidates, each one's letter with the clip observed together with it.
        pieces: the looks that `seen` was merged from.
    """
    if query.ask == "unknowable":
        return unknown(query.reason)
    if query.ask == "track":
        return whole.candidates(tracks or [])
    hindered = readout.blind(query, seen)
    if hindered and query.ask not in {"exists", "count", "bound", "has_audio", "silent", "duration"}:
        return unknown(hindered, sense(query.pick.domain))
    if query.ask == "background":
        return whole.background(query, seen, pieces)
    return _READERS.get(query.ask, readout.one)(query, seen)


def final(found: Finding, choices: list[str]) -> str:
    """The final answer: one of the choices in its exact text, or "unknown"; without choices the finding in words."""
    if not choices:
        return found.text
    return choose(list(found.values), choices) if found.values else UNKNOWN
