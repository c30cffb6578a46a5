"""Whether claimed words are said, by forced alignment with PocketSphinx (weights inside its package, without torch).

The words are aligned to the part in which a voice is heard, and each word's likelihood is compared with that of the
best phones there, whatever they are. It judges English words that are claimed, and writes down nothing of its own.
"""

import re
import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.types import Span
from aurelia_core.witnesses.base import SAMPLE_RATE, ClipView, decide, missing_packages, threshold, undecided
from aurelia_core.witnesses.voice import VoiceWitness, clip_speech
from aurelia_core.witnesses.written import quoted_texts

_NAME = "pocketsphinx"
_WORD = re.compile(r"[a-z']+")
_LOOP_SCALE = 1024
"""The phone loop reports its scores shifted by 10 bits; the alignment does not."""
_lock = threading.Lock()


class AlignedWord(NamedTuple):
    """A claimed word, and its likelihood per 10 ms as a ratio to that of the best phones there, 0..1."""

    word: str
    ratio: float


class SpokenWitness:
    """Claims that certain English words are said."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"speech"})

    def lacks(self) -> list[str]:
        """The packages that are not installed; the voice detector is needed too."""
        return VoiceWitness().lacks() + missing_packages(["pocketsphinx"])

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the least likely of the claimed words, in the utterance that fits them best."""
        said = quoted_texts(claim["text"]) or [text for text in [claim.get("value", "")] if text]
        if not said or not view.has_audio:
            return undecided(claim, _NAME, "the claim names no words" if view.has_audio else "there is no sound track")
        window = claim["window"]
        heard = [
            (start, end)
            for start, end in clip_speech(view)
            if window is None or (end > window["start"] and start < window["end"])
        ]
        words = _WORD.findall(" ".join(said).casefold().replace("’", "'"))
        phones = _count_phones(words)
        if phones is None or any(letter.isdigit() for text in said for letter in text):
            return undecided(claim, _NAME, "a word is not in its English dictionary")
        fitting = [span for span in _candidates(heard) if _is_pace_natural(phones, span)]
        if not fitting:
            return undecided(claim, _NAME, "no voice is heard for about as long as these words take")
        aligned = [found for span in fitting if (found := _align_cached(view, words, span))]
        if not aligned:
            return decide(claim, _NAME, 0.0, _limits(), "the words do not fit what is heard")
        best = max((min(found, key=lambda one: one.ratio) for found in aligned), key=lambda one: one.ratio)
        return decide(claim, _NAME, best.ratio, _limits(), f'"{best.word}" fits what is heard by {best.ratio:.2f}')


def _limits() -> tuple[float, float]:
    return threshold(_NAME, "no"), threshold(_NAME, "yes")


def _candidates(heard: list[Span]) -> list[Span]:
    """Each utterance, and all from the first to the last together."""
    if len(heard) < 2:
        return heard
    return [*heard, (heard[0][0], heard[-1][1])]


def _is_pace_natural(phones: int, span: Span) -> bool:
    pace = phones / (span[1] - span[0])
    return threshold(_NAME, "least_pace") <= pace <= threshold(_NAME, "most_pace")


class _Decoders(NamedTuple):
    """The aligner, and the loop over all phones."""

    aligner: Any
    loop: Any


@cache
def _decoders() -> _Decoders:
    from pocketsphinx import Config, Decoder, get_model_path

    quiet = {"loglevel": "FATAL"}
    phones = {"allphone": f"{get_model_path()}/en-us/en-us-phone.lm.bin", "lw": 1.0}
    wide = dict.fromkeys(("beam", "pbeam", "wbeam"), 1e-30)
    return _Decoders(Decoder(Config(**quiet)), Decoder(Config(**phones, **wide, **quiet)))


def _count_phones(words: list[str]) -> int | None:
    """The number of phones of words; None if there is none, or one that the dictionary does not know."""
    with _lock:
        spoken = [_decoders().aligner.lookup_word(word) for word in words]
    if not spoken or None in spoken:
        return None
    return sum(len(phones.split()) for phones in spoken)


def _align_cached(view: ClipView, words: list[str], span: Span) -> list[AlignedWord]:
    """The claimed words with their ratios in a part of a clip; [] if they do not fit."""
    first, last = (round(max(0.0, at) * SAMPLE_RATE) for at in (span[0] - 0.3, span[1] + 0.3))
    samples = view.sound()[first:last]
    with _lock:
        if (_NAME, span) not in view.memory:
            view.memory[_NAME, span] = _free_scores(samples)
        return align_words(words, samples, view.memory[_NAME, span])


def _free_scores(samples: Samples) -> np.ndarray:
    """The log likelihood of the best phones in each frame of 10 ms."""
    decoder = _decoders().loop
    scores = np.zeros(len(samples) // 160 + 2)
    for part in _decode(decoder, samples):
        scores[part.start_frame : part.end_frame + 1] = _log(decoder, part) * _LOOP_SCALE
    return scores


def align_words(words: list[str], samples: Samples, free: np.ndarray) -> list[AlignedWord]:
    """The claimed words with their ratios; [] if they cannot be aligned.

    Args:
        words: in lower case, all in the dictionary.
        samples: float32[n] at 16 kHz.
        free: the log likelihood of the best phones by frame.
    """
    decoder = _decoders().aligner
    decoder.set_align_text(" ".join(words))
    found = []
    for part in _decode(decoder, samples):
        if not part.word.startswith("<"):
            over = _log(decoder, part) - float(free[part.start_frame : part.end_frame + 1].mean())
            found.append(AlignedWord(part.word.partition("(")[0], float(np.exp(min(0.0, over)))))
    return found


def _decode(decoder: Any, samples: Samples) -> list[Any]:
    decoder.start_utt()
    dither = np.random.default_rng(0).normal(0.0, 1e-3, len(samples))
    decoder.process_raw((np.clip(samples + dither, -1, 1) * 32000).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return list(decoder.seg())


def _log(decoder: Any, part: Any) -> float:
    """The log likelihood of a segment for each of its frames, nats."""
    logmath = decoder.get_logmath()
    likelihood = float(logmath.log_to_ln(logmath.log(part.ascore)))
    return likelihood / float(part.end_frame - part.start_frame + 1)
