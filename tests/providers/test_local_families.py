"""The native audio-visual families beside Qwen2.5-Omni, each as a tiny checkpoint in every role of the real graph."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, Phi4MultimodalConfig

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.capabilities import WeightsFamily
from aurelia_core.models.client import ModelClient
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.chat import make_local
from aurelia_core.models.local.prefix_cache import prefix_positions_match
from aurelia_core.models.local.processor import ModelSenses
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.weights import find_weights
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef
from state.context import make_context
from tests.support import (
    tiny_dots3_note,
    tiny_gemma4,
    tiny_gemma4_unified,
    tiny_inkling,
    tiny_muse_spark,
    tiny_nemotron,
    tiny_phi4,
    tiny_qwen3_omni,
)
from tests.support.local_fixtures import FRAMES, Local, changed, clip, local
from tests.support.stage import DUET, no_wait

WRITERS: dict[str, Callable[[Path], Path]] = {
    "qwen3_omni_moe": tiny_qwen3_omni.write,
    "gemma4": tiny_gemma4.write,
    "gemma4_unified": tiny_gemma4_unified.write,
    "phi4_multimodal": tiny_phi4.write,
    "nemotron_h_omni": tiny_nemotron.write,
    "dots3_note": tiny_dots3_note.write,
    "muse_spark": tiny_muse_spark.write,
    "inkling_mm_model": tiny_inkling.write,
}
KEPT = [name for name in WRITERS if name not in ("dots3_note", "gemma4_unified")]
# transformers has no image processor for these that works without torchvision.
NEED_TORCHVISION = ("phi4_multimodal", "nemotron_h_omni", "muse_spark", "inkling_mm_model", "gemma4_unified")
TORCHVISION = importlib.util.find_spec("torchvision") is not None
TOKENS = 12
TOLERANCE, LOOK_TOLERANCE = 1e-4, 1e-2


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a family's checkpoint once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = WRITERS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return folder


class Family(NamedTuple):
    """A family's checkpoint, loaded."""

    name: str
    folder: Path
    local: Local


