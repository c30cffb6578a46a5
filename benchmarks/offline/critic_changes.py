"""The false captions of the critic's benchmark: one changed fact of a scene, by kind of change."""

import copy
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.offline.claim_wordings import worded_claims
from benchmarks.offline.critic_scenes import COLOURS, PLACES, Facts


class Pair(NamedTuple):
    """A true caption and its copy with one fact changed; `scene` is the scene's seed."""

    scene: int
    kind: str
    wording: int
    true: str
    false: str


def _other(rng: random.Random, options: Any, than: Any) -> Any:
    return rng.choice([option for option in options if option != than])


def _change_count(facts: Facts, rng: random.Random) -> bool:
    facts.count += rng.choice((-1, 1)) if facts.count > 1 else 1
    return facts.tempo is None and facts.count > 1


def _change_time(facts: Facts, rng: random.Random) -> bool:
    if facts.tempo or not facts.sounds:
        return False
    sound = rng.choice(facts.sounds)
    shift = rng.choice((0.6, 0.9, -0.6))
    sound["start"], sound["end"] = sound["start"] + shift, sound["end"] + shift
    return sound["start"] >= 0 and sound["end"] < facts.seconds


def _change_pitch(facts: Facts, rng: random.Random) -> bool:
    tones = [sound for sound in facts.sounds if sound["pitch"]]
    if tones:
        sound = rng.choice(tones)
        sound["pitch"] *= rng.choice((0.5, 0.75, 1.2, 1.5, 2.0))
    return bool(tones)


def _change_voice(facts: Facts, rng: random.Random) -> bool:
    plain = [sound for sound in facts.sounds if not sound["pitch"] and sound["end"] - sound["start"] > 0.1]
    tones = [sound for sound in facts.sounds if sound["pitch"]]
    if facts.tempo or not plain + tones:
        return False
    sound = rng.choice(plain + tones)
    sound["voice"], sound["pitch"] = ("noise", None) if sound["pitch"] else ("tone", None)
    facts.order = None
    return True


def _change_missing(facts: Facts, rng: random.Random) -> bool:
    if facts.tempo or len(facts.sounds) < 2:
        return False
    facts.sounds.pop(rng.randrange(len(facts.sounds)))
    facts.order = None
    return True


def _change_invented(facts: Facts, rng: random.Random) -> bool:
    ends = [0.0, *(sound["end"] for sound in facts.sounds)]
    start = max(ends) + 0.5
    facts.sounds.append(
        {"voice": rng.choice(("tone", "noise")), "start": start, "end": start + 0.5, "pitch": None, "level": -20}
    )
    return facts.tempo is None and start < 5.2 and bool(facts.count)


def _change_loudest(facts: Facts, rng: random.Random) -> bool:
    if facts.loudest is not None:
        facts.loudest = _other(rng, range(len(facts.sounds)), facts.loudest)
    return facts.loudest is not None


def _change_order(facts: Facts, rng: random.Random) -> bool:
    facts.order = facts.order and (facts.order[1], facts.order[0])
    return facts.order is not None


def _change_silence(facts: Facts, rng: random.Random) -> bool:
    if not facts.count:
        facts.count = rng.randint(1, 3)
        return True
    if facts.silence:
        facts.silence = (max(0.0, facts.sounds[-1]["start"] - 0.4), facts.seconds)
    return facts.silence is not None


def _change_tempo(facts: Facts, rng: random.Random) -> bool:
    facts.tempo = facts.tempo and round(facts.tempo * rng.choice((0.75, 1.25, 1.5)))
    return facts.tempo is not None


def _change_place(facts: Facts, rng: random.Random) -> bool:
    motion = rng.choice(facts.motions)
    motion["place"] = _other(rng, PLACES, motion["place"])
    return True


def _change_colour(facts: Facts, rng: random.Random) -> bool:
    motion = rng.choice(facts.motions)
    motion["colour"] = _other(rng, [name for name in COLOURS if name != facts.background], motion["colour"])
    return True


def _change_motion_time(facts: Facts, rng: random.Random) -> bool:
    motion = rng.choice(facts.motions)
    shift = rng.choice((-0.7, 0.7, 1.0))
    motion["start"], motion["end"] = motion["start"] + shift, motion["end"] + shift
    return motion["start"] >= 0 and motion["end"] <= facts.seconds


def _change_background(facts: Facts, rng: random.Random) -> bool:
    facts.background = _other(rng, COLOURS, facts.background)
    return not any(cut["background"] == facts.background for cut in facts.cuts)


def _change_cuts(facts: Facts, rng: random.Random) -> bool:
    facts.cut_count = _other(rng, range(3), facts.cut_count)
    return True


def _change_flash(facts: Facts, rng: random.Random) -> bool:
    facts.flashes = [] if facts.flashes else [round(rng.uniform(1.0, 5.0), 1)]
    return True


def _change_sync(facts: Facts, rng: random.Random) -> bool:
    facts.together = None if facts.together is None else not facts.together
    return facts.together is not None


CHANGES: dict[str, Callable[[Facts, random.Random], bool]] = {
    "sound count": _change_count, "sound time": _change_time, "pitch": _change_pitch, "kind of sound": _change_voice,
    "sound left out": _change_missing, "sound invented": _change_invented, "loudest": _change_loudest,
    "order": _change_order, "silence": _change_silence, "tempo": _change_tempo, "place": _change_place,
    "colour": _change_colour, "motion time": _change_motion_time, "background": _change_background,
    "cuts": _change_cuts, "flash": _change_flash, "sync": _change_sync,
}  # fmt: skip


RARE = ("tempo", "sync", "order", "silence", "loudest", "pitch", "kind of sound")


def caption(facts: Facts, wording: int) -> str:
    """All claims about a scene in one wording."""
    return " ".join(claim.text for claim in worded_claims(facts, wording))


def pairs_of(seed: int, facts: Facts, each: int, wording: int) -> list[Pair]:
    """Up to `each` pairs for one scene with different kinds of change; kinds that few scenes allow come first."""
    rng = random.Random(seed + 2)
    kinds = rng.sample(sorted(CHANGES), len(CHANGES))
    rare = [kind for kind in RARE if CHANGES[kind](copy.deepcopy(facts), random.Random(0))]
    made: list[Pair] = []
    for kind in dict.fromkeys([*rng.sample(rare, min(2, len(rare))), *kinds]):
        changed = copy.deepcopy(facts)
        if len(made) < each and CHANGES[kind](changed, rng):
            true, false = caption(facts, wording), caption(changed, wording)
            made += [Pair(seed, kind, wording, true, false)] if true != false else []
    return made
