"""Each transformers adapter of a witness, end to end with a tiny random checkpoint of its architecture."""

import numpy as np
import pytest
import torch

from aurelia_core.errors import InputError
from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.beats import BeatWitness
from aurelia_core.witnesses.checkpoint import load_checkpoint
from aurelia_core.witnesses.objects import ObjectWitness, PictureWitness
from aurelia_core.witnesses.sound_events import SoundEventWitness, SoundLabelWitness
from aurelia_core.witnesses.transcript import TranscriptWitness
from aurelia_core.witnesses.voice import Voices
from benchmarks.offline.schedules import MemoryStore
from tests.support import tiny_witnesses
from tests.unit.test_witnesses import claim

VERDICTS = {"supported", "contradicted", "cannot_tell"}


@pytest.fixture(scope="module")
def view() -> ClipView:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 90, 160, 3)).astype(np.uint8)
    store = MemoryStore((rng.standard_normal(80000) * 0.1).astype(np.float32), np.arange(60) / 12, images, 5.0)
    return ClipView(store, store.reference("tiny"))


def test_sound_events(tmp_path, view) -> None:
    witness = SoundEventWitness(str(tiny_witnesses.sound_event_model(tmp_path)))
    assert witness.lacks() == []
    chances = witness.chances("a dog barking", view)
    assert chances.shape == (125,) and ((chances > 0) & (chances < 1)).all()
    assert (chances != witness.chances("rain", view)).any()
    assert witness.check(claim("A dog barks.", "sound", subject="a dog barking"), view)["verdict"] in VERDICTS


def test_sound_events_of_a_long_clip_are_heard_in_pieces(tmp_path) -> None:
    samples = np.random.default_rng(1).standard_normal(16000 * 61).astype(np.float32) * 0.1
    store = MemoryStore(samples, np.zeros(1), np.zeros((1, 9, 16, 3), np.uint8), 61.0)
    witness = SoundEventWitness(str(tiny_witnesses.sound_event_model(tmp_path)))
    assert len(witness.chances("rain", ClipView(store, store.reference("long")))) == 61 * 25


def test_sound_labels(tmp_path, view) -> None:
    witness = SoundLabelWitness(str(tiny_witnesses.sound_label_model(tmp_path)))
    found = witness.check(claim("A dog barks.", "sound", subject="a dog barking"), view)
    assert found["verdict"] in VERDICTS and found["reason"].startswith("'Bark' has 0.")
    assert (
        witness.check(claim("A gong sounds.", "sound"), view)["reason"] == "no label of AudioSet has the claim's words"
    )


def test_beats(tmp_path, view) -> None:
    tracker = pytest.importorskip("beat_this.model.beat_tracker", reason="beat-this is not installed")
    sizes = {"transformer_dim": 32, "n_layers": 1, "head_dim": 16, "stem_dim": 16}
    state = {f"model.{name}": value for name, value in tracker.BeatThis(**sizes).state_dict().items()}
    torch.save({"hyper_parameters": {**sizes, "lr": 0.1}, "state_dict": state}, tmp_path / "tiny.ckpt")
    witness = BeatWitness(tmp_path / "tiny.ckpt")
    assert witness.lacks() == []
    assert witness.logits(view.sound()).shape == (251,)
    assert len(witness.logits(np.zeros(16000 * 61, np.float32))) == 61 * 50 + 1
    assert witness.check(claim("The tempo is 120.", "tempo", count=120.0), view)["verdict"] in VERDICTS
    (tmp_path / "broken.ckpt").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="no checkpoint of Beat This"):
        BeatWitness(tmp_path / "broken.ckpt").logits(view.sound())


def test_missing_weights_of_beats_are_named_with_the_command(tmp_path) -> None:
    assert "load_model('final0')" in BeatWitness(tmp_path / "none.ckpt").lacks()[-1]


def test_boxes(tmp_path, view) -> None:
    witness = ObjectWitness(str(tiny_witnesses.object_model(tmp_path)))
    found = witness.boxes("dog", view.frames(None, 3, 90)[1])
    assert {box.frame for box in found} == {0, 1, 2}
    for box in found:
        assert 0 <= box.left <= box.right <= 1 and 0 <= box.top <= box.bottom <= 1 and 0 < box.score <= 1
    for kind, parts in (("object", {}), ("object_count", {"count": 2}), ("colour", {"value": "red"})):
        assert witness.check(claim("A dog.", kind, subject="dog", **parts), view)["verdict"] in VERDICTS


def test_pictures(tmp_path, view) -> None:
    witness = PictureWitness(str(tiny_witnesses.picture_model(tmp_path)))
    found = witness.check(claim("A dog is seen.", "object", subject="dog"), view)
    assert found["verdict"] in VERDICTS and "the best of 16 frames" in found["reason"]


def test_transcripts(tmp_path, view) -> None:
    witness = TranscriptWitness(str(tiny_witnesses.transcript_model(tmp_path)))
    view.memory["silero-vad"] = Voices(clear=((0.5, 2.0), (3.0, 4.5)), doubtful=())
    assert [(one.start, one.end) for one in witness.utterances(view)] == [(0.5, 2.0), (3.0, 4.5)]
    assert all(isinstance(one.text, str) for one in witness.utterances(view))


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path) -> None:
    folder = tiny_witnesses.sound_label_model(tmp_path)
    with pytest.raises(InputError, match="is no checkpoint of ParakeetForCTC|cannot be loaded"):
        load_checkpoint(str(folder), "ParakeetForCTC", {"sound": "ParakeetFeatureExtractor"})


def test_missing_weights_name_their_download() -> None:
    for witness in (SoundEventWitness(), SoundLabelWitness(), ObjectWitness(), PictureWitness(), TranscriptWitness()):
        (lacks,) = witness.lacks()
        assert lacks == f"the weights (hf download {witness._weights})"
