"""The scene renderer: what a scene says is what the rendered clip holds."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import RENDER_RATE, RGB, Scene, SceneError, parse_scene, render_scene, write_scene

BASE = {"seconds": 2.0, "fps": 24, "width": 160, "height": 120, "background": "grey"}
SHAPE = {"colour": "red", "shape": "square", "x": 0.25, "y": 0.5, "size": 0.4, "moves": [[0.5, 1.0]]}
SCENES = Path(__file__).parents[1] / "data" / "scenes.json"


def decibels(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.asarray(samples, np.float64) ** 2)))


def cut(samples, start, end):
    return samples[round(start * RENDER_RATE) : round(end * RENDER_RATE)]


def test_lengths_and_shapes():
    frames, samples = render_scene(parse_scene(BASE))
    images = list(frames)
    assert len(images) == 48 and images[0].shape == (120, 160, 3) and images[0].dtype == np.uint8
    assert samples.dtype == np.float32 and len(samples) == 2 * RENDER_RATE
    assert decibels(samples) == pytest.approx(-75, abs=0.5)
    assert (images[0] == RGB["grey"]).all()


def test_a_shape_moves_only_in_its_spans():
    images = list(render_scene(parse_scene({**BASE, "shapes": [SHAPE]})).frames)
    changed = [index for index in range(1, 48) if (images[index] != images[index - 1]).any()]
    assert changed and min(changed) in (12, 13) and max(changed) <= 24
    assert len(changed) >= 10
    assert tuple(images[0][60, 40]) == RGB["red"] and tuple(images[0][60, 120]) == RGB["grey"]
    tops = [int(np.argmax((image[:, 40] == RGB["red"]).all(axis=1))) for image in images[12:24]]
    assert 36 - min(tops) == pytest.approx(0.08 * 120, abs=1.5)


@pytest.mark.parametrize(("shape", "area"), [("circle", np.pi / 4), ("square", 1.0), ("triangle", 0.5)])
def test_the_area_of_a_shape(shape, area):
    image = next(render_scene(parse_scene({**BASE, "shapes": [{**SHAPE, "shape": shape}]})).frames)
    red = (np.abs(image.astype(int) - RGB["red"]).sum(axis=2) < 150).sum()
    assert red / 48**2 == pytest.approx(area, rel=0.06)


def test_a_shape_may_stand_partly_outside():
    image = next(render_scene(parse_scene({**BASE, "shapes": [{**SHAPE, "x": 0.0, "y": 1.0}]})).frames)
    assert tuple(image[-1, 0]) == RGB["red"] and (image == RGB["red"]).all(axis=2).sum() == 24 * 24


@pytest.mark.parametrize("level", [-16.0, -30.0, -50.0])
@pytest.mark.parametrize(("voice", "pitch"), [("tone", 440.0), ("reed", 220.0), ("bell", 800.0), ("noise", None)])
def test_a_sound_has_its_level_over_its_span_and_nowhere_else(voice, pitch, level):
    sound = {"start": 0.5, "end": 1.25, "voice": voice, "pitch": pitch, "level": level}
    samples = render_scene(parse_scene({**BASE, "sounds": [sound]})).samples
    assert decibels(cut(samples, 0.5, 1.25)) == pytest.approx(level, abs=0.1)
    assert decibels(cut(samples, 0.0, 0.5)) == pytest.approx(-75, abs=0.5)
    assert decibels(cut(samples, 1.25, 2.0)) == pytest.approx(-75, abs=0.5)


@pytest.mark.parametrize(("voice", "harmonic"), [("tone", True), ("reed", True), ("bell", False)])
def test_pitched_voices_have_their_pitch(voice, harmonic):
    sound = {"start": 0.0, "end": 1.0, "voice": voice, "pitch": 440.0, "level": -16.0}
    spectrum = np.abs(np.fft.rfft(cut(render_scene(parse_scene({**BASE, "sounds": [sound]})).samples, 0, 1)))
    strong = np.flatnonzero(spectrum > 0.05 * spectrum.max())
    assert abs(int(np.argmax(spectrum)) - 440) <= 1
    off = [line for line in strong if min(line % 440, 440 - line % 440) > 20]
    assert bool(off) is not harmonic


def test_noise_and_clicks_are_broad():
    for voice, span in (("noise", 1.0), ("click", 0.05)):
        sound = {"start": 0.0, "end": span, "voice": voice, "level": -18.0}
        spectrum = (
            np.abs(np.fft.rfft(cut(render_scene(parse_scene({**BASE, "sounds": [sound]})).samples, 0, span))) ** 2
        )
        flatness = np.exp(np.mean(np.log(spectrum[5:]))) / np.mean(spectrum[5:])
        assert flatness > 0.3


def test_cuts_and_flashes():
    scene = {**BASE, "cuts": [{"time": 1.0, "background": "blue"}], "flashes": [0.5]}
    images = [tuple(image[0, 0]) for image in render_scene(parse_scene(scene)).frames]
    assert images[11] == RGB["grey"] and images[12] == images[13] == (255, 255, 255) and images[14] == RGB["grey"]
    assert images[23] == RGB["grey"] and set(images[24:]) == {RGB["blue"]}


def test_rendering_is_repeatable():
    scene = parse_scene({**BASE, "sounds": [{"start": 0.1, "end": 0.9, "voice": "noise"}]})
    np.testing.assert_array_equal(render_scene(scene).samples, render_scene(scene).samples)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"seconds": 0}, "seconds"),
        ({"width": 321}, "width"),
        ({"background": "beige"}, "background"),
        ({"colour": "red"}, "colour"),
        ({"shapes": [{**SHAPE, "moves": [[1.0, 0.5]]}]}, "shapes.0.moves.0"),
        ({"shapes": [{**SHAPE, "x": 1.5}]}, "shapes.0.x"),
        ({"sounds": [{"start": 0.1, "end": 0.2, "voice": "tone"}]}, "needs a pitch"),
        ({"sounds": [{"start": 0.3, "end": 0.2, "voice": "noise"}]}, "before it starts"),
        ({"flashes": [2.5]}, "ends at 2.0 s"),
        ({"audible": False, "sounds": [{"start": 0.1, "end": 0.2, "voice": "noise"}]}, "cannot have sounds"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_with_its_place(change, where):
    with pytest.raises(SceneError, match="cannot be rendered") as caught:
        parse_scene({**BASE, **change})
    assert where in str(caught.value)
    assert isinstance(caught.value, InputError)
    with pytest.raises(ValidationError):
        Scene.model_validate({**BASE, **change})


def test_sounds_beyond_full_scale_are_refused():
    loud = [{"start": 0.1, "end": 1.0, "voice": "tone", "pitch": 400.0, "level": -4.0} for _ in range(2)]
    with pytest.raises(SceneError, match="above full scale"):
        render_scene(parse_scene({**BASE, "sounds": loud}))


def test_the_written_clip_keeps_picture_and_sound_together(tmp_path):
    scene = {
        **BASE,
        "shapes": [SHAPE],
        "sounds": [{"start": 0.5, "end": 1.0, "voice": "tone", "pitch": 440.0, "level": -50.0}],
        "flashes": [1.5],
    }
    write_scene(parse_scene(scene), tmp_path / "a.mp4")
    store = ClipStore(Settings(home=tmp_path / "home", allow_any_file=True))
    ref = store.admit(tmp_path / "a.mp4")
    assert (ref["duration"], ref["audio_seconds"], ref["fps"]) == (2.0, 2.0, 24.0)
    samples = store.audio(ref)[0].samples
    level = [decibels(samples[start : start + 160]) for start in range(0, 32000, 160)]
    loud = [index / 100 for index, value in enumerate(level) if value > -60]
    assert loud[0] == pytest.approx(0.5, abs=0.02) and loud[-1] == pytest.approx(0.99, abs=0.02)
    frames = store.frames(ref, [], 10**6)
    white = frames.times[frames.images.mean(axis=(1, 2, 3)) > 250]
    assert white.tolist() == pytest.approx([1.5], abs=0.001)


def test_a_scene_without_sound_track(tmp_path):
    write_scene(parse_scene({**BASE, "audible": False}), tmp_path / "a.mp4")
    assert (
        ClipStore(Settings(home=tmp_path / "home", allow_any_file=True)).admit(tmp_path / "a.mp4")["has_audio"] is False
    )


@pytest.mark.parametrize("name", list(json.loads(SCENES.read_text())))
def test_the_shipped_scenes_render(name):
    scene = parse_scene(json.loads(SCENES.read_text())[name])
    frames, samples = render_scene(scene)
    assert sum(1 for _ in frames) == round(scene.seconds * scene.fps)
    assert len(samples) == round(scene.seconds * RENDER_RATE)
