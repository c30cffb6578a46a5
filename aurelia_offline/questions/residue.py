"""What a question says and its query does not: a question is not bent into the nearest one that can be measured."""

from collections.abc import Iterator

from aurelia_offline.questions.clauses import Clauses, tells
from aurelia_offline.questions.grammar import PhraseItem
from aurelia_offline.questions.query import Ask, Pick, Query
from aurelia_offline.questions.whole_clip import all_items, asks_yes_no, has_item

_COUNTS: frozenset[Ask] = frozenset({"count", "bound", "gap", "lag", "compare", "choose", "same", "length"})
_COMPARES: frozenset[Ask] = frozenset({"compare", "choose", "relative", "bound", "trend", "same", "order"})
_AMOUNTS: frozenset[Ask] = frozenset({"gap", "lag", "length", "level", "duration", "compare"})
_CHANGES: frozenset[Ask] = frozenset({"background", "steady", "trend"})
_SCALES = {"ms": 0.001, "khz": 1000.0}


def left_out(query: Query, cut: Clauses) -> str:
    """The words of the question that the query leaves out; "" if it says the same."""
    picks = list(_all_picks(query))
    unclear = any(pick.relation == "unclear" for pick in picks)
    passed_over = query.ask == "trend" and query.pick.relation is None and any(tells(part) for _, part in cut.relations)
    if unclear or passed_over:
        return " ".join(item.text for _, part in cut.relations for item in part)
    items = all_items(cut)
    either = has_item(items, "conj", "or")
    if query.ask == "has_audio" and either:
        return "or"
    if query.ask == "trend" and not query.yes_no and asks_yes_no(cut) and not either:
        return next(item.text for item in items if item.kind in {"trend", "comp"})
    if has_item(items, "unit", "bpm") or has_item(items, "prop", "tempo"):
        items = [item for item in items if item.kind != "wh"]
    for item, following in zip(items, [*items[1:], None], strict=True):
        of_some = item.kind == "number" and following is not None and following.kind != "unit"
        if of_some and query.ask not in {"bound", "exists", "count"}:
            # "Which of the three tones", "which two colours": how many are expected, which is not asked.
            continue
        if not (_is_told(item, query, picks) or (either and item.kind in {"np", "bare", "comp", "trend"})):
            return item.text
    return ""


def only_subject(query: Query, main: list[PhraseItem]) -> str:
    """The subject of "Is the sound hoarse?" or "Do the sounds differ?": its existence is not asked; else ""."""
    if query.ask != "exists" or not query.yes_no:
        return ""
    proofs = {"exist", "verb", "neg", "mute", "half", "number", "still", "vary", "bare"}
    proved = any(item.kind in proofs for item in main)
    plain = query.pick.relation is None and query.pick.domain in {"sound", "motion", "silence"} and not query.negated
    named = next((item.text for item in main if item.kind in {"np", "bare"}), "")
    return "" if proved or not plain else named


def _all_picks(query: Query) -> Iterator[Pick]:
    for pick in (query.pick, query.other):
        while pick is not None:
            yield pick
            pick = pick.other


def _is_told(item: PhraseItem, query: Query, picks: list[Pick]) -> bool:
    match item.kind:
        case "number":
            return _holds_number(float(item.value), query, picks)
        case "np" | "bare":
            return _holds_pick(item.pick, query, picks)
        case "half":
            return any(pick.span is not None for pick in picks)
        case "vary":
            named = query.ask != "background" or query.yes_no or query.pick.relation
            return bool(named) and (
                query.ask in _CHANGES or bool({pick.domain for pick in picks} & {"background", "cut"})
            )
        case "wh":
            return query.ask in {"count": _COUNTS, "how_much": _AMOUNTS}.get(item.value, {query.ask})
        case "comp" | "same" | "bound" | "trend":
            return query.ask in _COMPARES or any(pick.rank == item.value for pick in picks)
        case "together":
            joined = query.ask in {"sync", "track"} or query.prop in {"together", "overlap"}
            return joined or any(pick.relation in {"during", "apart"} for pick in picks)
        case "throughout":
            return query.ask not in {"exists", "has_audio", "count"}
    return True


def _holds_number(number: float, query: Query, picks: list[Pick]) -> bool:
    held = [query.value, *(end for pick in picks for end in (pick.span or ())), *(pick.nth for pick in picks)]
    scaled = {number * scale for scale in (1.0, *_SCALES.values())}
    return any(value is not None and min(abs(abs(value) - one) for one in scaled) < 1e-9 for value in held)


def _holds_pick(said: Pick, query: Query, picks: list[Pick]) -> bool:
    """Whether every property that a phrase names is one of a pick, or is asked."""
    for name in ("colour", "place", "rank", "nth"):
        value = getattr(said, name)
        asked = query.prop and name in {"rank", "nth"}
        if value is not None and not asked and all(getattr(pick, name) != value for pick in picks):
            return name == "nth" and any(pick.span for pick in picks)
    return True
