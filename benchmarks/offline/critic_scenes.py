"""Random scenes with their true facts, for the critic's benchmark."""

import random
from dataclasses import dataclass, field
from typing import Any

COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "cyan", "magenta", "white", "black", "grey")
PLACES = {"left": (0.17, 0.55), "centre": (0.5, 0.55), "right": (0.83, 0.55)}
PITCHES = (165, 220, 294, 392, 523, 698, 932, 1245, 1661, 2217)


@dataclass
class Facts:
    """The facts of a scene, true or changed for a caption."""

    seconds: float
    background: str
    sounds: list[dict[str, Any]] = field(default_factory=list)
    motions: list[dict[str, Any]] = field(default_factory=list)
    cuts: list[dict[str, Any]] = field(default_factory=list)
    flashes: list[float] = field(default_factory=list)
    tempo: int | None = None
    together: bool | None = None
    count: int = 0
    cut_count: int = 0
    loudest: int | None = None
    order: tuple[int, int] | None = None
    silence: tuple[float, float] | None = None


def facts_of(seed: int) -> Facts:
    """Draw a scene: sounds and moving shapes, sometimes a beat, a cut, a flash, or no sound."""
    rng = random.Random(seed)
    facts = Facts(6.0, rng.choice(COLOURS[:-1]))
    kind = rng.choice(("plain", "plain", "plain", "joint", "beat", "silent"))
    if rng.random() < 0.35:
        other = rng.choice([name for name in COLOURS if name != facts.background])
        facts.cuts.append({"time": round(rng.uniform(2.8, 3.4), 1), "background": other})
    taken = {facts.background, *(cut["background"] for cut in facts.cuts)}
    if kind == "beat":
        _beat(facts, rng)
    elif kind != "silent":
        _sounds(facts, rng)
    _motions(facts, rng, taken, joint=kind == "joint")
    if rng.random() < 0.25 and "white" not in taken:
        facts.flashes.append(round(rng.uniform(0.2, 0.5), 1) if not facts.cuts else 5.7)
    facts.count, facts.cut_count = len(facts.sounds), len(facts.cuts)
    near = any(abs(m["start"] - s["start"]) < 0.4 for m in facts.motions for s in facts.sounds)
    clear = facts.sounds and not facts.tempo and near == (kind == "joint")
    facts.together = near if clear else None
    _relations(facts, rng)
    return facts


def _beat(facts: Facts, rng: random.Random) -> None:
    facts.tempo = rng.choice((75, 90, 100, 120, 140, 160))
    start, step = rng.uniform(0.3, 0.7), 60 / facts.tempo
    while start < facts.seconds - 0.3:
        facts.sounds.append({"voice": "click", "start": start, "end": start + 0.05, "level": -20.0, "pitch": None})
        start += step


def _sounds(facts: Facts, rng: random.Random) -> None:
    start, pitches = rng.uniform(0.6, 1.0), rng.sample(PITCHES, 5)
    levels = rng.sample((-18.0, -25.0, -32.0, -39.0), 4)
    for index in range(rng.randint(2, 4)):
        voice = rng.choice(("tone", "tone", "noise", "click"))
        length = 0.05 if voice == "click" else rng.uniform(0.3, 0.7)
        pitch = float(pitches[index]) if voice == "tone" else None
        sound = {"voice": voice, "start": round(start, 2), "end": round(start + length, 2), "pitch": pitch}
        facts.sounds.append({**sound, "level": levels[index]})
        start += length + rng.uniform(0.4, 0.75)


def _motions(facts: Facts, rng: random.Random, taken: set[str], *, joint: bool) -> None:
    places, colours = rng.sample(sorted(PLACES), 3), rng.sample([name for name in COLOURS if name not in taken], 3)
    spans = [(sound["start"], max(sound["end"], sound["start"] + 0.4)) for sound in facts.sounds]
    if not joint:
        first = rng.uniform(0.7, 1.6)
        spans = [(first, first + rng.uniform(0.5, 0.9)), (first + 2.7, first + rng.uniform(3.2, 3.8))]
        spans = spans[: rng.randint(1, 2)]
    for index, (start, end) in enumerate(spans):
        who = index % 2
        shape = rng.choice(("circle", "square", "triangle"))
        facts.motions.append(
            {
                "colour": colours[who],
                "place": places[who],
                "shape": shape,
                "start": round(start, 2),
                "end": round(end, 2),
            }
        )


def _relations(facts: Facts, rng: random.Random) -> None:
    if facts.tempo or len(facts.sounds) < 2:
        return
    facts.loudest = max(range(len(facts.sounds)), key=lambda index: facts.sounds[index]["level"])
    apart = [i for i in range(len(facts.sounds) - 1) if facts.sounds[i]["voice"] != facts.sounds[i + 1]["voice"]]
    voices = [sound["voice"] for sound in facts.sounds]
    apart = [i for i in apart if voices.count(voices[i]) == 1 and voices.count(voices[i + 1]) == 1]
    facts.order = (apart[0], apart[0] + 1) if apart else None
    facts.silence = (round(facts.sounds[-1]["end"] + 0.1, 1), facts.seconds) if facts.sounds[-1]["end"] < 5.0 else None


def scene_of(facts: Facts, seed: int) -> dict[str, Any]:
    """The scene as input for the renderer."""
    shapes: dict[tuple[str, str], dict[str, Any]] = {}
    for motion in facts.motions:
        x, y = PLACES[motion["place"]]
        key = (motion["colour"], motion["place"])
        shape = {"colour": motion["colour"], "shape": motion["shape"], "x": x, "y": y, "size": 0.24, "moves": []}
        shapes.setdefault(key, shape)["moves"].append([motion["start"], motion["end"]])
    voices = {"tone": ("tone", "reed", "bell"), "noise": ("noise",), "click": ("click",)}
    rng = random.Random(seed + 1)
    sounds = [{**sound, "voice": rng.choice(voices[sound["voice"]])} for sound in facts.sounds]
    return {
        "seconds": facts.seconds, "fps": 24, "width": 320, "height": 240, "background": facts.background,
        "shapes": list(shapes.values()), "sounds": sounds, "cuts": facts.cuts, "flashes": facts.flashes,
        "audible": bool(facts.sounds) or seed % 2 == 0,
    }  # fmt: skip
