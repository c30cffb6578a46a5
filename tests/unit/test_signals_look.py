"""Looks at rendered clips through the real store: the budget, what a guided look gains, and how looks add up."""

from dataclasses import replace
from pathlib import Path

import pytest

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.signals.audiovisual_sync import activity_overlap, estimate_sync
from aurelia_core.signals.look import merge_observations, observe_clip
from aurelia_core.signals.observation import ColourShare, DetectedSound, Motion, Observation
from aurelia_core.types import MediaRef, Window
from aurelia_offline.world.scene import Scene, write_scene

FRAMES, SAMPLES = 16, 48000
SCENE = {
    "seconds": 6.0,
    "background": "black",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.2, "y": 0.5, "size": 0.25, "moves": [[1.0, 1.8]]},
        {"colour": "cyan", "shape": "square", "x": 0.8, "y": 0.5, "size": 0.25, "moves": [[4.0, 5.0]]},
    ],
    "sounds": [
        {"start": 1.0, "end": 1.8, "voice": "reed", "pitch": 330.0, "level": -20.0},
        {"start": 4.0, "end": 5.0, "voice": "tone", "pitch": 5200.0, "level": -26.0},
    ],
}


class Meter(ClipStore):
    """A clip store that also counts what it hands out."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.frames_given: list[int] = []
        self.samples_given: list[int] = []

    def frames(self, ref, windows, count, height=180, shift=0.0):
        taken = super().frames(ref, windows, count, height)
        self.frames_given.append(len(taken.times))
        return taken

    def audio(self, ref, windows=(), rate=16000):
        parts = super().audio(ref, windows, rate)
        self.samples_given.append(sum(len(part.samples) for part in parts))
        return parts


class Clip:
    def __init__(self, store: Meter, ref: MediaRef) -> None:
        self.store, self.ref = store, ref

    def look(self, *spans: tuple[float, float], samples: int = SAMPLES) -> Observation:
        return observe_clip(self.store, self.ref, None, [Window(start=a, end=b) for a, b in spans], FRAMES, samples)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    folder: Path = tmp_path_factory.mktemp("look")
    write_scene(Scene.model_validate(SCENE), folder / "scene.mp4")
    store = Meter(Settings(home=folder / "home", allow_any_file=True))
    return Clip(store, store.admit(folder / "scene.mp4"))


def test_a_look_at_everything_is_coarse_and_says_so(clip: Clip) -> None:
    found = clip.look()
    assert found.video_spans == ((0.0, clip.ref["duration"]),)
    assert 0.3 < found.frame_gap < 0.5
    assert 7500 < found.sample_rate <= 8000
    assert [round(s.pitch or 0, -1) for s in found.sounds] == [330]
    assert [m.colour for m in found.motions] == ["red", "cyan"]


def test_a_closer_look_hears_what_the_coarse_one_could_not(clip: Clip) -> None:
    coarse, fine = clip.look(), clip.look((3.6, 5.4))
    both = merge_observations([coarse, fine])
    assert fine.sample_rate == 16000
    assert fine.frame_gap < 0.2
    assert [round(s.pitch or 0, -1) for s in both.sounds] == [330, 5200]
    assert both.sounds[1].start == pytest.approx(4.0, abs=0.02)
    assert [m.start for m in both.motions] == pytest.approx([1.0, 4.0], abs=0.25)
    assert both.sample_rate == coarse.sample_rate
    assert both.frame_gap == coarse.frame_gap
    assert any(a <= 4.5 <= b for a, b in coarse.silences)
    assert not any(a <= 4.5 <= b for a, b in both.silences)


@pytest.mark.parametrize("spans", [(), ((0.5, 2.0),), ((0.5, 1.0), (3.0, 5.5), (5.7, 5.9)), ((0.5, 3.0), (2.0, 99.0))])
def test_no_look_exceeds_its_budget(clip: Clip, spans: tuple[tuple[float, float], ...]) -> None:
    found = clip.look(*spans)
    assert clip.store.frames_given[-1] <= FRAMES
    assert clip.store.samples_given[-1] <= SAMPLES
    assert found.sample_rate <= 16000
    assert all(0 <= a < b <= clip.ref["duration"] for a, b in found.video_spans)


def test_a_sound_cut_by_windows_is_one_sound_again(clip: Clip) -> None:
    halves = merge_observations([clip.look((0.0, 1.4)), clip.look((1.4, 3.0))])
    assert len(halves.sounds) == 1
    assert (halves.sounds[0].start, halves.sounds[0].end) == pytest.approx((1.0, 1.8), abs=0.03)
    assert len(halves.motions) == 1
    assert (halves.motions[0].start, halves.motions[0].end) == pytest.approx((1.0, 1.8), abs=0.15)
    assert halves.video_spans == ((0.0, 3.0),)


def test_a_closer_look_inside_a_sound_leaves_it_one(clip: Clip) -> None:
    both = merge_observations([clip.look(), clip.look((1.2, 1.6))])
    assert [round(s.pitch or 0, -1) for s in both.sounds] == [330]
    assert (both.sounds[0].start, both.sounds[0].end) == pytest.approx((1.0, 1.8), abs=0.04)
    assert sum(m.colour == "red" for m in both.motions) == 1


def test_the_order_of_looks_does_not_matter(clip: Clip) -> None:
    coarse, fine = clip.look(), clip.look((3.6, 5.4))
    assert merge_observations([coarse, fine]) == merge_observations([fine, coarse])
    assert merge_observations([coarse]) == coarse
    assert merge_observations([coarse, coarse]).sounds == coarse.sounds


def test_motion_and_sound_that_begin_together_coincide(clip: Clip) -> None:
    found = merge_observations([clip.look((0.5, 2.5)), clip.look((3.5, 5.5))]).sync
    assert found is not None
    assert abs(found.lag) < 0.1
    assert found.strength > 0.8


def test_too_few_samples_mean_that_nothing_was_heard(clip: Clip) -> None:
    found = clip.look(samples=600)
    assert (found.audio_spans, found.sounds, found.silences) == ((), (), ())
    assert found.has_audio


def test_without_a_sound_track(tmp_path: Path) -> None:
    scene = {**SCENE, "sounds": [], "audible": False, "seconds": 5.2}
    write_scene(Scene.model_validate(scene), tmp_path / "mute.mp4")
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True))
    found = observe_clip(store, store.admit(tmp_path / "mute.mp4"), None, [], FRAMES, SAMPLES)
    assert not found.has_audio
    assert (found.audio_spans, found.sample_rate, found.sounds, found.silences, found.sync) == ((), 0, (), (), None)
    assert found.motions


def test_nothing_to_merge() -> None:
    with pytest.raises(InputError, match="observe the clip first"):
        merge_observations([])


def sound(start: float, end: float, pitch: float = 440.0) -> DetectedSound:
    return DetectedSound(start, end, -20.0, "tone", pitch, True, 0.01, 0.1, pitch, 1.0)


def motion(start: float, end: float, x: float = 0.5) -> Motion:
    return Motion(start, end, x, 0.5, 0.02, "red", 1.0)


def observation(**changes) -> Observation:
    whole = ((0.0, 10.0),)
    blank = Observation(10.0, True, whole, whole, 0.5, 4000, (), (), (), (), (), (), None, None)
    return replace(blank, **changes)


def test_a_closer_look_unsays_what_it_does_not_find() -> None:
    coarse = observation(sounds=(sound(1, 2), sound(5, 6)), motions=(motion(1, 2), motion(5, 6)), cuts=(5.5,))
    fine = observation(video_spans=((4.0, 7.0),), audio_spans=((4.0, 7.0),), frame_gap=0.1, sample_rate=16000)
    both = merge_observations([coarse, fine])
    assert both.sounds == (sound(1, 2),)
    assert both.motions == (motion(1, 2),)
    assert both.cuts == ()


def test_two_notes_that_meet_at_an_edge_stay_two() -> None:
    left = observation(video_spans=((0.0, 5.0),), audio_spans=((0.0, 5.0),), sounds=(sound(4, 5, 440),))
    right = observation(video_spans=((5.0, 9.0),), audio_spans=((5.0, 9.0),), sounds=(sound(5, 6, 660),))
    assert [s.pitch for s in merge_observations([left, right]).sounds] == [440, 660]


def test_two_strikes_of_one_pitch_stay_two_where_a_look_at_both_sides_of_an_edge_heard_the_second_begin() -> None:
    coarse = observation(sounds=(sound(4.4, 4.7), sound(4.7, 5.0), sound(5.0, 5.3)))
    fine = {"video_spans": ((4.0, 5.02),), "audio_spans": ((4.0, 5.02),), "sample_rate": 16000}
    fine_look = observation(**fine, sounds=(sound(4.4, 4.7), sound(4.7, 4.99)))
    starts = [one.start for one in merge_observations([coarse, fine_look]).sounds]
    assert starts == pytest.approx([4.4, 4.7, 5.02])
    deaf = observation(sounds=(sound(4.4, 4.7), sound(4.7, 5.3)))
    assert [one.start for one in merge_observations([deaf, fine_look]).sounds] == pytest.approx([4.4, 4.7])


def test_a_cut_that_only_the_coarse_look_could_see_stays() -> None:
    coarse = observation(cuts=(5.0,), frame_gap=1.0)
    fine = observation(video_spans=((4.9, 7.0),), audio_spans=(), frame_gap=0.1)
    assert merge_observations([coarse, fine]).cuts == pytest.approx((4.7,), abs=0.05)


def test_a_flash_once_seen_is_not_unseen() -> None:
    fine = observation(video_spans=((4.0, 7.0),), audio_spans=(), frame_gap=0.1)
    assert merge_observations([observation(flashes=(5.0,)), fine, replace(fine, flashes=(5.04, 6.5))]).flashes == (
        5.0,
        6.5,
    )


def test_colours_are_weighed_by_time() -> None:
    black, white = ColourShare("black", 1.0, True), ColourShare("white", 1.0, True)
    coarse = observation(colours=(black,))
    fine = observation(video_spans=((0.0, 2.0),), audio_spans=(), frame_gap=0.1, colours=(white,))
    assert merge_observations([coarse, fine]).colours == (
        ColourShare("black", 0.8, True),
        ColourShare("white", 0.2, False),
    )


def test_a_short_remnant_of_silence_joins_its_neighbours() -> None:
    coarse = observation(silences=((0.0, 4.0),), sounds=(sound(4, 5),))
    fine = observation(video_spans=(), audio_spans=((2.0, 2.2),), sample_rate=16000)
    assert merge_observations([coarse, fine]).silences == ((0.0, 4.0),)


def test_a_constant_lag_is_found_and_a_chance_one_is_weak() -> None:
    sounds = [sound(t, t + 0.1) for t in (1.0, 2.3, 3.1, 4.9)]
    late = estimate_sync([motion(s.start + 0.3, s.end + 0.4) for s in sounds], sounds, 0.1)
    assert late is not None
    assert late.lag == pytest.approx(0.3, abs=0.01)
    assert late.strength > 0.9
    alone = estimate_sync([motion(1.6, 2.0)], [sound(1.0, 1.4)], 0.1)
    assert alone is not None
    assert alone.strength < 0.2
    assert estimate_sync([], sounds) is None


def test_overlap_prefers_the_track_that_fits() -> None:
    motions = [motion(1, 2), motion(4, 5)]
    assert activity_overlap(motions, [sound(1, 2), sound(4, 5)]) == 1.0
    assert activity_overlap(motions, [sound(2, 3), sound(4, 5)]) == pytest.approx(1 / 3, abs=0.03)
    assert activity_overlap(motions, []) == 0.0
