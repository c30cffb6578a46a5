"""What witnesses hear, as evidence for a model that cannot hear: voices, words, and sound events with their times."""

from typing import TYPE_CHECKING, NamedTuple

from aurelia_core.types import MediaRef, Span
from aurelia_core.witnesses.base import ClipView
from aurelia_core.witnesses.sound_events import SoundEventWitness, SoundLabelWitness
from aurelia_core.witnesses.transcript import TranscriptWitness, Utterance
from aurelia_core.witnesses.voice import VoiceWitness, clip_speech

if TYPE_CHECKING:
    from aurelia_core.signals.look import ClipSource

_MAX_EVENTS = 12


class SoundEvidence(NamedTuple):
    """What witnesses hear in a sound.

    Attributes:
        speech: where somebody speaks, seconds.
        said: the words, if a transcript can be made here.
        events: sounds by name with their spans; None if sound events cannot be told here.
    """

    speech: tuple[Span, ...]
    said: tuple[Utterance, ...]
    events: tuple[tuple[str, tuple[Span, ...]], ...] | None


def hearing_witnesses() -> list[str]:
    """The names of the witnesses that make evidence of a sound on this machine; empty: none is made."""
    if VoiceWitness().lacks():
        return []
    found = [VoiceWitness.name]
    if not TranscriptWitness().lacks():
        found.append(TranscriptWitness.name)
    if not SoundLabelWitness().lacks() + SoundEventWitness().lacks():
        found += [SoundLabelWitness.name, SoundEventWitness.name]
    return found


def hear_sound(store: "ClipSource", source: MediaRef) -> SoundEvidence | None:
    """What witnesses hear in a clip or a separate track; None if none of them is installed.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    able = hearing_witnesses()
    if not able:
        return None
    view = ClipView(store, source)
    said: tuple[Utterance, ...] = ()
    if TranscriptWitness.name in able:
        said = TranscriptWitness().utterances(view)
    events = None
    if SoundEventWitness.name in able:
        frames = SoundEventWitness()
        labels = SoundLabelWitness().labels(view)[:_MAX_EVENTS]
        events = tuple((label, spans) for label in labels if (spans := frames.clear_spans(label, view)))
    return SoundEvidence(clip_speech(view), said, events)
