"""`compatible:MODEL` in front of a server that this project did not write: transformers serve, with random weights."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from aurelia.run.ask import answer_question
from aurelia_core.errors import ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import Scene, write_scene
from state.context import ROLES, make_context
from tests.support.model_server import PACKAGES, Served
from tests.support.openai_server import VARIABLES
from tests.support.stage import no_wait

LACKING = [name for name in PACKAGES if find_spec(name) is None]
pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(bool(LACKING), reason=f"transformers serve lacks {', '.join(LACKING)}"),
    pytest.mark.timeout(600),
]
A_FRAME = len("at 0.00 s") + 4  # one token a byte, and the four patches of a picture


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    yield made
    made.kill()


@pytest.fixture
def server(process: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The server, up, and the environment that names it."""
    process.start()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AURELIA_COMPATIBLE_URL", process.url)
    return process


@pytest.fixture
def desk(server: Served, settings: Settings, session_store: ClipStore) -> Iterator[ModelClient]:
    made = ModelClient(settings, store=session_store, ledger=CallLedger(settings.ledger_file, sleep=no_wait))
    yield made
    made.close()


async def run(
    desk: ModelClient, clip: Path, model: str = "sees", on_event: Any = lambda event: None, **more: Any
) -> Any:
    settings = {**dict.fromkeys(ROLES, f"compatible:{model}"), "unsupported_modality": "evidence", "frames": 4, **more}
    question: Any = {"video": str(clip), "question": "What is heard?"}
    return await answer_question(
        question, make_context({"max_iterations": 1, **settings}), client=desk, on_event=on_event
    )


def moving(path: Path, colour: str, pitch: float) -> Path:
    """One clip like another in all that words tell of it: length, size, and that it has sound."""
    shape = {"colour": colour, "shape": "circle", "x": 0.5, "y": 0.5, "size": 0.9, "moves": [[0.2, 0.7]]}
    sound = {"start": 0.2, "end": 0.8, "voice": "tone", "pitch": pitch, "level": -12.0}
    scene = {"seconds": 1.0, "fps": 12, "width": 64, "height": 64, "shapes": [shape], "sounds": [sound]}
    write_scene(Scene.model_validate(scene), path)
    return path


async def test_rubbish_is_no_score_and_the_answer_is_the_servers(desk: ModelClient, duet: Path) -> None:
    result = await run(desk, duet, max_iterations=2)
    assert (result["stop_reason"], result["score"], result["best"]) == ("no_valid_score", None, None)
    assert len(result["iterations"]) == 2
    for attempt in result["iterations"]:
        assert "gave no usable reply as generator in two attempts: it holds no JSON object" in attempt["error"]
        assert attempt["usage"]["calls"] == 2
    assert result["answer"].strip() and result["answer"] == result["zero_shot_answer"]
    used = result["usage"]
    assert (used["calls"], used["media_uploads"], used["cost_usd"], used["cached_tokens"]) == (5, 5, None, 0)
    assert 0 < used["output_tokens"] < 5 * 100


async def test_every_frame_counts_in_the_servers_own_tokens(desk: ModelClient, duet: Path) -> None:
    read = {}
    for frames in (4, 7):
        result = await run(desk, duet, frames=frames, generator="offline:measure", summarizer="offline:measure",
                           evaluator="offline:measure", feedback="offline:measure", compare=False)  # fmt: skip
        assert result["stop_reason"] != "no_valid_score"
        read[frames] = result["usage"]["input_tokens"]
        assert result["usage"]["media_uploads"] == 1
    assert read[7] - read[4] == 3 * A_FRAME


async def test_the_reply_comes_from_the_pixels(
    desk: ModelClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random weights say the same of some pictures; the words of these requests are all the same.
    clips = [moving(tmp_path / f"{colour}.mp4", colour, 440.0) for colour in ("red", "white", "blue", "green")]
    said = [(await run(desk, clip, compare=False))["answer"] for clip in clips]
    again = ModelClient(desk.settings, store=desk.store, ledger=CallLedger(tmp_path / "again", sleep=no_wait))
    assert len(set(said)) > 1
    assert (await run(again, clips[0], compare=False))["answer"] == said[0]
    again.close()


@pytest.mark.parametrize("media", ["input_audio", "audio"])
async def test_sound_is_heard_in_both_wire_forms(
    desk: ModelClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: str
) -> None:
    monkeypatch.setenv("AURELIA_COMPATIBLE_MEDIA", media)
    low, high = (moving(tmp_path / f"{pitch:.0f}.mp4", "red", pitch) for pitch in (200.0, 3000.0))
    said = []
    for clip in (low, high):
        result = await run(desk, clip, "hears", compare=False)
        assert "compatible:hears does not see: it was given measurements of the picture instead." in result["warnings"]
        said.append(result["answer"])
    assert said[0] != said[1]


async def test_the_servers_own_words_reach_the_user(desk: ModelClient, duet: Path) -> None:
    with pytest.raises(ModelError, match="Unexpected fields in the request") as told:
        model: Any = desk.model("compatible:sees")
        await model.ainvoke("x", extra_body={"frobnicate": 1})
    assert "\n" not in str(told.value) and not told.value.transient


async def test_an_unknown_model_is_one_line(desk: ModelClient, duet: Path) -> None:
    with pytest.raises(ModelError, match=r"compatible:nothing did not answer \(status 500") as told:
        await run(desk, duet, "nothing")
    assert "\n" not in str(told.value)


async def test_a_server_that_is_killed_ends_in_a_typed_error_and_the_run_goes_on_later(
    desk: ModelClient, server: Served, duet: Path
) -> None:
    def event(told: dict[str, Any]) -> None:
        if "iteration" in json.dumps(told):
            server.freeze()
            asyncio.get_running_loop().call_later(0.5, server.kill)

    with pytest.raises(ModelError, match="compatible:sees did not answer .*Connection error") as told:
        await run(desk, duet, on_event=event)
    assert told.value.transient and "\n" not in str(told.value)
    server.start()
    result = await run(desk, duet)
    assert (result["usage"]["calls"], result["iterations"][0]["usage"]["calls"]) == (1, 0)


def test_the_command_line_in_front_of_it(server: Served, duet: Path, tmp_path: Path) -> None:
    models = [part for role in ROLES for part in ("--model", f"{role}=compatible:sees")]
    profile = tmp_path / "mine.toml"
    profile.write_text('unsupported_modality = "evidence"\nframes = 2\n')
    known = {**os.environ, "AURELIA_HOME": str(tmp_path / "home")}
    arguments = ["ask", "--video", str(duet), "--question", "What is heard?", "--profile", str(profile), "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "aurelia", *arguments, *models, "--max-iterations", "1"],
        capture_output=True, text=True, env=known,
    )  # fmt: skip
    # Rubbish in every attempt: the target's answer is printed, and the status says that models failed.
    assert ended.returncode == 3, ended.stderr
    assert "no attempt could be scored, because models failed" in ended.stderr
    result = json.loads(ended.stdout)
    assert result["answer"] and result["stop_reason"] == "no_valid_score"
    assert result["usage"]["input_tokens"] > 1000 and set(result["models"].values()) == {"compatible:sees"}
