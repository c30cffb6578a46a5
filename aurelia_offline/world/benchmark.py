"""`aurelia mini render`: writes questions about the mini world as a benchmark file, with their clips as mp4 files.

There are equally many questions of each number of hops; one in twenty asks for a caption, one in twenty asks what is
odd. Follow-ups on a dialogue and dances with four audio tracks (DM-Match) can be added at the end. The mini target of
this project was not trained on dances.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aurelia.bench.records import Column, DialogueTurn, Record, RecordSource, ReferenceStep, write_records
from aurelia_offline.training import examples
from aurelia_offline.training.examples import Example
from aurelia_offline.world import dance, mini_world, scene
from aurelia_offline.world.stage import StageQuestion, follow_up_text

BENCHMARK_FILE, CLIPS_FOLDER = "mini.jsonl", "clips"
QUESTIONS_PER_CLIP = 4
"""Questions for each clip."""
_CYCLE = 20
_CAPTION_PLACE, _ODD_PLACE = 6, 12
_COLUMNS: dict[str, Column] = {
    "instrument": "music-avqa", "spot": "music-avqa", "left": "music-avqa", "before": "music-avqa",
    "after": "music-avqa", "order": "av-compositional", "odd": "av-meme", "caption": "av-captioning",
}  # fmt: skip


class PosedQuestion(NamedTuple):
    """One question: the seed of its clip, its form, and the question with its answer."""

    seed: int
    composition: StageQuestion
    example: Example


class RenderedBenchmark(NamedTuple):
    """The benchmark file, the folder of its clips, and the number of questions and clips."""

    file: Path
    media: Path
    questions: int
    clips: int


def draw_questions(
    count: int, seed: int = 0, first: int = 0, each: int = QUESTIONS_PER_CLIP, *, follow_up: bool = False
) -> list[PosedQuestion]:
    """Questions about the clips with seeds from `first`.

    Args:
        count: number of questions.
        seed: seed for the choice of the questions.
        first: seed of the first clip: from 0 for tests, from `evaluate.VALIDATION_SEED` for decisions.
        each: questions for each clip.
        follow_up: whether the questions are follow-ups on a dialogue.
    """
    rng = np.random.default_rng([seed, 8 if follow_up else 7])
    known, found = examples.compositions_by_hops(), list[PosedQuestion]()
    if follow_up:
        known = {hops: [one for one in asked if follow_up_text(one)] for hops, asked in known.items()}
    while len(found) < count:
        number = len(found)
        clip_seed = first + number // each
        composition = _draw_composition(number, known, rng, plain=follow_up)
        table = mini_world.draw_clip(clip_seed).table
        example = examples.make_example(composition, table, rng)
        if example is not None and follow_up:
            example = examples.as_follow_up(example, table, rng)
        if example is not None:
            found.append(PosedQuestion(clip_seed, composition, example))
    return found


def _draw_composition(
    number: int, known: dict[int, list[StageQuestion]], rng: np.random.Generator, *, plain: bool
) -> StageQuestion:
    """The question form at a place: the place sets the number of hops, the form is random."""
    if not plain and number % _CYCLE in (_CAPTION_PLACE, _ODD_PLACE):
        return StageQuestion({_CAPTION_PLACE: "caption", _ODD_PLACE: "odd"}[number % _CYCLE])
    asked = [one for one in known[1 + number % examples.MAX_HOPS] if one.kind not in ("caption", "odd")]
    return asked[int(rng.integers(len(asked)))]


@cache
def clip_file_name(seed: int) -> str:
    """The file name of a clip: its seed and a hash of its scene, so that a changed scene is rendered again."""
    digest = hashlib.sha256(mini_world.clip_scene(mini_world.draw_clip(seed)).model_dump_json().encode()).hexdigest()
    return f"{seed}-{digest[:8]}.mp4"


def seed_of_clip(video: str) -> int:
    """The seed in the file name of a clip."""
    return int(video.partition("-")[0])


def question_record(number: int, one: PosedQuestion) -> Record:
    """A question as a benchmark record; the true chain is its reference reasoning."""
    example = one.example
    reasons = [ReferenceStep(text=f"{hop.text} {hop.value}", modality=hop.modality) for hop in example.hops]
    return Record(
        id=f"mini/{one.seed}/{number}",
        column="avsd" if example.history else _COLUMNS.get(example.asked.kind, "av-geoiq"),
        category=f"{len(example.hops)} hops, {examples.training_group(one.composition)}",
        kinds=[example.asked.kind],
        video=clip_file_name(one.seed),
        question=example.question,
        history=[DialogueTurn(question=asked, answer=answer) for asked, answer in example.history],
        choices=example.choices,
        answers=[example.answer],
        reasoning=reasons,
        source=RecordSource(dataset="aurelia-mini", split="test" if one.seed < 500_000 else "validation", row=number),
        licence="MIT",
    )


def write_benchmark(
    out: Path,
    count: int,
    seed: int = 0,
    first: int = 0,
    each: int = QUESTIONS_PER_CLIP,
    progress: Callable[[str], None] = lambda _: None,
    dances: int = 0,
    follow_ups: int = 0,
) -> RenderedBenchmark:
    """Write the benchmark file and its clips; existing clips are not rendered again.

    Args:
        out: the folder to write to.
        count: number of questions.
        seed: seed for the choice of the questions.
        first: seed of the first clip.
        each: questions for each clip.
        progress: called with lines about the progress.
        dances: number of dances with four tracks each, added at the end.
        follow_ups: number of follow-ups on a dialogue, added after the questions.
    """
    found = draw_questions(count, seed, first, each) + draw_questions(follow_ups, seed, first, each, follow_up=True)
    media = out / CLIPS_FOLDER
    seeds = sorted({one.seed for one in found})
    write_clips(media, seeds, progress)
    danced = range(first, first + dances)
    dance.write_dances(media, danced, progress)
    records = [*(question_record(number, one) for number, one in enumerate(found)), *map(dance.dance_record, danced)]
    write_records(records, out / BENCHMARK_FILE)
    return RenderedBenchmark(out / BENCHMARK_FILE, media, len(records), len(seeds) + dances)


def write_clips(media: Path, seeds: Iterable[int], progress: Callable[[str], None]) -> None:
    """Render the missing clips of these seeds."""
    media.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (media / clip_file_name(seed)).exists()]
    for number, seed in enumerate(missing, 1):
        part = media / f"{seed}.part"
        scene.write_scene(mini_world.clip_scene(mini_world.draw_clip(seed)), part)
        part.replace(media / clip_file_name(seed))
        if number % 50 == 0 or number == len(missing):
            progress(f"{number} of {len(missing)} clips rendered")
