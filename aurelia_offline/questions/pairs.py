"""Understands questions about two events: comparison, order, and the time between them."""

from dataclasses import replace

from aurelia_offline.questions import clauses
from aurelia_offline.questions.clauses import Clauses
from aurelia_offline.questions.grammar import PhraseItem
from aurelia_offline.questions.query import Domain, Pick, Query
from aurelia_offline.questions.whole_clip import all_items, asks_yes_no, has_item

_AMOUNTS = {"more": "+", "more than": "+", "most": "+", "the most": "+", "less": "-", "less than": "-", "least": "-"}


def read_neighbour(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "after which sound does the flash occur": the neighbour of an event."""
    del kinds, tracks
    if not cut.relations or not cut.relations[0][1] or cut.relations[0][1][0].kind != "wh":
        return None
    inverse = {"after": "right_before", "right_after": "right_before", "before": "right_after", "during": "during"}
    relation = inverse.get(cut.relations[0][0])
    found = clauses.read_picks([*cut.relations[0][1], *cut.main])
    if relation is None or len(found) < 2:
        return None
    return Query("which", replace(found[0], relation=relation, other=found[1]))


def read_gap(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "how much time passes between the first and the second sound"."""
    del kinds, tracks
    items = all_items(cut)
    span = (
        has_item(items, "wh", "how_long", "how_much")
        or has_item(items, "prop", "time", "length")
        or has_item(items, "np", "silence")
    )
    if not cut.relations or cut.relations[0][0] != "between" or not span or has_item(items, "wh", "count"):
        return None
    found = clauses.read_picks(cut.relations[0][1])
    if len(found) == 1 and not found[0].singles_out:
        found = [replace(found[0], nth=1), replace(found[0], nth=2)]
    if len(found) < 2:
        return None
    context: Domain = next((pick.domain for pick in found[::-1] if pick.domain != "any"), "any")
    first, second = (_with_domain(pick, context) for pick in found[:2])
    if has_item(items, "np", "silence") and asks_yes_no(cut):
        between = Pick("silence", relation="between", other=replace(first, relation="until", other=second))
        return Query("exists", between, negated=has_item(cut.main, "neg"), yes_no=True)
    if has_item(items, "np", "silence"):
        return Query("gap", first, second, prop="end")
    return Query("gap", first, second, prop="start")


def _with_domain(pick: Pick, domain: Domain) -> Pick:
    """The description with a kind of event, if it has none."""
    if pick.domain == "any":
        return replace(pick, domain=domain)
    return pick


def read_order(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "before or after": the order of two events as the answer."""
    del tracks
    split_words = {relation for relation, _ in cut.relations}
    either = any(items and all(item.kind == "conj" for item in items) for _, items in cut.relations[:-1])
    if (cut.main and cut.main[-1].kind == "conj" and cut.relations) or either or ("rel" in kinds and cut.relations):
        first = clauses.main_pick(cut.main)
        second = clauses.main_pick(cut.relations[-1][1], first.domain)
        if split_words & {"before", "after", "during", "right_before", "right_after"} and second.domain != "any":
            return Query("order", first, second)
    return None


def read_side(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "Which side moves more?" and "Is there more movement on the left?": the amount of motion, not a number."""
    del kinds, tracks
    named = [item.pick for item in cut.main if item.kind in {"np", "bare"}]
    amount = next((one for one in cut.main if one.text in _AMOUNTS), None)
    places = [pick.place for pick in named if pick.place]
    moving = has_item(cut.main, "np", "motion") or has_item(cut.main, "verb", "move", "happen")
    plain = not (cut.relations or any(pick.colour or pick.voice or pick.nth for pick in named))
    if amount is None or not (moving and plain) or any(item.kind in {"half", "number", "sync"} for item in cut.main):
        return None
    if not places and has_item(cut.main, "wh", "where") and "side" in " ".join(item.text for item in cut.main):
        places = ["left", "right"]
    if len(places) not in {1, 2} or set(places) - {"left", "right"} and set(places) - {"top", "bottom"}:
        return None
    asked = asks_yes_no(cut) and not has_item(cut.main, "conj", "or")
    if len(places) == 1 and not asked:
        return None
    sides = [Pick(domain="motion", place=place, words=f"the {place}") for place in places]
    prop = f"amount{_AMOUNTS[amount.text]}"
    denied = has_item(cut.main, "neg")
    return Query("compare" if asked else "choose", sides[0], sides[-1], prop=prop, yes_no=asked, negated=denied)


def read_relative(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "is the first louder or quieter than the second": the comparison as the answer."""
    del kinds, tracks
    offered = [item for item in cut.main if item.kind in {"comp", "trend"}]
    either = any(" or " in item.text for item in offered) or (len(offered) == 2 and has_item(cut.main, "conj", "or"))
    found = _compared_picks([item for item in cut.main if item.kind not in {"comp", "trend"}])
    if not either or len(found) < 2:
        return None
    context: Domain = next((pick.domain for pick in found if pick.domain != "any"), "sound")
    first, second = (_with_domain(pick, context) for pick in found[:2])
    return Query("relative", first, second, prop=offered[0].value.rstrip("+-"))


def read_either(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Reads "which is louder, the first or the second": one of two, by a property."""
    del kinds, tracks
    of_both = has_item(cut.main, "conj", "and") and has_item(cut.main, "wh", "what") and has_item(cut.main, "comp")
    if not has_item(cut.main, "conj", "or") and not of_both:
        return None
    comp = next((item for item in cut.main if item.kind == "comp"), None)
    rank = next((item for item in cut.main if item.kind == "bare"), None)
    prop = None
    if comp:
        prop = comp.value
    items = [item for item in cut.main if item is not comp]
    if prop is None and rank is not None and rank.pick.nth in (1, -1):
        prop = "start+"
        if rank.pick.nth == 1:
            prop = "start-"
        items = [item for item in items if item is not rank]
    elif prop is None and rank is not None and rank.pick.rank:
        prop = rank.pick.rank
        items = [item for item in items if item is not rank]
    found = _compared_picks(items)
    if prop is None or len(found) < 2 or (len(found) > 2 and found[2].singles_out):
        return None
    return Query("choose", found[-2], found[-1], prop=prop)


def _compared_picks(items: list[PhraseItem]) -> list[Pick]:
    """The two descriptions of a comparison, without the generic noun that introduces them."""
    context: Domain = next((pick.domain for pick in clauses.read_picks(items) if pick.domain != "any"), "any")
    named = [item for item in items if item.kind in {"np", "bare"} and item.value not in {"clip", "picture"}]
    found = [clauses.read_picks([item], context)[0] for item in named if clauses.read_picks([item], context)]
    single = [pick for pick in found if pick.singles_out]
    if len(found) == 3 and len(single) == 2 and found[0] not in single:
        # "Which tone is higher, the first or the second?": both are of the kind that comes first.
        kind = found[0]
        return [
            replace(p, domain=kind.domain, voice=p.voice or kind.voice, colour=p.colour or kind.colour) for p in single
        ]
    telling = [p for p in found if p.singles_out or p.voice or p.colour or p.place]
    if len(telling) >= 2:
        return telling
    return found
