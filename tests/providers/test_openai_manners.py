"""`compatible:MODEL` in front of servers that take less than OpenAI, answer differently, or fail in other words."""

import json
import sqlite3
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from tests.support.openai_fixtures import Place
from tests.support.openai_server import Fault
from tests.support.openai_server_rules import MODELS
from tests.support.scripted import reasoning, verdict

pytestmark = pytest.mark.enable_socket

ROLES_WITHOUT_CLIP = ("summarizer", "feedback")


def refusing(said: str, status: int, *marks: bytes) -> Any:
    """A server that refuses every request with one of these marks in its body."""
    body = json.dumps({"error": {"message": said, "code": status}}).encode()
    return lambda raw: Fault(status, body=body) if any(mark in raw for mark in marks) else None


def replies(place: Place) -> list[dict[str, Any]]:
    with sqlite3.connect(place.ledger) as connection:
        found = [json.loads(row[0]) for row in connection.execute("SELECT reply FROM calls ORDER BY created")]
    connection.close()
    return found


async def test_a_request_without_media_is_one_plain_string(compatible: Any) -> None:
    set_up = compatible("images", evaluator=[verdict(3), verdict(9)])
    await set_up.ask("compatible:omni")
    for role in ROLES_WITHOUT_CLIP:
        for sent in set_up.server.by(role):
            assert all(isinstance(message["content"], str) for message in sent.body["messages"])
    set_up = compatible("none")
    await set_up.ask("compatible:omni", max_iterations=1)
    assert all(isinstance(part["content"], str) for sent in set_up.server.sent for part in sent.body["messages"])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "System role not supported"),
        (500, "jinja2.exceptions.TemplateError: Conversation roles must alternate user/assistant/user/assistant/..."),
        (422, "Only user and assistant roles are supported!"),
    ],
)
async def test_a_template_without_a_system_role_gets_its_text_in_the_users_turn(
    compatible: Any, status: int, said: str
) -> None:
    set_up = compatible("images")
    set_up.server.mishap = refusing(said, status, b'"role":"system"', b'"role": "system"')
    result = await set_up.ask("compatible:omni", max_iterations=1)
    server = set_up.server
    assert (result["answer"], result["score"]) == ("an answer", 9)
    assert server.asked == len(server.sent) + 1
    for sent in server.sent:
        (message,) = sent.body["messages"]
        content = message["content"]
        first = content if isinstance(content, str) else content[0]["text"]
        assert message["role"] == "user" and first.startswith("You take part in answering a question")
    assert result["warnings"].count("compatible:omni takes no system text: it stands before the prompt.") == 1


@pytest.mark.parametrize(
    ("marks", "left", "asked"),
    [
        ((b'"json_schema"',), {"type": "json_object"}, 1),
        ((b'"json_schema"', b'"json_object"'), None, 2),
    ],
)
async def test_a_form_that_a_server_cannot_enforce_is_given_up_once_and_said(
    compatible: Any, marks: tuple[bytes, ...], left: Any, asked: int
) -> None:
    set_up = compatible("images")
    set_up.server.mishap = refusing("'response_format.type' must be one of: text", 400, *marks)
    result = await set_up.ask("compatible:omni", max_iterations=1)
    server = set_up.server
    assert server.asked == len(server.sent) + asked
    forms = [sent.body.get("response_format") for sent in server.sent if sent.role != "target"]
    assert forms == [left] * 3
    mode = left["type"] if left else "none"
    (note,) = [warning for warning in result["warnings"] if "response_format" in warning]
    assert note.startswith("compatible:omni refused response_format json_schema and was asked with")
    assert note.endswith(f"set AURELIA_COMPATIBLE_STRUCTURED={mode} to ask it so from the start.") or mode == "none"
    assert f"AURELIA_COMPATIBLE_STRUCTURED={mode}" in note


