"""The mini target: what it is trained on is what a request shows it, in ids, media and logits; bad files say so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.local.content import RequestConverter
from aurelia_core.models.local.loading import choose_placement, load_engine, load_processor_with_writer
from aurelia_core.models.local.weights import find_weights
from aurelia_core.settings import Settings
from aurelia_offline.training import checkpoint, examples, features
from aurelia_offline.training.encoders import fast_encoders
from aurelia_offline.training.packing import PackedBatch, SegmentPacker, SlotAttention, embed_batch, vision_patches
from aurelia_offline.training.question_sampler import tokenizer_corpus
from aurelia_offline.world import mini_world
from aurelia_offline.world.scene import write_scene
from tests.support.requests import compose_messages

SEED = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights."""
    tokenizer = checkpoint.train_tokenizer(tokenizer_corpus(200))
    return checkpoint.save_checkpoint(
        tmp_path_factory.mktemp("weights") / "random", checkpoint.make_thinker(tokenizer, 0), tokenizer
    )


@pytest.fixture
def shown(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, str]:
    """The model's engine, a request with a rendered clip as it takes it, and the prompt."""
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AURELIA_LOCAL_CACHE_MB", "0")
    write_scene(mini_world.clip_scene(mini_world.draw_clip(SEED, odd=0)), tmp_path / "clip.mp4")
    store = ClipStore(Settings.from_environment(local=True))
    weights = find_weights(str(folder))
    converter = RequestConverter(store, weights.model_id, load_processor_with_writer(weights).senses)
    posed = examples.make_example(
        examples.compositions_by_hops()[2][5], mini_world.draw_clip(SEED, odd=0).table, np.random.default_rng(0)
    )
    assert posed is not None
    prompt = examples.target_prompt(posed.question, posed.choices, "steps", examples.chain_reasoning(posed.hops))
    fields = {"role": "target", "clip": store.admit(str(tmp_path / "clip.mp4")), "tracks": [], "frames": 16}
    engine = load_engine(weights, choose_placement())
    return engine, engine.encode(converter.parse(compose_messages(prompt, fields, sees_clip=True)), converter), prompt


def drawn(seed: int) -> tuple[Any, Any]:
    """Frames and spectra of a clip, straight from its scene."""
    scene = mini_world.clip_scene(mini_world.draw_clip(seed, odd=0))
    times = [(index + 0.5) * mini_world.CLIP_SECONDS / features.FRAME_COUNT for index in range(features.FRAME_COUNT)]
    images = np.stack([features.shrink_frame(image) for image in features.render_frames(scene, times)])
    return images, features.log_mel_spectra(features.render_sound_parts(scene), checkpoint.make_feature_extractor())


def test_a_request_is_what_training_shows(shown: tuple[Any, Any, str], folder: Path) -> None:
    from transformers import AutoTokenizer

    engine, encoded, prompt = shown
    packer = SegmentPacker(AutoTokenizer.from_pretrained(folder), engine.model)
    assert encoded.inputs["input_ids"][0].tolist() == packer.request(prompt)
    images, spectra = drawn(SEED)
    pixels = encoded.inputs["pixel_values"]
    # H.264 and AAC lose a little.
    assert float((pixels - vision_patches(images[None])).abs().mean()) < 0.2 * float(pixels.abs().mean())
    heard = encoded.inputs["input_features"][:, :, : spectra.shape[-1]]
    assert float((heard - spectra).abs().mean()) < 0.05


def test_packed_questions_do_not_see_each_other(shown: tuple[Any, Any, str], folder: Path) -> None:
    from transformers import AutoTokenizer

    engine, encoded, prompt = shown
    model = engine.model
    packer = SegmentPacker(AutoTokenizer.from_pretrained(folder), model)
    images, spectra = drawn(SEED)
    slots, plain = SlotAttention(), model.model.language_model.config._attn_implementation
    packed = packer.pack([[(prompt, "Answer: one"), ("Question: another?", "Answer: two")]])
    slots.ends = packed.ends
    with torch.no_grad(), fast_encoders():
        model.model.language_model.config._attn_implementation = slots.name
        text = embed_batch(model, packed.ids, images[None], spectra)
        hidden = model.model.language_model(inputs_embeds=text, position_ids=packed.positions, use_cache=False)
        model.model.language_model.config._attn_implementation = plain
    together = model.lm_head(hidden.last_hidden_state)[0]
    inputs = dict(encoded.inputs)
    inputs["pixel_values"] = vision_patches(images[None])
    inputs["input_features"] = torch.nn.functional.pad(
        spectra, (0, inputs["input_features"].shape[-1] - spectra.shape[-1])
    )
    with torch.no_grad():
        alone = model(**inputs).logits[0]
    start = _where(packed, packer.request(prompt))
    length = len(packer.request(prompt))
    assert torch.allclose(together[start : start + 5], alone[packed.ends[0] : packed.ends[0] + 5], atol=1e-4)
    assert torch.allclose(together[start + length - packed.ends[0] - 1], alone[length - 1], atol=1e-4)


def _where(packed: PackedBatch, request: list[int]) -> int:
    """Where the slot of a request begins."""
    rest = request[packed.ends[0] :]
    for start in packed.ends[:-1]:
        if packed.ids[0, start : start + len(rest)].tolist() == rest:
            return start
    raise AssertionError("the request is in no slot")


def test_a_checkpoint_says_how_clips_are_shown(folder: Path, tmp_path: Path) -> None:
    from shutil import copytree

    own = copytree(folder, tmp_path / "own")
    (own / "clip.json").write_text(json.dumps({"sees": "images", "frames": 2, "height": 28}))
    assert load_processor_with_writer(find_weights(str(own))).senses.family.frames == 2
    (own / "clip.json").write_text(json.dumps({"frames": 0}))
    with pytest.raises(InputError, match=r"clip.json of transformers:own cannot be used"):
        load_processor_with_writer(find_weights(str(own)))
