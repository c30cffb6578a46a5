"""Parses a question in ordinary English into a query: what is asked, about which events."""

import re
from collections.abc import Callable
from dataclasses import replace

from aurelia_offline.questions import clauses
from aurelia_offline.questions.choices import answer_kinds
from aurelia_offline.questions.clauses import Clauses
from aurelia_offline.questions.directions import asks_direction
from aurelia_offline.questions.grammar import PhraseItem, group_tokens, read_noise_as_voice
from aurelia_offline.questions.lexicon import tokenize
from aurelia_offline.questions.pairs import read_either, read_gap, read_neighbour, read_order, read_relative, read_side
from aurelia_offline.questions.query import Ask, Pick, Query
from aurelia_offline.questions.residue import left_out, only_subject
from aurelia_offline.questions.seconds import plain_seconds
from aurelia_offline.questions.whole_clip import (
    all_items,
    asks_yes_no,
    has_item,
    offers_either,
    read_background,
    read_stillness,
    read_trend,
    read_whole_clip,
)
from aurelia_offline.questions.yes_no import NOT_COUNTED_TOGETHER, halves_of_sound, read_yes_no

_MEASURED = (
    "only sounds, movement, colours, cuts, voices and written text are measured here; use a profile with a model"
)
_NOT_TOLD = {
    "speech": "what is said, and by whom, is not understood; ask whether or when somebody speaks",
    "people": "people are not recognized",
    "animals": "animals are not recognized",
    "instruments": "instruments and music are not recognized",
    "emotions": "feelings are not recognized",
    "materials": "materials are not recognized",
    "intentions": "reasons are not understood",
    "places": "places are not recognized",
    "objects": "things are not recognized",
    "text": "of text only its words and times are read",
}
"""Why a question with a word of each list of the section `world` is not answered."""
_NO_SIDES = "from which side a sound is heard is not measured; ask where something moves while it is heard"
_NO_COLOURS = "a sound has no colour; ask what colour moves while it is heard"
_NO_OUTLINES = "outlines are not measured, only the colour, place and time of what moves"
_NO_DEEDS = "what is done to something is not recognized"
_DONE_TO = re.compile(r"\b(?:is|are|was|were|gets?) being (?!heard|shown|seen|moved|played)\w+", re.IGNORECASE)
_NO_DIRECTIONS = "the direction of a movement is not measured, only its colour, place and time"
_PROP_ASK: dict[str, Ask] = {
    "colour": "colour",
    "main_colour": "colour",
    "place": "place",
    "pitch": "pitch",
    "level": "level",
    "length": "length",
    "kind": "voice",
    "tempo": "tempo",
    "time": "when",
}
_WH_ASK: dict[str, Ask] = {
    "count": "count",
    "how_long": "length",
    "how_loud": "level",
    "how_high": "pitch",
    "how_fast": "tempo",
    "where": "place",
    "when": "when",
}
_CHOICE_ASK: dict[str, Ask] = {
    "colour": "colour",
    "place": "place",
    "voice": "voice",
    "hertz": "pitch",
    "level": "level",
    "bpm": "tempo",
}


_IN_TOTAL = re.compile(r"\b(total|altogether|overall|in all)\b", re.IGNORECASE)


def parse_question(question: str, choices: list[str], tracks: int = 0) -> Query:
    """The question as a query; `unknowable`, with the reason, if measurement cannot answer it.

    Args:
        question: the question in ordinary English.
        choices: the choices, possibly none.
        tracks: number of candidate audio files.
    """
    question = plain_seconds(question)
    if asks_direction(question):
        return Query("unknowable", reason=_NO_DIRECTIONS)
    if _DONE_TO.search(question):
        return Query("unknowable", reason=_NO_DEEDS)
    items = clauses.resolve_when(group_tokens(read_noise_as_voice(choices, tokenize(question))))
    world = next((item for item in items if item.kind == "world"), None)
    if world is not None:
        return Query("unknowable", reason=_world_reason(world))
    if any(item.kind == "prop" and item.value == "outline" for item in items):
        return Query("unknowable", reason=_NO_OUTLINES)
    cut = _any_sound_as_noun(clauses.split_clauses(items))
    kinds = _common_kinds(choices)
    for rule in _RULES:
        query = rule(cut, kinds, tracks)
        if query is not None:
            if query.ask == "length" and _IN_TOTAL.search(question):
                query = replace(query, prop="total")
            return _refuse_left_out(_refuse_outlines(query), cut)
    return Query("unknowable", reason=f"nothing in the question names what is measured: {_MEASURED}")


def _world_reason(word: PhraseItem) -> str:
    """Why a word of the real world, or one in no list, leaves the question without an answer."""
    return f"the question speaks of '{word.text}': {_NOT_TOLD.get(word.value, _MEASURED)}"


def _any_sound_as_noun(cut: Clauses) -> Clauses:
    """Read "any sound" as a sound event, not as the presence of sound, if a time or a relation follows."""
    if not cut.relations and not any(item.kind in {"half", "number"} for item in cut.main):
        return cut
    sound = PhraseItem("np", "sound", "sound", Pick(domain="sound", words="sound"))
    return cut._replace(main=[sound if item.kind == "audio" and item.value == "sound" else item for item in cut.main])


