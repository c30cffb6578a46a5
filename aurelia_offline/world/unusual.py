"""Two benchmarks outside the mini world's distribution, rendered with known truth: warning signals, and gestures.

* `signals`: a siren, a horn or a crossing bell, seen (its light moves), heard, both, or contradicting: the light of one
  signal and the sound of another.
* `gestures`: three shapes move one after the other, with three sounds in another order, which begin before or after the
  movements. In the mini world a sound begins with the movement of the thing that makes it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from aurelia.bench.records import Record, RecordSource, ReferenceStep, write_records
from aurelia_offline.world.scene import Colour, Scene, Shape, SoundEvent, write_scene

UnusualSet = Literal["signals", "gestures"]
UNUSUAL_SETS: tuple[UnusualSet, ...] = get_args(UnusualSet)
_SECONDS = 6.0
_ORDINALS = ("first", "second", "third")
_NOTHING = "none"


class _Signal(NamedTuple):
    """A warning signal: the sound's name, the colour and shape of its light."""

    sound: str
    colour: Colour
    shape: Literal["circle", "square", "triangle"]

    @property
    def light(self) -> str:
        return f"the {self.colour} {self.shape}"


_SIGNALS = (
    _Signal("a siren", "blue", "circle"),
    _Signal("a horn", "yellow", "triangle"),
    _Signal("a crossing bell", "red", "square"),
)
_LEGEND = "A siren belongs to the blue circle, a horn to the yellow triangle, a crossing bell to the red square."
_SOUNDS = {"a bell": ("bell", 880.0), "a reed": ("reed", 260.0), "a hiss": ("noise", None)}
_SHAPES: tuple[tuple[Colour, Any, float], ...] = (
    ("green", "circle", 0.2),
    ("orange", "square", 0.5),
    ("purple", "triangle", 0.8),
)


class UnusualClip(NamedTuple):
    """A scene, and its questions as records."""

    name: str
    scene: Scene
    records: list[Record]


class RenderedSet(NamedTuple):
    """The record file, its card, and the number of clips and questions."""

    file: Path
    card: Path
    clips: int
    questions: int


def write_unusual_set(
    kind: UnusualSet, out: Path, clips: int, seed: int = 0, progress: Callable[[str], None] = lambda _: None
) -> RenderedSet:
    """Render a set: records (`KIND.jsonl`), clips (`media/`) and a card (`KIND.card.md`).

    Args:
        kind: the set.
        out: the folder to write to.
        clips: number of clips; the four ways of a signal follow each other.
        seed: seed of the set; the same seed gives the same set.
        progress: called with lines about the progress.
    """
    media = out / "media"
    media.mkdir(parents=True, exist_ok=True)
    records = []
    for number, clip in enumerate(_draw(kind, clips, seed), 1):
        write_scene(clip.scene, media / clip.name)
        records += clip.records
        if number % 50 == 0 or number == clips:
            progress(f"{number} of {clips} clips rendered")
    file = out / f"{kind}.jsonl"
    write_records(records, file)
    card = out / f"{kind}.card.md"
    card.write_text(_card(kind, clips, records, seed), encoding="utf-8")
    return RenderedSet(file, card, clips, len(records))


def _draw(kind: UnusualSet, clips: int, seed: int) -> Iterator[UnusualClip]:
    for number in range(clips):
        rng = np.random.default_rng([seed, number, UNUSUAL_SETS.index(kind)])
        if kind == "signals":
            yield draw_signal(number, rng)
        else:
            yield draw_gestures(number, rng)


def draw_signal(number: int, rng: np.random.Generator) -> UnusualClip:
    """One clip of warning signals; its way follows from its number."""
    way = ("seen", "heard", "both", "contradicting")[number % 4]
    heard, seen = (_SIGNALS[int(index)] for index in rng.permutation(len(_SIGNALS))[:2])
    if way != "contradicting":
        seen = heard
    start = round(float(rng.uniform(0.5, 1.5)), 2)
    end = round(start + float(rng.uniform(3.0, 4.0)), 2)
    places = rng.permutation([0.2, 0.5, 0.8])
    shapes = []
    for signal, place in zip(_SIGNALS, places, strict=True):
        moves = [(start, end)] if signal == seen and way != "heard" else []
        shapes.append(Shape(colour=signal.colour, shape=signal.shape, x=float(place), y=0.6, moves=moves))
    sounds = [] if way == "seen" else _signal_sounds(heard, start, end)
    scene = Scene(seconds=_SECONDS, background="black", shapes=shapes, sounds=sounds)
    sound = _NOTHING if way == "seen" else heard.sound
    light = _NOTHING if way == "heard" else seen.light
    step_heard = ReferenceStep(text=f"The warning signal that is heard: {sound}.", modality="audio")
    step_seen = ReferenceStep(text=f"The light that moves: {light}.", modality="visual")
    asked = [
        ("Which warning signal is heard?", [*(one.sound for one in _SIGNALS), _NOTHING], sound, [step_heard]),
        ("Which light moves?", [*(one.light for one in _SIGNALS), _NOTHING], light, [step_seen]),
    ]
    if way in ("both", "contradicting"):
        agree = "yes" if way == "both" else "no"
        question = f"{_LEGEND} Do the sound and the moving light belong to the same warning signal?"
        asked.append((question, ["yes", "no"], agree, [step_heard, step_seen]))
    return _clip("signals", number, way, scene, asked)


