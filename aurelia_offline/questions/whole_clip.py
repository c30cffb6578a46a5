"""Understands questions about the clip as a whole: sync, beat, sound track, trends, background, stillness."""

from dataclasses import replace
from itertools import pairwise

from aurelia_offline.questions import clauses
from aurelia_offline.questions.clauses import Clauses
from aurelia_offline.questions.grammar import PhraseItem
from aurelia_offline.questions.lexicon import list_values
from aurelia_offline.questions.query import Pick, Query

_COMMA = PhraseItem("comma", ",", ",")


def has_item(items: list[PhraseItem], kind: str, *values: str) -> bool:
    """Whether the items contain one of this kind, with one of these values if given."""
    return any(item.kind == kind and (not values or item.value in values) for item in items)


def all_items(cut: Clauses) -> list[PhraseItem]:
    """The items of all clauses."""
    return [*cut.main, *(item for _, items in cut.relations for item in items)]


def asks_yes_no(cut: Clauses) -> bool:
    """Whether the main clause, or a part of it after a comma, starts like a yes/no question."""
    opening = [item for before, item in pairwise([_COMMA, *cut.main]) if before.kind == "comma"]
    return not has_item(cut.main, "wh") and any(item.kind in {"aux", "exist", "neg"} for item in opening)


def offers_either(items: list[PhraseItem]) -> bool:
    """Whether the items offer alternatives with "or"."""
    return has_item(items, "conj", "or") or any(" or " in item.text for item in items)


