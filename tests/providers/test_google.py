"""Gemini behind its real client library, against a strict loopback server: the whole graph, the wire, the faults."""

import asyncio
import base64
import io
import json
import logging
import sqlite3
import sys
import threading
import time
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import Answer, ModelClient, Request
from aurelia_core.models.google.billing import find_price, gemini_call_cost
from aurelia_core.models.registry import known_providers, make_model
from aurelia_core.models.requests import parse_request
from aurelia_core.settings import Settings
from prompts.render import PROMPT_TEXTS
from tests.support.google_fixtures import SPEC, Ask
from tests.support.google_server import BLOCKED, KEY, MODEL, Gemini, error, gone, limited, reply
from tests.support.requests import compose_messages

pytestmark = pytest.mark.enable_socket


async def say(desk: ModelClient, clip: Path, rollout: int = 0) -> Answer[str]:
    """One question to the target alone, through the ledger."""
    fields = {"role": "target", "clip": desk.store.admit(clip), "tracks": []}
    return await desk.complete(
        Request(
            model_id=SPEC,
            text="What is heard?",
            fields=parse_request(fields),
            texts=PROMPT_TEXTS,
            run="run",
            rollout=rollout,
        )
    )


def parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["contents"][0]["parts"]  # type: ignore[no-any-return]


def head(body: dict[str, Any]) -> str:
    """What comes before the role's own text and closer looks: all up to "About the clip"."""
    about = next(number for number, part in enumerate(parts(body)) if part.get("text", "").startswith("About the clip"))
    return json.dumps([body["systemInstruction"], parts(body)[: about + 1]])


def seeing(gemini: Gemini) -> list[tuple[str, dict[str, Any]]]:
    return [(role, body) for role, body in gemini.asked if role in ("generator", "evaluator", "target")]


def inline(part: dict[str, Any]) -> bytes:
    return base64.b64decode(part["inlineData"]["data"], altchars=b"-_")


async def test_a_big_clip_is_uploaded_once_for_five_attempts(
    gemini: Gemini, play: Ask, big: Path, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    caplog.set_level(logging.DEBUG)
    result = await play(big)
    assert [attempt["score"] for attempt in result["iterations"]] == [3, 4, 5, 6, 7]
    assert result["answer"].startswith("Two tones")
    assert result["zero_shot_answer"].startswith("Two tones")
    assert not result["warnings"]
    assert gemini.refused == []
    assert len(gemini.files) == 1
    assert gemini.calls["start"] == gemini.calls["model"] == 1
    assert 10_000_000 < gemini.received <= 1.1 * sum(int(file["sizeBytes"]) for file in gemini.files.values())
    assert result["usage"]["media_uploads"] == 1
    assert result["usage"]["calls"] == len(gemini.asked) == 21
    assert sum(usage["cachedContentTokenCount"] > 0 for usage in gemini.usages) == len(seeing(gemini)) - 1
    assert result["usage"]["cost_usd"] == pytest.approx(
        sum(gemini_call_cost(MODEL, usage) or 0 for usage in gemini.usages)
    )
    assert result["usage"]["input_tokens"] == 1000 * len(gemini.asked)
    for text in [record.getMessage() for record in caplog.records] + [body.decode() for body in gemini.bodies]:
        assert KEY not in text
        assert big.name not in text
    assert all(KEY.encode() not in file.read_bytes() for file in settings.home.glob("*.sqlite*"))
    assert KEY not in json.dumps(result)
    assert len({head(body) for _, body in seeing(gemini)}) == 1
    assert {role for role, _ in seeing(gemini)} == {"generator", "evaluator", "target"}
    first = parts(seeing(gemini)[0][1])
    assert first[0].keys() == {"fileData", "videoMetadata"}
    assert first[0]["fileData"]["mimeType"] == "video/mp4"
    assert first[0]["videoMetadata"] == {"fps": 8.0}
    assert "text" in first[-1]


def spent(cached: int) -> dict[str, Any]:
    details = [{"modality": "TEXT", "tokenCount": 900}, {"modality": "AUDIO", "tokenCount": 100}]
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 50, "thoughtsTokenCount": 20}
    return {**usage, "cachedContentTokenCount": cached, "promptTokensDetails": details}


