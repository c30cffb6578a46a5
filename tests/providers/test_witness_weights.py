"""Each transformers adapter of a witness, end to end with a tiny random checkpoint of its architecture."""

import numpy as np
import pytest

from aurelia_core.errors import InputError
from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.checkpoint import load_checkpoint
from aurelia_core.witnesses.objects import ObjectWitness, PictureWitness
from aurelia_core.witnesses.sound_events import SoundEventWitness, SoundLabelWitness
from aurelia_core.witnesses.transcript import TranscriptWitness
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
    view.memory["silero-vad"] = ((0.5, 2.0), (3.0, 4.5))
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
