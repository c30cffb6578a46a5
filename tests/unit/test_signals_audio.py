"""Sound events against rendered sounds of known truth, on plain samples."""

import random

import numpy as np
import pytest
from scipy.signal import resample_poly

from aurelia_core.signals.observation import DetectedSound
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_core.signals.sound_events import analyze_audio, estimate_noise_floor
from aurelia_offline.world.scene import Scene, SceneError, render_scene

Event = tuple[float, float, str, float | None, float]


def heard(events: list[Event], rate: int = 16000, seconds: float = 6.0):
    keys = ("start", "end", "voice", "pitch", "level")
    scene = Scene.model_validate({"seconds": seconds, "sounds": [dict(zip(keys, e, strict=True)) for e in events]})
    samples = resample_poly(render_scene(scene).samples, rate, 48000).astype(np.float32)
    return analyze_audio(samples, rate, 0.0)


def kind(voice: str) -> str:
    return "tone" if voice in ("tone", "reed", "bell") else voice


@pytest.mark.parametrize("rate", [16000, 8000])
@pytest.mark.parametrize(
    ("event", "harmonic"),
    [
        ((1.0, 1.6, "tone", 440.0, -18.0), True),
        ((1.0, 1.6, "tone", 82.0, -20.0), True),
        ((1.0, 1.6, "reed", 196.0, -34.0), True),
        ((1.0, 1.9, "bell", 990.0, -24.0), False),
        ((1.0, 1.6, "noise", None, -30.0), False),
        ((1.0, 1.05, "click", None, -16.0), False),
        ((1.0, 1.6, "tone", 440.0, -45.0), True),
        ((1.0, 1.6, "tone", 440.0, -8.0), True),
    ],
)
def test_one_sound_of_each_kind(event: Event, harmonic: bool, rate: int) -> None:
    found = heard([event], rate)
    assert len(found.sounds) == 1
    sound = found.sounds[0]
    assert sound.start == pytest.approx(event[0], abs=0.02)
    assert sound.end == pytest.approx(event[1], abs=0.03)
    assert sound.sound_class == kind(event[2])
    if event[3] is None:
        assert sound.pitch is None
    else:
        assert sound.pitch == pytest.approx(event[3], rel=0.02)
        assert sound.harmonic is harmonic
        assert sound.level == pytest.approx(event[4], abs=1.5)


def test_notes_without_a_gap_are_separate_and_one_note_is_not_split() -> None:
    found = heard(
        [(1.0, 1.5, "tone", 440.0, -20.0), (1.5, 2.0, "tone", 660.0, -20.0), (2.0, 4.6, "reed", 330.0, -20.0)]
    )
    assert [round(s.pitch or 0) for s in found.sounds] == [440, 660, 330]
    assert [s.start for s in found.sounds] == pytest.approx([1.0, 1.5, 2.0], abs=0.03)


def test_repeated_strikes_are_separate() -> None:
    found = heard([(1 + 0.3 * i, 1.3 + 0.3 * i, "bell", 700.0, -20.0) for i in range(6)])
    assert [s.start for s in found.sounds] == pytest.approx([1 + 0.3 * i for i in range(6)], abs=0.02)


def test_a_soft_sound_after_a_loud_one() -> None:
    found = heard([(1.0, 1.6, "tone", 440.0, -8.0), (1.75, 2.4, "noise", None, -45.0)])
    assert [s.sound_class for s in found.sounds] == ["tone", "noise"]
    assert found.sounds[0].level > found.sounds[1].level + 30


def test_a_slow_swell_is_one_sound_with_a_long_attack() -> None:
    time = np.arange(5 * 16000) / 16000
    swell = np.interp(time, [0.0, 1.0, 2.5, 4.0, 5.0], [0.0, 0.0, 0.2, 0.0, 0.0])
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(time))
    found = analyze_audio((swell * np.sin(2 * np.pi * 300 * time) + noise).astype(np.float32), 16000, 0.0)
    assert len(found.sounds) == 1
    assert found.sounds[0].attack > 1.0
    assert found.sounds[0].decay > 1.0


@pytest.mark.parametrize("event", [(0.0, 6.0, "tone", 300.0, -25.0), (0.0, 6.0, "noise", None, -25.0)])
def test_a_sound_without_any_pause_is_one_sound_and_no_floor(event: Event) -> None:
    found = heard([event])
    assert [(s.start, s.sound_class) for s in found.sounds] == [(0.0, event[2])]
    assert found.sounds[0].end == pytest.approx(6.0, abs=0.01)
    assert found.silences == ()


