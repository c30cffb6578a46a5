"""Records of measurements: detected sounds, motions, colours, tempo and sync, and the observation of a clip.

Times are seconds from the start of the clip; positions are fractions of the picture, (0, 0) at the top left; levels are
dBFS RMS; confidences are 0..1.
"""

from dataclasses import dataclass
from typing import Literal

from aurelia_core.types import Span

SoundClass = Literal["tone", "noise", "click"]

MAX_MOTION_GAP = 2.5
"""Spacing of frames, seconds, above which their differences show neither motions nor cuts: what lies between is not
known, and a picture that changed once is not a picture that moves."""
LEVEL_SECONDS = 0.1
"""Length of the parts of a sound whose levels are measured."""
_LOW_HZ = 250.0
_SEAM_SECONDS, _RINGING_DECIBELS = 0.05, 3.0
_HALF_TONAL = 0.6
"""Tonality above which an unpitched sound is neither clearly noise nor a click."""


@dataclass(frozen=True, slots=True)
class DetectedSound:
    """One sound event.

    Attributes:
        start, end: onset and end, seconds.
        level: loudness, dBFS RMS over the event.
        sound_class: tone (pitched), noise (unpitched, lasting) or click (unpitched, shorter than 0.12 s).
        pitch: fundamental frequency in Hz; None unless a tone.
        harmonic: whether the overtones are whole multiples of the pitch.
        attack, decay: seconds from onset to peak, and from peak down by 20 dB (or to the end).
        brightness: spectral centroid, Hz.
        confidence: 0..1.
        median_frequency: frequency below which half of the energy lies, Hz; None if not measured.
        tonality: share of the energy in narrow peaks, 0..1.
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
        """Whether most of the energy is low; an unpitched sound is then a thump or a rumble, not a click or a hiss."""
        return self.median_frequency is not None and self.median_frequency < _LOW_HZ

    @property
    def perceived_class(self) -> SoundClass | None:
        """The class that a listener would hear; None for an unpitched sound that is low or half tonal."""
        if self.sound_class != "tone" and (self.is_low or self.tonality > _HALF_TONAL):
            return None
        return self.sound_class


def rings_on(earlier: DetectedSound, later: DetectedSound) -> bool:
    """Whether a sound follows another without a pause as its ringing does, or as a part of one unpitched sound."""
    if later.start - earlier.end >= _SEAM_SECONDS or later.end <= earlier.end:
        return False
    softer = later.level < earlier.level - _RINGING_DECIBELS
    shortest = min(earlier.end - earlier.start, later.end - later.start)
    return softer or shortest < _SEAM_SECONDS or (later.pitch is None and earlier.pitch is None)


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion at one position during one period.

    Attributes:
        start, end: seconds, with the precision of the frame spacing.
        x, y: centre of the moving region, 0..1.
        extent: share of the picture that moves, 0..1.
        colour: colour name of the moving region (see `colours.COLOUR_NAMES`); None if mixed.
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
    """A colour and its share of the picture (0..1); `background` marks the most frequent colour without motion."""

    name: str
    share: float
    background: bool


@dataclass(frozen=True, slots=True)
class Tempo:
    """A steady beat.

    Attributes:
        bpm: beats per minute.
        strength: regularity of the onsets, 0..1.
        alike: whether nearly all onsets are beats, and equally loud; else the beat may be half or twice as fast.
    """

    bpm: float
    strength: float
    alike: bool = True


@dataclass(frozen=True, slots=True)
class AudiovisualSync:
    """Agreement of motion and sound onsets: `lag` in seconds (positive: motion after sound), `strength` 0..1."""

    lag: float
    strength: float


@dataclass(frozen=True, slots=True)
class SideChanges:
    """How much each half of the picture changes, levels of 255 a block and quarter of a second."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Observation:
    """The measurements of one observation of a clip, or of several merged ones.

    Attributes:
        duration: length of the clip, seconds.
        has_audio: whether the clip has a sound track.
        video_spans, audio_spans: the observed spans of picture and sound, seconds.
        frame_gap: widest spacing of the frames, seconds; it limits the precision of all times; inf without frames.
        sample_rate: lowest sampling rate, Hz: frequencies above half of it are not measured; 0 without sound.
        silences: silences of at least 0.3 s.
        camera_drift: path of the whole picture, as with a moving camera, as a fraction of its height.
        still: whether the picture is a still picture, in which no movement can be measured.
        pictures: number of videos and still pictures of the question; the first one is measured.
        fades_to_black, fades_from_black: the spans of fades, seconds.
        levels: level of each `LEVEL_SECONDS` of the whole sound, dBFS; () unless all of it was heard.
        slow_changes: when the picture keeps changing from one second to the next, seconds.
        side_changes: how much each half of the picture changes; None unless every frame was looked at.
        sudden_changes: when much of the picture changes at once, and no cut was found, seconds.
        black_spans: when the picture turns black and stays so, seconds.
        lights_up: whether a part of the picture becomes bright at once, as fireworks do.
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
    still: bool = False
    pictures: int = 1
    fades_to_black: tuple[Span, ...] = ()
    fades_from_black: tuple[Span, ...] = ()
    levels: tuple[float, ...] = ()
    slow_changes: tuple[Span, ...] = ()
    side_changes: SideChanges | None = None
    sudden_changes: tuple[float, ...] = ()
    black_spans: tuple[Span, ...] = ()
    lights_up: bool = False


_BROAD_EXTENT = 0.08
"""Extent from which a motion is broad; the central zone is then narrower."""


def describe_position(x: float, y: float, extent: float = 0.0) -> str:
    """The position in words: left, centre or right, with top or bottom where this is clear."""
    edge = 0.36
    if extent >= _BROAD_EXTENT:
        edge = 0.42
    words = []
    if y < 0.3:
        words.append("top")
    elif y > 0.7:
        words.append("bottom")
    if x < edge:
        words.append("left")
    elif x > 1 - edge:
        words.append("right")
    return " ".join(words) or "centre"
