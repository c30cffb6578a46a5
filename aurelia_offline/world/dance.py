"""Dances of the mini world (DM-Match): a silent clip of a jumping shape, and four audio tracks of which one fits.

Each track has its own voice. The right track strikes at the jumps; the others have another tempo, are half a beat late,
or have another rhythm with the same number of strikes. Everything is drawn from a seed. The mini target was not trained
with candidate tracks; these questions are for other targets.
"""

import string
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from aurelia.bench.records import Record, RecordSource, ReferenceStep
from aurelia_offline.world import scene
from aurelia_offline.world.mini_world import SHAPE_COLOURS, SHAPE_FORMS, ShapeForm
from aurelia_offline.world.scene import Colour, Scene, Shape, SoundEvent
from aurelia_offline.world.synth import RENDER_RATE, Voice

TrackFault = Literal["none", "other tempo", "late", "other rhythm"]
TRACK_FAULTS: tuple[TrackFault, ...] = ("none", "other tempo", "late", "other rhythm")
"""The kinds of tracks: the right one, or one of three faults; every dance has one of each."""
DANCE_QUESTION = "Which of the audio tracks fits the moves of the shape?"
DANCE_CHOICES = tuple(f"audio {letter}" for letter in string.ascii_uppercase[: len(TRACK_FAULTS)])
DANCE_SECONDS, _WIDTH, _HEIGHT, _FPS = 8.0, 160, 120, 24
BEAT_SECONDS = 0.8, 1.0
"""Shortest and longest beat, in seconds."""
_STRIKE_SECONDS = 0.12
"""Length of a click, in seconds."""
_TRACK_VOICES: tuple[tuple[Voice, float, float], ...] = (
    ("click", 80, 150), ("bell", 700, 1300), ("tone", 450, 850), ("reed", 150, 300),
)  # fmt: skip


class DanceTrack(NamedTuple):
    """One candidate track: its fault, its strikes (seconds, ascending), its voice and pitch (Hz)."""

    fault: TrackFault
    strikes: tuple[float, ...]
    voice: Voice
    pitch: float


class Dance(NamedTuple):
    """One dance.

    Attributes:
        beat: seconds from beat to beat.
        jumps: the start of each jump, in seconds, ascending; a jump takes half a beat.
        tracks: the candidates, A first.
        place: horizontal position of the shape, as a fraction of the picture width.
        colour, form: colour and form of the shape.
    """

    beat: float
    jumps: tuple[float, ...]
    tracks: tuple[DanceTrack, ...]
    place: float
    colour: Colour
    form: ShapeForm

    @property
    def right(self) -> int:
        """The index of the fitting track, from 0."""
        return next(number for number, track in enumerate(self.tracks) if track.fault == "none")


def draw_dance(seed: int) -> Dance:
    """The dance of a seed."""
    rng = np.random.default_rng([seed, 20261123])
    beat, first = float(rng.uniform(*BEAT_SECONDS)), float(rng.uniform(0.2, 0.5))
    count = int((DANCE_SECONDS - 0.3 - first - beat) / beat)
    rhythms = _list_rhythms(count)
    rhythm = rhythms[int(rng.integers(len(rhythms)))]
    faster = float(rng.uniform(1.25, 1.4))
    slower = _times(rhythm, first, beat * faster)
    # A slower track that the end of the clip cuts off would be recognizable by its number of strikes.
    whole = slower[-1] + beat / 2 < DANCE_SECONDS
    struck = {
        "none": _times(rhythm, first, beat),
        "other tempo": slower if whole and rng.random() < 0.5 else _times(rhythm, first, beat / faster),
        "late": tuple(round(time + beat / 2, 3) for time in _times(rhythm, first, beat)),
        "other rhythm": _times(_other_rhythm(rhythm, rhythms, rng), first, beat),
    }
    voices, order = rng.permutation(len(_TRACK_VOICES)), rng.permutation(len(TRACK_FAULTS))
    tracks = []
    for at, number in zip(order, voices, strict=True):
        voice, low, high = _TRACK_VOICES[int(number)]
        fault = TRACK_FAULTS[int(at)]
        tracks.append(DanceTrack(fault, struck[fault], voice, round(float(rng.uniform(low, high)), 1)))
    place = round(float(rng.uniform(0.3, 0.7)), 2)
    colour, form = (
        SHAPE_COLOURS[int(rng.integers(len(SHAPE_COLOURS)))],
        SHAPE_FORMS[int(rng.integers(len(SHAPE_FORMS)))],
    )
    return Dance(round(beat, 3), struck["none"], tuple(tracks), place, colour, form)


