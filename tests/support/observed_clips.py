"""Clips whose measurements are given by hand: four of them, and their parts."""

from aurelia_core.signals.observation import (
    AudiovisualSync,
    ColourShare,
    DetectedSound,
    Motion,
    Observation,
    SoundClass,
    Tempo,
)


def sound(start: float, end: float, level: float, voice: SoundClass, pitch: float | None = None) -> DetectedSound:
    return DetectedSound(start, end, level, voice, pitch, pitch is not None, 0.01, 0.1, 2000.0, 0.9)


def motion(start: float, end: float, x: float, colour: str, y: float = 0.5) -> Motion:
    return Motion(start, end, x, y, 0.05, colour, 0.9)


def observed(duration: float, **measured: object) -> Observation:
    base: dict[str, object] = {
        "duration": duration,
        "has_audio": True,
        "video_spans": ((0.0, duration),),
        "audio_spans": ((0.0, duration),),
        "frame_gap": 0.05,
        "sample_rate": 16000,
        "sounds": (),
        "silences": (),
        "motions": (),
        "colours": (),
        "cuts": (),
        "flashes": (),
        "tempo": None,
        "sync": None,
    }
    return Observation(**(base | measured))  # type: ignore[arg-type]


DUET = observed(
    6.0,
    sounds=(sound(1.0, 1.6, -24, "tone", 440.0), sound(2.5, 3.1, -15, "tone", 660.0), sound(4.0, 4.5, -30, "noise")),
    silences=((0.0, 1.0), (1.6, 2.5), (3.1, 4.0), (4.5, 6.0)),
    motions=(motion(1.0, 1.6, 0.2, "red"), motion(2.5, 3.1, 0.8, "green"), motion(4.0, 4.5, 0.2, "red")),
    colours=(
        ColourShare("black", 0.85, True),
        *(ColourShare(name, 0.04, False) for name in ("red", "green", "yellow")),
    ),
    flashes=(5.3,),
    sync=AudiovisualSync(0.01, 0.9),
    levels=tuple(
        next((level for a, b, level in ((10, 16, -24.0), (25, 31, -15.0), (40, 45, -30.0)) if a <= at < b), -90.0)
        for at in range(60)
    ),
)
CUT = observed(
    5.0,
    sounds=(
        sound(0.6, 1.0, -20, "tone", 880.0),
        sound(1.6, 1.65, -18, "click"),
        sound(3.0, 3.4, -14, "tone", 330.0),
        sound(3.6, 4.1, -24, "noise"),
    ),
    silences=((0.0, 0.6), (1.0, 1.6), (1.65, 3.0), (4.1, 5.0)),
    motions=tuple(motion(a, b, 0.8, "blue", 0.25) for a, b in ((0.6, 1.0), (1.6, 2.0), (3.6, 4.1))),
    colours=(ColourShare("white", 0.5, True), ColourShare("grey", 0.4, False), ColourShare("blue", 0.05, False)),
    cuts=(2.5,),
    sync=AudiovisualSync(0.0, 0.7),
)
MUTE = observed(
    6.0,
    has_audio=False,
    audio_spans=(),
    sample_rate=0,
    colours=(ColourShare("blue", 0.9, True), ColourShare("yellow", 0.07, False)),
)
BEAT = observed(
    6.0,
    sounds=tuple(sound(0.5 * i, 0.5 * i + 0.05, -18, "click") for i in range(1, 9)),
    silences=((0.0, 0.5), (4.05, 6.0)),
    motions=tuple(motion(0.5 * i, 0.5 * i + 0.2, 0.5, "white") for i in range(1, 9)),
    colours=(ColourShare("black", 0.95, True), ColourShare("white", 0.05, False)),
    tempo=Tempo(120.0, 0.97),
    sync=AudiovisualSync(0.0, 0.95),
)
