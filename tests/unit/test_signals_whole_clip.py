"""The whole clip at full resolution: cuts under a moving camera, fades, every frame, the whole band; and long clips."""

import numpy as np
import pytest

from aurelia_core.signals.cuts import detect_cuts_and_flashes
from aurelia_core.signals.fades import detect_fades
from aurelia_core.signals.look import observe_clip
from aurelia_core.signals.whole_clip import MAX_PICTURE_SECONDS, observe_whole_clip
from benchmarks.offline.schedules import RATE, MemoryStore
from benchmarks.offline.truthful import FPS, bounce, cuts_under_moving_camera, make, plain, sound_track, texture, tone


@pytest.mark.parametrize("seed", range(6))
def test_each_cut_under_a_moving_camera_is_found(seed: int) -> None:
    images = cuts_under_moving_camera(np.random.default_rng([seed, 0])).store.images
    assert detect_cuts_and_flashes(images).cuts == list(range(FPS, len(images), FPS))


def test_a_pan_alone_has_no_cut() -> None:
    ground = texture(np.random.default_rng(3), (120, 100, 80), 260, 480)
    images = np.stack([ground[k : k + 180, 3 * k : 3 * k + 320] for k in range(40)]).astype(np.uint8)
    assert detect_cuts_and_flashes(images).cuts == []


def film(light: np.ndarray) -> np.ndarray:
    """A filmed picture under changing light, 0..1 for each frame."""
    ground = texture(np.random.default_rng(4), (150, 120, 90))
    return np.clip(light[:, None, None, None] * ground, 0, 255).astype(np.uint8)


def test_fades_are_found_with_their_times() -> None:
    times = np.arange(60) / FPS
    light = np.minimum(np.clip(times - 0.5, 0, 1), np.clip((4.5 - times) / 1.5, 0, 1))
    found = detect_fades(times, film(light))
    assert [span == pytest.approx((0.5, 1.5), abs=0.2) for span in found.from_black] == [True]
    assert [span == pytest.approx((3.0, 4.5), abs=0.3) for span in found.to_black] == [True]


@pytest.mark.parametrize("light", [np.ones(30), np.repeat([1.0, 0.0], 15), np.repeat([0.0, 1.0], 15), np.zeros(30)])
def test_light_that_stays_or_jumps_is_no_fade(light: np.ndarray) -> None:
    assert detect_fades(np.arange(30) / FPS, film(light)) == ((), ())


def test_a_bright_thing_that_leaves_is_no_fade() -> None:
    images = np.zeros((24, 180, 320, 3), np.uint8)
    for number in range(24):
        images[number, 30:150, : max(0, 240 - 12 * number)] = 255
    assert detect_fades(np.arange(24) / FPS, images) == ((), ())


def test_a_look_is_told_what_it_missed() -> None:
    events = [(1.0, tone(330, 0.5, -25)), (4.0, tone(5600, 0.5, -14)), (11.0, tone(440, 0.5, -25))]
    images = bounce(plain(20.0), [(14.9, 15.6)], 0.3, (220, 20, 20))
    store = make(sound_track(20.0, events), images)
    clip = store.reference("a1")
    seen = observe_clip(store, clip, None, [], 16, 48_000)
    assert len(seen.sounds) == 2
    whole = observe_whole_clip(store, clip, None)
    assert [sound.start for sound in whole.missed_sounds(seen)] == [pytest.approx(4.0, abs=0.05)]
    assert whole.missed_sounds(whole.observation) == ()
    # The motion lies across the edge of two pieces, and is one.
    (motion,) = whole.with_picture(seen).motions
    assert (motion.start, motion.end) == (pytest.approx(14.9, abs=0.15), pytest.approx(15.6, abs=0.15))


def test_frames_far_apart_show_neither_motion_nor_cut() -> None:
    """A still clip that begins in black: its first frame differs from all others, and nothing moves."""
    seconds = 2 * MAX_PICTURE_SECONDS
    times = np.arange(round(seconds)) * 1.0
    images = np.zeros((len(times), 90, 160, 3), np.uint8)
    images[1:] = np.random.default_rng(1).integers(0, 256, (90, 160, 3))
    store = MemoryStore(np.zeros(round(seconds) * RATE, np.float32), times, images, seconds)
    seen = observe_clip(store, store.reference("a2"), None, [], 16, 48_000)
    assert (seen.motions, seen.cuts, seen.flashes, seen.fades_from_black) == ((), (), (), ())
    assert not observe_whole_clip(store, store.reference("a2"), None).every_frame