def _refuse_left_out(query: Query, cut: Clauses) -> Query:
    """Refuse a question of which a part was not understood."""
    if query.ask == "unknowable":
        return query
    items = all_items(cut)
    if asks_yes_no(cut) and not (query.yes_no or has_item(items, "wh") or offers_either(items)):
        return Query("unknowable", reason="what the question wants to have confirmed is not understood")
    if subject := only_subject(query, cut.main):
        return Query("unknowable", reason=f"what is asked about '{subject}' is not understood")
    if words := left_out(query, cut):
        return Query("unknowable", reason=f"what the question says with '{words.rstrip(' ?.')}' is not understood")
    return query


def _refuse_outlines(query: Query) -> Query:
    """Refuse to say whether there is a circle, or how many: outlines are not measured."""
    if query.ask in {"exists", "count", "bound"} and query.pick.outline and not query.pick.colour:
        return Query("unknowable", reason=_NO_OUTLINES)
    return query


def _common_kinds(choices: list[str]) -> set[str]:
    readings = [answer_kinds(choice) for choice in choices if choice.strip()]
    useful = [kinds for kinds in readings if kinds]
    if len(useful) >= 2:
        return set.intersection(*useful)
    return set()


def _main_pick(cut: Clauses, main: list[PhraseItem]) -> Pick:
    pick = clauses.main_pick(main)
    return clauses.with_half(clauses.with_relations(pick, cut.relations), main)


