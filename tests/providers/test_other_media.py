"""Sounds and still pictures on the wire of each provider, through the real graph and strict servers on loopback."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.worker.chat import WorkerChat
from aurelia_core.models.worker.setup import WorkerSetup
from state.context import make_context
from tests.support.google_fixtures import SPEC, Ask
from tests.support.google_server import Gemini
from tests.support.openai_fixtures import AGENTS, SEEING, Place
from tests.support.other_media import write_picture, write_sound
from tests.support.requests import compose_messages
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket
RED, BLUE = (220, 20, 20), (30, 60, 220)


@pytest.fixture
def media(tmp_path: Path) -> dict[str, str]:
    """Paths by name: two sounds and two pictures."""
    made = [
        write_sound(tmp_path / "low.wav", [(0.3, 0.9, 220, 0.5)]),
        write_sound(tmp_path / "high.flac", [(0.3, 0.9, 880, 0.5)]),
        write_picture(tmp_path / "red.png", RED),
        write_picture(tmp_path / "blue.webp", BLUE),
    ]
    return {path.stem: str(path) for path in made}


async def ask(desk: ModelClient, model: str, given: dict[str, Any], **context: Any) -> dict[str, Any]:
    question: Any = {**given, "question": "What is it?"}
    return await answer_question(question, make_context({**dict.fromkeys(AGENTS, model), **context}), client=desk)


def colour(jpeg: bytes) -> Any:
    return Image.open(io.BytesIO(jpeg)).getpixel((5, 5))


def is_red(pixel: Any) -> bool:
    return bool(pixel[0] > 180 and pixel[2] < 60)


def shown(url: str) -> bytes:
    return base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))


def openai_server(place: Any) -> Place:
    advice = {"feedback": "Listen again.", "windows": [{"start": 0.2, "end": 0.6}]}
    made: Place = place(evaluator=[verdict(3), verdict(9)], feedback=[advice])
    return made


async def test_a_model_that_only_hears_gets_a_sound_without_complaint(place: Any, media: dict[str, str]) -> None:
    set_up = openai_server(place)
    agents = {"summarizer": "openai:gpt-4o", "feedback": "openai:gpt-4o", "unsupported_modality": "error"}
    result = await ask(set_up.desk, "openai:gpt-4o-audio-preview", {"audio": [media["low"]]}, **agents)
    assert set_up.server.refused == [] and result["warnings"] == []
    seeing = [sent for sent in set_up.server.sent if sent.role in SEEING]
    assert len(seeing) == 6
    for sent in seeing:
        assert sent.of("image_url") == []
        assert "The clip is a sound of 2.00 s without a picture." in sent.text
    first, second = [sent for sent in seeing if sent.role == "generator"]
    assert (len(first.of("input_audio")), len(second.of("input_audio"))) == (1, 2)
    assert "A closer look at 0.20-0.60 s of the clip:" in second.text
    assert result["usage"]["media_uploads"] == 6


async def test_a_model_that_only_sees_is_refused_a_sound_by_name(place: Any, media: dict[str, str]) -> None:
    set_up = openai_server(place)
    with pytest.raises(InputError, match="openai:gpt-4o does not hear, and this clip has sound"):
        await ask(set_up.desk, "openai:gpt-4o", {"audio": [media["low"]]}, unsupported_modality="error")
    assert set_up.server.sent == []


async def test_evidence_replaces_a_sound_and_a_picture(place: Any, media: dict[str, str]) -> None:
    set_up = openai_server(place)
    both: Any = {"images": [media["red"]], "audio": [media["low"], media["high"]]}
    result = await ask(set_up.desk, "openai:gpt-4o", both, unsupported_modality="evidence")
    text = set_up.server.sent[0].text
    assert "Sound A cannot be given to you; this stands in its place. Measured in the sound" in text
    assert "tone, 220 Hz" in text and "tone, 880 Hz" in text
    assert result["warnings"] == ["openai:gpt-4o does not hear: it was given measurements of the sound instead."]
    deaf = {"generator": "openai:gpt-4o-audio-preview", "unsupported_modality": "evidence"}
    await ask(set_up.desk, "openai:gpt-4o", both, **deaf)
    blind = next(sent for sent in set_up.server.sent if sent.body["model"] == "gpt-4o-audio-preview")
    assert "The image cannot be given to you; this stands in its place. Measured in the image" in blind.text
    assert "Colours: red 100% (background)" in blind.text
    assert len(blind.of("input_audio")) == 2
    assert set_up.server.refused == []


async def test_pictures_are_sent_one_after_its_label_and_only_once(place: Any, media: dict[str, str]) -> None:
    set_up = openai_server(place)
    given = {"images": [media["red"], media["blue"]]}
    result = await ask(set_up.desk, "openai:gpt-4o", given, unsupported_modality="error")
    assert set_up.server.refused == [] and result["warnings"] == []
    for sent in [sent for sent in set_up.server.sent if sent.role in SEEING]:
        labels = [part.get("text") for part in sent.parts]
        at = labels.index("Image 1:")
        assert labels[at + 2] == "Image 2:"
        pixels = [colour(shown(part["url"])) for part in sent.of("image_url")]
        assert [is_red(pixel) for pixel in pixels] == [True, False]
        assert "There is no video and no sound: the clip is 2 images" in sent.text
    assert result["usage"]["media_uploads"] == 12


async def test_pictures_count_against_the_most_images_of_a_request(place: Any, media: dict[str, str]) -> None:
    set_up = openai_server(place)
    adapter: Any = set_up.desk.model("openai:gpt-4o")
    adapter._builder._limits = adapter._builder._limits.model_copy(update={"most_frames": 2})
    with pytest.raises(InputError, match=r"takes 2 images in one request, and this one has 3.*fewer images"):
        await ask(set_up.desk, "openai:gpt-4o", {"images": [media["red"]] * 3})


async def test_a_server_of_ones_own_gets_sounds_with_their_letters(compatible: Any, media: dict[str, str]) -> None:
    set_up: Place = compatible(media="video+audio")
    given: Any = {"images": [media["red"]], "audio": [media["low"], media["high"]]}
    await ask(set_up.desk, "compatible:omni", given, unsupported_modality="error")
    assert set_up.server.refused == []
    sent = set_up.server.sent[0]
    assert (len(sent.of("image_url")), len(sent.of("audio_url")), len(sent.of("video_url"))) == (1, 2, 0)
    labels = [part["text"] for part in sent.parts if part["type"] == "text"][:3]
    assert labels == ["The image:", "Sound A, 0.00-2.00 s:", "Sound B, 0.00-2.00 s:"]


def parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["contents"][0]["parts"]  # type: ignore[no-any-return]


def mimes(body: dict[str, Any]) -> list[str]:
    return [part["inlineData"]["mimeType"] for part in parts(body) if "inlineData" in part]


async def test_gemini_gets_a_sound_as_its_file_and_closer_looks_as_cuts(
    gemini: Gemini, play: Ask, media: dict[str, str]
) -> None:
    await ask(play.desk(), SPEC, {"video": media["high"]}, max_iterations=2)
    assert gemini.refused == []
    first, second = [body for role, body in gemini.asked if role == "generator"]
    assert mimes(first) == ["audio/flac"]
    assert mimes(second) == ["audio/flac", "audio/wav", "audio/wav"], "the feedback named two windows"
    assert not any("videoMetadata" in part for part in parts(second))
    assert parts(first)[1]["text"] == "The clip is a sound of 2.00 s without a picture."


async def test_gemini_gets_pictures_inline_and_sounds_by_their_letters(
    gemini: Gemini, play: Ask, media: dict[str, str]
) -> None:
    given: Any = {"images": [media["red"], media["blue"]], "audio": [media["low"], media["high"]]}
    await ask(play.desk(), SPEC, given, max_iterations=2)
    assert gemini.refused == []
    first, second = [body for role, body in gemini.asked if role == "generator"]
    assert mimes(first) == ["image/jpeg", "image/jpeg", "audio/wav", "audio/flac"]
    texts = [part["text"] for part in parts(first) if "text" in part]
    assert texts[:4] == ["Image 1:", "Image 2:", "Sound A:", "Sound B:"]
    jpeg = base64.b64decode(parts(first)[1]["inlineData"]["data"], altchars=b"-_")
    assert is_red(colour(jpeg))
    assert mimes(second) == [*mimes(first), *["audio/wav"] * 4], "two windows of two sounds"


async def test_gemini_gets_a_video_with_a_picture(gemini: Gemini, play: Ask, media: dict[str, str], duet: Path) -> None:
    await ask(play.desk(), SPEC, {"video": str(duet), "images": [media["red"]]}, max_iterations=1)
    assert gemini.refused == []
    body = next(body for role, body in gemini.asked if role == "generator")
    assert mimes(body) == ["video/mp4", "image/jpeg"]
    assert parts(body)[1]["text"] == "The image:"


def test_a_worker_gets_the_files_of_each_kind(
    tmp_path: Path, session_store: Any, media: dict[str, str], duet: Path
) -> None:
    setup = WorkerSetup(python=tmp_path, script=tmp_path, frames=2)
    worker = WorkerChat(worker_name="row", setup=setup, store=session_store)
    red, sound = session_store.admit(media["red"]), session_store.admit(media["low"], kind="audio")

    def sent(clip: Any, **more: Any) -> tuple[list[str], list[str]]:
        messages = compose_messages("What?", {"role": "target", "clip": clip, "tracks": [], **more}, sees_clip=True)
        request = worker.request(messages, tmp_path)
        return [Path(image["path"]).name for image in request["images"]], [Path(f).name for f in request["sounds"]]

    assert sent(sound) == ([], ["sound0-0.wav"])
    assert sent(red, tracks=[sound]) == (["picture0-0000.png"], ["sound0-0.wav"])
    film = session_store.admit(duet)
    frames = ["frame-0000.png", "frame-0001.png"]
    assert sent(film, tracks=[sound]) == (frames, ["sound0-0.wav"])
    blue = session_store.admit(media["blue"])
    assert sent(film, pictures=[blue])[0] == [*frames, "picture0-0000.png"]
    with pytest.raises(InputError, match="takes 1 sound in one request, and this one has 2"):
        sent(film, tracks=[sound, session_store.admit(media["high"], kind="audio")])
