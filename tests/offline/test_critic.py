from pathlib import Path
from typing import Any

import pytest

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.types import MediaRef
from aurelia_offline.critic.matching import Fact
from aurelia_offline.critic.score import Omission, caption_strength
from aurelia_offline.world.scene import parse_scene, write_scene
from tests.support.offline_roles import evaluate_caption

SCENE: dict[str, Any] = {
    "seconds": 5.0,
    "shapes": [{"colour": "red", "x": 0.2, "y": 0.5, "size": 0.25, "moves": [[1.0, 1.6]]}],
    "sounds": [
        {"start": 1.0, "end": 1.6, "voice": "tone", "pitch": 440.0, "level": -18.0},
        {"start": 2.2, "end": 2.6, "voice": "noise", "level": -34.0},
        {"start": 3.0, "end": 3.05, "voice": "click", "level": -26.0},
    ],
}
TRUE = (
    "Three sounds are heard: a loud tone of about 440 Hz from 1.0 s to 1.6 s, then a soft noise from 2.2 s to 2.6 s, "
    "and a click at 3.0 s. A red shape moves at the left from 1.0 s to 1.6 s. The background is black. "
    "There are no cuts. The clip is silent from 3.1 s to 5.0 s."
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return ClipStore(Settings(home=tmp_path_factory.mktemp("critic"), allow_any_file=True))


@pytest.fixture(scope="module")
def clip(store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> MediaRef:
    return rendered(store, SCENE, tmp_path_factory.mktemp("clips") / "scene.mp4")


def rendered(store: ClipStore, scene: dict[str, Any], path: Path) -> MediaRef:
    write_scene(parse_scene(scene), path)
    return store.admit(path, kind="video")


def request(clip: MediaRef, caption: str, *tracks: MediaRef) -> dict[str, Any]:
    heard = clip["has_audio"] or bool(tracks)
    return {"clip": clip, "tracks": list(tracks), "duration": clip["duration"], "has_audio": heard, "caption": caption}


def test_a_full_true_caption_has_the_highest_score(clip: MediaRef, store: ClipStore) -> None:
    reply = evaluate_caption(request(clip, TRUE), store)
    assert reply["score"] == 10
    assert reply["windows"] == []


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("440 Hz", "660 Hz", "about 440 Hz"),
        ("Three sounds", "Four sounds", "3 sounds"),
        ("at the left", "at the right", "right"),
        ("A red shape", "A blue shape", "red"),
        ("is black", "is white", "black"),
        ("no cuts", "two cuts", "no cut"),
        ("click at 3.0 s", "click at 4.2 s", "4.2 s"),
        ("silent from 3.1 s", "silent from 1.8 s", "silent from 1.8 s"),
        ("a soft noise", "a soft tone", "a noise"),
    ],
)
def test_one_false_fact_costs_two_points_and_is_named(
    clip: MediaRef, store: ClipStore, right: str, wrong: str, told: str
) -> None:
    assert right in TRUE
    reply = evaluate_caption(request(clip, TRUE.replace(right, wrong)), store)
    assert reply["score"] <= 8
    assert told in reply["justification"]


def test_one_movement_told_in_two_parts_is_not_taken_for_the_next_one(store: ClipStore, tmp_path: Path) -> None:
    cyan = {"colour": "cyan", "x": 0.63, "y": 0.5, "size": 0.25, "moves": [[0.1, 0.9]]}
    red = {"colour": "red", "x": 0.37, "y": 0.5, "size": 0.25, "moves": [[1.05, 1.8]]}
    scene = rendered(store, {"seconds": 3.0, "shapes": [cyan, red]}, tmp_path / "two.mp4")
    told = "A {} shape moves at the centre from 0.2 s to 0.5 s and from 0.8 s to 1.1 s. A red shape moves from 1.0 s."
    assert evaluate_caption(request(scene, told.format("cyan")), store)["score"] == 10
    assert evaluate_caption(request(scene, told.format("purple")), store)["score"] < 8


def test_two_false_facts_cost_more_than_one(clip: MediaRef, store: ClipStore) -> None:
    one = TRUE.replace("440 Hz", "660 Hz")
    two = one.replace("at the left", "at the right")
    assert evaluate_caption(request(clip, two), store)["score"] < evaluate_caption(request(clip, one), store)["score"]


def test_what_is_left_out_costs_and_is_pointed_at(clip: MediaRef, store: ClipStore) -> None:
    reply = evaluate_caption(request(clip, "A tone is heard from 1.0 s to 1.6 s, then a click at 3.0 s."), store)
    assert reply["score"] < 8
    assert "a noise near 2.2 s" in reply["justification"]
    assert any(window["start"] <= 2.2 and window["end"] >= 2.6 for window in reply["windows"])


