"""What the critic found in a clip by its own means: data only. Measuring is in `critic_audio` and `critic_video`.

Units as in `events`: seconds from the start of the clip, fractions of the picture from its top left, dBFS RMS, 0..1.
"""

from dataclasses import dataclass, field

from aurelia_core.signals.observation import SoundClass
from aurelia_offline.critic.signal_activity import Activity


@dataclass(frozen=True, slots=True)
class HeardSound:
    """A sound the critic heard.

    Attributes:
        start, end: seconds.
        level: dBFS RMS over the event.
        voice: tone, noise or click.
        pitch: Hz, None unless a tone.
        brightness: frequency below which half of the energy lies, Hz.
        sure: confidence 0..1 that it is a sound of its own.
        voice_sure: confidence 0..1 of `voice`.
        ambient: whether it fills the whole track, beneath all others.
        peak, faded: when it is loudest, and when it has lost 10 dB for good, seconds; None where not measured.
    """

    start: float
    end: float
    level: float
    voice: SoundClass
    pitch: float | None
    brightness: float
    sure: float
    voice_sure: float
    ambient: bool = False
    peak: float | None = None
    faded: float | None = None


@dataclass(frozen=True, slots=True)
class AudioEvidence:
    """What is in a sound track: its length in seconds, its sounds in order, and its beat in beats per minute."""

    seconds: float
    sounds: tuple[HeardSound, ...] = ()
    bpm: float | None = None


@dataclass(frozen=True, slots=True)
class SeenMotion:
    """Something the critic saw moving: when, where its middle is, how much of the picture, which colour, how sure."""

    start: float
    end: float
    x: float
    y: float
    extent: float
    colours: tuple[str, ...]
    sure: float


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch between two cuts: its background's colour names (the likeliest first) and the colours that stand in it.

    `plain` is the share of the picture that the background's colour covers.
    """

    start: float
    end: float
    background: tuple[str, ...]
    plain: float
    colours: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoEvidence:
    """What is in the picture.

    Attributes:
        gap: spacing of the frames in seconds, inf when nothing was seen.
        shots, motions, flashes: in the order of time; flashes in seconds.
        clear: how far single moving things could be told apart, 0..1.
        activity: where and when it stirs, where that is less than clear.
    """

    gap: float
    shots: tuple[Shot, ...] = ()
    motions: tuple[SeenMotion, ...] = ()
    flashes: tuple[float, ...] = ()
    clear: float = 1.0
    activity: Activity | None = None

    @property
    def cuts(self) -> tuple[float, ...]:
        """Times at which one shot gives way to the next."""
        return tuple(shot.start for shot in self.shots[1:])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the critic holds against a caption.

    `tracks` has one entry for the sound that goes with the picture, or one for each candidate; empty without sound.
    """

    duration: float
    tracks: tuple[AudioEvidence, ...]
    video: VideoEvidence

    @property
    def audio(self) -> AudioEvidence | None:
        """The sound track, when there is exactly one."""
        return self.tracks[0] if len(self.tracks) == 1 else None
