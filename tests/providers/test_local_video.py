"""Local weights with a video processor of their own: the clip as one video with its sound inside.

A family's own video processor needs torchvision. Here a plain one in numpy stands in its place; the rest is real: the
family's processor, which lays the sound between the frames, and the model, which counts its places by time.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aurelia_core.media import ClipStore
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.content import RequestConverter
from aurelia_core.models.local.engine import InferenceEngine
from aurelia_core.models.local.processor import senses_of
from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_core.models.local.weights import find_weights
from tests.support.clips import tune
from tests.support.local_fixtures import Local, changed, clip, local
from tests.support.other_media import write_picture, write_sound
from tests.support.stage import DUET

# The family's processor makes numpy read a tensor in a way that numpy 2 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
CLOSE = 2e-5
SIDE, PATCH, MERGE = 56, 14, 2


class Films:
    """Frames of 56x56 cut into Qwen's patches: pairs of frames, blocks of 2x2 patches of 14x14."""

    model_input_names = ("pixel_values_videos", "video_grid_thw")
    valid_kwargs = None
    temporal_patch_size = 2
    merge_size = MERGE

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __call__(self, videos: list[Any], **kwargs: Any) -> dict[str, Any]:
        self.given.append({**kwargs, "videos": videos})
        patches, grids = [], []
        for video in videos:
            frames = np.asarray(video)[:, :SIDE, :SIDE].astype(np.float32).transpose(0, 3, 1, 2) / 127.5 - 1.0
            frames = np.concatenate([frames, frames[-1:]])[: len(frames) + len(frames) % 2]
            side = SIDE // PATCH
            grid = (len(frames) // 2, side, side)
            cut = frames.reshape(grid[0], 2, 3, side // 2, 2, PATCH, side // 2, 2, PATCH)
            patches.append(cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, 3 * 2 * PATCH * PATCH))
            grids.append(grid)
        return {"pixel_values_videos": torch.tensor(np.concatenate(patches)), "video_grid_thw": torch.tensor(grids)}


@pytest.fixture
def films() -> Films:
    return Films()


@pytest.fixture
def model(tiny_omni: Path, session_store: ClipStore, films: Films, monkeypatch: pytest.MonkeyPatch) -> Local:
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.delenv("AURELIA_LOCAL_DTYPE", raising=False)
    base, weights = local(tiny_omni, session_store), find_weights(str(tiny_omni))
    processor = local_load.load_processor_with_writer(weights).processor
    monkeypatch.setattr(processor, "video_processor", films)
    senses = senses_of(weights, processor)
    assert (senses.sees, senses.hears, senses.audio_in_video) == ("video", True, True)
    writer, converter = (
        PromptWriter(weights.model_id, processor, senses),
        RequestConverter(session_store, weights.model_id, senses),
    )
    engine = InferenceEngine(weights.model_id, base.engine.model, writer, reuses=True, cache_bytes=2**28)
    return Local(engine, converter, session_store, base.words)


def test_a_clip_is_one_video_with_its_sound_between_the_frames(
    model: Local, films: Films, session_store: ClipStore, duet: Path
) -> None:
    request = model.parse(session_store.admit(duet), "Say.")
    ids = model.encoded(request, reuse=False).inputs["input_ids"][0].tolist()
    video, sound = (model.words.convert_tokens_to_ids(token) for token in ("<|VIDEO|>", "<|AUDIO|>"))
    assert (ids.count(video), ids.count(sound)) == (2 * 4, 50), "two pairs of frames; 25 tokens a second"
    kinds = [token for token in ids if token in (video, sound)]
    changes = sum(a != b for a, b in zip(kinds, kinds[1:], strict=False))
    assert changes >= 1 and kinds[0] == video
    (given,) = films.given
    assert (given["do_sample_frames"], given["fps"]) == (False, 2.0)
    assert given["videos"][0].shape[0] == 4 and given["video_metadata"][0]["total_num_frames"] == 4


def test_reuse_changes_nothing_with_video_either(model: Local, session_store: ClipStore, duet: Path) -> None:
    ref = session_store.admit(duet)
    model.said(model.parse(ref, "You are the Evaluator."))
    # A look at the head's own frame rate: encoded whole, Qwen's processor takes one rate for all videos.
    for more in ({}, {"looks": [[], [{"start": 0.0, "end": 2.0}]]}):
        request = model.parse(ref, "What is heard?", **more)
        assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE
    assert (model.engine.prefixes.encoded_count, model.engine.prefixes.hit_count) == (1, 2)


def test_what_is_seen_and_heard_in_a_video_matters(
    model: Local, session_store: ClipStore, duet: Path, tmp_path: Path
) -> None:
    shapes = changed(DUET, "shapes", 0, x=0.1, y=0.2, size=0.4)
    refs = [
        session_store.admit(duet),
        clip(session_store, tmp_path / "heard.mp4", changed(DUET, "sounds", 0, pitch=1760.0)),
        clip(session_store, tmp_path / "seen.mp4", shapes),
    ]
    first, *others = (model.logits(model.parse(ref, "Say.")) for ref in refs)
    assert all((first - other).abs().max() > 1e-3 for other in others)


def test_candidate_tracks_stand_behind_a_silent_video(
    model: Local, films: Films, session_store: ClipStore, duet: Path, tmp_path: Path
) -> None:
    tracks = [session_store.admit(tune(tmp_path / f"{tone}.wav", tone=tone), kind="audio") for tone in (300.0, 900.0)]
    request = model.parse(session_store.admit(duet), "Which?", tracks)
    ids = model.encoded(request, reuse=False).inputs["input_ids"][0].tolist()
    kinds = [token for token in ids if token in map(model.words.convert_tokens_to_ids, ("<|VIDEO|>", "<|AUDIO|>"))]
    assert kinds == sorted(kinds, reverse=True), "no sound inside the video"
    assert (model.logits(request) - model.logits(request, reuse=False)).abs().max().item() < CLOSE


@pytest.mark.parametrize("with_video_processor", [True, False])
def test_a_picture_is_an_image_and_a_sound_alone_is_a_sound(
    model: Local, tiny_omni: Path, session_store: ClipStore, tmp_path: Path, films: Films, with_video_processor: bool
) -> None:
    if not with_video_processor:
        model = local(tiny_omni, session_store)
    red = session_store.admit(write_picture(tmp_path / "red.png", (220, 20, 20)))
    blue = session_store.admit(write_picture(tmp_path / "blue.png", (30, 60, 220)))
    low = session_store.admit(write_sound(tmp_path / "low.wav", [(0.3, 0.9, 220, 0.5)]))
    high = session_store.admit(write_sound(tmp_path / "high.wav", [(0.3, 0.9, 880, 0.5)]))
    pictures = model.parse(red, "What?", tracks=[low], pictures=[blue])
    head = model.converter.head(pictures)
    assert (len(head.images), len(head.sounds), len(head.videos)) == (2, 1, 0)
    assert [block["text"] for block in head.blocks if "text" in block and block["text"].strip()] == [
        "Image 1: ", "Image 2: ", "The sound, 0.00-2.00 s: ",
    ]  # fmt: skip
    sounds = model.parse(low, "What?", tracks=[low, high], role="generator", looks=[[{"start": 0.2, "end": 1.0}]])
    parts = model.converter.head(sounds)
    assert (len(parts.images), len(parts.sounds), len(parts.videos)) == (0, 2, 0)
    assert (len(sounds.closer_look.images), len(sounds.closer_look.sounds)) == (0, 2)
    for told in (pictures, sounds):
        assert model.logits(told, tokens=2).shape[0] == 2
    assert films.given == []
