"""Film-like clips: neither generator nor critic may say what is not so where texture drifts and a big body moves."""

import pytest

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_core.signals.look import observe_clip
from aurelia_core.signals.observation import DetectedSound
from aurelia_core.signals.rhythm import estimate_tempo
from aurelia_offline.agents import inventory
from aurelia_offline.critic.caption_parser import parse_caption
from tests.support.offline_roles import evaluate_caption
from tests.support.rendered_clips import ORANGE, Film, shot

FILMS = {
    "a body moves at the left": Film(),
    "under a drifting camera": Film(drift=(5.0, 3.0), thump=2.2, seed=2),
    "at the right, with grain": Film(body=(0.72, 0.5), colour=ORANGE, moves=(1.5, 3.5), grain=4.0, seed=3),
    "at the right under a drifting camera": Film(
        drift=(-2.5, 4.0), body=(0.72, 0.45), colour=ORANGE, swell=2.6, seed=4
    ),
    "only the camera moves": Film(drift=(4.0, 4.0), moves=None, swell=2.6, thump=1.0, seed=5),
    "nothing moves": Film(moves=None, thump=2.2, swell=3.0, grain=2.0, seed=6),
}
WINDOWS = ([], [{"start": 0.5, "end": 2.5}], [{"start": 2.4, "end": 4.9}])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ClipStore(Settings(home=tmp_path_factory.mktemp("films"), allow_any_file=True))


@pytest.fixture(scope="module", params=FILMS)
def filmed(request, store, tmp_path_factory):
    film = FILMS[request.param]
    return film, store.admit(shot(film, tmp_path_factory.mktemp("shot") / "film.mp4"), kind="video")


def said(store, clip, caption):
    fields = {"clip": clip, "tracks": [], "caption": caption, "duration": clip["duration"], "has_audio": True}
    return evaluate_caption(fields, store)


def side(film):
    return "left" if film.body[0] < 0.5 else "right"


def colour(film):
    return "orange" if film.colour == ORANGE else "grey"


@pytest.mark.parametrize("windows", WINDOWS, ids=["all", "early", "late"])
def test_the_generator_sees_the_body_and_not_the_camera(store, filmed, windows):
    film, clip = filmed
    seen = observe_clip(store, clip, None, windows, 16, 48000)
    assert seen.cuts == () and seen.flashes == ()
    if film.moves is None:
        assert seen.motions == ()
        assert ("Nothing moves in the picture." in inventory.describe_picture(seen)) == (film.drift == (0.0, 0.0))
        return
    assert seen.motions
    for motion in seen.motions:
        assert abs(motion.x - film.body[0]) < 0.15 and motion.extent < 0.4
        assert motion.start > film.moves[0] - seen.frame_gap and motion.end < film.moves[1] + seen.frame_gap
        assert motion.colour in (colour(film), None)
    assert (seen.camera_drift > 0) == (film.drift != (0.0, 0.0))


@pytest.mark.parametrize("windows", WINDOWS, ids=["all", "early", "late"])
def test_the_generator_hears_no_click_pitch_or_beat_where_there_is_none(store, filmed, windows):
    film, clip = filmed
    seen = observe_clip(store, clip, None, windows, 16, 48000)
    assert seen.tempo is None
    onsets = [time for time in (film.thump, film.swell) if time is not None]
    for sound in seen.sounds:
        assert sound.perceived_class != "click"
        if sound.level > -45:
            assert sound.perceived_class is None and sound.pitch is None
            assert min(abs(sound.start - onset) for onset in onsets) < 0.4 or sound.start > (film.swell or 9)
    heard = [s for s in seen.sounds if film.thump is not None and abs(s.start - film.thump) < 0.1]
    if not windows:
        assert [sound.is_low for sound in heard] == [True]


def test_the_critic_bears_out_what_is_true(store, filmed):
    film, clip = filmed
    captions = [f"The loudest sound is a short low thump at {film.thump:.1f} s.", "There are no cuts and no flashes."]
    if film.moves:
        start, end = film.moves
        captions.append(f"Something moves at the {side(film)} from {start:.1f} s to {end:.1f} s. There are no cuts.")
        captions.append(f"Something {colour(film)} moves at the {side(film)}.")
    if film.swell:
        captions.append(f"A low swell begins at {film.swell:.1f} s.")
    for caption in captions:
        verdict = said(store, clip, caption)
        assert verdict["score"] >= 6, (caption, verdict)
        assert "but the caption says" not in verdict["justification"], (caption, verdict)
        for never in ("a tone", "a click", "a cut", "a flash"):
            assert f"also holds {never}" not in verdict["justification"], (caption, verdict)


def test_the_critic_marks_down_what_is_false(store, filmed):
    film, clip = filmed
    captions = [
        "There are three cuts.",
        "A steady beat of 120 bpm is heard.",
        "The clip is completely silent.",
        f"It is silent until {film.thump + 1:.1f} s.",
        f"The loudest sound is at {film.thump + 1.8:.1f} s.",
        "A small magenta ball moves at the bottom right from 1.0 s to 1.5 s.",
    ]
    if film.moves:
        captions.append("Nothing moves in the picture.")
        captions.append(f"Something moves at the {'right' if side(film) == 'left' else 'left'}.")
    for caption in captions:
        verdict = said(store, clip, caption)
        assert verdict["score"] <= 4, (caption, verdict)
        assert "but the caption says" in verdict["justification"]


def test_a_low_or_half_tonal_sound_is_no_click_and_no_noise(store, filmed):
    film, clip = filmed
    seen = observe_clip(store, clip, None, [], 16, 48000)
    told = " ".join([*inventory.describe_audio(seen), *inventory.describe_picture(seen)])
    for never in (" click", " noise", "beats per minute", "large part of the picture", "There is a cut"):
        assert never not in told


def sounds_at(*onsets):
    return [DetectedSound(at, at + 0.1, -20.0, "tone", 440.0, True, 0.01, 0.05, 440.0, 1.0) for at in onsets]


@pytest.mark.parametrize("onsets", [(0.4, 1.3, 2.5, 3.3), (0.5, 1.4, 2.6, 3.4, 5.0), (1.0, 1.7, 3.1, 3.6)])
def test_irregular_sounds_have_no_tempo(onsets):
    assert estimate_tempo(sounds_at(*onsets)) is None


@pytest.mark.parametrize("onsets", [(0.5, 1.0, 1.5, 2.0), (0.5, 1.0, 1.5, 2.5, 3.0)])
def test_regular_sounds_have_one(onsets):
    tempo = estimate_tempo(sounds_at(*onsets))
    assert tempo is not None and tempo.bpm == pytest.approx(120, rel=0.01)


def test_a_time_of_naught_is_no_denial():
    assert [
        claim.negated for claim in parse_caption("Something grey moves from 0 s to 2 s. There are 0 cuts.").claims
    ] == [
        False,
        True,
    ]
