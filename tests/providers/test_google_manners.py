"""Gemini: containers that it does not read, decoding settings, who answered, and uploads that are deleted."""

import io
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import av
import pytest

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.google.billing import find_price
from aurelia_core.models.google.cleanup import delete_uploads
from aurelia_core.settings import Settings
from tests.providers.test_google import inline, parts
from tests.support.google_fixtures import SPEC
from tests.support.google_server import KEY, MODEL, Gemini

pytestmark = pytest.mark.enable_socket


def convert(clip: Path, target: Path, picture: str, sound: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-c:v", picture, "-c:a", sound, target], check=True)


def packets(file: Any, kind: str) -> list[bytes]:
    with av.open(file) as opened:
        stream = opened.streams.video[0] if kind == "video" else opened.streams.audio[0]
        return [bytes(packet) for packet in opened.demux(stream) if packet.size]


@pytest.mark.skipif(which("ffmpeg") is None, reason="ffmpeg is not installed")
async def test_a_matroska_file_is_sent_as_an_mp4_with_the_same_streams(
    gemini: Gemini, play: Any, duet: Path, tmp_path: Path
) -> None:
    mkv = tmp_path / "duet.mkv"
    convert(duet, mkv, "copy", "aac")
    result = await play(mkv, max_iterations=1)
    assert gemini.refused == [] and result["warnings"] == []
    (sent,) = {inline(part) for _, body in gemini.asked for part in parts(body) if "inlineData" in part}
    assert sent[4:8] == b"ftyp"
    for kind in ("video", "audio"):
        assert packets(io.BytesIO(sent), kind) == packets(str(mkv), kind)


@pytest.mark.skipif(which("ffmpeg") is None, reason="ffmpeg is not installed")
async def test_a_matroska_file_that_no_mp4_holds_goes_as_frames_and_sound(
    gemini: Gemini, play: Any, duet: Path, tmp_path: Path
) -> None:
    mkv = tmp_path / "old.mkv"
    convert(duet, mkv, "mpeg2video", "pcm_s16le")
    await play(mkv, max_iterations=1)
    kinds = [part["inlineData"]["mimeType"] for part in parts(gemini.asked[0][1]) if "inlineData" in part]
    assert kinds == ["image/jpeg"] * 16 + ["audio/wav"]


async def test_a_small_clip_is_not_repeated_inside_one_request(
    gemini: Gemini, play: Any, duet: Path, small: bytes
) -> None:
    result = await play(duet, max_iterations=2)
    first, second = [parts(body) for role, body in gemini.asked if role == "generator"]
    for sent in (first, second):
        assert [inline(part) for part in sent if "inlineData" in part] == [small]
    looks = [part for part in second if "fileData" in part]
    assert [look["videoMetadata"]["startOffset"] for look in looks] == ["0.200s", "1.200s"]
    assert first[0] == second[0]
    assert (len(gemini.files), result["usage"]["media_uploads"]) == (1, 1)


async def test_decoding_settings_reach_google(gemini: Gemini, play: Any, duet: Path) -> None:
    target = {"temperature": 0.5, "top_p": 0.8, "seed": 3, "max_tokens": 77, "thinking_budget": 128, "fps": 2.0,
              "media_resolution": "low", "system": "Be brief."}  # fmt: skip
    await play(duet, max_iterations=1, decoding={"target": target, "summarizer": {"thinking_level": "low"}})
    asked = {role: body for role, body in gemini.asked}
    settings = asked["target"]["generationConfig"]
    assert (settings["temperature"], settings["topP"], settings["seed"]) == (0.5, 0.8, 3)
    assert (settings["maxOutputTokens"], settings["mediaResolution"]) == (77, "MEDIA_RESOLUTION_LOW")
    assert settings["thinkingConfig"] == {"thinkingBudget": 128}
    assert asked["target"]["systemInstruction"]["parts"][0]["text"] == "Be brief."
    rates = {
        role: parts(body)[0]["videoMetadata"]["fps"] for role, body in asked.items() if role in ("target", "evaluator")
    }
    assert rates == {"target": 2.0, "evaluator": 8.0}
    assert asked["summarizer"]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert "thinkingConfig" not in asked["generator"]["generationConfig"]
    with pytest.raises(InputError, match="does not take repetition_penalty"):
        await play(duet, decoding={"target": {"repetition_penalty": 1.0}})


async def test_who_answered_is_named_and_its_price_is_paid(gemini: Gemini, play: Any, duet: Path) -> None:
    gemini.answers_as = "gemini-2.5-flash-lite"
    result = await play(duet, max_iterations=1, compare=False)
    assert result["warnings"] == [f"{SPEC} was asked, and gemini-2.5-flash-lite answered."]
    price, asked = find_price("gemini-2.5-flash-lite"), find_price(MODEL)
    assert price and asked
    lite = result["usage"]["cost_usd"]
    gemini.answers_as = MODEL
    full = (await play(duet, max_iterations=1, compare=False, rollout=1))["usage"]["cost_usd"]
    assert lite < full * price.output / asked.output * 2.1


async def test_uploads_are_deleted_when_asked(
    gemini: Gemini, play: Any, big: Path, session_store: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play(big, max_iterations=1, compare=False)
    assert len(gemini.files) == 1
    monkeypatch.setenv("GOOGLE_API_KEY", "AIzaSyAnotherKey-000000000000000000000")
    assert delete_uploads(session_store.settings) == (0, 1)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert delete_uploads(session_store.settings) == (1, 0)
    assert gemini.files == {} and gemini.calls["delete"] == 1
    assert delete_uploads(session_store.settings) == (0, 0)
    assert delete_uploads(Settings(home=session_store.settings.home / "nothing")) == (0, 0)