def test_windows_are_few_and_inside_the_clip(clip: MediaRef, store: ClipStore) -> None:
    lies = " ".join(f"A tone of 900 Hz at {time} s." for time in (0.1, 0.6, 1.9, 3.6, 4.2, 4.9))
    windows = evaluate_caption(request(clip, lies), store)["windows"]
    assert 1 <= len(windows) <= 4
    assert all(0 <= window["start"] < window["end"] <= 5.0 for window in windows)


@pytest.mark.parametrize("caption", ["A dog barks happily at the postman.", "", "She feels sad."])
def test_nothing_that_can_be_checked_is_no_score(clip: MediaRef, store: ClipStore, caption: str) -> None:
    reply = evaluate_caption(request(clip, caption), store)
    assert reply["score"] is None
    assert "Nothing in this caption can be checked" in reply["justification"]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("The loudest sound is the tone.", "The loudest sound is the noise."),
        ("First a tone, then a hiss, then a click.", "First a hiss, then a tone, then a click."),
        ("The second sound is softer than the first.", "The second sound is louder than the first."),
        ("The last sound is a click.", "The last sound is a tone."),
        ("A red shape moves while a tone is heard.", "A red shape moves while a hiss is heard."),
        ("There are sounds.", "There is no sound."),
        ("Something red moves.", "Nothing moves."),
        ("The clip lasts 5 seconds.", "The clip lasts 9 seconds."),
        ("There is no flash.", "There is a flash at 2 s."),
        ("A click at 3 s.", "A click at 4 s."),
        ("The clip is mostly dark: black.", "The clip is mostly green."),
        ("From 3.2 to 5.0 s there is no sound.", "From 0.8 to 5.0 s there is no sound."),
    ],
)
def test_short_captions_of_people_are_ranked(clip: MediaRef, store: ClipStore, better: str, worse: str) -> None:
    good, bad = (evaluate_caption(request(clip, caption), store)["score"] for caption in (better, worse))
    assert good > bad


def test_a_clip_without_a_sound_track_is_silent(store: ClipStore, tmp_path: Path) -> None:
    mute = rendered(store, {"seconds": 2.0, "background": "blue", "audible": False}, tmp_path / "mute.mp4")
    assert evaluate_caption(request(mute, "There is no sound. Nothing moves."), store)["score"] == 10
    assert evaluate_caption(request(mute, "A loud beep is heard at 1 s."), store)["score"] <= 3


def test_a_separate_track_replaces_the_clips_own_sound(clip: MediaRef, store: ClipStore, tmp_path: Path) -> None:
    other = {"seconds": 5.0, "sounds": [{"start": 4.0, "end": 4.5, "voice": "tone", "pitch": 880, "level": -20}]}
    write_scene(parse_scene(other), tmp_path / "other.mp4")
    track = store.admit(tmp_path / "other.mp4", kind="audio")
    caption = "One sound is heard: a tone of about 880 Hz from 4.0 s to 4.5 s. A red shape moves."
    assert evaluate_caption(request(clip, caption, track), store)["score"] == 10
    assert evaluate_caption(request(clip, caption), store)["score"] < 7


def test_of_several_tracks_the_one_that_fits_the_motion_is_borne_out(
    clip: MediaRef, store: ClipStore, tmp_path: Path
) -> None:
    tracks = []
    for name, start in (("late", 3.5), ("fitting", 1.0)):
        sound = {"start": start, "end": start + 0.6, "voice": "tone", "pitch": 500, "level": -20}
        write_scene(parse_scene({"seconds": 5.0, "sounds": [sound]}), tmp_path / f"{name}.mp4")
        tracks.append(store.admit(tmp_path / f"{name}.mp4", kind="audio"))
    fits, late = (
        evaluate_caption(request(clip, f"The motion and the sound of track {letter} coincide.", *tracks), store)[
            "score"
        ]
        for letter in "BA"
    )
    assert fits > late


def test_evidence_is_gathered_once_a_clip(clip: MediaRef, store: ClipStore) -> None:
    evaluate_caption(request(clip, TRUE), store)
    before = store.decode_count
    evaluate_caption(request(clip, "Nothing moves."), store)
    assert store.decode_count == before


def test_the_map_falls_with_contradiction_and_omission_and_rises_with_support() -> None:
    good, bad, gone = Fact(1.0, 1.0, "a"), Fact(-1.0, 1.0, "b"), Omission("c", (0.0, 1.0), 1.0)
    assert (
        1
        <= caption_strength([bad] * 9, [gone] * 9)
        < caption_strength([good, bad], [])
        < caption_strength([good] * 5 + [bad], [])
    )
    assert (
        caption_strength([good] * 5, [gone] * 2)
        < caption_strength([good] * 5, [gone])
        < caption_strength([good] * 5, [])
        == 10
    )
    assert caption_strength([good], [gone] * 50) > 4


def test_true_captions_beat_those_with_one_fact_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.offline.critic import run

    scored = list(run(72000, 10, 5, tmp_path))
    assert len(scored) >= 80
    assert sum(one.true > one.false for one in scored) / len(scored) >= 0.85
    assert sum(one.true for one in scored) / len(scored) >= 9.0
