"""Answers a query from an observation."""

from collections.abc import Callable, Sequence

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.signals.observation import Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_offline.answering import clip_answers as whole
from aurelia_offline.answering import comparisons as comparing
from aurelia_offline.answering import readout
from aurelia_offline.answering.coverage import cover_clip, find_uncovered
from aurelia_offline.answering.finding import MeasuredAnswer, domain_modality, unknown_finding
from aurelia_offline.answering.loudness import answer_from_levels
from aurelia_offline.answering.other_media import answer_among_sounds, find_missing_sight
from aurelia_offline.answering.sides import answer_side
from aurelia_offline.questions.choices import choose_answer
from aurelia_offline.questions.query import Query

_READERS: dict[str, Callable[[Query, Observation], MeasuredAnswer]] = {
    "count": readout.answer_count,
    "exists": readout.answer_exists,
    "check": readout.answer_check,
    "compare": comparing.answer_compare,
    "choose": comparing.answer_choose,
    "same": comparing.answer_same,
    "bound": comparing.answer_bound,
    "order": whole.answer_order,
    "sequence": comparing.answer_sequence,
    "gap": comparing.answer_gap,
    "relative": comparing.answer_relative,
    "tempo": whole.answer_tempo,
    "steady": whole.answer_steady,
    "sync": whole.answer_sync,
    "lag": whole.answer_lag,
    "trend": whole.answer_trend,
    "still": whole.answer_still,
    "silent": whole.answer_silent,
    "has_audio": whole.answer_has_audio,
    "palette": whole.answer_palette,
    "duration": whole.answer_duration,
}


def find_answer(
    query: Query,
    seen: Observation,
    tracks: list[tuple[str, Observation]] | None = None,
    pieces: Sequence[Observation] = (),
    whole: WholeClip | None = None,
) -> MeasuredAnswer:
    """The finding that answers a query.

    Args:
        query: the query.
        seen: the observation of the clip, with its own sound or the one track that replaces it.
        tracks: for candidate tracks, each letter with the observation of the clip and that track.
        pieces: the looks that were merged into `seen`.
        whole: the whole clip, to tell what the looks missed; None: nothing was missed.
    """
    uncovered = find_uncovered(query, seen, whole, pieces)
    heard = whole is not None and whole.observation.has_audio
    if whole is not None and heard and query.ask in {"has_audio", "silent"} and query.pick.relation is None:
        # Whether there is any sound is known from the whole band, whatever a look missed.
        return _read_answer(query, whole.with_sound(cover_clip(seen, whole)), tracks, pieces)
    if uncovered is None:
        return _read_answer(query, cover_clip(seen, whole, pieces), tracks, [*pieces, *(whole.shots if whole else ())])
    certain = query.pick.domain != "silence" and not query.pick.singles_out and not query.negated
    if query.ask == "exists" and certain:
        found = _read_answer(query, seen, tracks, pieces)
        if found.text == "yes":
            return found
    return uncovered


def _read_answer(
    query: Query, seen: Observation, tracks: list[tuple[str, Observation]] | None, pieces: Sequence[Observation]
) -> MeasuredAnswer:
    """The finding from measurements that miss nothing."""
    if query.ask == "unknowable":
        return unknown_finding(query.reason)
    if tracks and (seen.still or not seen.video_spans):
        return answer_among_sounds(query, tracks)
    if unseen := find_missing_sight(query, seen):
        return unknown_finding(unseen, domain_modality(query.pick.domain))
    if query.ask == "track":
        return whole.choose_track(tracks or [])
    hindered = readout.find_obstacle(query, seen)
    if hindered and query.ask not in {"exists", "count", "bound", "has_audio", "silent", "duration"}:
        return unknown_finding(hindered, domain_modality(query.pick.domain))
    if query.ask == "background":
        return whole.answer_background(query, seen, pieces)
    if found := answer_from_levels(query, seen) or answer_side(query, seen):
        return found
    return _READERS.get(query.ask, readout.answer_property)(query, seen)


def final_answer(found: MeasuredAnswer, choices: list[str]) -> str:
    """The final answer: the exact text of a choice, or "unknown"; without choices, the finding in words."""
    if not choices:
        return found.text
    if found.values:
        return choose_answer(list(found.values), choices)
    return UNKNOWN