@pytest.fixture(scope="session")
def clips(session_store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MediaRef]:
    """The duet, the same picture with another sound, and another picture with the same sound."""
    folder = tmp_path_factory.mktemp("clips")
    scenes = {
        "duet": DUET,
        "sound": changed(DUET, "sounds", 0, pitch=150.0, level=-8.0),
        "picture": changed(DUET, "shapes", 0, colour="green", size=0.5),
    }
    return {name: clip(session_store, folder / f"{name}.mp4", scene) for name, scene in scenes.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread of the CPU, which is fastest for models so small, and short replies; nothing stays loaded."""
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.setenv("AURELIA_LOCAL_THREADS", "1")
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", str(TOKENS))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    local_load.unload_all()


@pytest.fixture(params=WRITERS)
def family(
    request: pytest.FixtureRequest, checkpoint: Callable[[str], Path], session_store: ClipStore, small: None
) -> Family:
    """Each family in turn, loaded anew."""
    name = request.param
    if name in NEED_TORCHVISION and not TORCHVISION:
        pytest.skip(f"transformers cannot prepare pictures for {name} without torchvision, which is not installed")
    return Family(name, checkpoint(name), local(checkpoint(name), session_store))


async def test_one_model_plays_every_role_in_the_real_graph(
    family: Family, settings: Settings, session_store: ClipStore, duet: Path
) -> None:
    names = ("generator", "summarizer", "evaluator", "feedback", "target")
    roles = dict.fromkeys(names, f"transformers:{family.folder}")
    desk = ModelClient(settings, store=session_store, ledger=CallLedger(settings.ledger_file, sleep=no_wait))
    question: Any = {"video": str(duet), "question": "What is heard?", "choices": []}
    result = await answer_question(
        question, make_context({**roles, "max_iterations": 1, "frames": FRAMES}), client=desk
    )
    desk.close()
    # Random weights write no JSON: the loop ends honestly, and the target answers all the same.
    assert (result["stop_reason"], result["score"], result["best"]) == ("no_valid_score", None, None)
    assert "in two attempts" in result["iterations"][0]["error"]
    assert result["answer"] and result["zero_shot_answer"] == result["answer"]
    assert result["usage"]["cost_usd"] == 0
    prefixes = family.local.engine.prefixes
    assert (prefixes.encoded_count, prefixes.hit_count) == ((1, 2) if family.name in KEPT else (0, 0))


def test_sound_and_picture_each_change_what_is_said(family: Family, clips: dict[str, MediaRef]) -> None:
    first, *others = (
        family.local.logits(family.local.parse(clips[name], "What is heard?"), tokens=1) for name in clips
    )
    for name, other in zip(("sound", "picture"), others, strict=True):
        assert (first - other).abs().max() > 10 * TOLERANCE, f"{family.name} takes no notice of another {name}"


@pytest.mark.parametrize("family", KEPT, indirect=True)
def test_a_kept_clip_gives_the_same_answers(family: Family, clips: dict[str, MediaRef]) -> None:
    here, engine = family.local, family.local.engine
    assert engine.reuses_prefixes
    longer = "Which shape moves first, and where does it stand? Name its colour. " * 4
    for name, text in (("duet", "What is heard?"), ("sound", "What is heard?"), ("duet", longer)):
        request = here.parse(clips[name], text)
        assert (here.logits(request) - here.logits(request, reuse=False)).abs().max() < TOLERANCE
        assert here.said(request).text == here.whole(request)
    assert (engine.prefixes.encoded_count, engine.prefixes.hit_count) == (2, 4)


@pytest.mark.parametrize("family", KEPT, indirect=True)
def test_a_closer_look_stands_behind_the_kept_clip(family: Family, clips: dict[str, MediaRef]) -> None:
    here = family.local
    request = here.parse(clips["duet"], "What is heard?", looks=[[{"start": 0.5, "end": 1.5}]])
    first, again, whole = here.logits(request), here.logits(request), here.logits(request, reuse=False)
    assert (first - again).abs().max() < TOLERANCE
    assert (here.engine.prefixes.encoded_count, here.engine.prefixes.hit_count) == (1, 1)
    # Sounds of two lengths that are encoded at once are padded to one, which changes their ends; and a video processor
    # takes one frame rate for all videos of a request.
    if local_load.load_processor_with_writer(find_weights(str(family.folder))).senses.sees == "images":
        assert (first - whole).abs().max() < LOOK_TOLERANCE
    plain = here.logits(here.parse(clips["duet"], "What is heard?"))
    assert (first - plain).abs().max() > 2 * LOOK_TOLERANCE


def test_a_member_of_a_family_without_an_audio_tower_is_deaf(
    checkpoint: Callable[[str], Path], session_store: ClipStore, clips: dict[str, MediaRef], tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint("gemma4"), tmp_path / "large")
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"audio_config": None}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    fields = {"clip": clips["duet"], "tracks": [], "frames": FRAMES, "when_deaf": "error"}
    with pytest.raises(InputError, match=r"^transformers:large does not hear, and this clip has sound"):
        make_local(str(folder), session_store).check_clip(MediaRequest.parse(fields), sees_clip=True)


@pytest.mark.skipif(TORCHVISION, reason="torchvision is installed, so that nothing is missing")
@pytest.mark.parametrize("name", NEED_TORCHVISION)
def test_a_family_that_needs_torchvision_says_so(
    name: str, checkpoint: Callable[[str], Path], session_store: ClipStore
) -> None:
    with pytest.raises(InputError, match=r"^The processor of transformers:\w+ cannot be loaded .*: pip install torch"):
        make_local(str(checkpoint(name)), session_store)


def test_the_talker_is_not_loaded_and_the_thinker_is(
    checkpoint: Callable[[str], Path], session_store: ClipStore
) -> None:
    chat = make_local(str(checkpoint("qwen3_omni_moe")), session_store)
    model = local_load.load_engine(chat.weights, chat.placement).model
    saved = load_file(checkpoint("qwen3_omni_moe") / "model.safetensors")
    assert any(name.startswith("talker.") for name in saved)
    assert sum(value.numel() for value in model.parameters()) < sum(value.numel() for value in saved.values())
    assert torch.equal(model.lm_head.weight, saved["thinker.lm_head.weight"])


_OPENS = "assistant\n<think>\n"
_MAY_OPEN = "assistant\n' + ('<think>\n' if enable_thinking is not defined or enable_thinking else '') + '"


@pytest.mark.parametrize(("opening", "always"), [(_OPENS, True), (_MAY_OPEN, False)], ids=["always", "may"])
def test_thoughts_are_switched_off_or_taken_off_the_reply(
    checkpoint: Callable[[str], Path],
    session_store: ClipStore,
    tmp_path: Path,
    opening: str,
    always: bool,
) -> None:
    folder = shutil.copytree(checkpoint("qwen3_omni_moe"), tmp_path / "thinker")
    template = folder / "chat_template.jinja"
    plain = template.read_text("utf-8")
    template.write_text(plain.replace("assistant\n", opening), "utf-8")
    assert template.read_text("utf-8") != plain
    chat = make_local(str(folder), session_store)
    if not always:
        assert chat.invoke("Hello.").text
        return
    writer = local_load.load_processor_with_writer(chat.weights).writer
    assert writer.decode_reply(writer.tokenize("A blue square?</think> A red circle.")) == "A red circle."
    with pytest.raises(ModelError, match="still thinking after 12 tokens: raise AURELIA_LOCAL_TOKENS"):
        chat.invoke("Hello.")


def test_the_thoughts_of_inkling_are_a_message_of_their_own(checkpoint: Callable[[str], Path]) -> None:
    senses = ModelSenses("images", True, False, 16_000, None, WeightsFamily(sees="images"))
    writer = PromptWriter("inkling", AutoTokenizer.from_pretrained(checkpoint("inkling_mm_model")), senses)
    thought = "<|content_thinking|>A blue square?<|end_message|><|message_model|>"
    answer = "<|content_text|>A red circle.<|end_message|><|content_model_end_sampling|>"
    assert writer.decode_reply(writer.tokenize(thought + answer)) == "A red circle."
    assert writer.decode_reply(writer.tokenize(answer)) == "A red circle."
    assert writer.decode_reply(writer.tokenize(thought)) is None


def test_a_kept_clip_is_left_alone_where_a_longer_text_turns_its_positions() -> None:
    config = Phi4MultimodalConfig(original_max_position_embeddings=2000)
    assert prefix_positions_match(config, 1500, 2000) and prefix_positions_match(config, 2001, 2500)
    assert not prefix_positions_match(config, 2000, 2001)


@pytest.mark.parametrize("family", ["gemma4"], indirect=True)
def test_such_a_request_is_encoded_whole(family: Family, clips: dict[str, MediaRef]) -> None:
    request = family.local.parse(clips["duet"], "What is heard?")
    length = family.local.encoded(request, reuse=True).length
    family.local.engine.model.config.get_text_config().original_max_position_embeddings = length
    assert family.local.encoded(request, reuse=True).cached_tokens > 0
    assert family.local.engine.encode(request, family.local.converter, TOKENS).cached_tokens == 0
