"""Understands a question in ordinary words: what is asked, about which events. It measures and answers nothing."""

from collections.abc import Callable
from dataclasses import replace

from aurelia_offline.answering.clip_summary import (
    asks_yes_no,
    background,
    every_item,
    has,
    stillness,
    trend,
    whole_clip,
)
from aurelia_offline.answering.yes_no import yes_no
from aurelia_offline.questions import clauses
from aurelia_offline.questions.choices import read_kinds
from aurelia_offline.questions.clauses import Clauses
from aurelia_offline.questions.grammar import Item, group, noise_is_a_voice
from aurelia_offline.questions.lexicon import tokens
from aurelia_offline.questions.pairs import choice, gap, neighbour, order, relative
from aurelia_offline.questions.query import Ask, Pick, Query

_LIMIT = (
    "the offline profile measures sounds and moving colours; it names no objects or places of the real world and "
    "understands no speech, people, feelings or intentions; use a profile with a model"
)
_NO_OUTLINES = "outlines are not measured, only the colour, place and time of what moves"
_PROP_ASK: dict[str, Ask] = {
    "colour": "colour",
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


def parse(question: str, choices: list[str], tracks: int = 0) -> Query:
    """The question as a query; `unknowable`, with the reason, when measuring cannot answer it.

    Args:
        question: in ordinary words.
        choices: the answers offered, possibly none.
        tracks: how many candidate audio files there are to choose from.
    """
    items = clauses.place_when(group(noise_is_a_voice(choices, tokens(question))))
    world = next((item for item in items if item.kind == "world"), None)
    if world is not None:
        return Query("unknowable", reason=f"the question speaks of '{world.text}': {_LIMIT}")
    if any(item.kind == "prop" and item.value == "outline" for item in items):
        return Query("unknowable", reason=_NO_OUTLINES)
    cut = _any_sound_as_noun(clauses.split(items))
    kinds = _common_kinds(choices)
    for rule in _RULES:
        query = rule(cut, kinds, tracks)
        if query is not None:
            return _bounded_by_outline(query)
    return Query("unknowable", reason=f"nothing in the question names what is measured: {_LIMIT}")


def _any_sound_as_noun(cut: Clauses) -> Clauses:
    """Reads "any sound" as some sound event, not as the presence of sound, where a time or a relation follows."""
    if not cut.relations and not has(cut.main, "half", "1", "2", "begin", "finish"):
        return cut
    sound = Item("np", "sound", "sound", Pick(domain="sound", words="sound"))
    return cut._replace(main=[sound if item.kind == "audio" and item.value == "sound" else item for item in cut.main])


def _bounded_by_outline(query: Query) -> Query:
    """Whether there is a circle, and how many, cannot be told; what the only circle does can."""
    if query.ask in {"exists", "count", "bound"} and query.pick.outline and not query.pick.colour:
        return Query("unknowable", reason=_NO_OUTLINES)
    return query


def _common_kinds(choices: list[str]) -> set[str]:
    readings = [read_kinds(choice) for choice in choices if choice.strip()]
    useful = [kinds for kinds in readings if kinds]
    return set.intersection(*useful) if len(useful) >= 2 else set()


def _subject(cut: Clauses, items: list[Item] | None = None) -> Pick:
    main = cut.main if items is None else items
    pick = clauses.main_pick(main)
    return clauses.halved(clauses.related(pick, cut.relations), main)


def _tracks(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    del kinds
    about = has(every_item(cut), "np", "track") or has(every_item(cut), "sync") or has(every_item(cut), "wh")
    if (
        tracks > 1
        and about
        and not asks_yes_no(cut)
        and (has(every_item(cut), "np", "track") or has(every_item(cut), "sync"))
    ):
        return Query("track", Pick(domain="track", words="the candidate tracks"))
    return None


def _yes_no_rule(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    del tracks
    offered = clauses.alternatives(cut.main)
    if not asks_yes_no(cut) or (offered is not None and "bool" not in kinds):
        return None
    return yes_no(cut, _subject(cut))


def _readout(cut: Clauses, kinds: set[str], tracks: int) -> Query | None:
    """What, which, where, when, how many, how long: a property of the events that are picked."""
    del tracks
    offered = clauses.alternatives(cut.main)
    main = clauses.without_alternatives(cut.main) if offered else cut.main
    pick = _subject(cut, main)
    ask = _asked(main, kinds, offered)
    refused = _refused(main, ask, pick)
    if refused:
        return Query("unknowable", reason=refused)
    comp = next((item.value for item in main if item.kind == "comp"), None)
    if comp is not None and pick.rank is None:
        pick = replace(pick, rank=comp, domain="sound" if pick.domain == "any" else pick.domain)
    if (
        ask == "length"
        and (has(main, "np", "clip", "picture") or pick.domain == "clip")
        and pick.domain in {"any", "clip"}
    ):
        return Query("duration", Pick(domain="clip", words="the clip"))
    if has(main, "mute"):
        pick = replace(pick, domain="silence")
    if ask in {"colour", "place"} and pick.domain == "any":
        pick = replace(pick, domain="motion")
    if ask in {"colour", "place"} and pick.domain == "sound" and pick.relation is None:
        pick = Pick(domain="motion", relation="during", other=pick, words="what moves")
    if ask in {"pitch", "level", "voice"} and pick.domain in {"any", "clip"}:
        pick = replace(pick, domain="sound")
    if pick.domain in {"any", "clip", "track"}:
        pick = _any_domain(pick, main, ask)
    if pick.domain in {"clip", "track"} or (pick.domain == "any" and pick.other is None and pick.span is None):
        return None
    return Query(ask, _counted(pick, main) if ask == "count" else pick)


def _refused(main: list[Item], ask: Ask, pick: Pick) -> str:
    """Why a question that is understood in part must not be answered by that part, or ""."""
    if ask == "count" and (has(main, "comp") or (has(main, "bound") and has(main, "number"))):
        return "events are not counted by how they compare with something"
    things = any(item.kind == "np" and item.value in {"thing", "outlined"} for item in main)
    moving = (
        has(main, "verb", "move", "hear")
        or has(main, "np", "motion")
        or any("mov" in item.text or "bounc" in item.text for item in main)
    )
    if ask == "count" and pick.domain == "motion" and things and not moving and pick.relation is None:
        return "only what moves is counted; how many shapes stay still is not measured"
    return "how something goes on is not described, only measured" if ask == "which" and has(main, "wh", "how") else ""


def _any_domain(pick: Pick, main: list[Item], ask: Ask) -> Pick:
    """The kind of event when only a general verb is said: that of what it is related to, or anything."""
    if pick.other is not None and pick.other.domain in {"sound", "motion"} and pick.relation != "during":
        return replace(pick, domain=pick.other.domain)
    heard = pick.singles_out or has(main, "wh", "count")
    return replace(pick, domain="sound") if heard and has(main, "verb", "happen") and ask != "which" else pick


def _counted(pick: Pick, main: list[Item]) -> Pick:
    """Counting shapes counts different ones; counting times counts events."""
    times = any(item.kind == "wh" and ("times" in item.text or "often" in item.text) for item in main)
    shapes = any(item.kind == "np" and item.value in {"thing", "outlined"} for item in main)
    wanted = "colour" if has(main, "prop", "colour") else "pitch" if has(main, "prop", "pitch") else None
    if wanted == "pitch":
        pick = replace(pick, domain="sound", distinct=True)
    elif wanted == "colour" or (shapes and not times and pick.domain == "motion"):
        pick = replace(pick, domain="motion", distinct=True)
    return replace(pick, nth=None)


def _asked(main: list[Item], kinds: set[str], offered: str | None) -> Ask:
    """Which property is asked for, by the question word, the property's name, or the kind of the choices."""
    if has(main, "prop", "order"):
        return "sequence"
    by_word = next((item.value for item in main if item.kind == "wh" and item.value != "what"), None)
    prop = next((item.value for item in main if item.kind == "prop" and item.value in _PROP_ASK), None)
    if by_word in _WH_ASK and by_word != "how_fast":
        ask = _WH_ASK[by_word]
        return "end" if ask == "when" and has(main, "verb", "end") else ask
    if prop is not None and not (prop == "time" and has(main, "verb", "happen")):
        ask = _PROP_ASK[prop]
        return "end" if ask == "when" and has(main, "verb", "end") else ask
    for kind in (offered, *sorted(kinds)):
        if kind in _CHOICE_ASK:
            return _CHOICE_ASK[kind]
    return "which"


_RULES: tuple[Callable[[Clauses, set[str], int], Query | None], ...] = (
    _tracks,
    stillness,
    neighbour,
    gap,
    trend,
    whole_clip,
    background,
    order,
    relative,
    choice,
    _yes_no_rule,
    _readout,
)
