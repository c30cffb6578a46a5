"""The witnesses' rules: three verdicts, windows, negation, disagreement, and what a machine lacks."""

import numpy as np
import pytest

from aurelia_core.claims import Claim
from aurelia_core.models import measured_text
from aurelia_core.models.measured_text import measured_sound_text
from aurelia_core.witnesses import base, evidence, panel
from aurelia_core.witnesses.base import ClipView, decide, denies, undecided
from aurelia_core.witnesses.beats import steady_tempo
from aurelia_core.witnesses.measured import MeasuredWitness
from aurelia_core.witnesses.objects import Box, ObjectWitness, PictureWitness, box_colours, stable_count
from aurelia_core.witnesses.sound_events import SoundEventWitness, SoundLabelWitness, matching_labels
from aurelia_core.witnesses.transcript import TranscriptWitness, Utterance, read_ctc, words_heard
from aurelia_core.witnesses.voice import Voices, VoiceWitness
from aurelia_core.witnesses.written import Reading, TextLine, WrittenWitness, similarity
from benchmarks.offline.schedules import MemoryStore
from benchmarks.offline.truthful import beat, cuts_under_moving_camera, fade
from prompts.render import PROMPT_TEXTS
from tests.support.clips import BLUE, RED


def claim(text: str, kind: str, window=None, **parts) -> Claim:
    found: Claim = {"text": text, "kind": kind, "modality": "both", "window": window, **parts}
    return found


def view_of(store=None) -> ClipView:
    store = store or MemoryStore(
        np.zeros(160000, np.float32), np.arange(24) / 12, np.zeros((24, 90, 160, 3), np.uint8), 10.0
    )
    return ClipView(store, store.reference("witness"))


@pytest.mark.parametrize(
    ("score", "text", "verdict", "sign"),
    [
        (0.9, "A dog barks.", "supported", 1),
        (0.05, "A dog barks.", "contradicted", -1),
        (0.3, "A dog barks.", "cannot_tell", 0),
        (0.9, "No dog barks.", "contradicted", -1),
        (0.05, "The dog does not bark, it doesn't move.", "supported", 1),
        (0.9, 'A sign says "No entry".', "supported", 1),
    ],
)
def test_a_score_gives_three_verdicts_and_a_denial_turns_them(score, text, verdict, sign) -> None:
    found = decide(claim(text, "sound"), "w", score, (0.1, 0.5), "why")
    assert found["verdict"] == verdict
    assert (found["margin"] is None) if sign == 0 else (np.sign(found["margin"]) == sign)


def test_a_claim_denies_by_its_field_or_its_words() -> None:
    assert denies(claim("A dog barks.", "sound", negated=True))
    assert denies(claim("Nobody speaks.", "speech"))
    assert not denies(claim("Something knocks.", "sound"))


class Scripted:
    """A witness that always says the same."""

    kinds = frozenset({"sound"})

    def __init__(self, name: str, verdict: str, lacks: tuple[str, ...] = ()) -> None:
        self.name, self._verdict, self._lacks = name, verdict, list(lacks)

    def lacks(self) -> list[str]:
        return self._lacks

    def check(self, asked, view):
        found = undecided(asked, self.name, f"{self.name} says so")
        return {**found, "verdict": self._verdict, "margin": 0.5}


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("supported", "contradicted", "cannot_tell"),
        ("supported", "supported", "supported"),
        ("cannot_tell", "contradicted", "contradicted"),
        ("supported", "cannot_tell", "supported"),
    ],
)
def test_two_witnesses_that_contradict_each_other_cannot_tell(first, second, together) -> None:
    found = panel.check_claim(claim("A dog barks.", "sound"), view_of(), [Scripted("a", first), Scripted("b", second)])
    assert found["verdict"] == together


def test_a_witness_without_weights_is_not_asked_and_says_what_it_lacks() -> None:
    lacking = Scripted("a", "supported", ("the weights (hf download x/y)",))
    found = panel.check_claim(claim("A dog barks.", "sound"), view_of(), [lacking])
    assert found["verdict"] == "cannot_tell" and found["reason"] == "a lacks the weights (hf download x/y)"
    assert panel.witness_states([lacking]) == [("a", ("sound",), ("the weights (hf download x/y)",))]
    unknown = panel.check_claim(claim("It is sad.", "other"), view_of(), [lacking])
    assert unknown["verdict"] == "cannot_tell" and "no witness knows" in unknown["reason"]


def test_every_threshold_is_there() -> None:
    for state in panel.witness_states():
        assert base._table()[state.name], state.name


# ---- sound events