async def test_a_server_that_names_json_object_gets_the_schema_beside_it(
    compatible: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As llama-cpp-python refuses a schema, and enforces one beside the type."""
    set_up = compatible("images", summarizer=["no object"])
    said = "1 validation error: ('body', 'response_format', 'type'): Input should be 'text' or 'json_object'"
    monkeypatch.setitem(MODELS, "llama", {"images", "schema beside type"})
    set_up.server.mishap = refusing(said, 500, b'"json_schema"')
    result = await set_up.ask("compatible:llama", max_iterations=1)
    assert set_up.server.asked == len(set_up.server.sent) + 1
    forms = [sent.body["response_format"] for sent in set_up.server.sent if sent.role != "target"]
    assert len(forms) == 3
    for form in forms:
        assert form["type"] == "json_object" and form["schema"]["properties"]
    # The summarizer never gave an object: what its server refused is said all the same.
    assert result["score"] is None
    (note,) = [warning for warning in result["warnings"] if "response_format" in warning]
    assert "AURELIA_COMPATIBLE_STRUCTURED=json_object_schema" in note


async def test_a_service_that_only_streams_is_read_as_a_stream(compatible: Any) -> None:
    set_up = compatible("images")
    set_up.server.streams_only = True
    result = await set_up.ask("compatible:omni", max_iterations=1)
    assert (result["answer"], result["score"]) == ("an answer", 9)
    assert all(sent.body["stream"] is True for sent in set_up.server.sent)
    assert set_up.server.asked == len(set_up.server.sent) + 1
    assert result["usage"]["output_tokens"] == 50 * 5
    assert {reply["response_metadata"]["finish_reason"] for reply in replies(set_up)} == {"stop"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": 502, "message": "Provider returned error"}}',
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"error": {"code": 503, "message": "busy"}}]}',
    ],
)
async def test_a_200_that_is_none_is_tried_again(compatible: Any, body: bytes) -> None:
    set_up = compatible("images")
    set_up.server.faults.extend([Fault(200, body=body)] * 2)
    result = await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    assert result["answer"] == "an answer"
    assert set_up.tries()[0] == 3


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"error": {"code": 402, "message": "This request requires more credits"}}, "no credit left"),
        (429, {"error": {"message": "Request too large for x on tokens per min (TPM): 30000"}}, "tier allows"),
        (429, {"error": {"message": "Your prepayment credits are depleted."}}, "no credit left"),
        (500, {"error": {"message": "image input is not supported - hint: you may need to provide the mmproj"}},
         "AURELIA_COMPATIBLE_MEDIA"),
        (400, {"error": {"message": "User location is not supported for the API use."}}, "choose another provider"),
        (500, {"error": {"message": "the request exceeds the available context size"}}, "lower frames"),
    ],
)  # fmt: skip
async def test_what_no_retry_mends_is_known_by_its_words_and_not_sent_again(
    compatible: Any, status: int, body: Any, said: str
) -> None:
    set_up = compatible("images")
    set_up.server.mishap = lambda raw: Fault(status, body=json.dumps(body).encode())
    with pytest.raises(ModelError, match=said) as told:
        await set_up.ask("compatible:omni", max_iterations=5, compare=False)
    # The generator once for all five attempts, the target once.
    assert set_up.server.asked == 2
    assert told.value.exit_status == 3


async def test_an_attempt_after_a_refusal_is_made_where_the_request_differs(compatible: Any) -> None:
    set_up = compatible("images", evaluator=[verdict(3), verdict(9)])
    set_up.server.mishap = refusing("no such capability", 400, b"You are the Evaluator")
    result = await set_up.ask("compatible:omni", max_iterations=2, compare=False)
    assert (result["stop_reason"], len(result["iterations"])) == ("no_valid_score", 2)
    assert len(set_up.server.by("generator")) == 2
    assert "It was not asked again" not in (result["iterations"][1]["error"] or "")


async def test_a_dead_address_is_given_up_after_the_first_total_failure(
    compatible: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = compatible("images")
    monkeypatch.setenv("AURELIA_COMPATIBLE_URL", "http://127.0.0.1:9/v1")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    ledger = CallLedger(set_up.ledger.with_name("dead"), sleep=sleep)
    desk = ModelClient(set_up.desk.settings, store=set_up.desk.store, ledger=ledger)
    began = time.perf_counter()
    with pytest.raises(ModelError, match=r"Connection error.* It was not asked again\."):
        await set_up._replace(desk=desk).ask("compatible:omni", max_iterations=5)
    desk.close()
    assert len(waits) == 3 and time.perf_counter() - began < 30


async def test_a_refusal_is_named_with_its_words(compatible: Any) -> None:
    set_up = compatible("images")
    set_up.server.faults.extend([Fault("refusal")] * 2)
    result = await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    assert 'It refused: "I cannot help with that."' in result["iterations"][0]["error"]
    set_up = compatible("images")
    set_up.server.mishap = lambda raw: Fault("refusal") if b"Question: What is heard?" in raw else None
    result = await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    assert result["answer"] == "I cannot help with that."
    note = "compatible:omni refused to answer as target; its words stand in place of an answer."
    assert note in result["warnings"]


async def test_a_reply_that_was_cut_off_is_named_with_its_words(compatible: Any) -> None:
    set_up = compatible("images")
    set_up.server.faults.extend([Fault("length")] * 2)
    result = await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    assert (
        'It was cut off at its output limit (decoding.ROLE.max_tokens): "{"steps"' in result["iterations"][0]["error"]
    )
    set_up = compatible("images", target=["word " * 50])
    set_up.server.mishap = lambda raw: Fault("length") if b"Question: What is heard?" in raw else None
    with pytest.raises(ModelError, match=r"finish reason length.*It begins \"word word"):
        await set_up.ask("compatible:omni", max_iterations=1, compare=False)


async def test_a_runaway_reply_is_not_sent_back_whole(compatible: Any) -> None:
    set_up = compatible("images", generator=["never an object " * 4000, reasoning("r")])
    await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    again = set_up.server.by("generator")[1].body["messages"][2]
    assert again["role"] == "assistant" and len(again["content"]) < 5000


@pytest.mark.parametrize(
    "said",
    ["<think>A bell? No.</think>A dog.", "A bell? No.</think>\n\nA dog.",
     "<|channel|>analysis<|message|>A bell?<|end|><|start|>assistant<|channel|>final<|message|>A dog.<|return|>"],
)  # fmt: skip
async def test_an_answer_never_holds_its_thinking(compatible: Any, said: str) -> None:
    set_up = compatible("images", target=[said])
    result = await set_up.ask("compatible:omni", max_iterations=1)
    assert (result["answer"], result["zero_shot_answer"]) == ("A dog.", "A dog.")


async def test_an_answer_that_is_only_thinking_is_said_to_be_that(compatible: Any) -> None:
    set_up = compatible("images", target=["<think>A bell, or"])
    with pytest.raises(ModelError, match="gave only its thinking and no answer as target"):
        await set_up.ask("compatible:omni", max_iterations=1, compare=False)
    set_up = compatible("images")
    set_up.server.extra_message = {"content": None, "reasoning_content": "A bell, or"}
    with pytest.raises(ModelError, match="sent only its thinking and no answer"):
        await set_up.desk.model("compatible:omni").ainvoke("What is heard?")
    assert set_up.server.asked == 1


async def test_who_answered_is_read_from_the_reply_and_billed(place: Any) -> None:
    set_up = place()
    set_up.server.answers_as = "gpt-5.6-luna-2026-07-01"
    result = await set_up.ask("openai:gpt-5.6-terra", max_iterations=1, compare=False)
    note = "openai:gpt-5.6-terra was asked, and gpt-5.6-luna-2026-07-01 answered."
    assert result["warnings"].count(note) == 1
    found = replies(set_up)
    assert {reply["response_metadata"]["model_name"] for reply in found} == {"gpt-5.6-luna-2026-07-01"}
    due = 0.0
    for reply in found:
        used = reply["usage_metadata"]
        hit = used["input_token_details"]["cache_read"]
        due += (used["input_tokens"] - hit) * 0.2 + hit * 0.02 + used["output_tokens"] * 1.2
    assert result["usage"]["cost_usd"] == pytest.approx(due / 1e6)


async def test_the_day_on_which_a_model_ends_is_read_from_its_look_up(place: Any) -> None:
    set_up = place()
    set_up.server.shutdown_date = "2020-01-31"
    result = await set_up.ask("openai:gpt-5.6-terra", max_iterations=1, compare=False)
    said = "openai:gpt-5.6-terra ended on 2020-01-31, as its provider has announced: choose another model."
    assert result["warnings"].count(said) == 1


async def test_a_video_carries_its_own_sound_where_that_is_declared(compatible: Any) -> None:
    window = {"start": 1.0, "end": 1.5}
    set_up = compatible("video-with-sound", evaluator=[verdict(3), verdict(9)],
                        feedback=[{"feedback": "There.", "windows": [window]}])  # fmt: skip
    kwargs = {"mm_processor_kwargs": {"use_audio_in_video": True}}
    result = await set_up.ask("compatible:omni", unsupported_modality="error", decoding={"target": kwargs})
    assert result["warnings"] == []
    for sent in set_up.server.sent:
        kinds = [part["type"] for part in sent.parts if part["type"] != "text"]
        assert kinds == ([] if sent.role in ROLES_WITHOUT_CLIP else ["video_url"])
        assert ("mm_processor_kwargs" in sent.body) == (sent.role == "target")
    assert "Look and listen again, closely, from 1.00 to 1.50 s" in set_up.server.by("generator")[1].text
    assert "The clip with its sound:" in set_up.server.by("generator")[0].text
    with pytest.raises(InputError, match="this clip has separate sound tracks"):
        await set_up.ask("compatible:omni", audio=[str(set_up.clip)])


async def test_a_sound_without_a_video_is_not_lost_where_videos_carry_their_sound(
    compatible: Any, duet: Path, tmp_path: Path
) -> None:
    track = tmp_path / "track.wav"
    with wave.open(str(track), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.sin(np.arange(16_000) * 0.2) * 9000).astype("<i2").tobytes())
    set_up = compatible("video-with-sound")
    with pytest.raises(InputError, match="compatible:omni does not hear, and this clip has sound"):
        await set_up.ask("compatible:omni", video=str(track), unsupported_modality="error")
    result = await set_up.ask("compatible:omni", video=str(track), max_iterations=1)
    assert "this stands in its place" in set_up.server.by("target")[0].text
    assert any("does not hear" in warning for warning in result["warnings"])


async def test_decoding_settings_reach_the_server_and_the_ledger(compatible: Any) -> None:
    set_up = compatible("images")
    values = {"temperature": 0.2, "top_p": 0.9, "repetition_penalty": 1.1, "max_tokens": 99, "seed": 7,
              "thinking": False, "system": "Be brief.", "detail": "low"}  # fmt: skip
    result = await set_up.ask("compatible:omni", max_iterations=1, decoding={"target": values})
    (_, sent) = set_up.server.by("target")
    body = {name: sent.body.get(name) for name in ("temperature", "top_p", "repetition_penalty", "max_tokens", "seed")}
    assert body == {name: values[name] for name in body}
    assert sent.body["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent.body["messages"][0]["content"] == "Be brief."
    assert {image["detail"] for image in sent.of("image_url")} == {"low"}
    assert all(other.body.get("temperature") is None for other in set_up.server.sent if other.role != "target")
    with sqlite3.connect(set_up.ledger) as connection:
        requests = [json.loads(row[0]) for row in connection.execute("SELECT request FROM calls WHERE role = 'target'")]
    connection.close()
    assert all(request[-1][2]["decoding"] == values for request in requests)
    # Another temperature is another question; the same one is stored.
    asked = set_up.server.asked
    await set_up.ask("compatible:omni", max_iterations=1, decoding={"target": values})
    assert set_up.server.asked == asked
    await set_up.ask("compatible:omni", max_iterations=1, decoding={"target": {**values, "temperature": 0.3}})
    assert set_up.server.asked == asked + 2
    assert result["answer"] == "an answer"


@pytest.mark.parametrize(
    ("model", "decoding", "said"),
    [
        ("openai:gpt-5.6-terra", {"target": {"repetition_penalty": 1.1}}, "does not take repetition_penalty"),
        ("compatible:omni", {"evaluator": {"fps": 2}}, "does not take fps: leave decoding.evaluator.fps out"),
        ("compatible:omni", {"targt": {"seed": 1}}, "decoding names 'targt'"),
        ("compatible:omni", {"target": {"temperatur": 1}}, "decoding.target.temperatur"),
        ("compatible:omni", {"target": {"temperature": 9}}, "decoding.target.temperature"),
    ],
)
async def test_a_decoding_setting_that_would_be_lost_is_refused_before_anything_is_paid(
    compatible: Any, model: str, decoding: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = compatible("images")
    monkeypatch.setenv("OPENAI_BASE_URL", set_up.server.url)
    with pytest.raises(InputError, match=said):
        await set_up.ask(model, decoding=decoding)
    assert set_up.server.asked == 0
