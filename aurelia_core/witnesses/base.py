"""The interface of all witnesses: a claim about a clip goes in, a finding with three verdicts comes out."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.claims import Claim, ClaimKind, Finding, Verdict
from aurelia_core.installation import install_command, package_version
from aurelia_core.types import MediaRef, Span, Window

if TYPE_CHECKING:
    from aurelia_core.signals.look import ClipSource

EXTRA = "critic"
"""The package extra that installs what the witnesses need."""
SAMPLE_RATE = 16_000
"""The rate at which a clip's sound is stored, Hz; a witness that needs another resamples it."""


@dataclass(frozen=True)
class ClipView:
    """The clip that witnesses examine.

    Attributes:
        store: the source of frames and sound.
        clip: the video, still picture or sound.
        track: a sound file that replaces the clip's own sound.
        memory: what witnesses have measured on this clip, by their own keys; it lives as long as the view.
    """

    store: "ClipSource"
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
        kinds: the kinds of claims that it knows.
    """

    name: str
    kinds: frozenset[ClaimKind]

    def lacks(self) -> list[str]:
        """What is missing on this machine, in words with the command that adds it; [] if it can be asked."""
        ...

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """Whether the claim holds.

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


def weights_name(witness: str) -> str:
    """The hub id of a witness's weights from `thresholds.toml`."""
    return str(_table()[witness]["weights"])


def missing_packages(names: Sequence[str]) -> list[str]:
    """Which packages are not installed, in words with the command that installs them."""
    return [f"the package {name} ({install_command(EXTRA)})" for name in names if package_version(name) is None]


def undecided(claim: Claim, witness: str, reason: str) -> Finding:
    """The finding of a witness that cannot tell."""
    return Finding(
        claim=claim, verdict="cannot_tell", window=claim["window"], witness=witness, margin=None, reason=reason
    )


def decide(claim: Claim, witness: str, score: float, limits: tuple[float, float], reason: str) -> Finding:
    """Three verdicts from a score; a claim that denies is judged the other way round.

    Args:
        claim: the claim.
        witness: the name of the witness.
        score: how much speaks for what the claim names, 0..1.
        limits: the score up to which it is contradicted, and that from which on it is supported.
        reason: what was measured, in words.
    """
    no, yes = limits
    if no < score < yes:
        return undecided(claim, witness, reason)
    verdict: Verdict = "supported" if score >= yes else "contradicted"
    margin = _share(score - yes, 1 - yes) if score >= yes else -_share(no - score, no)
    if denies(claim):
        verdict = "contradicted" if verdict == "supported" else "supported"
        margin = -margin
    return Finding(
        claim=claim, verdict=verdict, window=claim["window"], witness=witness, margin=round(margin, 3), reason=reason
    )


def _share(part: float, whole: float) -> float:
    """How far a score lies beyond its limit, 0..1."""
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 1.0


_DENIAL = re.compile(r"\b(no|not|nobody|nothing|never|without|none|neither|\w+n't)\b", re.IGNORECASE)
_IN_QUOTES = re.compile(r"[\"“”«»][^\"“”«»]*[\"“”«»]")


def denies(claim: Claim) -> bool:
    """Whether a claim denies what it names; words in quotation marks do not count."""
    return claim.get("negated", False) or bool(_DENIAL.search(_IN_QUOTES.sub(" ", claim["text"])))


def inside(spans: Sequence[Span], window: Window | None) -> list[Span]:
    """The parts of spans that lie in a window."""
    if window is None:
        return list(spans)
    cut = [(max(start, window["start"]), min(end, window["end"])) for start, end in spans]
    return [(start, end) for start, end in cut if end > start]