def heard_at(witness: SoundEventWitness, view: ClipView, **spans) -> None:
    """Script the frames in which words are likely."""
    for words, stretches in spans.items():
        chances = np.full(250, 0.02)
        for start, end, chance in stretches:
            chances[round(start / 0.04) : round(end / 0.04)] = chance
        view.memory[witness.name, witness._weights, words] = chances


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (claim("A bark is heard.", "sound", subject="bark"), "supported"),
        (claim("A bark is heard.", "sound", {"start": 3.0, "end": 5.0}, subject="bark"), "contradicted"),
        (claim("A bell rings.", "sound", subject="bell"), "supported"),
        (claim("A siren is heard.", "sound", subject="siren"), "cannot_tell"),
        (claim("A horn is heard.", "sound", subject="horn"), "contradicted"),
        (claim("Bark, then bell.", "order", subject="bark", other="bell", relation="before"), "supported"),
        (claim("Bark after bell.", "order", subject="bark", other="bell", relation="after"), "contradicted"),
        (claim("Bark, then horn.", "order", subject="bark", other="horn", relation="before"), "cannot_tell"),
        (claim("Bark and bell.", "order", subject="bark", other="bell", relation="during"), "cannot_tell"),
        (claim("Two barks.", "sound_count", subject="bark", count=2), "supported"),
        (claim("Three barks.", "sound_count", subject="bark", count=3), "contradicted"),
        (claim("At least one bark.", "sound_count", subject="bark", count=1, relation="at least"), "supported"),
        (claim("Two knocks.", "sound_count", subject="knock", count=2), "cannot_tell"),
        (claim("Barks.", "sound_count", subject="bark"), "cannot_tell"),
    ],
)
def test_sound_events_by_their_frames(asked, verdict) -> None:
    view, witness = view_of(), SoundEventWitness("scripted")
    heard_at(
        witness,
        view,
        bark=[(1.0, 1.5, 0.9), (2.0, 2.5, 0.8)],
        bell=[(6.0, 8.0, 0.7)],
        siren=[(3.0, 6.0, 0.3)],
        horn=[(4.0, 4.04, 0.9)],
        knock=[(1.0, 2.0, 0.9), (4.0, 5.0, 0.4)],
    )
    assert witness.check(asked, view)["verdict"] == verdict


def test_labels_are_matched_by_whole_words() -> None:
    labels = ["Bark", "Door bell", "Speech", "Dog, Bark"]
    assert matching_labels("A dog barks.", labels) == {"Bark", "Dog, Bark"}
    assert matching_labels("The doorstep.", labels) == set()


# ---- things


def boxes(*given) -> list[Box]:
    return [Box(frame, score, left, 0.4, left + 0.1, 0.6) for frame, score, left in given]


def test_a_count_is_the_largest_that_neighbouring_frames_share() -> None:
    found = boxes(
        (0, 0.9, 0.1), (1, 0.9, 0.1), (1, 0.9, 0.5), (2, 0.9, 0.1), (2, 0.9, 0.5), (3, 0.9, 0.1), (3, 0.3, 0.8)
    )
    assert stable_count(found, 4, 0.5) == 2
    assert stable_count(boxes((0, 0.9, 0.1)), 1, 0.5) == 1
    assert Box(0, 1.0, 0.0, 0.0, 1.0, 1.0).overlap(Box(0, 1.0, 0.0, 0.0, 0.5, 1.0)) == 0.5


def test_a_colour_is_that_of_the_pixels_in_the_box() -> None:
    image = np.zeros((100, 100, 3), np.uint8) + np.array(BLUE, np.uint8)
    image[40:60, 10:30] = RED
    assert box_colours(image, Box(0, 1.0, 0.1, 0.4, 0.3, 0.6)) == {"red": 1.0}


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (claim("A ball is seen.", "object", subject="ball"), "supported"),
        (claim("A cat is seen.", "object", subject="cat"), "contradicted"),
        (claim("It is seen.", "object"), "cannot_tell"),
        (claim("Two balls.", "object_count", subject="ball", count=2), "contradicted"),
        (claim("One ball.", "object_count", subject="ball", count=1), "supported"),
        (claim("The ball is at the left.", "place", subject="ball", value="left"), "supported"),
        (claim("The ball is at the right.", "place", subject="ball", value="right"), "contradicted"),
        (claim("The ball is red.", "colour", subject="ball", value="red"), "supported"),
        (claim("The ball is blue.", "colour", subject="ball", value="blue"), "contradicted"),
        (claim("The cat is blue.", "colour", subject="cat", value="blue"), "cannot_tell"),
    ],
)
def test_things_by_their_boxes(asked, verdict, monkeypatch) -> None:
    images = np.zeros((24, 100, 100, 3), np.uint8) + np.array(BLUE, np.uint8)
    images[:, 40:60, 10:30] = RED
    view = view_of(MemoryStore(None, np.arange(24) / 12, images, 2.0))
    witness = ObjectWitness("scripted")

    def boxes_of(words, shown):
        return [Box(n, 0.9, 0.1, 0.4, 0.3, 0.6) for n in range(len(shown))] if words == "ball" else []

    monkeypatch.setattr(witness, "boxes", boxes_of)
    assert witness.check(asked, view)["verdict"] == verdict


