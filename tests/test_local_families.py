"""The native audio-visual families beside Qwen2.5-Omni, each as a tiny checkpoint in every role of the real graph."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny_gemma4
import tiny_nemotron
import tiny_phi4
import tiny_qwen3_omni
import torch
from conftest import DUET, no_wait
from safetensors.torch import load_file
from transformers import Phi4MultimodalConfig

from aurelia.errors import InputError, ModelError
from aurelia.media import ClipStore
from aurelia.mini.scene import Scene, write
from aurelia.models import local_load
from aurelia.models.capabilities import family
from aurelia.models.desk import Desk
from aurelia.models.ledger import Ledger
from aurelia.models.local_chat import LocalChat, make
from aurelia.models.local_engine import Engine
from aurelia.models.local_prefix import holds
from aurelia.models.messages import compose
from aurelia.settings import Settings
from graph.run import ask
from state.context import make_context

WRITERS: dict[str, Callable[[Path], Path]] = {
    "qwen3_omni_moe": tiny_qwen3_omni.write,
    "gemma4": tiny_gemma4.write,
    "phi4_multimodal": tiny_phi4.write,
    "nemotron_h_omni": tiny_nemotron.write,
}
# transformers has no image processor for these that works without torchvision.
NEED_TORCHVISION = ("phi4_multimodal", "nemotron_h_omni")
TORCHVISION = importlib.util.find_spec("torchvision") is not None
FRAMES, TOKENS = 4, 12
TOLERANCE = 1e-4


class Local(NamedTuple):
    """A family's model behind the adapter, with the clip store that it reads."""

    name: str
    folder: Path
    chat: LocalChat
    engine: Engine
    store: ClipStore


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a family's checkpoint once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = WRITERS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, duet: Path) -> dict[str, Path]:
    """The duet, the same picture with another sound, and another picture with the same sound."""
    folder = tmp_path_factory.mktemp("others")
    low = [{**sound, "pitch": 150.0, "level": -8.0} for sound in DUET["sounds"]]
    still = [{**shape, "colour": "green", "moves": []} for shape in DUET["shapes"]]
    for name, scene in {"sound": {**DUET, "sounds": low}, "picture": {**DUET, "shapes": still}}.items():
        write(Scene.model_validate(scene), folder / f"{name}.mp4")
    return {"duet": duet, "sound": folder / "sound.mp4", "picture": folder / "picture.mp4"}


@pytest.fixture(params=WRITERS)
def local(
    request: pytest.FixtureRequest,
    checkpoint: Callable[[str], Path],
    session_store: ClipStore,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Local]:
    """Each family in turn, a fresh engine on the CPU."""
    name = request.param
    if name in NEED_TORCHVISION and not TORCHVISION:
        pytest.skip(f"transformers cannot prepare pictures for {name} without torchvision, which is not installed")
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.setenv("AURELIA_LOCAL_THREADS", "1")
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", str(TOKENS))
    local_load.forget()
    chat = make(str(checkpoint(name)), session_store)
    yield Local(name, checkpoint(name), chat, local_load.engine_of(chat.weights, chat.here), session_store)
    local_load.forget()


def asked(local: Local, clip: Path, text: str = "What is heard?") -> Any:
    """A request on the clip, taken apart."""
    ref = local.store.admit(clip)
    fields = {"role": "target", "clip": ref, "tracks": [], "frames": FRAMES, "when_deaf": "refuse"}
    return local.chat._teller.told(compose(text, fields, sees_clip=True))


def scores(local: Local, clip: Path, text: str = "What is heard?") -> tuple[list[int], torch.Tensor]:
    """The greedy reply's tokens and the logits of every one: float32[TOKENS, V]."""
    with local.engine.lock:
        encoded = local.engine.encode(asked(local, clip, text), local.chat._teller)
        made = local.engine.generate(encoded, TOKENS, output_logits=True)
    return made["sequences"][0, encoded.length :].tolist(), torch.cat(made["logits"])


async def test_one_model_plays_every_role_in_the_real_graph(
    local: Local, settings: Settings, clips: dict[str, Path]
) -> None:
    roles = dict.fromkeys(
        ("generator", "summarizer", "evaluator", "feedback", "target"), f"transformers:{local.folder}"
    )
    desk = Desk(settings, store=local.store, ledger=Ledger(settings.ledger, sleep=no_wait))
    question: Any = {"video": str(clips["duet"]), "question": "What is heard?", "choices": []}
    context = make_context({**roles, "max_iterations": 1, "frames": FRAMES})
    result = await ask(question, context, desk=desk)
    desk.close()
    # Random weights write no JSON: the loop ends honestly, and the target answers all the same.
    assert (result["stop_reason"], result["score"], result["best"]) == ("no_valid_score", None, None)
    assert "asked twice" in result["iterations"][0]["error"]
    assert result["answer"] and result["zero_shot_answer"] == result["answer"]
    assert result["usage"]["cost_usd"] == 0
    assert (local.engine.prefixes.made, local.engine.prefixes.used) == (1, 2)


