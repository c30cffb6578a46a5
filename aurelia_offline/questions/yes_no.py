"""Understands yes/no questions: existence, comparison, identity, number, and claims about one event."""

import re
from dataclasses import replace

from aurelia_offline.questions import clauses
from aurelia_offline.questions.clauses import Clauses
from aurelia_offline.questions.grammar import PhraseItem
from aurelia_offline.questions.query import Domain, Pick, Query

_NO_BRIGHTNESS = "how dark or bright the picture is is not told, only its colours and fades to black"
NOT_COUNTED_TOGETHER = "how many things happen at one time is not counted, only whether two of them overlap"
_INDEFINITE = re.compile(r"(any|some)(thing|body|one)?\b")
_ORDER_PROPERTIES = {"before": "start-", "right_before": "start-", "after": "start+", "right_after": "start+"}


def _first_value(items: list[PhraseItem], kind: str) -> str | None:
    return next((item.value for item in items if item.kind == kind), None)


def read_yes_no(cut: Clauses, subject: Pick) -> Query | None:
    """The query of a question that starts with "is", "does", "are there"; None if it names no event."""
    negated = any(item.kind == "neg" for item in cut.main)
    query = (
        _read_mute(cut, subject)
        or _read_any_of(cut)
        or _read_shade(cut, subject)
        or _read_several_together(cut)
        or _read_bound(cut, subject)
        or _read_same(cut)
        or _read_compare(cut)
        or _read_order(cut)
        or _read_together(cut)
        or _read_identity(cut)
        or _read_claim(cut)
        or _read_exists(subject, cut)
    )
    if query is None:
        return None
    return replace(query, negated=negated != query.negated, yes_no=True)


def _read_mute(cut: Clauses, subject: Pick) -> Query | None:
    if not any(item.kind == "mute" for item in cut.main):
        return None
    exists = any(item.kind == "exist" for item in cut.main)
    if subject.relation == "between" and subject.span is not None:
        return Query("exists", replace(subject, domain="silence", relation="during" if exists else "throughout"))
    if subject.relation or exists:
        return Query("exists", replace(subject, domain="silence", nth=None))
    return Query("silent", Pick(domain="clip", words="the clip"))


def _read_bound(cut: Clauses, subject: Pick) -> Query | None:
    """Reads "More than three sounds", "longer than two seconds", "above 500 Hz"."""
    relation = _first_value(cut.main, "bound")
    comp = _first_value(cut.main, "comp")
    at = next((i for i, item in enumerate(cut.main) if item.kind == "number"), None)
    if at is None or (subject.span is not None and relation is None and comp is None):
        return None
    value = float(cut.main[at].value)
    unit = None
    if at + 1 < len(cut.main) and cut.main[at + 1].kind == "unit":
        unit = cut.main[at + 1].value
    if relation is None:
        if comp is None:
            relation = "exact"
        elif comp.endswith("+"):
            relation = "more"
        else:
            relation = "less"
    prop = {"s": "length", "ms": "length", "hz": "pitch", "khz": "pitch", "db": "level", "bpm": "tempo"}.get(unit or "")
    value *= {"ms": 0.001, "khz": 1000.0}.get(unit or "", 1.0)
    if prop == "length" and subject.domain in {"any", "clip"}:
        prop = "duration"
    if subject.domain in {"any", "clip"} and prop is None:
        return None
    return Query("bound", subject, prop=prop or "count", bound=relation, value=value)


def _read_same(cut: Clauses) -> Query | None:
    """Reads "Do the first and the last sound have the same pitch?"."""
    prop = _first_value(cut.main, "same")
    found = _parties(cut.main)
    if prop is not None and len(found) == 1 and any(item.kind == "every" for item in cut.main):
        found = [replace(found[0], nth=1), replace(found[0], nth=-1)]
    if prop is None or len(found) < 2:
        return None
    return Query("same", found[0], found[1], prop=prop)


def _parties(items: list[PhraseItem]) -> list[Pick]:
    """The descriptions in a comparison; the second has the kind of the first if it states none."""
    named = [item for item in items if item.kind in {"np", "bare"} and item.value not in {"clip", "picture"}]
    context: Domain = next((p.domain for item in named for p in clauses.read_picks([item]) if p.domain != "any"), "any")
    return [pick for item in named for pick in clauses.read_picks([item], context)]