def read_whole_clip(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Sync, lag, tempo, steadiness, sound track: properties of the clip instead of an event."""
    del kinds, tracks
    items = all_items(cut)
    negated = has_item(items, "neg")
    lag = has_item(items, "sync", "lag")
    if lag and has_item(items, "wh", "how_much", "how_long", "count", "how_fast", "what", "when"):
        return Query("lag", Pick(words="sound and motion"))
    about_one = has_item(items, "wh", "what", "where", "when", "count") and any(
        p.singles_out for p in clauses.read_picks(items)
    )
    if (has_item(items, "sync") and not about_one) or _asks_together(cut):
        value = 1.0
        if has_item(items, "sync", "no", "lag"):
            value = 0.0
        return Query("sync", Pick(words="sound and motion"), value=value, negated=negated, yes_no=asks_yes_no(cut))
    if has_item(items, "audio"):
        which = next(item.value for item in items if item.kind == "audio")
        if not (which == "sound" and (cut.relations or has_item(items, "half"))):
            return Query("has_audio", Pick(words=which), negated=negated, yes_no=True)
    if asks_yes_no(cut) and has_item(items, "np", "track") and not has_item(items, "bare"):
        return Query("has_audio", Pick(words="track"), negated=negated, yes_no=True)
    return _read_beat(items, asks_yes_no(cut))


def _asks_together(cut: Clauses) -> bool:
    together = has_item(cut.main, "together") or any(rel == "during" for rel, _ in cut.relations)
    found = clauses.read_picks(all_items(cut))
    domains = {pick.domain for pick in found}
    plain = not any(pick.singles_out or pick.colour or pick.voice or pick.place for pick in found)
    happening = has_item(cut.main, "verb", "happen") or has_item(cut.main, "together")
    return together and asks_yes_no(cut) and {"sound", "motion"} <= domains and plain and happening


def _read_beat(items: list[PhraseItem], asked: bool) -> Query | None:
    """Tempo, its comparison with a number, and steadiness."""
    beat = has_item(items, "np", "beat") or has_item(items, "prop", "tempo")
    bound = next((item.value for item in items if item.kind in {"bound"}), None)
    comp = next((item.value for item in items if item.kind == "comp" and item.value.startswith("tempo")), None)
    number = next((float(item.value) for item in items if item.kind == "number"), None)
    one_kind = any(item.pick.voice and not item.text.endswith("s") for item in items)
    if has_item(items, "steady") and (beat or has_item(items, "np", "sound")) and not one_kind:
        return Query("steady", yes_no=asked, negated=has_item(items, "neg"))
    if beat and number is not None and (bound or comp) and asked:
        relation = bound or {"tempo+": "more"}.get(comp or "", "less")
        return Query("bound", prop="tempo", bound=relation, value=number, yes_no=True)
    if beat and asked and number is None:
        if has_item(items, "vary"):
            return Query("steady", prop="vary", yes_no=True, negated=not has_item(items, "neg"))
        return Query("steady", yes_no=True, negated=has_item(items, "neg"))
    if beat or (
        has_item(items, "wh", "how_fast")
        and not has_item(items, "np", "thing", "motion")
        and not has_item(items, "verb", "move")
    ):
        return Query("tempo")
    return None


def read_stillness(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """What never moves, or whether something never moves."""
    del kinds, tracks
    denied = any(a.kind == "neg" and b.kind == "verb" and b.value == "move" for a, b in pairwise(cut.main))
    if not has_item(all_items(cut), "still") and not (denied and has_item(cut.main, "wh", "what")):
        return None
    rest = [item for item in cut.main if item.kind != "still"]
    pick = replace(clauses.main_pick(rest), domain="motion")
    if asks_yes_no(cut):
        return Query("exists", clauses.with_relations(pick, cut.relations), negated=True, yes_no=True)
    where = has_item(cut.main, "wh", "where") or has_item(cut.main, "prop", "place")
    if where:
        return Query("still", pick, prop="place")
    return Query("still", pick, prop="colour")


def read_trend(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """Whether loudness, pitch or pace rises or falls."""
    del tracks
    pace = next((item for item in cut.main if item.kind == "comp" and item.value.startswith("tempo")), None)
    if (
        pace
        and has_item(cut.main, "np", "sound", "beat")
        and not has_item(cut.main, "number")
        and " than" not in pace.text
    ):
        either = has_item(cut.main, "conj", "or") or not asks_yes_no(cut)
        if either:
            return Query("trend", Pick(domain="sound"), prop="tempo")
        return Query("trend", Pick(domain="sound"), prop=pace.value, yes_no=True)
    found = [item for item in cut.main if item.kind == "trend"]
    if not found or (len(clauses.read_picks(cut.main)) >= 2 and not has_item(cut.main, "conj")):
        return None
    directions = list_values(" ".join(item.text for item in found), "trendword")
    alone = len(directions) == 1 and asks_yes_no(cut) and not has_item(cut.main, "conj", "or")
    prop = "level"
    if found[0].value == "pitch" or has_item(cut.main, "prop", "pitch"):
        prop = "pitch"
    if has_item(cut.main, "prop", "level"):
        prop = "level"
    pick = clauses.main_pick(cut.main)
    if pick.domain == "any":
        pick = replace(pick, domain="sound")
    if alone:
        prop += directions.pop()
    return Query("trend", pick, prop=prop, yes_no=alone)


def read_background(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """The colour of the background, or whether it changes."""
    del kinds, tracks
    whole_picture = has_item(cut.main, "np", "picture") and has_item(cut.main, "prop", "colour")
    things = has_item(cut.main, "np", "thing", "outlined", "motion") or has_item(cut.main, "verb", "move")
    turns = has_item(cut.main, "np", "picture") and has_item(cut.main, "vary") and asks_yes_no(cut)
    if not has_item(cut.main, "np", "background") and (not (whole_picture or turns) or things):
        return None
    pick = clauses.with_relations(Pick(domain="background", words="the background"), cut.relations)
    pick = _with_end(clauses.with_half(pick, cut.main), cut.main)
    if pick.relation is None:
        pick = clauses.with_seconds(pick, cut.main)
    named = next((item.pick.colour for item in cut.main if item.kind in {"bare", "np"} and item.pick.colour), None)
    if asks_yes_no(cut) and named and clauses.offered_attribute(cut.main) is None:
        return Query("background", replace(pick, colour=named), negated=has_item(cut.main, "neg"), yes_no=True)
    if asks_yes_no(cut) and named is None:
        pick = replace(clauses.main_pick(cut.main), domain="cut")
        return Query("exists", pick, negated=has_item(cut.main, "neg"), yes_no=True)
    return Query("background", pick)


def _with_end(pick: Pick, items: list[PhraseItem]) -> Pick:
    """The background at the start or the end, if it is called the first or the last one, or what the clip ends with."""
    if pick.relation:
        return pick
    ends_with = has_item(items, "np", "clip") and has_item(items, "wh", "how")
    if _holds_nth(items, -1) or (ends_with and has_item(items, "verb", "end")):
        return replace(pick, relation="during", span=(1.0, 1.0), half=True)
    if _holds_nth(items, 1) or (ends_with and has_item(items, "verb", "start")):
        return replace(pick, relation="during", span=(0.0, 0.0), half=True)
    return pick


def _holds_nth(items: list[PhraseItem], nth: int) -> bool:
    return any(item.pick.nth == nth for item in items if item.kind in {"np", "bare"})
