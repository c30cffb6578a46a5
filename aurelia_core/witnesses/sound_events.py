"""Which sounds are heard and when: PE-A-Frame for any words in frames of 40 ms, and AST as a cross-check.

A model that scores a whole clip knows no order, so none is used. The stored sound reaches up to 8 kHz.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aurelia_core.arrays import Samples, Vector, true_runs
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.signals.spans import join_spans
from aurelia_core.types import Span
from aurelia_core.witnesses.base import SAMPLE_RATE, ClipView, decide, inside, threshold, undecided
from aurelia_core.witnesses.checkpoint import Checkpoint, WeightsWitness, load_checkpoint

_FRAMES, _LABELS = "pe-a-frame", "ast"
_FRAME_SECONDS = 0.04
"""Length of one frame: 1,920 samples at 48 kHz."""
_PIECE_SECONDS = 30
_LABEL_SECONDS = 10.24
"""Length of the sound that AST was trained on."""
_LATER = ("before", "then", "followed by", "precedes", "earlier")


class SoundEventWitness(WeightsWitness):
    """Claims that a sound is heard, when, in which order, and how often, by PE-A-Frame."""

    name = _FRAMES
    kinds: frozenset[ClaimKind] = frozenset({"sound", "order", "sound_count"})

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the frames in which the described sounds are likely."""
        if not view.has_audio:
            return undecided(claim, self.name, "the clip has no sound track")
        if claim["kind"] == "sound":
            return self._check_presence(claim, view)
        if claim["kind"] == "order":
            return self._check_order(claim, view)
        return self._check_count(claim, view)

    def chances(self, words: str, view: ClipView) -> Vector:
        """The probability of the described sound in each frame of 40 ms, float64[frames]; measured once a view."""
        key = (self.name, self._weights, words.casefold())
        if key not in view.memory:
            view.memory[key] = self._measure(words, view.sound())
        found: Vector = view.memory[key]
        return found

    def _measure(self, words: str, samples: Samples) -> Vector:
        checkpoint = load_checkpoint(
            self._weights, "PeAudioFrameLevelModel", {"sound": "PeAudioFeatureExtractor", "text": "AutoTokenizer"}
        )
        size = _PIECE_SECONDS * SAMPLE_RATE
        pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
        found = [_frame_chances(checkpoint, words, piece) for piece in pieces if len(piece) >= SAMPLE_RATE // 10]
        return np.concatenate(found or [np.zeros(0)])

    def spans(self, words: str, view: ClipView, least: float) -> tuple[Span, ...]:
        """Where the described sound is likelier than `least`, seconds; short gaps are closed, short spans left out."""
        gap = threshold(_FRAMES, "gap_seconds")
        found = [
            (first * _FRAME_SECONDS, last * _FRAME_SECONDS + gap)
            for first, last in true_runs(self.chances(words, view) >= least)
        ]
        spans = [(start, end - gap) for start, end in join_spans(found)]
        return tuple(span for span in spans if span[1] - span[0] >= threshold(_FRAMES, "least_seconds"))

    def clear_spans(self, words: str, view: ClipView) -> tuple[Span, ...]:
        """Where the described sound is likely enough to be stated, seconds."""
        return self.spans(words, view, threshold(_FRAMES, "yes"))

    def _check_presence(self, claim: Claim, view: ClipView) -> Finding:
        words = claim.get("subject") or claim["text"]
        chances = self.chances(words, view)
        if claim["window"] is not None:
            first, last = (round(claim["window"][edge] / _FRAME_SECONDS) for edge in ("start", "end"))
            chances = chances[first : max(last, first + 1)]
        # The chance that lasts for the least length of a sound, not that of one frame.
        least = max(1, round(threshold(_FRAMES, "least_seconds") / _FRAME_SECONDS))
        lasting = sorted(chances, reverse=True)[:least]
        if len(lasting) < least:
            return undecided(claim, self.name, "there is no sound in the window")
        reason = f"the likeliest {least} frames of {words!r} have {lasting[-1]:.2f} and more"
        return decide(claim, self.name, float(lasting[-1]), _limits(_FRAMES), reason)

    def _check_order(self, claim: Claim, view: ClipView) -> Finding:
        subject, other, relation = claim.get("subject"), claim.get("other"), claim.get("relation", "")
        if not (subject and other and relation in (*_LATER, "after")):
            return undecided(claim, self.name, "the claim names no two sounds and their order")
        least = threshold(_FRAMES, "yes")
        found = [inside(self.spans(words, view, least), claim["window"]) for words in (subject, other)]
        if not all(found):
            missing = [words for words, spans in zip((subject, other), found, strict=True) if not spans]
            return undecided(claim, self.name, f"{missing[0]!r} was not heard clearly")
        first, second = (spans[0][0] for spans in found)
        apart = second - first if relation in _LATER else first - second
        reason = f"{subject!r} begins at {first:.1f} s, {other!r} at {second:.1f} s"
        slack = threshold(_FRAMES, "order_seconds")
        return decide(claim, self.name, _centred(apart), (_centred(-slack), _centred(slack)), reason)

    def _check_count(self, claim: Claim, view: ClipView) -> Finding:
        words, count = claim.get("subject") or claim["text"], claim.get("count")
        if count is None:
            return undecided(claim, self.name, "the claim names no number")
        no, yes = _limits(_FRAMES)
        numbers = [
            len(inside(self.spans(words, view, least), claim["window"])) for least in (yes, (yes + no) / 2, yes + 0.1)
        ]
        if len(set(numbers)) > 1:
            return undecided(claim, self.name, f"the number of {words!r} depends on the limit: {sorted(set(numbers))}")
        reason = f"{numbers[0]} of {words!r} are heard"
        holds = numbers[0] >= count if claim.get("relation") == "at least" else numbers[0] == count
        return decide(claim, self.name, float(holds), (0.0, 1.0), reason)


class SoundLabelWitness(WeightsWitness):
    """Claims that a sound is heard, by AST's labels of AudioSet: a second opinion on PE-A-Frame."""

    name = _LABELS
    kinds: frozenset[ClaimKind] = frozenset({"sound"})

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the likeliest label whose words all stand in the claim."""
        if not view.has_audio:
            return undecided(claim, self.name, "the clip has no sound track")
        checkpoint = self._checkpoint()
        labels = checkpoint.model.config.id2label
        named = matching_labels(claim.get("subject") or claim["text"], labels.values())
        if not named:
            return undecided(claim, self.name, "no label of AudioSet has the claim's words")
        samples = view.sound()
        if claim["window"] is not None:
            first, last = (round(claim["window"][edge] * SAMPLE_RATE) for edge in ("start", "end"))
            samples = samples[first:last]
        chances = _label_chances(checkpoint, samples)
        score, label = max((float(chances[number]), label) for number, label in labels.items() if label in named)
        return decide(claim, self.name, score, _limits(_LABELS), f"{label!r} has {score:.2f}")

    def labels(self, view: ClipView) -> list[str]:
        """The labels that are likely enough to be stated, the likeliest first."""
        checkpoint = self._checkpoint()
        chances = _label_chances(checkpoint, view.sound())
        order = sorted(range(len(chances)), key=lambda number: -chances[number])
        clear = [number for number in order if chances[number] >= threshold(_LABELS, "yes")]
        return [checkpoint.model.config.id2label[number] for number in clear]

    def _checkpoint(self) -> Checkpoint:
        return load_checkpoint(self._weights, "ASTForAudioClassification", {"sound": "ASTFeatureExtractor"})


def matching_labels(words: str, labels: Sequence[str] | Any) -> set[str]:
    """The labels of AudioSet of which one name ("Bark", "Door bell") stands in a text, word by word."""
    spoken = set(words.casefold().replace(",", " ").replace(".", " ").split())
    spoken |= {word.removesuffix("s") for word in spoken} | {word.removesuffix("ing") for word in spoken}
    return {label for label in labels if any(set(name.casefold().split()) <= spoken for name in label.split(", "))}


def _limits(witness: str) -> tuple[float, float]:
    return threshold(witness, "no"), threshold(witness, "yes")


def _centred(seconds: float) -> float:
    """A distance of two onsets as a score, 0..1: 0.5 for none, 0 and 1 from two seconds."""
    return min(1.0, max(0.0, 0.5 + seconds / 4))


def _frame_chances(checkpoint: Checkpoint, words: str, samples: Samples) -> Vector:
    """The probability of words in each frame of a piece of sound at `SAMPLE_RATE`."""
    import torch
    from scipy.signal import resample_poly

    extractor, tokenizer = checkpoint.parts["sound"], checkpoint.parts["text"]
    rate = extractor.sampling_rate
    raised = resample_poly(samples, rate // 1000, SAMPLE_RATE // 1000).astype(np.float32)
    heard = extractor(raised, sampling_rate=rate, return_tensors="pt")
    given = {**heard, **tokenizer([words], return_tensors="pt", padding=True)}
    with torch.inference_mode():
        logits = checkpoint.model(
            **{key: value.to(checkpoint.device) for key, value in given.items()}
        ).logits_audio_text
    return np.asarray(torch.sigmoid(logits.float())[0, 0].cpu(), np.float64)


def _label_chances(checkpoint: Checkpoint, samples: Samples) -> Vector:
    """The highest probability of each label over pieces of `_LABEL_SECONDS`."""
    import torch

    size = round(_LABEL_SECONDS * SAMPLE_RATE)
    pieces = [samples[at : at + size] for at in range(0, max(1, len(samples)), size)]
    best: Vector = np.zeros(checkpoint.model.config.num_labels)
    for piece in pieces:
        if len(piece) < SAMPLE_RATE // 10:
            continue
        given = checkpoint.parts["sound"](piece, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with torch.inference_mode():
            logits = checkpoint.model(**{key: value.to(checkpoint.device) for key, value in given.items()}).logits
        best = np.maximum(best, np.asarray(torch.sigmoid(logits.float())[0].cpu(), np.float64))
    return best