# ---- words that are said and written


def test_said_words() -> None:
    assert words_heard("Good morning!", "well good morning everybody") == 1.0
    assert words_heard("good evening", "well good morning") == 0.5
    view, witness = view_of(), TranscriptWitness("scripted")
    view.memory["parakeet-ctc", "scripted"] = (Utterance(1.0, 2.0, "mind the gap"), Utterance(7.0, 8.0, "goodbye"))
    for text, window, verdict in (
        ('A voice says "mind the gap".', None, "supported"),
        ('A voice says "mind the gap".', {"start": 6.0, "end": 9.0}, "contradicted"),
        ('A voice says "welcome to Berlin".', None, "contradicted"),
        ("Somebody speaks.", None, "cannot_tell"),
    ):
        assert witness.check(claim(text, "speech", window), view)["verdict"] == verdict, text


def test_ctc_repeats_are_one_and_blanks_none() -> None:
    class Tokens:
        def decode(self, ids):
            return "".join("_abc"[number] for number in ids)

    assert read_ctc([0, 1, 1, 0, 1, 2, 2, 0, 0, 3], 0, Tokens()) == "aabc"


@pytest.mark.parametrize(
    ("claimed", "read", "alike"),
    [
        ("Exit 24", "EXIT 24", 1.0),
        ("EXIT 42", "EXIT 24", 0.0),
        ("platform", "Platform 9 closed", 1.0),
        ("OPEN", "OVEN", 0.75),
        ("", "OPEN", 0.0),
    ],
)
def test_texts_are_alike_by_letters_and_numbers_exactly(claimed, read, alike) -> None:
    assert similarity(claimed, read) == alike


@pytest.mark.parametrize(
    ("asked", "complete", "verdict"),
    [
        (claim('A sign reads "Exit 24".', "text"), True, "supported"),
        (claim("The sign's text is shown.", "text", value="Exit 24"), True, "supported"),
        (claim('A sign reads "Platform 9".', "text"), True, "contradicted"),
        (claim('A sign reads "Platform 9".', "text"), False, "cannot_tell"),
        (claim("There is no text.", "text"), True, "contradicted"),
        (claim("There is a caption.", "text"), True, "supported"),
        (claim("A dog runs.", "text"), True, "cannot_tell"),
    ],
)
def test_written_text(asked, complete, verdict) -> None:
    view = view_of()
    view.memory[("rapidocr",)] = Reading((TextLine("EXIT 24", 0.99, 1.0, 2.0, 0.5, 0.5, 0.1),), complete)
    assert WrittenWitness().check(asked, view)["verdict"] == verdict


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (claim("Somebody speaks.", "speech"), "supported"),
        (claim("Nobody talks.", "speech"), "contradicted"),
        (claim("Somebody speaks.", "speech", {"start": 5.0, "end": 9.0}), "contradicted"),
        (claim("A voice says hello.", "speech", value="hello"), "cannot_tell"),
        (claim("A dog barks.", "sound"), "cannot_tell"),
    ],
)
def test_voices(asked, verdict) -> None:
    view = view_of()
    view.memory["silero-vad"] = Voices(((1.0, 3.0),), ())
    assert VoiceWitness().check(asked, view)["verdict"] == verdict


# ---- cuts, fades and tempo


