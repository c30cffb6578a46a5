"""`aurelia mini render`: questions about the mini world as a benchmark, with their clips as mp4 files.

As many of every number of hops; one question in twenty is a caption, one asks what is odd. Follow-ups on a dialogue and
dances with four audio tracks (DM-Match) stand behind them where they are wanted: the mini target that comes with the
project was never shown a dance. It asks nothing of a model.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aurelia.bench.records import Column, Reason, Record, Source, Turn, write_records
from aurelia_offline.training import examples
from aurelia_offline.training.examples import Example
from aurelia_offline.world import dance, scene, world
from aurelia_offline.world.stage import Asked, follow_up

BENCHMARK, CLIPS = "mini.jsonl", "clips"
EACH = 4
"""Questions a clip."""
_ROUND = 20
_CAPTION, _ODD = 6, 12
_COLUMNS: dict[str, Column] = {
    "instrument": "music-avqa", "spot": "music-avqa", "left": "music-avqa", "before": "music-avqa",
    "after": "music-avqa", "order": "av-compositional", "odd": "av-meme", "caption": "av-captioning",
}  # fmt: skip


class Posed(NamedTuple):
    """One question: the seed of its clip, its composition, and the question itself."""

    seed: int
    composition: Asked
    example: Example


class Rendered(NamedTuple):
    """The benchmark file, the folder of its clips, and how many of both there are."""

    file: Path
    media: Path
    questions: int
    clips: int


def posed(count: int, seed: int = 0, first: int = 0, each: int = EACH, *, talk: bool = False) -> list[Posed]:
    """Questions on the clips with the seeds from `first` on.

    Args:
        count: how many.
        seed: of the draw of the questions.
        first: seed of the first clip; from 0 on they are for tests, from `evaluate.VALIDATION` on for decisions.
        each: questions a clip.
        talk: whether they follow up on a dialogue.
    """
    rng = np.random.default_rng([seed, 8 if talk else 7])
    known, found = examples.by_hops(), list[Posed]()
    if talk:
        known = {hops: [one for one in asked if follow_up(one)] for hops, asked in known.items()}
    while len(found) < count:
        number = len(found)
        clip_seed = first + number // each
        composition = _composition(number, known, rng, plain=talk)
        table = world.draw(clip_seed).table
        example = examples.posed(composition, table, rng)
        if example is not None and talk:
            example = examples.followed(example, table, rng)
        if example is not None:
            found.append(Posed(clip_seed, composition, example))
    return found


def _composition(number: int, known: dict[int, list[Asked]], rng: np.random.Generator, *, plain: bool) -> Asked:
    """The composition that comes at a place: its number of hops by the place, the composition itself by chance."""
    if not plain and number % _ROUND in (_CAPTION, _ODD):
        return Asked("caption" if number % _ROUND == _CAPTION else "odd")
    asked = [one for one in known[1 + number % examples.MOST_HOPS] if one.kind not in ("caption", "odd")]
    return asked[int(rng.integers(len(asked)))]


@cache
def video_of(seed: int) -> str:
    """The name of a clip's file: its seed, and a digest of its scene, so that a clip of an older world is not kept."""
    digest = hashlib.sha256(world.staged(world.draw(seed)).model_dump_json().encode()).hexdigest()
    return f"{seed}-{digest[:8]}.mp4"


def seed_of(video: str) -> int:
    """The seed in the name of a clip's file."""
    return int(video.partition("-")[0])


def record(number: int, one: Posed) -> Record:
    """A question as a benchmark record; its reference reasoning is the true chain."""
    example = one.example
    reasons = [Reason(text=f"{hop.text} {hop.value}", modality=hop.modality) for hop in example.hops]
    return Record(
        id=f"mini/{one.seed}/{number}",
        column="avsd" if example.history else _COLUMNS.get(example.asked.kind, "av-geoiq"),
        category=f"{len(example.hops)} hops, {examples.group(one.composition)}",
        kinds=[example.asked.kind],
        video=video_of(one.seed),
        question=example.question,
        history=[Turn(question=asked, answer=answer) for asked, answer in example.history],
        choices=example.choices,
        answers=[example.answer],
        reasoning=reasons,
        source=Source(dataset="aurelia-mini", split="test" if one.seed < 500_000 else "validation", row=number),
        licence="MIT",
    )


def render(
    out: Path,
    count: int,
    seed: int = 0,
    first: int = 0,
    each: int = EACH,
    tell: Callable[[str], None] = lambda _: None,
    dances: int = 0,
    talks: int = 0,
) -> Rendered:
    """Writes the benchmark and its clips; a clip that is there already is kept.

    Args:
        out: the folder.
        count: questions.
        seed: of the draw of the questions.
        first: seed of the first clip.
        each: questions a clip.
        tell: called with a line now and then.
        dances: how many dances with four tracks each stand behind the questions.
        talks: how many follow-ups on a dialogue stand behind the questions.
    """
    found = posed(count, seed, first, each) + posed(talks, seed, first, each, talk=True)
    media = out / CLIPS
    seeds = sorted({one.seed for one in found})
    write_clips(media, seeds, tell)
    danced = range(first, first + dances)
    dance.write(media, danced, tell)
    records = [*(record(number, one) for number, one in enumerate(found)), *map(dance.record, danced)]
    write_records(records, out / BENCHMARK)
    return Rendered(out / BENCHMARK, media, len(records), len(seeds) + dances)


def write_clips(media: Path, seeds: Iterable[int], tell: Callable[[str], None]) -> None:
    """Renders the clips of these seeds that are not there yet."""
    media.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (media / video_of(seed)).exists()]
    for number, seed in enumerate(missing, 1):
        part = media / f"{seed}.part"
        scene.write(world.staged(world.draw(seed)), part)
        part.replace(media / video_of(seed))
        if number % 50 == 0 or number == len(missing):
            tell(f"{number} of {len(missing)} clips rendered")