def _list_rhythms(count: int) -> list[tuple[int, ...]]:
    """All rhythms on `count` beats that contain the first beat and about two thirds of the others."""
    danced = max(3, round(0.65 * count))
    return [(0, *others) for others in combinations(range(1, count), danced - 1)]


def _other_rhythm(rhythm: tuple[int, ...], rhythms: list[tuple[int, ...]], rng: np.random.Generator) -> tuple[int, ...]:
    """Another rhythm with the same number of strikes and at most one more shared beat than necessary."""
    shared = [len({*rhythm} & {*other}) for other in rhythms]
    fitting = [
        other for other, same in zip(rhythms, shared, strict=True) if same <= min(shared) + 1 and other != rhythm
    ]
    return fitting[int(rng.integers(len(fitting)))]


def _times(rhythm: Iterable[int], first: float, beat: float) -> tuple[float, ...]:
    return tuple(round(first + number * beat, 3) for number in rhythm)


def dance_scene(dance: Dance) -> Scene:
    """The silent picture of a dance."""
    moves = [(time, round(time + dance.beat / 2, 3)) for time in dance.jumps]
    shape = Shape(colour=dance.colour, shape=dance.form, x=dance.place, y=0.7, size=0.4, moves=moves, rise=0.2)
    return Scene(seconds=DANCE_SECONDS, fps=_FPS, width=_WIDTH, height=_HEIGHT, shapes=[shape], audible=False)


def track_scene(dance: Dance, track: DanceTrack) -> Scene:
    """A track as a scene; only its sound is used."""
    long = _STRIKE_SECONDS
    if track.voice != "click":
        long = dance.beat / 2
    sounds = [
        SoundEvent(start=time, end=round(time + long, 3), voice=track.voice, pitch=track.pitch)
        for time in track.strikes
    ]
    return Scene(seconds=DANCE_SECONDS, fps=_FPS, width=_WIDTH, height=_HEIGHT, sounds=sounds)


def dance_file_names(seed: int) -> tuple[str, list[str]]:
    """The file names of a dance: the clip, and the tracks in order."""
    return f"dance-{seed}.mp4", [f"dance-{seed}-{choice[-1].lower()}.m4a" for choice in DANCE_CHOICES]


def dance_record(seed: int) -> Record:
    """A dance as a benchmark record; its reference reasoning gives the times of the jumps and the strikes."""
    dance, (video, audio) = draw_dance(seed), dance_file_names(seed)
    seen = f"The shape jumps at {_times_text(dance.jumps)}."
    reasons = [ReferenceStep(text=seen, modality="visual")]
    for choice, track in zip(DANCE_CHOICES, dance.tracks, strict=True):
        reasons.append(ReferenceStep(text=f"{choice} strikes at {_times_text(track.strikes)}.", modality="audio"))
    return Record(
        id=f"mini/dance/{seed}",
        column="dm-match",
        category="Dance Performances",
        kinds=["dance"],
        video=video,
        audio=audio,
        question=DANCE_QUESTION,
        choices=list(DANCE_CHOICES),
        answers=[DANCE_CHOICES[dance.right]],
        reasoning=reasons,
        source=RecordSource(dataset="aurelia-mini", split="test" if seed < 500_000 else "validation", row=seed),
        licence="MIT",
    )


def _times_text(times: Iterable[float]) -> str:
    return ", ".join(f"{time:.2f} s" for time in times)


def write_dances(media: Path, seeds: Iterable[int], progress: Callable[[str], None] = lambda _: None) -> None:
    """Render the missing clips and tracks of these dances."""
    media.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        dance, (video, audio) = draw_dance(seed), dance_file_names(seed)
        if not (media / video).exists():
            scene.write_scene(dance_scene(dance), part := media / f"{video}.part")
            part.replace(media / video)
        for track, name in zip(dance.tracks, audio, strict=True):
            if not (media / name).exists():
                write_track(track_scene(dance, track), part := media / f"{name}.part")
                part.replace(media / name)
        progress(f"dance {seed} rendered")


def write_track(sounds: Scene, path: Path) -> None:
    """Write the sound of a scene as m4a (AAC mono, 48 kHz); an existing file is replaced."""
    import av

    samples = scene.render_scene(sounds).samples
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RENDER_RATE, layout="mono")
        stream.bit_rate = 128000
        for start in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = RENDER_RATE, start, Fraction(1, RENDER_RATE)
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
