"""Motion, colours, cuts and flashes against rendered scenes of known truth, on plain frames."""

import numpy as np
import pytest

from aurelia_core.signals import colours
from aurelia_core.signals.fades import Fades
from aurelia_core.signals.video import VideoAnalysis, analyze_frames
from aurelia_offline.world.scene import RGB, Scene, render_scene


def seen(scene: dict, gap: float = 1 / 12) -> VideoAnalysis:
    parsed = Scene.model_validate({"seconds": 6.0, **scene})
    frames = list(render_scene(parsed).frames)
    index = np.unique(np.round(np.arange(0, parsed.seconds - 1e-6, gap) * parsed.fps).astype(int))
    index = index[index < len(frames)]
    return analyze_frames(index / parsed.fps, np.stack([frames[i] for i in index]))


def shape(colour: str, x: float = 0.5, y: float = 0.5, *moves: tuple[float, float], kind: str = "circle") -> dict:
    return {"colour": colour, "shape": kind, "x": x, "y": y, "size": 0.25, "moves": list(moves)}


@pytest.mark.parametrize("kind", ["circle", "square", "triangle"])
@pytest.mark.parametrize(("colour", "background"), [("red", "black"), ("black", "yellow"), ("white", "grey")])
def test_a_bouncing_shape_is_one_motion_of_its_colour(kind: str, colour: str, background: str) -> None:
    found = seen({"background": background, "shapes": [shape(colour, 0.2, 0.6, (1.0, 2.2), kind=kind)]})
    assert len(found.motions) == 1
    motion = found.motions[0]
    assert (motion.x, motion.y) == pytest.approx((0.2, 0.56), abs=0.06)
    assert (motion.start, motion.end) == pytest.approx((1.0, 2.2), abs=0.1)
    assert motion.colour == colour
    assert [c.name for c in found.colours if c.background] == [background]
    assert {c.name for c in found.colours} >= {colour, background}


@pytest.mark.parametrize("gap", [0.125, 0.25, 0.4])
def test_frames_far_apart_still_show_who_moves_where(gap: float) -> None:
    found = seen(
        {"background": "white", "shapes": [shape("red", 0.2, 0.5, (1.0, 2.5)), shape("blue", 0.8, 0.5, (3.5, 5.0))]},
        gap,
    )
    assert [m.colour for m in found.motions] == ["red", "blue"]
    assert [m.x for m in found.motions] == pytest.approx([0.2, 0.8], abs=0.05)
    assert [m.start for m in found.motions] == pytest.approx([1.0, 3.5], abs=gap)


def test_shapes_that_move_together_are_two_motions() -> None:
    found = seen(
        {"shapes": [shape("red", 0.25, 0.25, (1.0, 3.0)), shape("green", 0.25, 0.75, (1.0, 3.0), kind="square")]}
    )
    assert sorted(m.colour or "" for m in found.motions) == ["green", "red"]


def test_two_moves_of_one_shape_are_two_motions() -> None:
    found = seen({"shapes": [shape("cyan", 0.5, 0.5, (1.0, 1.8), (3.0, 4.0))]})
    assert [m.start for m in found.motions] == pytest.approx([1.0, 3.0], abs=0.1)


def test_a_still_picture_shows_nothing() -> None:
    found = seen({"background": "blue", "shapes": [shape("orange")]})
    assert (found.motions, found.cuts, found.flashes) == ((), (), ())


def test_codec_noise_is_no_motion() -> None:
    noise = np.random.default_rng(1).normal(0, 4, (20, 120, 160, 3))
    images = np.clip(np.array([90, 120, 60]) + noise, 0, 255).astype(np.uint8)
    assert analyze_frames(np.arange(20) / 10, images).motions == ()


@pytest.mark.parametrize("gap", [1 / 12, 0.4])
def test_a_cut_is_no_motion_and_a_motion_across_it_is_one(gap: float) -> None:
    cut = {"background": "black", "cuts": [{"time": 3.0, "background": "blue"}]}
    assert seen({**cut, "shapes": [shape("red")]}, gap).motions == ()
    found = seen({**cut, "shapes": [shape("red", 0.5, 0.5, (2.0, 4.4))]}, gap)
    assert found.cuts == pytest.approx((3.0,), abs=gap)
    assert len(found.motions) == 1
    assert found.flashes == ()


@pytest.mark.parametrize("background", ["black", "grey", "white"])
def test_a_flash_is_neither_cut_nor_motion(background: str) -> None:
    found = seen({"background": background, "shapes": [shape("red")], "flashes": [2.5]})
    assert found.flashes == pytest.approx((2.5,), abs=0.09)
    assert (found.cuts, found.motions) == ((), ())


def test_a_body_of_many_colours_has_no_colour() -> None:
    rng = np.random.default_rng(2)
    body = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
    images = np.full((12, 120, 160, 3), 128, np.uint8)
    for i, image in enumerate(images):
        image[40:80, 20 + 4 * i : 60 + 4 * i] = np.kron(body[::8, ::8], np.ones((8, 8, 1), np.uint8))
    found = analyze_frames(np.arange(12) / 10, images)
    assert len(found.motions) == 1
    assert found.motions[0].colour is None
    assert found.motions[0].y == pytest.approx(0.5, abs=0.05)


def test_few_frames() -> None:
    images = np.zeros((1, 90, 120, 3), np.uint8)
    assert analyze_frames(np.zeros(0), images[:0]) == ((), (), (), (), 0.0, Fades((), ()))
    assert analyze_frames(np.zeros(1), images).colours[0].name == "black"


def colour_name(rgb: tuple[int, int, int]) -> str:
    return colours.COLOUR_NAMES[int(colours.colour_indices(np.array([rgb], np.float32))[0])]


@pytest.mark.parametrize("name", sorted(RGB))
def test_colours_of_the_scenes_have_their_names(name: str) -> None:
    assert colour_name(RGB[name]) == name


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((255, 192, 203), "pink"), ((139, 69, 19), "brown"), ((0, 0, 128), "blue"), ((135, 206, 235), "blue")],
)
def test_other_colours(rgb: tuple[int, int, int], name: str) -> None:
    assert colour_name(rgb) == name


def test_shares_sum_to_one() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, 5:] = 255
    found = {colour.name: colour.share for colour in analyze_frames(np.zeros(1), picture[None]).colours}
    assert found["black"] == found["white"] == 0.5
    assert sum(found.values()) == pytest.approx(1.0)