def _signal_sounds(signal: _Signal, start: float, end: float) -> list[SoundEvent]:
    if signal.sound == "a horn":
        return [SoundEvent(start=start, end=end, voice="reed", pitch=370.0)]
    if signal.sound == "a crossing bell":
        strikes = np.arange(start, end - 0.4, 0.5)
        return [SoundEvent(start=float(at), end=float(at) + 0.45, voice="bell", pitch=1050.0) for at in strikes]
    notes = np.arange(start, end - 0.5, 0.5)
    return [
        SoundEvent(start=float(at), end=float(at) + 0.5, voice="reed", pitch=(435.0, 580.0)[index % 2])
        for index, at in enumerate(notes)
    ]


def draw_gestures(number: int, rng: np.random.Generator) -> UnusualClip:
    """One clip of three gestures and three sounds; the sounds begin before the movements, in odd clips after them."""
    order = [_SHAPES[int(index)] for index in rng.permutation(len(_SHAPES))]
    sounds = [list(_SOUNDS)[int(index)] for index in rng.permutation(len(_SOUNDS))]
    shift = 0.8 if number % 2 else -0.8
    starts = [1.2, 2.8, 4.4]
    shapes = [
        Shape(colour=colour, shape=form, x=place, y=0.6, moves=[(at, at + 0.6)])
        for (colour, form, place), at in zip(order, starts, strict=True)
    ]
    events = []
    for name, at in zip(sounds, starts, strict=True):
        voice, pitch = _SOUNDS[name]
        events.append(SoundEvent(start=at + shift, end=at + shift + 0.5, voice=voice, pitch=pitch))  # type: ignore[arg-type]
    scene = Scene(seconds=_SECONDS, background="grey", shapes=shapes, sounds=events)
    things = [f"the {colour} {form}" for colour, form, _ in order]
    place = int(rng.integers(3))
    seen = ReferenceStep(text=f"The movements in order: {', '.join(things)}.", modality="visual")
    heard = ReferenceStep(text=f"The sounds in order: {', '.join(sounds)}.", modality="audio")
    first = "the sound" if shift < 0 else "the movement"
    options = [f"the {colour} {form}" for colour, form, _ in _SHAPES]
    asked = [
        (f"Which shape moves {_ORDINALS[place]}?", options, things[place], [seen]),
        (f"Which sound is heard {_ORDINALS[place]}?", list(_SOUNDS), sounds[place], [heard]),
        (
            f"Which sound is in the same place of its order as the movement of {things[place]}?",
            list(_SOUNDS),
            sounds[place],
            [seen, heard],
        ),
        ("Which comes first, a sound or a movement?", ["the sound", "the movement"], first, [seen, heard]),
    ]
    return _clip("gestures", number, "sound first" if shift < 0 else "movement first", scene, asked)


def _clip(kind: UnusualSet, number: int, way: str, scene: Scene, asked: list[Any]) -> UnusualClip:
    name = f"{kind}-{number}.mp4"
    records = []
    for place, (question, choices, answer, reasoning) in enumerate(asked):
        records.append(
            Record(
                id=f"{kind}/{number}/{place}",
                column="other",
                category=way,
                kinds=["+".join(sorted({step.modality for step in reasoning}))],
                video=name,
                question=question,
                choices=choices,
                answers=[answer],
                reasoning=reasoning,
                source=RecordSource(dataset=f"aurelia-{kind}", split="test", row=number),
                licence="MIT",
            )
        )
    return UnusualClip(name, scene, records)


OFFLINE_NOTE = (
    "The offline profile measures tones and moving colours and knows neither signals nor gestures: it answers "
    '"unknown", which counts as not right. Run the set with a model (`bench run --profile ...`).'
)


def _card(kind: UnusualSet, clips: int, records: list[Record], seed: int) -> str:
    """What the set is, how it was made, and what it does not show."""
    text = {
        "signals": "A siren, a horn or a crossing bell: seen (its light moves), heard, both, or contradicting.",
        "gestures": "Three movements and three sounds in orders of their own; sounds begin before or after movements.",
    }[kind]
    ways = list(dict.fromkeys(record.category for record in records))
    lines = [
        f"# aurelia-{kind}",
        "",
        f"{len(records)} questions about {clips} clips of {_SECONDS:g} s, rendered by",
        f"`aurelia mini unusual {kind} --clips {clips} --seed {seed}`.",
        text,
        "",
        "The truth is that of the scene that was rendered. Shapes and synthetic sounds stand for the real things: the",
        "set shows whether an order or a contradiction is read, not whether a real siren is recognised. Licence: MIT.",
        "",
        OFFLINE_NOTE,
        "",
        "| category | questions |",
        "|---|---|",
    ]
    lines += [f"| {way} | {sum(record.category == way for record in records)} |" for way in ways]
    return "\n".join([*lines, ""])
