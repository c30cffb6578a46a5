"""The interface of all witnesses: a statement about a clip goes in, a finding comes out."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.resources import files
from typing import Any, Literal, Protocol

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.installation import install_command
from aurelia_core.signals.look import ClipSource
from aurelia_core.types import MediaRef, Span, Window

Verdict = Literal["supported", "contradicted", "cannot_tell"]
EXTRA = "critic"
"""The package extra that installs what the witnesses need."""
SAMPLE_RATE = 16_000
"""The rate at which a clip's sound is stored, Hz; a witness that needs another resamples it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is claimed of a clip.

    Attributes:
        text: the claim, one sentence.
        kind: what it is about; a witness names the kinds that it knows (`Witness.kinds`).
        window: where, seconds; None: anywhere in the clip.
    """

    text: str
    kind: str
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a witness says about a statement.

    Attributes:
        verdict: supported, contradicted or cannot_tell.
        witness: the name of the witness; several are joined by " + ".
        margin: distance from the decision, 0..1; 0 for cannot_tell.
        reason: what was measured, in words.
        spans: where, seconds; may be empty.
    """

    verdict: Verdict
    witness: str
    margin: float
    reason: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class ClipView:
    """The clip that witnesses examine.

    Attributes:
        store: the source of frames and sound.
        clip: the video, still picture or sound.
        track: a sound file that replaces the clip's own sound.
        memory: what witnesses have measured on this clip, by their own keys; it lives as long as the view.
    """

    store: ClipSource
    clip: MediaRef
    track: MediaRef | None = None
    memory: dict[Any, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Length of picture and sound, seconds."""
        return max(self.clip["duration"], self._sound_source["audio_seconds"] or 0.0)

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track."""
        return self.track is not None or self.clip["has_audio"]

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture."""
        return self.clip["width"] is not None

    @property
    def _sound_source(self) -> MediaRef:
        return self.track or self.clip

    def sound(self) -> Samples:
        """The whole sound, float32[n] at `SAMPLE_RATE`; empty without a sound track.

        Raises:
            MediaError: the sound cannot be decoded.
        """
        if not self.has_audio:
            return np.zeros(0, np.float32)
        pieces = self.store.audio(self._sound_source, [], SAMPLE_RATE)
        return np.concatenate([piece.samples for piece in pieces] or [np.zeros(0, np.float32)])

    def frames(self, window: Window | None, count: int, height: int) -> tuple[Any, Any]:
        """At most `count` frames of a window: times float64[n], and images uint8[n, H, W, 3].

        Raises:
            MediaError: the picture cannot be decoded.
        """
        windows = [] if window is None else [window]
        found = self.store.frames(self.clip, windows, count, height)
        return np.asarray(found.times, np.float64), found.images


class Witness(Protocol):
    """One witness.

    Attributes:
        name: its name in findings, in `doctor` and in `thresholds.toml`.
        kinds: the kinds of statements that it knows.
    """

    name: str
    kinds: frozenset[str]

    def lacks(self) -> list[str]:
        """What is missing on this machine, in words with the command that adds it; [] if it can be asked."""
        ...

    def check(self, statement: Statement, view: ClipView) -> Finding:
        """Whether the statement holds.

        Raises:
            MediaError: the clip cannot be decoded.
        """
        ...


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("aurelia_core.witnesses").joinpath("thresholds.toml").read_text("utf-8"))


def threshold(witness: str, name: str) -> float:
    """A limit of a witness from `thresholds.toml`."""
    return float(_table()[witness][name])


def missing_packages(names: Sequence[str]) -> list[str]:
    """Which packages are not installed, in words with the command that installs them."""
    return [f"the package {name} ({install_command(EXTRA)})" for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def undecided(witness: str, reason: str) -> Finding:
    """The finding of a witness that cannot tell."""
    return Finding("cannot_tell", witness, 0.0, reason)


def decide(witness: str, score: float, yes: float, no: float, reason: str, spans: Sequence[Span] = ()) -> Finding:
    """Three verdicts from a score: supported from `yes` on, contradicted up to `no`, cannot_tell between.

    Args:
        witness: the name of the witness.
        score: 0..1.
        yes: the lower limit of supported.
        no: the upper limit of contradicted, below `yes`.
        reason: what was measured, in words.
        spans: where it was found, seconds.
    """
    if score >= yes:
        return Finding("supported", witness, _share(score - yes, 1 - yes), reason, tuple(spans))
    if score <= no:
        return Finding("contradicted", witness, _share(no - score, no), reason)
    return undecided(witness, reason)


def _share(part: float, whole: float) -> float:
    """How far a score lies beyond its limit, 0..1."""
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 1.0


def negate(finding: Finding) -> Finding:
    """The finding about the opposite statement."""
    opposite: dict[Verdict, Verdict] = {"supported": "contradicted", "contradicted": "supported"}
    verdict = opposite.get(finding.verdict, "cannot_tell")
    return Finding(verdict, finding.witness, finding.margin, finding.reason, finding.spans)


def inside(spans: Sequence[Span], window: Window | None) -> list[Span]:
    """The parts of spans that lie in a window."""
    if window is None:
        return list(spans)
    cut = [(max(start, window["start"]), min(end, window["end"])) for start, end in spans]
    return [(start, end) for start, end in cut if end > start]