async def test_closer_looks_cut_the_same_file_and_say_which_seconds(gemini: Gemini, play: Ask, big: Path) -> None:
    await play(big, max_iterations=2)
    first, second = [parts(body) for role, body in gemini.asked if role == "generator"]
    assert len(first) == 3
    whole, about, said1, look1, said2, look2, text = second
    assert "About the clip" in about["text"]
    assert "0.20 to 0.70 s" in said1["text"]
    assert "1.20 to 1.80 s" in said2["text"]
    assert look1["fileData"] == look2["fileData"] == whole["fileData"]
    assert look1["videoMetadata"] == {"startOffset": "0.200s", "endOffset": "0.700s", "fps": 14.545}
    assert "attempt 2" in text["text"]


async def test_agents_are_held_to_their_schema_and_the_target_is_not(gemini: Gemini, play: Ask, duet: Path) -> None:
    await play(duet, max_iterations=1)
    configs = {role: body["generationConfig"] for role, body in gemini.asked}
    assert configs["evaluator"]["responseJsonSchema"]["properties"]["score"]["anyOf"][0]["maximum"] == 10
    assert configs["generator"]["responseMimeType"] == "application/json"
    assert "responseMimeType" not in configs["target"]
    texts = {role: [part for part in parts(body) if "text" not in part] for role, body in gemini.asked}
    assert texts["summarizer"] == []


async def test_a_small_clip_travels_inside_the_request(gemini: Gemini, play: Ask, duet: Path, small: bytes) -> None:
    result = await play(duet, max_iterations=1)
    assert gemini.calls["start"] == 0
    assert result["usage"]["media_uploads"] == 0
    assert inline(parts(seeing(gemini)[0][1])[0]) == small


async def test_other_processes_use_the_same_upload_until_it_expires_or_vanishes(
    gemini: Gemini, play: Ask, big: Path
) -> None:
    uploads = []
    for rollout in range(4):
        if rollout == 2:
            with sqlite3.connect(play.desks[0].store.settings.home / "google_files.sqlite") as connection:
                connection.execute("UPDATE handles SET expires = 1")
            connection.close()
        if rollout == 3:
            gemini.files.clear()
        uploads.append((await say(play.desk(), big, rollout)).usage["media_uploads"])
    assert uploads == [1, 0, 1, 1]
    assert gemini.calls["model"] == 4


async def test_a_file_that_vanishes_during_the_loop_is_uploaded_again(gemini: Gemini, play: Ask, big: Path) -> None:
    def vanish(number: int, body: dict[str, Any]) -> dict[str, Any]:
        gemini.files.clear()
        return {"caption": "A tone is heard."}

    gemini.script["summarizer"] = vanish
    result = await play(big, max_iterations=1)
    assert result["score"] == 3
    assert result["usage"]["media_uploads"] == 2
    assert len(gemini.refused) == 1


async def test_a_separate_track_is_heard_and_the_clips_own_sound_is_not(
    gemini: Gemini, play: Ask, big: Path, tmp_path: Path
) -> None:
    track = tmp_path / "track.wav"
    with wave.open(str(track), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.sin(np.arange(16_000) * 0.2) * 9000).astype("<i2").tobytes())
    result = await play(big, audio=[str(track), str(big)], max_iterations=2)
    assert gemini.refused == []
    # The small copy without sound travels inside the request; a closer look at it names its upload.
    assert result["usage"]["media_uploads"] == 1
    first, second = [parts(body) for role, body in gemini.asked if role == "generator"]
    kinds = [part["inlineData"]["mimeType"] for part in first if "inlineData" in part]
    assert kinds == ["video/mp4", "audio/wav", "audio/wav"]
    with av.open(io.BytesIO(inline(first[0]))) as shown:
        assert (len(shown.streams.video), len(shown.streams.audio)) == (1, 0)
        assert shown.streams.video[0].codec_context.name == "h264"
    sounds = [inline(part) for part in first if part.get("inlineData", {}).get("mimeType") == "audio/wav"]
    assert sounds[0][:4] == b"RIFF"
    with wave.open(io.BytesIO(sounds[1])) as heard:
        assert (heard.getframerate(), round(heard.getnframes() / 16_000)) == (16_000, 2)
    said = [part["text"] for part in second if "text" in part]
    assert "Sound track A from 1.20 to 1.80 s: it has ended before." in said
    assert len({head(body) for _, body in seeing(gemini)}) == 1


async def test_an_uploaded_file_is_used_only_when_it_is_active(gemini: Gemini, play: Ask, big: Path) -> None:
    gemini.processing = 4
    await say(play.desk(), big)
    assert gemini.calls["file"] == 4
    assert gemini.refused == []


