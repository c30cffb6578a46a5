"""Questions about sounds and still pictures through the real graph: what there is, who is told, what is refused."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from aurelia.run.ask import answer_question, score_caption
from aurelia.run.checkpointers import open_checkpointer
from aurelia_core.errors import InputError, MediaError, ModelError
from aurelia_core.models.base import ClipModel
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import MediaRef, arrange_media
from nodes.requests import clamp_windows
from state.context import make_context
from state.events import Event
from tests.support.clips import tune
from tests.support.other_media import write_picture, write_sound
from tests.support.scripted import ScriptedChat, scripted, verdict

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
CASES = {
    "a sound": ({"video": "a.wav"}, "The clip is a sound of 2.00 s without a picture."),
    "the same sound": ({"audio": "a.wav"}, "The clip is a sound of 2.00 s without a picture."),
    "an m4a": ({"video": "a.m4a"}, "The clip is a sound of 2.00 s without a picture."),
    "sounds": (
        {"audio": ["a.wav", "b.flac"]},
        "There is no picture: the clip is 2 sounds (Sound A: 2.00 s, Sound B: 3.00 s).",
    ),
    "a picture": ({"video": "red.png"}, "There is no video and no sound: the clip is 1 image (The image: 160x120)."),
    "pictures and a sound": (
        {"images": ["red.png", "blue.jpg", "green.webp"], "audio": ["a.wav"]},
        "There is no video: the clip is 3 images and 1 sound (Image 1: 160x120, Image 2: 160x120, Image 3: 160x120;"
        " The sound: 2.00 s).",
    ),
    "a video and a picture": (
        {"video": "duet.mp4", "images": ["red.png"]},
        "About the clip: 2.00 s, 160x120, 12 frames a second. It has a sound track of 2.00 s."
        " With it: 1 image (The image: 160x120).",
    ),
}


@pytest.fixture
def media(tmp_path: Path, duet: Path) -> Path:
    """A folder with three pictures, three sounds and the small clip."""
    write_picture(tmp_path / "red.png", (220, 20, 20))
    write_picture(tmp_path / "blue.jpg", (30, 60, 220))
    write_picture(tmp_path / "green.webp", (20, 160, 40))
    write_sound(tmp_path / "a.wav", [(0.3, 0.9, 440, 0.5)])
    tune(tmp_path / "a.m4a", codec="aac", seconds=2.0)
    write_sound(tmp_path / "b.flac", [(0.3, 0.9, 880, 0.5)], seconds=3.0)
    (tmp_path / "duet.mp4").symlink_to(duet)
    return tmp_path


def named(folder: Path, names: dict[str, Any]) -> dict[str, Any]:
    """The names as paths in the folder."""
    found = {}
    for key, value in names.items():
        found[key] = str(folder / value) if isinstance(value, str) else [str(folder / name) for name in value]
    return found


async def asked(stage: Any, model: ScriptedChat, given: dict[str, Any], **context: Any) -> dict[str, Any]:
    question: Any = {**given, "question": "What is it?"}
    settings = make_context({**ROLES, **context})
    return await answer_question(question, settings, client=stage(model).desk)


def texts(messages: list[BaseMessage]) -> str:
    content: Any = messages[-1].content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def clips(messages: list[BaseMessage]) -> list[str]:
    content: Any = messages[-1].content
    return [part["clip"]["name"] for part in content if part["type"] == "clip"]


@pytest.mark.parametrize(("names", "facts"), CASES.values(), ids=CASES)
async def test_every_role_is_told_what_there_is(stage: Any, media: Path, names: dict[str, Any], facts: str) -> None:
    model = scripted(evaluator=[verdict(3), verdict(9)])
    result = await asked(stage, model, named(media, names))
    assert result["answer"] == "with" and not result["warnings"]
    assert {role for role, _, _ in model.heard} == set(ROLES)
    assert all(facts in texts(messages) for _, _, messages in model.heard)
    expected = [Path(name).name for value in names.values() for name in ([value] if isinstance(value, str) else value)]
    for role, fields, messages in model.heard:
        assert clips(messages) == ([] if role in ("summarizer", "feedback") else expected)
        assert ("pictures" in fields) == (len(names.get("images", [])) > 0 and role not in ("summarizer", "feedback"))


async def test_windows_lie_inside_the_longest_sound_and_a_picture_has_none(stage: Any, media: Path) -> None:
    wide = verdict(3, windows=[{"start": 2.5, "end": 9.0}])
    model = scripted(evaluator=[wide, verdict(9)])
    sounds = await asked(stage, model, named(media, {"audio": ["a.wav", "b.flac"]}))
    assert sounds["iterations"][0]["doubts"] == [{"start": 2.5, "end": 3.0}]
    assert model.heard[0][1]["duration"] == 3.0
    picture = await asked(stage, scripted(evaluator=[wide, verdict(9)]), named(media, {"images": ["red.png"]}))
    assert picture["iterations"][0]["doubts"] == []
    assert clamp_windows([], 0.0) == []


async def test_references_in_their_order_say_which_media_there_are(stage: Any, media: Path) -> None:
    store = stage(scripted()).desk.store
    refs: dict[str, MediaRef] = {name: store.admit(media / name) for name in ("duet.mp4", "red.png", "blue.jpg")}
    refs |= {name: store.admit(media / name, kind="audio") for name in ("a.wav", "b.flac")}
    for order in (["a.wav"], ["a.wav", "b.flac"], ["red.png", "blue.jpg", "a.wav"], ["duet.mp4", "red.png", "b.flac"]):
        found = arrange_media([refs[name] for name in order])
        assert [ref["name"] for ref in found.refs] == order
        assert arrange_media(found.refs) == found


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({}, "The name of the video is empty"),
        ({"images": ["a.wav"]}, "a.wav is not a still picture: give it as video or audio"),
        ({"images": ["duet.mp4"]}, "duet.mp4 is not a still picture"),
        ({"images": ["red.png"] * 17}, "There are 17 images: give at most 16."),
        ({"audio": ["red.png"]}, "red.png has no sound track"),
    ],
)
async def test_what_cannot_be_asked_about_is_refused_by_name(
    stage: Any, media: Path, names: dict[str, Any], said: str
) -> None:
    with pytest.raises((InputError, MediaError), match=said):
        await asked(stage, scripted(), named(media, names))


async def test_a_file_with_neither_sense_is_refused(stage: Any, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture at all")
    with pytest.raises(MediaError, match=r"text\.png"):
        await asked(stage, scripted(), {"images": [str(tmp_path / "text.png")]})


class Limited(ScriptedChat, ClipModel):
    """A scripted model that lacks a sense."""

    sees: bool = False
    hears: bool = False

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        if sees_clip:
            media.check("scripted:one", self.missing_modalities(media))

    def missing_modalities(self, media: MediaRequest) -> Any:
        return media.missing_modalities(sees=self.sees, hears=self.hears)


def limited(**senses: bool) -> Limited:
    plain = scripted()
    return Limited(script={}, said=plain.said, heard=[], **senses)


async def test_a_model_is_refused_only_what_it_lacks(stage: Any, media: Path) -> None:
    sound, picture = named(media, {"audio": ["a.wav"]}), named(media, {"images": ["red.png"]})
    assert (await asked(stage, limited(hears=True), sound))["answer"] == "with"
    assert (await asked(stage, limited(sees=True), picture))["answer"] == "with"
    with pytest.raises(InputError, match=r"scripted:one does not hear, and this clip has sound.*evidence"):
        await asked(stage, limited(sees=True), sound)
    with pytest.raises(InputError, match=r"scripted:one does not see, and this clip has picture"):
        await asked(stage, limited(hears=True), {**sound, **picture})


async def test_a_describer_is_asked_for_the_sense_that_a_model_lacks(stage: Any, media: Path) -> None:
    model = limited(hears=True)
    model.script["describer"] = ["A red image."]
    desk = stage(model).desk
    full = scripted(describer=["A red image."])
    desk._providers["full"] = lambda name, store: full
    question: Any = {**named(media, {"images": ["red.png"], "audio": ["a.wav"]}), "question": "What is it?"}
    context = make_context({**ROLES, "unsupported_modality": "describe:full:one"})
    await answer_question(question, context, client=desk)
    ((role, fields, messages),) = full.heard
    assert (role, fields["only"], clips(messages)) == ("describer", "picture", ["red.png", "a.wav"])
    assert model.heard[0][1]["described"] == {"picture": "A red image."}


async def test_a_stopped_run_is_resumed_only_with_the_same_media(stage: Any, media: Path, tmp_path: Path) -> None:
    context = make_context({**ROLES, "compare": False})
    stops = scripted(target=[ModelError("out of power")])
    given: Any = {**named(media, {"images": ["red.png"], "audio": ["a.wav"]}), "question": "What is it?"}
    async with open_checkpointer(tmp_path / "threads.sqlite") as saver:
        options: Any = {"thread": "mine", "checkpointer": saver}
        with pytest.raises(ModelError):
            await answer_question(given, context, client=stage(stops).desk, **options)
        other = {**given, "images": [str(media / "blue.jpg")]}
        with pytest.raises(InputError, match="interrupted in another question"):
            await answer_question(other, context, client=stage(scripted()).desk, **options)
        events: list[Event] = []
        model = scripted()
        await answer_question(given, context, client=stage(model).desk, on_event=events.append, **options)
    assert events[0]["event"] == "resumed"
    assert "generator" not in model.said


async def test_a_caption_of_a_picture_is_scored_against_the_picture(stage: Any, media: Path) -> None:
    desk = stage(scripted()).desk
    picture = desk.store.admit(media / "red.png")
    for context in (make_context({}), make_context({"critic": "claims"})):
        right, wrong = [
            await score_caption(picture, [], f"The background is {colour}.", context, desk)
            for colour in ("red", "blue")
        ]
        assert right["score"] > 7 > wrong["score"]
    assert [finding["verdict"] for one in (right, wrong) for finding in one["claims"]] == ["supported", "contradicted"]
