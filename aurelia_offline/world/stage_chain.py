"""The chain of hops behind a question of the mini world, and the finding of each hop in a table of turns."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from aurelia_core.types import Modality
from aurelia_offline.world.stage import (
    RANKS,
    RELATIONS,
    Referent,
    Relation,
    StageQuestion,
    TurnTable,
    referent_text,
    stage_names,
)


class Hop(NamedTuple):
    """One step of a chain.

    Attributes:
        text: the task.
        value: the finding; "" without a table.
        kind: the kind of the finding (instrument, spot, turn, ...).
        modality: the sense that the hop needs.
        via: the names of the turns that a small model writes down on the way; "" if none.
    """

    text: str
    value: str
    kind: str
    modality: Modality
    via: str = ""


class MissingReferent(Exception):
    """The clip has nothing that fits, for example to the right of the last spot."""


ODD_FINDINGS = {"mute": "a move without a sound", "still": "a sound without a move", "none": "nothing"}


class _ChainWalk:
    """Follows a chain through a table. Without a table every value is "" and only the texts matter."""

    def __init__(self, table: TurnTable | None) -> None:
        self.table = table
        self.hops: list[Hop] = []
        self.turn = 0
        self.at: Literal["name", "instrument", "spot"] = "instrument"
        self.name = "it"

    def put(
        self, text: str, value: Callable[[TurnTable], str], kind: str, modality: Modality, via: Sequence[int] = ()
    ) -> None:
        value_text, turns = "", ""
        if self.table is not None:
            value_text = value(self.table)
            turns = " ".join(stage_names().turns[turn] for turn in via)
        self.hops.append(Hop(text, value_text, kind, modality, turns))
        self.name = "it"

    def begin(self, start: str) -> None:
        known = stage_names()
        if start in known.instruments:
            self._go(lambda table: _require_one(i for i, turn in enumerate(table) if turn.instrument == start))
            self.at, self.name = "name", f"the {start}"
        elif start in known.spots:
            self._go(
                lambda table: _require_one(i for i, turn in enumerate(table) if turn.spot == known.spots.index(start))
            )
            self.at, self.name = "spot", f"spot {start}"
        else:
            self._go(lambda table: _ranked_turn(table, start))
            self.at = "instrument"
            self.put(f"Find the {start} instrument.", self._instrument, "instrument", "audio")

    def _go(self, find: Callable[[TurnTable], int]) -> None:
        if self.table is not None:
            self.turn = find(self.table)

    def _instrument(self, table: TurnTable) -> str:
        return _require_value(table[self.turn].instrument)

    def _spot(self, table: TurnTable) -> str:
        spot = table[self.turn].spot
        if spot is not None:
            return stage_names().spots[spot]
        return _require_value(None)

    def to_spot(self) -> None:
        if self.at != "spot":
            of = "its spot"
            if self.at == "name":
                of = f"the spot of {self.name}"
            self.put(f"Find {of}.", self._spot, "spot", "both", [self.turn])
            self.at = "spot"

    def to_instrument(self) -> None:
        if self.at == "spot":
            where = "there"
            if self.name != "it":
                where = f"at {self.name}"
            self.put(f"Find the instrument {where}.", self._instrument, "instrument", "both", [self.turn])
            self.at = "instrument"

    def move(self, relation: Relation) -> None:
        if relation in ("right", "left"):
            self.to_spot()
            step = -1
            if relation == "right":
                step = 1
            self._go(
                lambda table: _require_one(
                    i for i, t in enumerate(table) if t.spot == (table[self.turn].spot or 0) + step
                )
            )
            of = f"the spot to its {relation}"
            if self.name != "it":
                of = f"the spot to the {relation} of {self.name}"
            self.put(f"Find {of}.", self._spot, "spot", "visual")
            return
        self.to_instrument()
        before = self.turn
        self._go(lambda table: _require_turn(before + (1 if relation == "after" else -1), table))
        turns = [before, self.turn]
        self.put(f"Find the instrument {relation} {self.name}.", self._instrument, "instrument", "audio", turns)
        self.at = "instrument"

    def who(self, one: Referent) -> None:
        self.name = "it"
        self.begin(one.start)
        for relation in one.path:
            self.move(relation)

    def read(self, kind: str) -> None:
        if kind == "spot":
            self.to_spot()
            return
        self.to_instrument()
        if kind in stage_names().facts:
            facts, of = stage_names().facts[kind], f"the {kind} of {self.name}" if self.at == "name" else f"its {kind}"
            self.put(f"Recall {of}.", lambda table: facts[self._instrument(table)], kind, "knowledge")

    def the_turn(self) -> None:
        self.to_instrument()
        of = "its turn"
        if self.at == "name":
            of = f"the turn of {self.name}"
        self.put(f"Find {of}.", lambda table: stage_names().turns[self.turn], "turn", "audio")


def question_chain(asked: StageQuestion, table: TurnTable | None = None) -> list[Hop]:
    """The hops of a question with their findings in the table; without a table the findings are empty.

    Raises:
        MissingReferent: the table holds nothing that fits.
    """
    walk = _ChainWalk(table)
    known = stage_names()
    if asked.kind == "odd":
        walk.put(
            "Check every turn for a sound.",
            lambda t: _turn_names(i for i, x in enumerate(t) if not x.instrument),
            "turn",
            "audio",
        )
        walk.put(
            "Check every turn for a move.",
            lambda t: _turn_names(i for i, x in enumerate(t) if x.spot is None),
            "turn",
            "visual",
        )
        walk.put("Compare both.", lambda t: ODD_FINDINGS[_find_oddity(t)], "odd", "both")
        return walk.hops
    if asked.kind == "caption":
        walk.put(
            "Find the order of the instruments.",
            lambda t: ", ".join(x.instrument or "none" for x in t),
            "order",
            "audio",
        )
        walk.put(
            "Find their spots.",
            lambda t: ", ".join("none" if x.spot is None else known.spots[x.spot] for x in t),
            "order",
            "both",
        )
        return walk.hops
    walk.who(asked.one)
    if asked.kind in ("before", "after"):
        walk.the_turn()
        turn = walk.turn
        many = turn
        if asked.kind != "before":
            many = len(known.turns) - 1 - turn
        walk.put(f"Count the turns {asked.kind} it.", lambda _: known.counts[many], "count", "audio")
    elif asked.kind == "left" and asked.other is not None:
        walk.to_spot()
        first = walk.turn
        walk.who(asked.other)
        walk.to_spot()
        _require_different(table, first, walk.turn)
        walk.put(
            "Compare the spots.",
            lambda t: "yes" if (t[first].spot or 0) < (t[walk.turn].spot or 0) else "no",
            "yes",
            "visual",
        )
    elif asked.kind == "order" and asked.other is not None:
        walk.the_turn()
        first = walk.turn
        walk.who(asked.other)
        walk.the_turn()
        _require_different(table, first, walk.turn)
        earlier = asked.other
        if first < walk.turn:
            earlier = asked.one
        walk.put("Compare the turns.", lambda _: referent_text(earlier), "one", "audio")
    else:
        walk.read(asked.kind)
    return walk.hops


def _find_oddity(table: TurnTable) -> str:
    """The oddity of a table: mute (a motion without a sound), still (a sound without a motion), or none."""
    if any(turn.instrument is None for turn in table):
        return "mute"
    if any(turn.spot is None for turn in table):
        return "still"
    return "none"


def answer_options(asked: StageQuestion) -> list[str]:
    """The choices of a question, in a fixed order; [] for a caption."""
    known = stage_names()
    if asked.kind == "order" and asked.other is not None:
        return [referent_text(asked.one), referent_text(asked.other)]
    fixed = {
        "instrument": known.instruments,
        "spot": known.spots,
        "before": known.counts,
        "after": known.counts,
        "left": ["yes", "no"],
        "odd": list(ODD_FINDINGS.values()),
        "caption": [],
    }
    if asked.kind in fixed:
        return fixed[asked.kind]
    return list(known.facts[asked.kind].values())


@cache
def question_compositions() -> tuple[StageQuestion, ...]:
    """All question forms; the first instrument and the first spot represent all names."""
    starts = (*RANKS, stage_names().instruments[0], stage_names().spots[0])
    reads = ("instrument", "spot", *stage_names().facts, "before", "after")
    paths: list[tuple[Relation, ...]] = [()]
    paths += [(relation,) for relation in RELATIONS]
    paths += [
        pair for pair in product(RELATIONS, repeat=2) if set(pair) not in ({"right", "left"}, {"after", "before"})
    ]
    found = [StageQuestion(read, Referent(start, path)) for start in starts for path in paths for read in reads]
    found = [asked for asked in found if question_chain(asked) and not _answers_itself(asked)]
    pairs = [(a, b) for a in RANKS + starts[4:5] for b in RANKS + starts[4:5] if a != b or a not in RANKS]
    found += [
        StageQuestion(kind, Referent(a), Referent(b))
        for kind in ("left", "order")
        for a, b in pairs
        if not _gives_order_away(kind, a, b)
    ]
    return (*found, StageQuestion("odd"), StageQuestion("caption"))


def _answers_itself(asked: StageQuestion) -> bool:
    """Whether a question answers itself or has no answer: which instrument the bell is, what comes before the first."""
    one = asked.one
    near = one.path[:1]
    if (one.start, *near) in {("first", "before"), ("last", "after")}:
        return True
    if one.start in ("first", "last") and not one.path and asked.kind in ("before", "after"):
        return True
    same_name = asked.kind == "instrument" and one.start in stage_names().instruments
    return not one.path and (same_name or (asked.kind == "spot" and one.start in stage_names().spots))


def _gives_order_away(kind: str, first: str, second: str) -> bool:
    return kind == "order" and bool({first, second} & {"first", "last"})


def _require_one(found: Iterable[int]) -> int:
    for value in found:
        return value
    raise MissingReferent


def _require_value(value: str | None) -> str:
    if value is None:
        raise MissingReferent
    return value


def _require_turn(turn: int, table: TurnTable) -> int:
    if not 0 <= turn < len(table):
        raise MissingReferent
    return turn


def _require_different(table: TurnTable | None, first: int, second: int) -> None:
    if table is not None and first == second:
        raise MissingReferent


def _turn_names(found: Iterable[int]) -> str:
    value_text = [stage_names().turns[i] for i in found]
    return ", ".join(value_text) or "none"


def _ranked_turn(table: TurnTable, rank: str) -> int:
    sounding = [i for i, turn in enumerate(table) if turn.instrument is not None]
    if not sounding:
        raise MissingReferent
    if rank in ("first", "last"):
        if rank == "first":
            return sounding[0]
        return sounding[-1]
    by_level = sorted(sounding, key=lambda i: table[i].level)
    if rank == "loudest":
        return by_level[-1]
    return by_level[0]
