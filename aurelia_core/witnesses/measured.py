"""Cuts, fades and tempo, measured on every frame and on the whole band, without a model."""

import re

from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.signals.whole_clip import WholeClip, observe_whole_clip
from aurelia_core.types import Span
from aurelia_core.witnesses.base import ClipView, decide, inside, threshold, undecided

_NAME = "measured"
_MOMENT_SECONDS = 0.001


class MeasuredWitness:
    """Claims about cuts, fades and tempo."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"cut", "tempo"})

    def lacks(self) -> list[str]:
        """Nothing: what it needs is always installed."""
        return []

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the measured cuts, fades and beat."""
        if claim["kind"] == "tempo":
            return self._check_tempo(claim, view)
        if not view.has_picture or view.clip["duration"] == 0.0:
            return undecided(claim, _NAME, "there is no moving picture")
        whole = _whole(view)
        if not whole.every_frame:
            return undecided(claim, _NAME, "the clip is too long to look at every frame")
        name, spans = _events(claim["text"], whole)
        found = inside(spans, claim["window"])
        times = ", ".join(f"{start:.1f} s" for start, _ in found[:12])
        reason = f"{len(found)} {name} {'at ' + times if found else 'were found'}"
        count = claim.get("count")
        if count is None:
            return decide(claim, _NAME, float(bool(found)), (0.0, 1.0), reason)
        holds = len(found) >= count if claim.get("relation") == "at least" else len(found) == count
        return decide(claim, _NAME, float(holds), (0.0, 1.0), reason)

    def _check_tempo(self, claim: Claim, view: ClipView) -> Finding:
        count = claim.get("count")
        if count is None or claim["window"] is not None or not view.has_audio:
            return undecided(claim, _NAME, "the claim names no number of beats a minute for the whole clip")
        tempo = _whole(view).observation.tempo
        if tempo is None or tempo.strength < threshold(_NAME, "least_strength"):
            return undecided(claim, _NAME, "no clear beat was measured")
        return decide_tempo(claim, _NAME, tempo.bpm)


def decide_tempo(claim: Claim, witness: str, bpm: float) -> Finding:
    """Whether a claimed number of beats a minute fits a measured one."""
    count = claim.get("count", 0.0)
    off = abs(bpm - count) / bpm
    # Half and double the tempo are the same beat to a listener.
    other = min(abs(bpm * factor - count) / count for factor in (0.5, 2.0))
    share = threshold(_NAME, "tempo_share")
    if other < share <= off:
        return undecided(claim, witness, f"{bpm:.0f} beats a minute, half or double of what is claimed")
    return decide(claim, witness, max(0.0, 1 - off), (1 - 3 * share, 1 - share), f"{bpm:.0f} beats a minute")


def _whole(view: ClipView) -> WholeClip:
    if _NAME not in view.memory:
        view.memory[_NAME] = observe_whole_clip(view.store, view.clip, view.track)
    found: WholeClip = view.memory[_NAME]
    return found


def _events(text: str, whole: WholeClip) -> tuple[str, list[Span]]:
    """The events that a claim is about: fades to or from black, fades, or cuts; with their name."""
    seen = whole.observation
    words = text.casefold()
    if re.search(r"\bfad\w*\b", words):
        if re.search(r"\b(from|out of) black|fad\w* in\b", words):
            return "fades from black", list(seen.fades_from_black)
        if re.search(r"\bto black|fad\w* out\b", words):
            return "fades to black", list(seen.fades_to_black)
        return "fades", sorted([*seen.fades_from_black, *seen.fades_to_black])
    return "cuts", [(time, time + _MOMENT_SECONDS) for time in seen.cuts]