async def test_a_wrong_key_is_one_line_before_anything_is_uploaded(
    gemini: Gemini, play: Ask, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-wrong")
    with pytest.raises(InputError, match="does not accept the key") as told:
        await play(big)
    assert "\n" not in str(told.value)
    assert "AIza-wrong" not in str(told.value)
    assert gemini.calls == {"model": 1}


async def test_an_unknown_model_is_named(gemini: Gemini, settings: Settings, session_store: ClipStore) -> None:
    model = make_model("google_genai:gemini-0-none", session_store, known_providers())
    with pytest.raises(InputError, match="gemini-0-none: Google has no such model"):
        await model.ainvoke("Hello")


def test_no_key_is_said_at_once(monkeypatch: pytest.MonkeyPatch, session_store: ClipStore) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(InputError, match="needs a key: set GOOGLE_API_KEY"):
        make_model(SPEC, session_store, known_providers())
    with pytest.raises(InputError, match="cannot be the name"):
        make_model("google_genai:../x", session_store, known_providers())


UNAVAILABLE = error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")


@pytest.mark.parametrize(
    ("kind", "fault", "wait"),
    [
        ("generate", limited(7), 7.0),
        ("generate", (limited(None), {"Retry-After": "3"}), 3.0),
        ("generate", limited(None), None),
        ("generate", error(500, "INTERNAL", "An internal error has occurred."), None),
        ("generate", UNAVAILABLE, None),
        ("generate", "drop", None),
        ("generate", "truncate", None),
        ("generate", reply(""), None),
        ("generate", {"usageMetadata": {}, "modelVersion": MODEL}, None),
        ("model", UNAVAILABLE, None),
        ("start", UNAVAILABLE, None),
        ("upload", "drop", None),
        ("file", UNAVAILABLE, None),
    ],
)
async def test_passing_faults_are_tried_again_by_the_ledger_alone(
    gemini: Gemini, play: Ask, big: Path, kind: str, fault: Any, wait: float | None
) -> None:
    gemini.faults[kind] = [fault]
    answer = await say(play.desk(), big)
    assert answer.value == "Two tones, said 0."
    assert len(play.waits) == 1
    assert wait is None or play.waits == [wait]
    assert answer.usage["media_uploads"] == len(gemini.files) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (BLOCKED, "blocked: PROHIBITED_CONTENT"),
        (reply("", ended="SAFETY"), "finish reason SAFETY"),
        (reply('{"steps": [', ended="MAX_TOKENS"), "output limit"),
        (reply("", ended="RECITATION"), "finish reason RECITATION"),
        (limited(None, "GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "PerDay.* is exhausted"),
        (error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 0, model: y"), "is exhausted"),
        (error(413, "INVALID_ARGUMENT", "Request entity too large"), "shorter clip"),
        (
            error(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed 9."),
            "request is too large",
        ),
    ],
)
async def test_lasting_faults_are_named_and_asked_once(
    gemini: Gemini, session_store: ClipStore, tmp_path: Path, fault: Any, said: str
) -> None:
    gemini.faults["generate"] = [fault]
    model = make_model(SPEC, session_store, known_providers())
    with pytest.raises(ModelError, match=said) as told:
        await model.ainvoke("Hello")
    assert not told.value.transient
    assert gemini.calls["generate"] == 1


def shown(store: ClipStore, clip: Path) -> list[Any]:
    fields = {"role": "target", "clip": store.admit(clip), "tracks": []}
    return compose_messages("What is heard?", fields, sees_clip=True)


@pytest.mark.parametrize("sense", ["video", "audio"])
async def test_a_model_that_lacks_a_sense_says_so(
    gemini: Gemini, session_store: ClipStore, big: Path, sense: str
) -> None:
    model: Any = make_model(SPEC, session_store, known_providers())
    model.profile = {"video_inputs": True, "audio_inputs": True, f"{sense}_inputs": False}
    with pytest.raises(InputError, match=f"{MODEL} does not accept {sense}"):
        await model.ainvoke(shown(session_store, big))
    assert not gemini.calls


async def test_streaming_and_synchronous_calls_carry_the_clip_too(
    gemini: Gemini, session_store: ClipStore, duet: Path, small: bytes
) -> None:
    model = make_model(SPEC, session_store, known_providers())
    streamed = [chunk.text async for chunk in model.astream(shown(session_store, duet))]
    said = await asyncio.to_thread(model.invoke, shown(session_store, duet))
    assert ["".join(streamed), said.text] == ["Two tones, said 0.", "Two tones, said 1."]
    assert [inline(parts(body)[0]) for _, body in gemini.asked] == [small, small]


async def test_callbacks_see_references_and_no_media(gemini: Gemini, session_store: ClipStore, duet: Path) -> None:
    seen: list[str] = []

    class Watch(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            seen.append(f"{serialized} {messages} {kwargs}")

        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            seen.append(f"{response} {kwargs}")

    await make_model(SPEC, session_store, known_providers()).ainvoke(
        shown(session_store, duet), {"callbacks": [Watch()]}
    )
    assert len(seen) == 2
    assert session_store.admit(duet)["id"] in seen[0]
    assert KEY not in "".join(seen)
    assert len("".join(seen)) < 10_000


async def test_a_cancelled_call_ends_at_once(gemini: Gemini, session_store: ClipStore) -> None:
    arrived, held = threading.Event(), threading.Event()
    gemini.script["target"] = lambda number, body: arrived.set() or (held.wait(20) and "late")
    asked = asyncio.create_task(make_model(SPEC, session_store, known_providers()).ainvoke("Hello"))
    assert await asyncio.to_thread(arrived.wait, 10)
    asked.cancel()
    began = time.perf_counter()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert time.perf_counter() - began < 5
    held.set()


async def test_a_reply_out_of_form_is_sent_back_with_the_same_head(gemini: Gemini, play: Ask, duet: Path) -> None:
    gemini.script["evaluator"] = ["I like it.", {"score": 8, "justification": "good"}]
    result = await play(duet, max_iterations=1)
    assert result["score"] == 8
    first, second = [body for role, body in gemini.asked if role == "evaluator"]
    assert second["contents"][0] == first["contents"][0]
    assert [content["role"] for content in second["contents"]] == ["user", "model", "user"]


async def test_thoughts_and_their_signatures_do_not_reach_the_answer(gemini: Gemini, play: Ask, duet: Path) -> None:
    whole = reply("Two tones.")
    signed = {"text": "Two tones.", "thoughtSignature": base64.b64encode(b"signed").decode()}
    whole["candidates"][0]["content"]["parts"] = [{"text": "Let me think.", "thought": True}, signed]
    gemini.faults["generate"] = [{**whole, "modelVersion": "gemini-3.8-flash"}]
    desk = play.desk()
    assert [(await say(desk, duet)).value for _ in range(2)] == ["Two tones."] * 2
    assert gemini.calls["generate"] == 1


async def test_a_file_that_is_lost_again_and_again_is_not_uploaded_for_ever(
    gemini: Gemini, play: Ask, big: Path
) -> None:
    gemini.faults["generate"] = [gone("files/f1").body] * 9
    with pytest.raises(ModelError, match="lost a file twice"):
        await say(play.desk(), big)
    assert len(gemini.files) == 2


def test_what_a_trace_sees_holds_no_key(gemini: Gemini, session_store: ClipStore) -> None:
    from langchain_core.load import dumpd

    model = make_model(SPEC, session_store, known_providers())
    assert KEY not in json.dumps(dumpd(model))
    assert KEY not in repr(model)


def test_prices_by_day_prompt_and_modality() -> None:
    from datetime import date

    assert find_price("gemini-3.8-flash", day=date(2026, 12, 31)) == (0.75, 3.75, 0.75, 0.075, 0.075, None)
    assert find_price("models/gemini-3.8-flash", day=date(2027, 1, 1)) == (1.5, 7.5, 1.5, 0.15, 0.15, None)
    assert find_price("gemini-2.5-pro", 200_001) == (2.5, 15.0, 2.5, 0.25, 0.25, 4.5)
    assert find_price("gemini-unheard-of") is None
    assert gemini_call_cost("gemini-2.5-flash", spent(600)) == pytest.approx(
        (300 * 0.3 + 100 + 600 * 0.03 + 70 * 2.5) / 1e6
    )


def test_a_missing_package_ends_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, session_store: ClipStore
) -> None:
    monkeypatch.delitem(sys.modules, "aurelia_core.models.google.chat", raising=False)
    monkeypatch.setitem(sys.modules, "langchain_google_genai", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[google\]'$"):
        make_model(SPEC, session_store, known_providers())
