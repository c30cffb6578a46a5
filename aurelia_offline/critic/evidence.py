"""The critic's measurements of a clip, as records. `signal_audio` and `signal_video` measure.

Units: seconds from the start of the clip, fractions of the picture from the top left, dBFS RMS, confidences 0..1.
"""

from dataclasses import dataclass, field

from aurelia_core.signals.observation import MAX_MOTION_GAP, SoundClass
from aurelia_offline.critic.signal_activity import Activity


@dataclass(frozen=True, slots=True)
class HeardSound:
    """A sound.

    Attributes:
        start, end: seconds.
        level: dBFS RMS over the event.
        voice: tone, noise or click.
        pitch: Hz, None unless a tone.
        brightness: frequency below which half of the energy lies, Hz.
        confidence: confidence 0..1 that it is a separate sound.
        voice_confidence: confidence 0..1 of `voice`.
        ambient: whether it fills the whole track in the background.
        peak, faded_at: seconds of the loudest moment, and after which it stays 10 dB below; None if not measured.
    """

    start: float
    end: float
    level: float
    voice: SoundClass
    pitch: float | None
    brightness: float
    confidence: float
    voice_confidence: float
    ambient: bool = False
    peak: float | None = None
    faded_at: float | None = None


@dataclass(frozen=True, slots=True)
class AudioEvidence:
    """What is in a sound track: its length in seconds, its sounds in order, and its beat in beats per minute."""

    seconds: float
    sounds: tuple[HeardSound, ...] = ()
    bpm: float | None = None


@dataclass(frozen=True, slots=True)
class SeenMotion:
    """A motion: its times, centre, share of the picture, colour names and confidence."""

    start: float
    end: float
    x: float
    y: float
    extent: float
    colours: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Shot:
    """The time between two cuts: the background's colour names, most likely first, and the shares of all colours.

    `plain` is the share of the picture that the background colour covers; `lasting` the share of the time in which it
    covers at least half of that, so that a dissolve is noticed.
    """

    start: float
    end: float
    background: tuple[str, ...]
    plain: float
    colours: dict[str, float] = field(default_factory=dict)
    lasting: float = 1.0


@dataclass(frozen=True, slots=True)
class VideoEvidence:
    """The content of the picture.

    Attributes:
        gap: time between frames in seconds; inf without frames.
        shots, motions, flashes: in order of time; flashes in seconds.
        clearness: how well single moving things can be separated, 0..1.
        activity: where and when the picture changes; None for a clear picture.
    """

    gap: float
    shots: tuple[Shot, ...] = ()
    motions: tuple[SeenMotion, ...] = ()
    flashes: tuple[float, ...] = ()
    clearness: float = 1.0
    activity: Activity | None = None

    @property
    def shows_motion(self) -> bool:
        """Whether the frames are close enough to tell whether something moves between them."""
        return self.gap <= MAX_MOTION_GAP

    @property
    def cuts(self) -> tuple[float, ...]:
        """The times of the cuts, in seconds; none if the frames are too far apart to tell a cut.

        The shots of still pictures start at 0 and add none.
        """
        if not self.shows_motion:
            return ()
        return tuple(shot.start for shot in self.shots[1:] if shot.start > 0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All measurements of a clip.

    `tracks` has one entry for the sound of the clip, or one for each candidate track; it is empty without sound.
    """

    duration: float
    tracks: tuple[AudioEvidence, ...]
    video: VideoEvidence

    @property
    def audio(self) -> AudioEvidence | None:
        """The sound track, if there is exactly one."""
        if len(self.tracks) == 1:
            return self.tracks[0]
        return None
