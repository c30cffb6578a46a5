"""All witnesses: who is asked about which claim, how two findings become one, and what is missing on this machine."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from aurelia_core.claims import Claim, Finding, merge_findings
from aurelia_core.errors import InputError
from aurelia_core.witnesses.base import ClipView, Witness, undecided
from aurelia_core.witnesses.beats import BeatWitness
from aurelia_core.witnesses.measured import MeasuredWitness
from aurelia_core.witnesses.objects import ObjectWitness, PictureWitness
from aurelia_core.witnesses.sound_events import SoundEventWitness, SoundLabelWitness
from aurelia_core.witnesses.spoken import SpokenWitness
from aurelia_core.witnesses.transcript import TranscriptWitness
from aurelia_core.witnesses.voice import VoiceWitness
from aurelia_core.witnesses.written import WrittenWitness

PROVIDER = "tools"


class WitnessState(NamedTuple):
    """A witness on this machine: its name, the kinds of claims it knows, and what it lacks, in words."""

    name: str
    kinds: tuple[str, ...]
    lacks: tuple[str, ...]


@cache
def all_witnesses() -> tuple[Witness, ...]:
    """Every witness of this project, whether it can be asked here or not."""
    return (
        MeasuredWitness(),
        BeatWitness(),
        VoiceWitness(),
        WrittenWitness(),
        SpokenWitness(),
        SoundEventWitness(),
        SoundLabelWitness(),
        ObjectWitness(),
        PictureWitness(),
        TranscriptWitness(),
    )


def witness_states(witnesses: Sequence[Witness] | None = None) -> list[WitnessState]:
    """What each witness can do on this machine; no weights are loaded."""
    return [
        WitnessState(one.name, tuple(sorted(one.kinds)), tuple(one.lacks())) for one in witnesses or all_witnesses()
    ]


def check_claim(claim: Claim, view: ClipView, witnesses: Sequence[Witness] | None = None) -> Finding:
    """What the witnesses together find; two that contradict each other cannot tell.

    A witness that lacks its weights or packages is not asked. Where none is left, the finding says what is missing.

    Raises:
        MediaError: the clip cannot be decoded.
    """
    knowing = [one for one in witnesses or all_witnesses() if claim["kind"] in one.kinds]
    able = [one for one in knowing if not _lacks(one)]
    if not able:
        missing = "; ".join(f"{one.name} lacks {', '.join(_lacks(one))}" for one in knowing)
        return undecided(claim, PROVIDER, missing or f"no witness knows claims of the kind {claim['kind']!r}")
    found = [one.check(claim, view) for one in able]
    merged = found[0]
    for other in found[1:]:
        merged = merge_findings([merged], [other])[0]
    lacking = [one.name for one in knowing if one not in able]
    if merged["verdict"] == "cannot_tell" and lacking:
        merged["reason"] = f"{merged['reason']}; not asked, because they lack something: {', '.join(lacking)}"
    return merged


def _lacks(witness: Witness) -> list[str]:
    try:
        return witness.lacks()
    except InputError as fault:
        return [str(fault)]
