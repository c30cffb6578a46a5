"""Which sense answers rest on: the same questions with the sound removed, and with the picture black.

Agents and target apart: what the measuring agents answer themselves, the target alone, and the target with the steps.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from aurelia.bench.records import Record, write_records
from aurelia_offline.study.loops import Study, looped
from aurelia_offline.study.tables import parted
from aurelia_offline.world import scene, world
from aurelia_offline.world.render import seed_of

Lack = Literal["sound", "picture"]
LACKS: tuple[Lack, ...] = ("sound", "picture")


def without(lack: Lack, seed: int) -> scene.Scene:
    """The scene of a clip with a silent track, or with a black picture."""
    whole = world.staged(world.draw(seed))
    return whole.model_copy(update={"sounds": []} if lack == "sound" else {"shapes": []})


def write_without(lack: Lack, media: Path, videos: Iterable[str]) -> None:
    """Renders the clips that are not there yet, under the names of the whole ones."""
    media.mkdir(parents=True, exist_ok=True)
    for video in videos:
        if not (media / video).exists():
            scene.write(without(lack, seed_of(video)), part := media / f"{video}.part")
            part.replace(media / video)


async def reliance(how: Study, records: Sequence[Record]) -> str:
    """The table: every arm with the whole clip's place taken by a clip that lacks one sense."""
    asked = [record for record in records if record.choices]
    videos = sorted({record.video for record in asked})
    arms = {}
    for lack in LACKS:
        media, file = how.out / f"without-{lack}", how.out / f"without-{lack}.jsonl"
        write_without(lack, media, videos)
        write_records(asked, file)
        runs = await looped(how, file, how.out / f"without-{lack}.run", how.house(media), how.context())
        for name, values in runs.values(asked).items():
            arms[f"{name}, no {lack}"] = values
    return "\n\n".join(
        [
            parted("Without sound, and with a black picture", arms, asked, lambda record: "all"),
            parted("The same by kind of question", arms, asked, lambda record: record.kinds[0]),
        ]
    )
