"""The checkpoint that comes with the project: its requests are short, it follows a plan, and it knows its bounds."""

from pathlib import Path
from typing import Any

import pytest
import torch

import aurelia_offline.targets
from aurelia.run.ask import answer_question as run
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.training.evaluate import VALIDATION_SEED, CheckpointAnswerer, ask_checkpoint, draw_items
from aurelia_offline.world import mini_world
from aurelia_offline.world.scene import write_scene
from state.context import make_context

FOLDER = Path(aurelia_offline.targets.__file__).parent / "mini"
MOST_TOKENS = 110
"""Of a head: a prompt whose text has changed is no longer one token a sentence, and was never trained on."""


@pytest.fixture(scope="module")
def asker() -> CheckpointAnswerer:
    torch.set_num_threads(1)
    return CheckpointAnswerer(FOLDER)


def test_the_head_is_made_of_the_phrases_that_were_trained(asker: CheckpointAnswerer) -> None:
    assert len(asker.packer.head) <= MOST_TOKENS


def test_a_plan_helps_it(asker: CheckpointAnswerer) -> None:
    known = draw_items(100, VALIDATION_SEED)
    alone, planned = ask_checkpoint(asker, known, "direct").right, ask_checkpoint(asker, known, "steps").right
    assert planned.mean() > alone.mean() + 0.1
    blind = ask_checkpoint(asker, known, "steps", blind=True).right
    assert planned.mean() > blind.mean() + 0.1


async def test_it_says_when_a_clip_is_not_of_its_world(tmp_path: Path, duet: Path) -> None:
    write_scene(mini_world.clip_scene(mini_world.draw_clip(VALIDATION_SEED, odd=0)), tmp_path / "mini.mp4")
    desk = ModelClient(Settings(home=tmp_path / "home", media_roots=(tmp_path, duet.parent)))
    context = make_context({"target": "transformers:mini", "max_iterations": 1})
    asked: Any = {
        "video": str(tmp_path / "mini.mp4"),
        "question": "At which spot is the first instrument?",
        "choices": ["one", "two", "three", "four"],
    }
    inside = await run(asked, context, client=desk)
    assert inside["target_in_domain"] is True and inside["choice"] in asked["choices"]
    assert not [warning for warning in inside["warnings"] if "small world" in warning]
    outside = await run({**asked, "video": str(duet)}, context, client=desk)
    assert outside["target_in_domain"] is False
    assert [warning for warning in outside["warnings"] if "its answer means nothing" in warning]
    measuring = await run({**asked, "video": str(duet)}, make_context({"max_iterations": 1}), client=desk)
    assert measuring["target_in_domain"] is None