def test_silence_alone() -> None:
    found = heard([])
    assert found.sounds == ()
    assert found.silences == ((0.0, 6.0),)


def test_silences_lie_between_sounds_and_last_at_least_three_tenths() -> None:
    found = heard([(1.0, 2.0, "tone", 440.0, -20.0), (2.2, 3.0, "noise", None, -30.0)])
    assert [round(t, 1) for span in found.silences for t in span] == [0.0, 1.0, 3.0, 6.0]


def test_nothing_above_half_the_rate_is_heard_and_nothing_is_claimed_at_tiny_rates() -> None:
    assert [round(s.pitch or 0) for s in heard([(1.0, 1.6, "tone", 3000.0, -20.0)], 8000).sounds] == [3000]
    assert heard([(1.0, 1.6, "tone", 3000.0, -20.0)], 1600).sounds == ()
    assert analyze_audio(np.ones(500, np.float32), 100, 0.0) == ((), ())
    assert analyze_audio(np.zeros(0, np.float32), 16000, 0.0) == ((), ())


def test_times_count_from_the_start_given() -> None:
    samples = resample_poly(
        render_scene(
            Scene.model_validate(
                {"seconds": 2, "sounds": [{"start": 0.5, "end": 1, "voice": "tone", "pitch": 500, "level": -20}]}
            )
        ).samples,
        1,
        3,
    ).astype(np.float32)
    assert analyze_audio(samples, 16000, 10.0).sounds[0].start == pytest.approx(10.5, abs=0.02)
    assert estimate_noise_floor(samples, 16000) < -65


@pytest.mark.parametrize("period", [0.3, 0.5, 0.8])
def test_a_beat_of_clicks_has_its_tempo(period: float) -> None:
    sounds = heard([(0.5 + period * i, 0.55 + period * i, "click", None, -18.0) for i in range(6)]).sounds
    tempo = estimate_tempo(sounds)
    assert len(sounds) == 6
    assert tempo is not None
    assert tempo.bpm == pytest.approx(60 / period, rel=0.02)
    assert tempo.strength > 0.9


def test_uneven_clicks_have_no_tempo() -> None:
    sounds = heard([(t, t + 0.05, "click", None, -20.0) for t in (0.3, 0.9, 2.1, 2.5, 4.4)]).sounds
    assert len(sounds) == 5
    assert estimate_tempo(sounds) is None
    assert estimate_tempo(sounds[:3]) is None


def test_a_beat_among_other_sounds() -> None:
    clicks: list[Event] = [(0.5 + 0.6 * i, 0.55 + 0.6 * i, "click", None, -18.0) for i in range(8)]
    tempo = estimate_tempo(heard([*clicks, (5.2, 5.9, "tone", 500.0, -20.0)]).sounds)
    assert tempo is not None
    assert tempo.bpm == pytest.approx(100, rel=0.02)


def random_events(seed: int) -> list[Event]:
    rng = random.Random(seed)
    events: list[Event] = []
    time = rng.uniform(0.2, 0.8)
    for _ in range(rng.randint(1, 5)):
        voice = rng.choice(["tone", "reed", "bell", "noise", "click"])
        length = 0.05 if voice == "click" else rng.uniform(0.2, 1.1)
        if time + length > 5.8:
            break
        pitch = None if kind(voice) != "tone" else round(2 ** rng.uniform(7, 10.6), 1)
        events.append((time, time + length, voice, pitch, rng.uniform(-45, -14)))
        time += length + rng.uniform(0.12, 0.9)
    return events


def test_random_scenes_are_heard_whole() -> None:
    true = found = matched = kinds = pitches = tones = 0
    for seed in range(300, 325):
        events = random_events(seed)
        try:
            sounds = heard(events).sounds
        except SceneError:
            continue
        true, found = true + len(events), found + len(sounds)
        for event in events:
            near: list[DetectedSound] = [s for s in sounds if abs(s.start - event[0]) < 0.05]
            matched += len(near) == 1
            kinds += bool(near) and near[0].sound_class == kind(event[2])
            if near and event[3]:
                tones += 1
                pitches += near[0].pitch is not None and abs(near[0].pitch / event[3] - 1) < 0.03
    assert true > 50
    assert matched / true > 0.95
    assert matched / found > 0.95
    assert kinds / true > 0.95
    assert pitches / tones > 0.95