def test_cuts_fades_and_tempo_are_measured() -> None:
    cut = cuts_under_moving_camera(np.random.default_rng(1))
    count = len(cut.store.times) // 12 - 1
    dark, beaten = fade(np.random.default_rng(3)), beat(np.random.default_rng(1))
    bpm = next(bpm for bpm in (80, 100, 120, 150) if any(one.check(str(bpm)) for one in beaten.asked[:1]))
    for store, asked, verdict in (
        (cut.store, claim(f"There are {count} cuts.", "cut", count=count), "supported"),
        (cut.store, claim("There is one cut.", "cut", count=1), "contradicted"),
        (cut.store, claim("There is no cut.", "cut"), "contradicted"),
        (cut.store, claim("A cut comes.", "cut", {"start": 0.8, "end": 1.2}), "supported"),
        (cut.store, claim("A cut comes.", "cut", {"start": 0.2, "end": 0.8}), "contradicted"),
        (dark.store, claim("There is a cut.", "cut"), "contradicted"),
        (dark.store, claim("The picture fades.", "cut"), "supported"),
        (beaten.store, claim(f"The beat is {bpm}.", "tempo", count=bpm), "supported"),
        (beaten.store, claim("The beat is fast.", "tempo", count=bpm * 1.3), "contradicted"),
        (beaten.store, claim("The beat is twice as fast.", "tempo", count=bpm * 2), "cannot_tell"),
        (beaten.store, claim("There is a beat.", "tempo"), "cannot_tell"),
    ):
        assert MeasuredWitness().check(asked, view_of(store))["verdict"] == verdict, asked["text"]


def test_a_tempo_is_that_of_steady_beats() -> None:
    logits = np.full(1000, -5.0)
    logits[10::25] = 4.0
    assert steady_tempo(logits) == pytest.approx(120)
    logits[11::25] = 3.0
    logits[510] = -5.0
    assert steady_tempo(logits) == pytest.approx(120)
    assert steady_tempo(logits[:150]) is None
    uneven = np.full(1000, -5.0)
    uneven[np.cumsum(np.random.default_rng(0).integers(10, 60, 25))] = 4.0
    assert steady_tempo(uneven) is None


def test_without_sound_or_picture_nothing_is_told() -> None:
    mute = MemoryStore(None, np.arange(24) / 12, np.zeros((24, 90, 160, 3), np.uint8), 2.0)
    for witness, kind in (
        (SoundEventWitness("x"), "sound"),
        (SoundLabelWitness("x"), "sound"),
        (TranscriptWitness("x"), "speech"),
        (VoiceWitness(), "speech"),
    ):
        asked = claim('Somebody says "hello".', kind, subject="voice")
        assert witness.check(asked, view_of(mute))["verdict"] == "cannot_tell", witness.name
    reference = {**mute.reference("w"), "width": None}
    for witness, kind in ((ObjectWitness("x"), "object"), (PictureWitness("x"), "object"), (WrittenWitness(), "text")):
        asked = claim('A sign reads "hello".', kind, subject="sign")
        assert witness.check(asked, ClipView(mute, reference))["verdict"] == "cannot_tell", witness.name


def test_a_model_that_cannot_hear_gets_voices_words_and_named_sounds(monkeypatch) -> None:
    samples = (np.random.default_rng(0).standard_normal(160000) * 0.05).astype(np.float32)
    store = MemoryStore(samples, np.arange(24) / 12, np.zeros((24, 90, 160, 3), np.uint8), 10.0)
    source = store.reference("deaf")
    monkeypatch.setattr(evidence, "hearing_witnesses", lambda: [])
    assert evidence.hear_sound(store, source) is None
    without = measured_sound_text(store, source, PROMPT_TEXTS)
    heard = evidence.SoundEvidence(
        ((1.0, 2.0),), (Utterance(1.0, 2.0, "mind the gap"),), (("Bark", ((3.0, 4.0), (5.0, 6.0))),)
    )
    monkeypatch.setattr(measured_text, "hear_sound", lambda *given: heard)
    text = measured_sound_text(store, source, PROMPT_TEXTS)
    assert "Bark: 3.00-4.00 s, 5.00-6.00 s" in text and "hears somebody speak: 1.00-2.00 s" in text
    assert 'Words at 1.00-2.00 s: "mind the gap"' in text
    assert "dBFS" in without and "dBFS" not in text
    monkeypatch.setattr(measured_text, "hearing_witnesses", lambda: ["silero-vad"])
    assert measured_text.evidence_params() == {"heard_by": ["silero-vad"]}


def test_evidence_names_the_sounds_that_the_label_model_hears(monkeypatch) -> None:
    store = view_of().store
    monkeypatch.setattr(evidence, "hearing_witnesses", lambda: ["silero-vad", "ast", "pe-a-frame"])
    monkeypatch.setattr(evidence, "clip_speech", lambda view: ())
    monkeypatch.setattr(SoundLabelWitness, "labels", lambda self, view: ["Bark", "Rain"])
    spans = {"Bark": ((1.0, 2.0),), "Rain": ()}
    monkeypatch.setattr(SoundEventWitness, "clear_spans", lambda self, words, view: spans[words])
    found = evidence.hear_sound(store, view_of().clip)
    assert found == evidence.SoundEvidence((), (), (("Bark", ((1.0, 2.0),)),))