def _read_compare(cut: Clauses) -> Query | None:
    """Reads "Is the first sound louder than the second?"."""
    comp = _first_value(cut.main, "comp")
    if comp is None:
        return None
    at = next(i for i, item in enumerate(cut.main) if item.kind == "comp")
    if comp.startswith("level") and (halves := _halves(cut.main)):
        return Query("compare", halves[0], halves[1], prop=comp)
    left, right = _parties(cut.main[:at]), _parties(cut.main[at + 1 :])
    if comp.startswith(("level", "pitch")):
        left = [replace(p, domain="sound") if p.domain == "any" else p for p in left]
    if not right and len(left) >= 2:
        left, right = left[:1], left[1:]
    if not left or not right:
        return None
    second = replace(right[0], domain=left[0].domain)
    if right[0].domain != "any":
        second = right[0]
    return Query("compare", left[0], second, prop=comp)


def _halves(items: list[PhraseItem]) -> tuple[Pick, Pick] | None:
    """The sound of the half of the clip that is compared, and that of the other half; None if no half is named."""
    at = next((i for i, item in enumerate(items) if item.kind == "half" and item.value in ("1", "2")), None)
    comp = next(i for i, item in enumerate(items) if item.kind == "comp")
    about = [item for item in items[:comp] if item.kind == "np"]
    named = [item for item in items[comp + 1 :] if item.kind == "np" and item.value != "clip"]
    if at is None or any(item.value not in {"clip", "sound"} or item.pick.singles_out for item in about):
        return None
    if at > comp and (named or "than" in items[comp].text):
        return None
    first, second = halves_of_sound()
    return (first, second) if items[at].value == "1" else (second, first)


def halves_of_sound() -> tuple[Pick, Pick]:
    """The sound of the first and of the second half of the clip."""
    first, second = (
        Pick(domain="sound", relation="during", span=span, half=True, words=f"the sound of the {name} half")
        for name, span in (("first", (0.0, 0.5)), ("second", (0.5, 1.0)))
    )
    return first, second


def _read_order(cut: Clauses) -> Query | None:
    """Reads "Does the click come before the tone?"; "is there a sound before ..." is not a comparison."""
    if not cut.relations or any(item.kind == "exist" for item in cut.main):
        return None
    relation, items = cut.relations[0]
    first = clauses.main_pick(cut.main)
    if relation not in _ORDER_PROPERTIES or any(item.kind == "number" for item in items):
        return None
    if _INDEFINITE.match(first.words):
        # "Does anything move after the click?" asks whether some movement does, not about the first one.
        return None
    second = clauses.with_relations(clauses.main_pick(items, first.domain), cut.relations[1:])
    definite = first.singles_out or first.voice or first.colour or first.place or first.domain in {"cut", "flash"}
    definite = definite or first.domain != second.domain
    if first.domain == "any" or second.domain in {"any", "clip"} or not definite:
        return None
    return Query("compare", first, second, prop=_ORDER_PROPERTIES[relation])


def _read_identity(cut: Clauses) -> Query | None:
    """Reads "Is the loudest sound also the highest?": whether two descriptions mean the same event."""
    found = [pick for pick in _parties(cut.main) if pick.singles_out]
    if len(found) < 2 or cut.relations:
        return None
    first, second = found[0], found[1]
    if second.domain == "any":
        second = replace(second, domain=first.domain)
    if first.domain == "any":
        first = replace(first, domain=second.domain)
    if first.domain == second.domain:
        return Query("same", first, second, prop="event")
    return None


def _read_together(cut: Clauses) -> Query | None:
    """Reads "Do the red and the blue shape move at the same time?": whether two events overlap."""
    found = _parties(cut.main)
    if len(found) < 2 or not any(item.kind == "together" for item in cut.main):
        return None
    second = found[1]
    if found[1].domain == "any":
        second = replace(found[1], domain=found[0].domain)
    return Query("compare", found[0], second, prop="together")


def _read_several_together(cut: Clauses) -> Query | None:
    """Reads "Do two shapes move at the same time?": whether an event overlaps another; "two" is not their count."""
    found = clauses.read_picks(cut.main)
    if not any(item.kind == "together" for item in cut.main):
        return None
    numbers = {item.value for item in cut.main if item.kind == "number"}
    several = numbers or any(item.kind == "every" for item in cut.main) or found[:1] and found[0].words.endswith("s")
    if not several or (len(found) > 1 and not numbers):
        return None
    limited = any(item.kind in {"bound", "comp"} or (item.kind, item.value) == ("every", "every") for item in cut.main)
    plain = len(found) == 1 and found[0].domain in {"sound", "motion"} and not cut.relations
    if limited or not plain or numbers - {"2"}:
        return Query("unknowable", reason=NOT_COUNTED_TOGETHER)
    return Query("compare", found[0], prop="overlap")