def test_sound_and_picture_each_change_what_is_said(local: Local, clips: dict[str, Path]) -> None:
    _, first = scores(local, clips["duet"])
    for other in ("sound", "picture"):
        _, then = scores(local, clips[other])
        assert (first[0] - then[0]).abs().max() > 10 * TOLERANCE, f"{local.name} is deaf or blind to another {other}"


def test_a_kept_clip_gives_the_same_answers(local: Local, clips: dict[str, Path]) -> None:
    questions = ("What is heard?", "Which shape moves first, and where does it stand? Name its colour. " * 4)
    assert local.engine.reuses == family(local.name).reuse
    local.engine.reuses = False
    plain = [scores(local, clips[name], text) for text in questions for name in ("duet", "sound")]
    assert (local.engine.prefixes.made, len(local.engine.prefixes)) == (0, 0)
    local.engine.reuses = True
    kept = [scores(local, clips[name], text) for text in questions for name in ("duet", "sound")]
    assert (local.engine.prefixes.made, local.engine.prefixes.used) == (2, 2)
    for (text, logits), (said, then) in zip(plain, kept, strict=True):
        assert said == text
        assert (logits - then).abs().max() < TOLERANCE


@pytest.mark.skipif(TORCHVISION, reason="torchvision is installed, so that nothing is missing")
@pytest.mark.parametrize("name", NEED_TORCHVISION)
def test_a_family_that_needs_torchvision_says_so(
    name: str, checkpoint: Callable[[str], Path], session_store: ClipStore
) -> None:
    local_load.forget()
    with pytest.raises(InputError, match=r"^The processor of transformers:\w+ cannot be loaded .*: pip install torch"):
        make(str(checkpoint(name)), session_store)


def test_weights_of_another_model_are_refused(
    checkpoint: Callable[[str], Path], session_store: ClipStore, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint("gemma4"), tmp_path / "mixed")
    shutil.copy(checkpoint("qwen3_omni_moe") / "model.safetensors", folder)
    chat = make(str(folder), session_store)
    with pytest.raises(InputError, match="its weights are not those of a gemma4"):
        local_load.engine_of(chat.weights, chat.here)


def test_the_talker_is_not_loaded_and_the_thinker_is(
    checkpoint: Callable[[str], Path], session_store: ClipStore
) -> None:
    chat = make(str(checkpoint("qwen3_omni_moe")), session_store)
    model = local_load.engine_of(chat.weights, chat.here).model
    saved = load_file(checkpoint("qwen3_omni_moe") / "model.safetensors")
    assert any(name.startswith("talker.") for name in saved)
    assert sum(value.numel() for value in model.parameters()) < sum(value.numel() for value in saved.values())
    assert torch.equal(model.lm_head.weight, saved["thinker.lm_head.weight"])
    local_load.forget()


_OPENS = "assistant\n<think>\n"
_MAY_OPEN = "assistant\n' + ('<think>\n' if enable_thinking is not defined or enable_thinking else '') + '"


@pytest.mark.parametrize(("opening", "always"), [(_OPENS, True), (_MAY_OPEN, False)], ids=["always", "may"])
def test_thoughts_are_switched_off_or_taken_off_the_reply(
    checkpoint: Callable[[str], Path],
    session_store: ClipStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opening: str,
    always: bool,
) -> None:
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", str(TOKENS))
    folder = shutil.copytree(checkpoint("qwen3_omni_moe"), tmp_path / "thinker")
    template = folder / "chat_template.jinja"
    plain = template.read_text("utf-8")
    template.write_text(plain.replace("assistant\n", opening), "utf-8")
    assert template.read_text("utf-8") != plain
    chat = make(str(folder), session_store)
    if not always:
        assert chat.invoke("Hello.").text
        return
    writer = local_load.reader_of(chat.weights).writer
    assert writer.text(writer.tokens("A blue square?</think> A red circle.")) == "A red circle."
    with pytest.raises(ModelError, match="still thinking after 12 tokens: raise AURELIA_LOCAL_TOKENS"):
        chat.invoke("Hello.")


def test_a_kept_clip_is_left_alone_where_a_longer_text_turns_its_positions() -> None:
    config = Phi4MultimodalConfig(original_max_position_embeddings=2000)
    assert holds(config, 1500, 2000) and holds(config, 2001, 2500)
    assert not holds(config, 2000, 2001)


@pytest.mark.parametrize("local", ["gemma4"], indirect=True)
def test_such_a_request_is_encoded_whole(local: Local, clips: dict[str, Path]) -> None:
    scores(local, clips["duet"])
    told = asked(local, clips["duet"])
    kept = local.engine.encode(told, local.chat._teller)
    local.engine.model.config.get_text_config().original_max_position_embeddings = kept.length
    assert local.engine.encode(told, local.chat._teller).cached > 0
    assert local.engine.encode(told, local.chat._teller, TOKENS).cached == 0
