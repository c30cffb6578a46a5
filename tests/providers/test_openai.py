"""The real OpenAI client behind the real graph, against a strict loopback server: what a request carries."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_offline.world.scene import Scene, write_scene
from tests.support.openai_fixtures import AGENTS, SEEING, WINDOW, head
from tests.support.openai_server_rules import image, sound
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket


async def test_a_whole_run_sends_what_openai_takes(place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)], feedback=[{"feedback": "There.", "windows": [WINDOW]}])
    result = await set_up.ask()
    server = set_up.server
    assert server.refused == []
    assert [attempt["score"] for attempt in result["iterations"]] == [3, 9]
    assert (result["answer"], result["zero_shot_answer"]) == ("an answer", "an answer")
    assert {role: len(server.by(role)) for role in AGENTS} == {
        "generator": 2, "summarizer": 2, "evaluator": 2, "feedback": 1, "target": 2,
    }  # fmt: skip
    seeing = [sent for sent in server.sent if sent.role in SEEING]
    assert len({head(sent) for sent in seeing}) == 1
    for sent in seeing:
        assert sent.parts[-1]["type"] == "text" and "About the clip" not in sent.parts[-1]["text"]
    for sent in server.sent:
        if sent.role not in SEEING:
            assert {part["type"] for part in sent.parts} == {"text"}


async def test_frames_are_jpeg_each_after_its_time(place: Any) -> None:
    set_up = place()
    await set_up.ask(frames=3)
    parts = set_up.server.by("evaluator")[0].parts
    places = [n for n, part in enumerate(parts) if part["type"] == "image_url"]
    assert len(places) == 3
    times = []
    for n in places:
        picture = image(parts[n]["image_url"])
        assert (picture.format, picture.size) == ("JPEG", (160, 120))
        said = parts[n - 1]["text"]
        assert said.startswith("at ") and said.endswith(" s")
        times.append(float(said[3:-2]))
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 2.0


async def test_a_closer_look_stands_after_the_head_of_the_next_attempt_alone(place: Any) -> None:
    set_up = place(
        evaluator=[verdict(3), verdict(9)],
        feedback=[{"feedback": "There.", "windows": [WINDOW, {"start": 0.0, "end": 0.5}]}],
    )
    await set_up.ask()
    first, second = set_up.server.by("generator")
    assert "A closer look" not in first.text
    texts = [part.get("text", "") for part in second.parts]
    at = [n for n, text in enumerate(texts) if text.startswith("A closer look at")]
    assert [texts[n] for n in at] == [
        "A closer look at 1.00-1.50 s of the clip:",
        "A closer look at 0.00-0.50 s of the clip:",
    ]
    assert texts.index(next(text for text in texts if text.startswith("About the clip"))) < at[0]
    shown = [float(text[3:-2]) for text in texts[at[0] : at[1]] if text.startswith("at ")]
    assert shown and all(1.0 <= time <= 1.5 for time in shown)
    assert texts[-1].startswith("You are the Reasoning Generator")
    assert all("A closer look" not in sent.text for sent in set_up.server.sent if sent is not second)


async def test_every_agents_reply_has_a_strict_schema_and_the_targets_none(place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)])
    await set_up.ask()
    names = {
        sent.role: sent.body["response_format"]["json_schema"]["name"]
        for sent in set_up.server.sent
        if "response_format" in sent.body
    }
    assert names == {
        "generator": "ReasoningReply", "summarizer": "CaptionReply", "evaluator": "VerdictReply",
        "feedback": "FeedbackReply",
    }  # fmt: skip
    assert all(sent.body.get("stream") is False for sent in set_up.server.sent)


async def test_a_model_without_schemas_gets_json_mode(place: Any) -> None:
    set_up = place()
    await set_up.ask(summarizer="openai:gpt-4o-2024-05-13")
    assert set_up.server.by("summarizer")[0].body["response_format"] == {"type": "json_object"}


async def test_measured_sound_stands_in_for_sound_and_the_result_says_so_once(place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)])
    result = await set_up.ask()
    text = set_up.server.by("evaluator")[0].text
    assert "this stands in its place" in text
    assert "0.20-0.70 s: tone, 440 Hz" in text
    assert "tone, 1200 Hz" in text
    said = "openai:gpt-4o does not hear: it was given measurements of the sound instead."
    assert result["warnings"].count(said) == 1


async def test_sound_that_a_model_cannot_hear_is_an_error_unless_the_user_chose(place: Any) -> None:
    set_up = place()
    with pytest.raises(
        InputError, match=r"openai:gpt-4o does not hear, and this clip has sound: .*unsupported_modality"
    ):
        await set_up.ask(unsupported_modality="error")
    assert set_up.server.asked == set_up.server.lookups == 0


async def test_what_the_target_cannot_carry_is_said_before_the_loop_is_paid_for(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = place()
    agents = dict.fromkeys(("generator", "evaluator"), "offline:measure")
    with pytest.raises(InputError, match="openai:gpt-4o does not hear"):
        await set_up.ask(**agents, unsupported_modality="error")
    monkeypatch.delenv("OPENAI_API_KEY")
    desk = ModelClient(set_up.desk.settings, store=set_up.desk.store, ledger=set_up.desk.ledger)
    with pytest.raises(InputError, match="it needs the variable OPENAI_API_KEY"):
        await set_up._replace(desk=desk).ask(**agents, summarizer="offline:measure", feedback="offline:measure")
    assert set_up.server.asked == 0 and not set_up.ledger.exists()


async def test_a_silent_clip_needs_no_choice(place: Any, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    shape = {"colour": "red", "shape": "circle", "x": 0.5, "y": 0.5, "size": 0.3, "moves": [[0.2, 0.7]]}
    write_scene(Scene.model_validate({"seconds": 1.0, "audible": False, "shapes": [shape]}), silent)
    set_up = place()
    result = await set_up.ask(video=str(silent), unsupported_modality="error")
    assert (result["clip"]["has_audio"], result["warnings"]) == (False, [])


async def test_a_model_that_hears_is_given_the_sound_itself(place: Any) -> None:
    set_up = place()
    result = await set_up.ask(target="openai:gpt-4o-audio-preview")
    sent = set_up.server.by("target")[0]
    assert (sent.of("image_url"), len(sent.of("input_audio"))) == ([], 1)
    rate, samples = sound(base64.b64decode(sent.of("input_audio")[0]["data"]))
    wave = np.frombuffer(samples, "<i2")
    assert (rate, len(wave)) == (16000, pytest.approx(32000, abs=200))
    spectrum = np.abs(np.fft.rfft(wave[4000:10000]))
    assert np.argmax(spectrum) * rate / 6000 == pytest.approx(440, abs=5)
    assert "The picture cannot be given to you" in sent.text and "red moves, left" in sent.text
    assert any("does not see" in warning for warning in result["warnings"])
    with pytest.raises(InputError, match="does not see, and this clip has picture"):
        offline = {"generator": "offline:measure", "evaluator": "offline:measure"}
        await set_up.ask(target="openai:gpt-4o-audio-preview", unsupported_modality="error", **offline)


async def test_a_model_that_only_hears_is_refused_where_there_is_nothing_to_hear(place: Any) -> None:
    with pytest.raises(InputError, match="gpt-4o-audio-preview answers only requests with sound"):
        await place().ask(summarizer="openai:gpt-4o-audio-preview")


async def test_candidate_tracks_are_named_and_replace_the_clips_own_sound(
    place: Any, duet: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    tone = {"start": 0.1, "end": 0.6, "voice": "tone", "pitch": 700.0, "level": -14.0}
    write_scene(Scene.model_validate({"seconds": 1.0, "fps": 12, "width": 64, "height": 48, "sounds": [tone]}), other)
    set_up = place()
    await set_up.ask(target="openai:gpt-4o-audio-preview", audio=[str(duet), str(other)])
    sent = set_up.server.by("target")[0]
    assert len(sent.of("input_audio")) == 2
    assert "Candidate sound track A, 0.00-2.00 s:" in sent.text
    assert "Candidate sound track B, 0.00-1.0" in sent.text
    assert "The clip's sound" not in sent.text
    assert "Candidate sound track B cannot be given to you" in set_up.server.by("evaluator")[0].text


async def test_more_frames_than_a_model_takes_are_refused(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()
    model: Any = set_up.desk.model("openai:gpt-4o")
    narrow = model.limits.model_copy(update={"most_frames": 3})
    monkeypatch.setattr(model._builder, "_limits", narrow)
    with pytest.raises(InputError, match="takes 3 images in one request, and this one has 4: lower frames"):
        await set_up.ask()
    monkeypatch.setattr(model._builder, "_limits", model.limits.model_copy(update={"request_mb": 0.001}))
    with pytest.raises(InputError, match="fewer frames or a shorter clip"):
        await set_up.ask()
    assert set_up.server.asked == 0