def _read_claim(cut: Clauses) -> Query | None:
    """Reads "Is the loudest sound a tone?": an event, and at the end a claim about it."""
    if any(item.kind == "exist" for item in cut.main):
        return None
    main, relations = list(cut.main), [(relation, list(items)) for relation, items in cut.relations]
    home = main
    if relations and _ends_in_claim(relations[-1][1]):
        home = relations[-1][1]
    if not _ends_in_claim(home):
        return None
    ending = home.pop()
    claimed = ending.pick
    if _is_noise(ending):
        claimed = Pick(voice="noise")
    about = clauses.with_relations(clauses.main_pick(main), relations)
    if not (about.singles_out or about.relation) or about.domain not in {"sound", "motion"}:
        return None
    return _make_check(about, claimed)


def _ends_in_claim(items: list[PhraseItem]) -> bool:
    """Whether a clause ends in an attribute that is not part of an earlier description."""
    if len(items) < 2 or items[-1].kind not in {"bare", "np"} or items[-1].pick.singles_out:
        return False
    last = items[-1].pick
    if items[-1].kind == "np":
        return (last.voice is not None or _is_noise(items[-1])) and items[-2].kind == "np"
    return bool(last.colour or last.place) and any(item.kind == "np" for item in items[:-1])


def _is_noise(item: PhraseItem) -> bool:
    return item.kind == "np" and item.text == "noise"


def _make_check(about: Pick, claimed: Pick) -> Query | None:
    for prop in ("voice", "colour", "place"):
        value = getattr(claimed, prop)
        if value is not None:
            return Query("check", about, Pick(**{prop: value}), prop=prop)
    return None


def _read_any_of(cut: Clauses) -> Query | None:
    """Reads "Is there a cut or a fade?": whether there is an event of either kind."""
    named = [item.pick for item in cut.main if item.kind in {"np", "bare"} and item.value not in {"clip", "picture"}]
    if len(named) != 2 or not any((item.kind, item.value) == ("conj", "or") for item in cut.main):
        return None
    plain = not any(pick.singles_out for pick in named) and any(item.kind == "exist" for item in cut.main)
    if not plain or named[0].domain == named[1].domain or any(pick.domain in {"any", "clip"} for pick in named):
        return None
    first, second = (clauses.with_half(clauses.with_relations(pick, cut.relations), cut.main) for pick in named)
    return Query("exists", first, second)


def _read_shade(cut: Clauses, subject: Pick) -> Query | None:
    """Reads "Is the picture white at 3 s?", "Is there red in it?", and refuses "Is it dark?", about brightness."""
    named = [item for item in cut.main if item.kind in {"np", "bare"} and item.value not in {"clip", "picture"}]
    if len(named) != 1 or named[0].kind != "bare" or not named[0].pick.colour or named[0].pick.singles_out:
        return None
    if named[0].text == "dark":
        return Query("unknowable", reason=_NO_BRIGHTNESS)
    exists = any(item.kind == "exist" for item in cut.main) and not any(item.kind == "verb" for item in cut.main)
    of_picture = any(item.kind == "np" and item.value == "picture" for item in cut.main)
    if of_picture and not any(item.kind in {"exist", "verb", "conj"} for item in cut.main):
        return Query("background", replace(subject, domain="background", words="the picture"))
    whole = not cut.relations and not any(item.kind in {"half", "number", "conj"} for item in cut.main)
    if exists and whole and named[0].pick.place is None:
        return Query("palette", Pick(domain="background", colour=named[0].pick.colour, words="the picture"))
    return None


def _read_exists(subject: Pick, cut: Clauses) -> Query | None:
    if subject.domain in {"any", "clip", "track", "background"}:
        return None
    if subject.relation == "during" and subject.other and any(item.kind == "every" for item in cut.main):
        return Query("exists", replace(subject, relation="apart"), negated=True)
    if subject.singles_out and cut.relations and subject.other is not None:
        alone = replace(subject, relation=None, other=None)
        if subject.relation == "during":
            return Query("compare", alone, subject.other, prop="together")
        return None
    edge = next((item.value for item in cut.main if item.kind == "verb" and item.value in {"start", "end"}), None)
    if edge and subject.relation is None and any(item.kind == "np" and item.value == "clip" for item in cut.main):
        share = 1.0
        if edge == "start":
            share = 0.0
        subject = replace(subject, relation="during", span=(share, share), half=True)
    if edge == "end" and subject.relation is None and subject.domain in {"sound", "motion"}:
        return Query(
            "unknowable", reason="whether something ends is not told; ask when it is silent, or what moves then"
        )
    if subject.singles_out and subject.span is not None and not any(item.kind == "exist" for item in cut.main):
        # "Is the loudest sound in the first half?" is about the loudest of all.
        return Query("exists", subject, prop="alone")
    return Query("exists", subject)
