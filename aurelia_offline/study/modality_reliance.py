"""Modality reliance: the same questions about clips without sound, and with a black picture.

Measured separately for the agents' own answers, the target alone, and the target with the steps.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from aurelia.bench.records import Record, write_records
from aurelia_offline.study.loops import StudySettings, run_loops
from aurelia_offline.study.tables import parts_table
from aurelia_offline.world import mini_world, scene
from aurelia_offline.world.benchmark import seed_of_clip

MissingSense = Literal["sound", "picture"]
_MISSING_SENSES: tuple[MissingSense, ...] = ("sound", "picture")


def scene_without(lack: MissingSense, seed: int) -> scene.Scene:
    """The scene of a clip with a silent sound track or a black picture."""
    whole = mini_world.clip_scene(mini_world.draw_clip(seed))
    return whole.model_copy(update={"sounds": []} if lack == "sound" else {"shapes": []})


def _write_clips_without(lack: MissingSense, media: Path, videos: Iterable[str]) -> None:
    """Render the missing clips without one sense, under the names of the complete clips."""
    media.mkdir(parents=True, exist_ok=True)
    for video in videos:
        if not (media / video).exists():
            scene.write_scene(scene_without(lack, seed_of_clip(video)), part := media / f"{video}.part")
            part.replace(media / video)


async def measure_reliance(study: StudySettings, records: Sequence[Record]) -> str:
    """The tables: every condition with clips that lack one sense."""
    asked = [record for record in records if record.choices]
    videos = sorted({record.clip_name for record in asked})
    arms = {}
    for lack in _MISSING_SENSES:
        media, file = study.out / f"without-{lack}", study.out / f"without-{lack}.jsonl"
        _write_clips_without(lack, media, videos)
        write_records(asked, file)
        runs = await run_loops(study, file, study.out / f"without-{lack}.run", study.house(media), study.context())
        for name, values in runs.values(asked).items():
            arms[f"{name}, no {lack}"] = values
    return "\n\n".join(
        [
            parts_table("Without sound, and with a black picture", arms, asked, lambda record: "all"),
            parts_table("The same by kind of question", arms, asked, lambda record: record.kinds[0]),
        ]
    )
