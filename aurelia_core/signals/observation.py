"""The vocabulary of measurement: what was heard and seen, when, where, how sure. Data only; measuring is elsewhere.

Times are seconds from the start of the clip; places are fractions of the picture, (0, 0) top left; levels are dBFS RMS;
confidences are 0..1.
"""

from dataclasses import dataclass
from typing import Literal

from aurelia_core.types import Span

SoundClass = Literal["tone", "noise", "click"]

_LOW_HZ = 250.0
"""Hz."""
_HALF_TONAL = 0.6


@dataclass(frozen=True, slots=True)
class DetectedSound:
    """One sound event.

    Attributes:
        start, end: onset and end, seconds.
        level: loudness, dBFS RMS over the event.
        voice: tone (pitched), noise (unpitched, lasting) or click (unpitched, shorter than 0.12 s).
        pitch: fundamental frequency in Hz; None unless a tone.
        harmonic: whether overtones stand at whole multiples of the pitch.
        attack, decay: seconds from onset to peak, and from peak down by 20 dB (or to the end).
        brightness: spectral centroid, Hz.
        confidence: 0..1.
        middle: frequency below which half of the energy lies, Hz; None where it was not measured.
        tonal: share of the energy that stands in narrow peaks, 0..1.
    """

    start: float
    end: float
    level: float
    sound_class: SoundClass
    pitch: float | None
    harmonic: bool
    attack: float
    decay: float
    brightness: float
    confidence: float
    median_frequency: float | None = None
    tonality: float = 0.0

    @property
    def is_low(self) -> bool:
        """Whether most of it is so low that an unpitched sound is a thump or a rumble, no click and no hiss."""
        return self.median_frequency is not None and self.median_frequency < _LOW_HZ

    @property
    def perceived_class(self) -> SoundClass | None:
        """The voice where a listener would call it that; None for unpitched sounds that are low, or half tonal."""
        unlike = self.is_low or self.tonality > _HALF_TONAL
        return None if self.sound_class != "tone" and unlike else self.sound_class


@dataclass(frozen=True, slots=True)
class Motion:
    """Something that moves, in one place, for one stretch of time.

    Attributes:
        start, end: seconds; as fine as the spacing of the frames looked at.
        x, y: centre of the moving region, 0..1.
        extent: share of the picture that moves, 0..1.
        colour: name of the moving region's colour (see `colours.NAMES`), None when mixed.
        confidence: 0..1.
    """

    start: float
    end: float
    x: float
    y: float
    extent: float
    colour: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class ColourShare:
    """A colour and the share of the picture it covers (0..1); `background` for the widest one that stays still."""

    name: str
    share: float
    background: bool


@dataclass(frozen=True, slots=True)
class Tempo:
    """A steady beat: beats per minute, and its strength 0..1 (how regular the onsets are)."""

    bpm: float
    strength: float


@dataclass(frozen=True, slots=True)
class AudiovisualSync:
    """How the onsets of motion and sound agree: `lag` seconds (motion after sound is positive), `strength` 0..1."""

    lag: float
    strength: float


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was measured in one or several looks at a clip.

    Attributes:
        duration: of the clip, seconds.
        has_audio: whether the clip carries a sound track at all.
        seen, heard: the spans that were looked at and listened to, (start, end) in seconds.
        frame_gap: widest spacing of the frames in seconds: no event is known more finely than this; inf when unseen.
        rate: lowest sampling rate listened at, Hz: nothing above half of it was heard; 0 when unheard.
        silences: stretches of at least 0.3 s below the noise floor.
        drift: how far the picture as a whole shifts, as under a moving camera, as a fraction of its height.
    """

    duration: float
    has_audio: bool
    video_spans: tuple[Span, ...]
    audio_spans: tuple[Span, ...]
    frame_gap: float
    sample_rate: int
    sounds: tuple[DetectedSound, ...]
    silences: tuple[Span, ...]
    motions: tuple[Motion, ...]
    colours: tuple[ColourShare, ...]
    cuts: tuple[float, ...]
    flashes: tuple[float, ...]
    tempo: Tempo | None
    sync: AudiovisualSync | None
    camera_drift: float = 0.0


_BROAD_EXTENT = 0.08
"""Share of the picture from which a thing is so broad that its half of the picture is its place."""


def describe_position(x: float, y: float, extent: float = 0.0) -> str:
    """The place in plain words: left, centre or right, with top or bottom where it is clearly so."""
    edge = 0.42 if extent >= _BROAD_EXTENT else 0.36
    across = "left" if x < edge else "right" if x > 1 - edge else "centre"
    down = "top" if y < 0.3 else "bottom" if y > 0.7 else ""
    return across if not down else down if across == "centre" else f"{down} {across}"
