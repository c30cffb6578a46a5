from typing import Any

import numpy as np
import pytest

from aurelia_offline.critic.evidence import AudioEvidence, VideoEvidence
from aurelia_offline.critic.signal_audio import listen_to_track
from aurelia_offline.critic.signal_colour import likely_names, oklab
from aurelia_offline.critic.signal_video import watch_clip
from aurelia_offline.world.scene import parse_scene, render_scene

RATE = 16000


def hear(sounds: list[dict[str, Any]], seconds: float = 5.0) -> AudioEvidence:
    from scipy.signal import resample_poly

    samples = render_scene(parse_scene({"seconds": seconds, "sounds": sounds})).samples
    return listen_to_track(resample_poly(samples, 1, 3).astype(np.float32), RATE)


def see(**scene: Any) -> VideoEvidence:
    frames = list(render_scene(parse_scene({"seconds": 4.0, "fps": 12, **scene})).frames)
    noise = np.random.default_rng(5).normal(0, 1.5, (len(frames), 240, 320, 3))
    images = np.clip(np.stack(frames) + noise, 0, 255).astype(np.uint8)
    return watch_clip(np.arange(len(frames)) / 12, images, 4.0)


@pytest.mark.parametrize("voice", ["tone", "reed", "bell"])
@pytest.mark.parametrize("pitch", [110.0, 440.0, 1900.0])
def test_a_pitched_sound_has_its_pitch_times_and_level(voice: str, pitch: float) -> None:
    (heard,) = hear([{"start": 1.2, "end": 1.9, "voice": voice, "pitch": pitch, "level": -28}]).sounds
    assert heard.voice == "tone"
    assert heard.pitch == pytest.approx(pitch, rel=0.03)
    assert (heard.start, heard.end) == pytest.approx((1.2, 1.9), abs=0.03)
    assert heard.level == pytest.approx(-28, abs=1.5)


@pytest.mark.parametrize("level", [-16, -45])
def test_noise_and_clicks_are_told_apart_from_tones(level: float) -> None:
    noise = {"start": 0.5, "end": 1.1, "voice": "noise", "level": level}
    click = {"start": 2.0, "end": 2.05, "voice": "click", "level": level}
    found = hear([noise, click]).sounds
    assert [heard.voice for heard in found] == ["noise", "click"]
    assert [heard.pitch for heard in found] == [None, None]


def test_two_notes_without_a_gap_are_two_sounds() -> None:
    notes = [
        {"start": 1.0, "end": 1.5, "voice": "tone", "pitch": 440, "level": -20},
        {"start": 1.5, "end": 2.0, "voice": "tone", "pitch": 660, "level": -20},
    ]
    assert [round(heard.start, 1) for heard in hear(notes).sounds] == [1.0, 1.5]


def test_a_sound_at_the_first_moment_is_as_sure_as_a_later_one() -> None:
    clicks = [{"start": start, "end": start + 0.12, "voice": "click", "level": -30} for start in (0.0, 0.4)]
    assert [heard.confidence for heard in hear(clicks).sounds] == pytest.approx([1.0, 1.0])


def test_nothing_but_the_noise_floor_is_silence() -> None:
    found = hear([])
    assert found.sounds == ()
    assert found.seconds == 5.0


def test_a_track_too_short_to_judge_holds_nothing() -> None:
    assert listen_to_track(np.ones(50, np.float32), RATE).sounds == ()


def test_a_beat_is_found_and_irregular_strokes_are_none() -> None:
    def clicks(times: list[float]) -> list[dict[str, Any]]:
        return [{"start": time, "end": time + 0.05, "voice": "click", "level": -20} for time in times]

    found = hear(clicks([0.4 + 0.5 * index for index in range(9)])).bpm
    assert found is not None and found == pytest.approx(120, rel=0.02)
    assert hear(clicks([0.4, 0.75, 1.6, 1.9, 3.1, 3.3, 4.4])).bpm is None


def test_what_never_stops_is_an_ambience_below_the_sound_that_stands_out() -> None:
    rng = np.random.default_rng(2)
    samples = rng.normal(0, 0.005, 5 * RATE)
    time = np.arange(RATE // 2) / RATE
    samples[2 * RATE : 2 * RATE + RATE // 2] += 0.2 * np.sin(2 * np.pi * 500 * time)
    ambient, *others = listen_to_track(samples.astype(np.float32), RATE).sounds
    assert ambient.ambient and ambient.confidence < 0.5
    (tone,) = [heard for heard in others if heard.confidence > 0.5]
    assert (tone.voice, tone.pitch) == ("tone", pytest.approx(500, rel=0.02))
    assert tone.start == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("ground", "colour"),
    [
        ("black", "red"),
        ("white", "yellow"),
        ("grey", "purple"),
        ("blue", "cyan"),
        ("orange", "magenta"),
        ("red", "black"),
    ],
)
def test_a_moving_shape_has_its_time_place_and_colour(ground: str, colour: str) -> None:
    shape = {"colour": colour, "shape": "circle", "x": 0.2, "y": 0.6, "size": 0.2, "moves": [[1.0, 1.8]]}
    found = see(background=ground, shapes=[shape])
    (moved,) = found.motions
    assert moved.colours[0] == colour
    assert (moved.start, moved.end) == pytest.approx((1.0, 1.8), abs=0.13)
    assert (moved.x, moved.y) == pytest.approx((0.2, 0.56), abs=0.06)
    assert found.shots[0].background[0] == ground


def test_a_still_picture_has_no_motion_cut_or_flash() -> None:
    found = see(background="green", shapes=[{"colour": "red", "x": 0.5, "y": 0.5, "size": 0.3}])
    assert (found.motions, found.cuts, found.flashes) == ((), (), ())
    assert found.shots[0].colours["red"] == pytest.approx(np.pi / 4 * 0.3**2 * 0.75, rel=0.15)


def test_cuts_and_flashes_are_told_apart() -> None:
    found = see(background="blue", cuts=[{"time": 2.0, "background": "red"}], flashes=[3.0])
    assert found.cuts == pytest.approx((2.0,), abs=0.1)
    assert found.flashes == pytest.approx((3.0,), abs=0.1)
    assert [shot.background[0] for shot in found.shots] == ["blue", "red"]
    assert found.motions == ()


def test_one_frame_shows_colours_but_no_time() -> None:
    found = watch_clip(np.zeros(1), np.full((1, 60, 80, 3), (220, 20, 20), np.uint8), 0.1)
    assert found.gap == float("inf")
    assert found.shots[0].background[0] == "red"


def test_a_colour_between_two_names_may_go_by_either() -> None:
    assert likely_names(oklab(np.array([180, 30, 180], np.uint8))) == ("magenta", "purple")
    assert likely_names(oklab(np.array([220, 20, 20], np.uint8))) == ("red",)