def _read_track_choice(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    del kinds
    items = all_items(cut)
    about_tracks = has_item(items, "np", "track") or has_item(items, "sync")
    if tracks > 1 and about_tracks and not asks_yes_no(cut):
        return Query("track", Pick(domain="track", words="the candidate tracks"))
    return None


def _read_yes_no_question(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    del tracks
    offered = clauses.offered_attribute(cut.main)
    if not asks_yes_no(cut) or (offered is not None and "bool" not in kinds):
        return None
    items = all_items(cut)
    parts = {item.value for item in items if item.kind == "half"}
    places = {item.pick.place for item in items if item.pick.place}
    comp = next((item.value for item in items if item.kind == "comp" and item.value.startswith("level")), None)
    if comp and parts == {"1", "2"} and not places and has_item(items, "conj", "or"):
        return Query("choose", *halves_of_sound(), prop=comp)
    if (len(parts) > 1 or len(places) > 1) and has_item(items, "conj", "or"):
        return Query("unknowable", reason="the question offers two parts of the clip or the picture to choose from")
    return read_yes_no(cut, _main_pick(cut, cut.main))


def _read_property(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """What, which, where, when, how many, how long: a property of the selected events."""
    del tracks
    offered = clauses.offered_attribute(cut.main)
    main = cut.main
    if offered:
        main = clauses.drop_alternatives(cut.main)
    pick = _main_pick(cut, main)
    ask = _asked_property(main, kinds, offered)
    refused = _refusal(main, ask, pick)
    if refused:
        return Query("unknowable", reason=refused)
    comp = next((item.value for item in main if item.kind == "comp"), None)
    if comp is not None and pick.rank is None:
        pick = replace(pick, rank=comp, domain="sound" if pick.domain == "any" else pick.domain)
    if ask == "colour" and (palette := _read_palette(main, pick)):
        return palette
    if (
        ask == "length"
        and (has_item(main, "np", "clip", "picture") or pick.domain == "clip")
        and pick.domain in {"any", "clip"}
    ):
        return Query("duration", Pick(domain="clip", words="the clip"))
    pick = _complete_domain(pick, main, ask)
    if (
        ask == "length"
        and pick.domain == "silence"
        and pick.relation in {"after", "before"}
        and not pick.words.endswith("s")
    ):
        pick = replace(pick, relation=f"right_{pick.relation}")
    if pick.domain in {"clip", "track"} or (pick.domain == "any" and pick.other is None and pick.span is None):
        return None
    if ask == "count":
        pick = _count_pick(pick, main)
    return Query(ask, pick, bound="either" if offered and asks_yes_no(cut) else None)


def _read_palette(main: list[PhraseItem], pick: Pick) -> Query | None:
    """The colours of the picture, or the one that covers most of it; None if the colour of something is asked."""
    widest = has_item(main, "prop", "main_colour")
    shown = any(item.kind == "prop" and item.text in {"colours", "colors"} for item in main) or (
        has_item(main, "prop", "colour") and has_item(main, "verb", "see")
    )
    of_something = pick != Pick(domain=pick.domain, words=pick.words) or pick.domain not in {"any", "clip"}
    if of_something or not (widest or shown):
        return None
    return Query("palette", Pick(domain="background", words="the picture"), prop="extent+" if widest else None)


def _complete_domain(pick: Pick, main: list[PhraseItem], ask: Ask) -> Pick:
    """The description with the kind of event that the asked property implies."""
    if has_item(main, "mute"):
        pick = replace(pick, domain="silence")
    if ask in {"colour", "place"} and pick.domain == "any":
        pick = replace(pick, domain="motion")
    if ask in {"colour", "place"} and pick.domain == "sound" and pick.relation is None:
        pick = Pick(domain="motion", relation="during", other=pick, words="what moves")
    if ask in {"pitch", "level", "voice"} and pick.domain in {"any", "clip"}:
        pick = replace(pick, domain="sound")
    if pick.domain in {"any", "clip", "track"}:
        pick = _infer_domain(pick, main, ask)
    return pick


def _refusal(main: list[PhraseItem], ask: Ask, pick: Pick) -> str:
    """Why a question that was understood only in part must not be answered, or ""."""
    if ask == "count" and (has_item(main, "comp") or (has_item(main, "bound") and has_item(main, "number"))):
        return "events are not counted by how they compare with something"
    if ask == "count" and has_item(main, "together"):
        return NOT_COUNTED_TOGETHER
    things = any(item.kind == "np" and item.value in {"thing", "outlined"} for item in main)
    moving = (
        has_item(main, "verb", "move", "hear")
        or has_item(main, "np", "motion")
        or any("mov" in item.text or "bounc" in item.text for item in main)
    )
    if ask == "count" and pick.domain == "motion" and things and not moving and pick.relation is None:
        return "only what moves is counted; how many shapes stay still is not measured"
    if ask == "which" and has_item(main, "comp") and has_item(main, "conj", "or"):
        return "which two things are compared is not clear"
    if ask == "colour" and has_item(main, "verb", "see") and pick.nth and not has_item(main, "np"):
        return "whether the colour of the background or of what moves is meant is not clear"
    shown = moving and not has_item(main, "verb", "hear") or things or has_item(main, "together")
    if ask in {"colour", "place"} and pick.domain == "sound" and not shown and pick.relation is None:
        return _NO_SIDES if ask == "place" else _NO_COLOURS
    if ask == "which" and pick.place and pick.domain == "motion" and not (things or moving):
        return "what stands at a place is not recognized; only what moves there is measured"
    if ask == "voice" and not has_item(main, "wh") and has_item(main, "prop", "kind"):
        return "sounds are not sorted or arranged on request, only measured"
    if ask == "which" and has_item(main, "wh", "how"):
        return "how something goes on is not described, only measured"
    return ""


def _infer_domain(pick: Pick, main: list[PhraseItem], ask: Ask) -> Pick:
    """The kind of event if the question has only a general verb: that of the related event, or any."""
    if pick.other is not None and pick.other.domain in {"sound", "motion"} and pick.relation != "during":
        return replace(pick, domain=pick.other.domain)
    heard = pick.singles_out or has_item(main, "wh", "count")
    if heard and has_item(main, "verb", "happen") and ask != "which":
        return replace(pick, domain="sound")
    return pick


def _count_pick(pick: Pick, main: list[PhraseItem]) -> Pick:
    """The pick of a count: shapes are counted as different things, times as events."""
    times = any(item.kind == "wh" and ("times" in item.text or "often" in item.text) for item in main)
    shapes = any(item.kind == "np" and item.value in {"thing", "outlined"} for item in main)
    if has_item(main, "prop", "colour"):
        wanted = "colour"
    elif has_item(main, "prop", "pitch"):
        wanted = "pitch"
    else:
        wanted = None
    if wanted == "pitch":
        pick = replace(pick, domain="sound", distinct=True)
    elif wanted == "colour" or (shapes and not times and pick.domain == "motion"):
        pick = replace(pick, domain="motion", distinct=True)
    return replace(pick, nth=None)


def _asked_property(main: list[PhraseItem], kinds: set[str], offered: str | None) -> Ask:
    """The property in question, from the question word, the property's name, or the kind of the choices."""
    if has_item(main, "prop", "order"):
        return "sequence"
    by_word = next((item.value for item in main if item.kind == "wh" and item.value != "what"), None)
    prop = next((item.value for item in main if item.kind == "prop" and item.value in _PROP_ASK), None)
    if by_word in _WH_ASK and by_word != "how_fast":
        ask = _WH_ASK[by_word]
        if ask == "when" and has_item(main, "verb", "end"):
            return "end"
        return ask
    if prop is not None and not (prop == "time" and has_item(main, "verb", "happen")):
        ask = _PROP_ASK[prop]
        if ask == "when" and has_item(main, "verb", "end"):
            return "end"
        return ask
    for kind in (offered, *sorted(kinds)):
        if kind in _CHOICE_ASK:
            return _CHOICE_ASK[kind]
    return "which"


_RULES: tuple[Callable[[Clauses, set[str], int], Query | None], ...] = (
    _read_track_choice,
    read_side,
    read_stillness,
    read_neighbour,
    read_gap,
    read_trend,
    read_whole_clip,
    read_background,
    read_order,
    read_relative,
    read_either,
    _read_yes_no_question,
    _read_property,
)
