"""Turns items into descriptions of events: the noun phrase of a question, and its relations to others."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from aurelia_offline.questions.grammar import PhraseItem
from aurelia_offline.questions.query import Domain, Pick

_EVENT_NOUNS = {"sound", "motion", "cut", "flash", "silence", "fade", "fade_out", "fade_in"}
_RANK_DOMAIN: dict[str, Domain] = {"level": "sound", "pitch": "sound", "extent": "motion"}
_STARTERS = {"wh", "aux", "exist"}


class Clauses(NamedTuple):
    """The main clause and its relations, the nearest first: (relation, items)."""

    main: list[PhraseItem]
    relations: list[tuple[str, list[PhraseItem]]]


def resolve_when(items: list[PhraseItem]) -> list[PhraseItem]:
    """Decide whether "when" is the question word or means "while", from the rest of the question."""
    placed: list[PhraseItem] = []
    for at, item in enumerate(items):
        if item.kind == "wh" and item.value == "when_word":
            asked = any(other.kind == "wh" and other.value != "when_word" for other in items)
            before = any(other.kind in {"prop", "aux", "exist", "np", "sync", "still"} for other in items[:at])
            later_question = any(other.kind in {"wh", "prop", "comma"} for other in items[at + 1 :])
            aux_next = at + 1 < len(items) and items[at + 1].kind == "aux"
            is_question = not asked and not before and (aux_next or not later_question)
            item = PhraseItem("rel", "during", item.text)
            if is_question:
                item = PhraseItem("wh", "when", item.text)
        placed.append(item)
    return placed


def split_clauses(items: list[PhraseItem]) -> Clauses:
    """Split a question at its relations; a leading clause ("After the cut, ...") moves to the end."""
    items = [item for item in items if item.text != "?"]
    if items and items[-1].text == "throughout":
        items[-1] = PhraseItem("throughout", "throughout", "throughout")
    if items and items[0].kind == "rel":
        items = _move_leading_clause(items)
    main: list[PhraseItem] = []
    relations: list[tuple[str, list[PhraseItem]]] = []
    for item in items:
        if item.kind == "rel":
            denied = item.value == "during" and bool(main) and not relations and main[-1].kind == "neg"
            if denied:
                main.pop()
            relation = item.value
            if denied:
                relation = "apart"
            relations.append((relation, []))
        elif relations:
            relations[-1][1].append(item)
        else:
            main.append(item)
    return Clauses(main, [relation for relation in relations if relation[1]])


def _move_leading_clause(items: list[PhraseItem]) -> list[PhraseItem]:
    seen_phrase = False
    for at, item in enumerate(items[1:], 1):
        comma = item.kind == "comma"
        if seen_phrase and (comma or item.kind in _STARTERS):
            rest = items[at:]
            if comma:
                rest = items[at + 1 :]
            return [*rest, *items[:at]]
        seen_phrase = seen_phrase or item.kind in {"np", "bare", "verb", "number"}
    return items


def _implied_domain(items: list[PhraseItem]) -> Domain:
    """The kind of event that the verbs of a clause imply."""
    for item in items:
        if item.kind == "verb" and item.value == "move":
            return "motion"
        if item.kind == "verb" and item.value == "hear":
            return "sound"
        if item.kind in {"comp", "trend", "prop"} and item.value.startswith(("level", "pitch")):
            return "sound"
    return "any"


def _with_domain(pick: Pick, items: list[PhraseItem], context: Domain) -> Pick:
    """The description with its kind of event, taken from its rank, verb, colour or context."""
    generic = pick.domain == "motion" and pick.words.endswith(("thing", "things")) and not (pick.colour or pick.place)
    of_sound = _implied_domain(items) == "sound" or _RANK_DOMAIN.get((pick.rank or "")[:-1]) == "sound"
    if generic and of_sound:
        return replace(pick, domain="sound")
    if pick.domain != "any":
        return pick
    if pick.rank and pick.rank[:-1] in _RANK_DOMAIN:
        return replace(pick, domain=_RANK_DOMAIN[pick.rank[:-1]])
    implied = _implied_domain(items)
    if implied != "any":
        return replace(pick, domain=implied)
    if pick.colour or pick.place:
        return replace(pick, domain="motion")
    return replace(pick, domain=context)


def read_picks(items: list[PhraseItem], context: Domain = "any") -> list[Pick]:
    """The event descriptions of a clause in order; a place or colour after a noun belongs to it."""
    found: list[Pick] = []
    for item in items:
        pick = item.pick
        if item.kind == "np" and item.value in {"clip", "picture", "shot"}:
            if item.pick.nth is None:
                continue
            found.append(replace(pick, domain="clip"))
        elif item.kind == "np":
            found.append(pick)
        elif item.kind == "bare":
            joined = found and found[-1].domain in {"motion", "any"} and not pick.rank
            if joined and (pick.place or pick.colour) and not pick.nth:
                found[-1] = replace(
                    found[-1], place=pick.place or found[-1].place, colour=pick.colour or found[-1].colour
                )
            elif pick != Pick(words=pick.words):
                found.append(pick)
    return [_with_domain(pick, items, context) for pick in found]


def main_pick(items: list[PhraseItem], context: Domain = "any") -> Pick:
    """The events that a clause is about; without a noun, those that its verb implies."""
    found = read_picks(items, context)
    if not found:
        implied = _implied_domain(items)
        if implied == "any":
            implied = context
        return with_seconds(Pick(domain=implied), items)
    first = found[0]
    for extra in found[1:]:
        first = _merge_picks(first, extra, _is_denied(items, extra))
    if first.relation:
        return first
    return with_seconds(first, items)


def _is_denied(items: list[PhraseItem], pick: Pick) -> bool:
    """Whether a clause denies a description ("have no movement")."""
    plain = [item for item in items if item.kind != "exist"]
    return any(before.kind == "neg" and item.pick.words == pick.words for before, item in pairwise(plain))


def _merge_picks(first: Pick, extra: Pick, lacking: bool = False) -> Pick:
    """One description of two phrases of a clause ("the sound that is heard first", "the moving thing on the left")."""
    if extra.domain in {first.domain, "any"} or first.domain in {"any", "background", "clip"}:
        domain = extra.domain
        if first.domain not in {"any", "clip"}:
            domain = first.domain
        return replace(
            first,
            domain=domain,
            voice=first.voice or extra.voice,
            colour=first.colour or extra.colour,
            place=first.place or extra.place,
            rank=first.rank or extra.rank,
            nth=first.nth if first.nth is not None or first.rank else extra.nth,
        )
    if lacking and first.domain in _EVENT_NOUNS and extra.domain in _EVENT_NOUNS and first.relation is None:
        return replace(first, relation="apart", other=extra)
    telling = extra.singles_out or extra.voice or extra.colour or extra.domain in {"cut", "flash"}
    if telling and first.relation is None and extra.domain in _EVENT_NOUNS and first.domain in _EVENT_NOUNS:
        return replace(first, relation="during", other=extra)
    return first


def with_seconds(pick: Pick, items: list[PhraseItem]) -> Pick:
    """The description limited to seconds that the clause names: "in the first 2 seconds", "at 3 s"."""
    if any(item.kind in {"bound", "comp", "same"} for item in items):
        return pick
    for at, (item, unit) in enumerate(pairwise(items)):
        if item.kind == "number" and unit.kind == "unit" and unit.value in {"s", "ms"}:
            seconds = float(item.value) * {"ms": 0.001}.get(unit.value, 1.0)
            edge = None
            if at and items[at - 1].kind == "bare":
                edge = items[at - 1].pick.nth
            if edge is not None and pick.nth == edge:
                pick = replace(pick, nth=None)
            span = {1: (0.0, seconds), -1: (-seconds, 0.0)}.get(edge or 0, (seconds, seconds))
            if edge:
                return replace(pick, relation="between", span=span)
            return replace(pick, relation="during", span=span)
    return pick


def _read_span(items: list[PhraseItem]) -> tuple[float, float] | None:
    """The time span that a clause names, in seconds, or None."""
    scale = 1.0
    if any(item.kind == "unit" and item.value == "ms" for item in items):
        scale = 0.001
    numbers = [float(item.value) * scale for item in items if item.kind == "number"]
    if not numbers:
        return None
    if len(numbers) > 1:
        return (min(numbers), max(numbers))
    return (numbers[0], numbers[0])


def _read_half(items: list[PhraseItem]) -> tuple[float, float] | None:
    for item in items:
        if item.kind == "half":
            return {"1": (0.0, 0.5), "2": (0.5, 1.0), "begin": (0.0, 0.0), "finish": (1.0, 1.0)}[item.value]
    return None


def _read_clip_edge(items: list[PhraseItem]) -> tuple[float, float] | None:
    """The start or the end of the clip, of a clause that says nothing else: "when the clip ends"."""
    named = [item for item in items if item.kind in {"np", "bare", "number", "verb"}]
    if [item.value for item in named[:-1]] in (["clip"], ["picture"]):
        return {"start": (0.0, 0.0), "end": (1.0, 1.0)}.get(named[-1].value)
    return None


def with_relations(pick: Pick, relations: list[tuple[str, list[PhraseItem]]]) -> Pick:
    """The description with the relations of its clauses, each attached to the one before."""
    if not relations:
        return pick
    (relation, items), rest = relations[0], relations[1:]
    span = None
    if not any(item.kind == "np" and item.value in _EVENT_NOUNS for item in items):
        span = _read_span(items)
    if span is not None:
        return replace(pick, relation=relation, span=span)
    if relation == "between":
        found = read_picks(items)
        if len(found) < 2:
            return replace(pick, relation=None)
        return replace(pick, relation=relation, other=replace(found[0], relation="until", other=found[1]))
    half = _read_half(items)
    if half is None and relation == "during":
        half = _read_clip_edge(items)
    if half is not None:
        return replace(pick, relation="during", span=half, half=True)
    return _with_related(pick, relation, items, rest)


def _with_related(pick: Pick, relation: str, items: list[PhraseItem], rest: list[tuple[str, list[PhraseItem]]]) -> Pick:
    """The description with its relation to other events; unclear if its clause names none and says something."""
    if any(item.kind == "mute" for item in items):
        if relation == "during":
            return replace(pick, relation="apart", other=Pick(domain="sound", words="any sound"))
        return replace(pick, relation=relation, other=Pick(domain="silence", words="the silence"))
    other = with_relations(main_pick(items), rest)
    if other.domain not in {"any", "clip"} or other.nth is not None:
        return replace(pick, relation=relation, other=other)
    return replace(pick, relation="unclear" if tells(items) else None)


def tells(items: list[PhraseItem]) -> bool:
    """Whether a clause says more than that something is in the clip."""
    return any(
        item.kind in {"np", "bare", "number", "verb", "trend", "comp"}
        and item.value not in {"clip", "picture", "shot", "see", "hear"}
        for item in items
    )


def with_half(pick: Pick, items: list[PhraseItem]) -> Pick:
    """The description limited to the part of the clip that the main clause names ("in the first half")."""
    half = _read_half(items)
    if half is None or pick.relation:
        return pick
    return replace(pick, relation="during", span=half, half=True)


def offered_attribute(items: list[PhraseItem]) -> str | None:
    """The kind of attribute that the clause offers with "or" ("left or right" is place), or None."""
    for at, item in enumerate(items):
        if item.kind == "conj" and item.value == "or" and 0 < at < len(items) - 1:
            kinds = [_attribute(items[at - 1]), _attribute(items[at + 1])]
            if kinds[1] is not None and (kinds[0] in (kinds[1], None) or at >= 2):
                return kinds[1]
    return None


def _attribute(item: PhraseItem) -> str | None:
    if item.kind not in {"np", "bare"} or item.pick.singles_out:
        return None
    if item.pick.voice:
        return "voice"
    if item.pick.colour:
        return "colour"
    if item.pick.place:
        return "place"
    return None


def drop_alternatives(items: list[PhraseItem]) -> list[PhraseItem]:
    """The clause without the attributes that it offers with "or"."""
    dropped = set()
    for at, (item, following) in enumerate(pairwise(items)):
        if following.kind == "conj" and _attribute(item):
            dropped.add(at)
        if item.kind in {"conj", "comma"} and _attribute(following):
            dropped.add(at + 1)
    return [item for at, item in enumerate(items) if at not in dropped]
