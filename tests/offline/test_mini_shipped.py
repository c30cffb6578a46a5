"""The checkpoint that comes with the project: its requests are short, it follows a plan, and it knows its bounds."""

from pathlib import Path
from typing import Any

import pytest
import torch

import targets
from aurelia.run.ask import answer_question as run
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.training.evaluate import VALIDATION, Asker, ask, items
from aurelia_offline.world import world
from aurelia_offline.world.scene import write
from state.context import make_context

FOLDER = Path(targets.__file__).parent / "mini"
MOST_TOKENS = 110
"""Of a head: a prompt whose text has changed is no longer one token a sentence, and was never trained on."""


@pytest.fixture(scope="module")
def asker() -> Asker:
    torch.set_num_threads(1)
    return Asker(FOLDER)


def test_the_head_is_made_of_the_phrases_that_were_trained(asker: Asker) -> None:
    assert len(asker.packer.head) <= MOST_TOKENS


def test_a_plan_helps_it(asker: Asker) -> None:
    known = items(100, VALIDATION)
    alone, planned = ask(asker, known, "direct").right, ask(asker, known, "steps").right
    assert planned.mean() > alone.mean() + 0.1
    blind = ask(asker, known, "steps", blind=True).right
    assert planned.mean() > blind.mean() + 0.1


async def test_it_says_when_a_clip_is_not_of_its_world(tmp_path: Path, duet: Path) -> None:
    write(world.staged(world.draw(VALIDATION, odd=0)), tmp_path / "mini.mp4")
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
