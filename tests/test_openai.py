"""The real OpenAI client behind the real graph, against a strict loopback server: parts, heads, bills, faults."""

import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from openai_stage import AGENTS, Place
from scripted import verdict
from wire_openai import KEY, VARIABLES, Fault, Sent, data_url, image, sound

from aurelia.errors import InputError, ModelError
from aurelia.media import ClipStore
from aurelia.mini.scene import Scene, write
from aurelia.models.capabilities import capability
from aurelia.models.desk import Desk
from aurelia.models.ledger import TRIES, Ledger
from aurelia.models.messages import compose
from graph.build import build_graph
from state.context import make_context

pytestmark = pytest.mark.enable_socket

SEEING = ("generator", "evaluator", "target")
WINDOW = {"start": 1.0, "end": 1.5}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def compatible(place: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a Place whose server is the operator's, without a key."""

    def make(media: str = "video+audio", **replies: Any) -> Place:
        made: Place = place(key=None, **replies)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
        monkeypatch.setenv("AURELIA_COMPATIBLE_URL", made.server.url)
        monkeypatch.setenv("AURELIA_COMPATIBLE_MEDIA", media)
        return made

    return make


def head(sent: Sent) -> str:
    """Everything up to and with what every role is told of the clip, as it went out."""
    at = next(n for n, part in enumerate(sent.parts) if part.get("text", "").startswith("About the clip: "))
    return json.dumps([sent.body["messages"][0], sent.parts[: at + 1]])


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
    said = "openai:gpt-4o does not hear: what was measured in the sound stood in its place."
    assert result["warnings"].count(said) == 1


async def test_sound_that_a_model_cannot_hear_is_an_error_unless_the_user_chose(place: Any) -> None:
    set_up = place()
    with pytest.raises(InputError, match=r"openai:gpt-4o does not hear, and this clip has sound: .*when_deaf"):
        await set_up.ask(when_deaf="error")
    assert set_up.server.asked == set_up.server.lookups == 0


async def test_what_the_target_cannot_carry_is_said_before_the_loop_is_paid_for(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = place()
    agents = dict.fromkeys(("generator", "evaluator"), "offline:measure")
    with pytest.raises(InputError, match="openai:gpt-4o does not hear"):
        await set_up.ask(**agents, when_deaf="error")
    monkeypatch.delenv("OPENAI_API_KEY")
    desk = Desk(set_up.desk.settings, store=set_up.desk.store, ledger=set_up.desk.ledger)
    with pytest.raises(InputError, match="it needs the variable OPENAI_API_KEY"):
        await set_up._replace(desk=desk).ask(**agents, summarizer="offline:measure", feedback="offline:measure")
    assert set_up.server.asked == 0 and not set_up.ledger.exists()


async def test_a_silent_clip_needs_no_choice(place: Any, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    shape = {"colour": "red", "shape": "circle", "x": 0.5, "y": 0.5, "size": 0.3, "moves": [[0.2, 0.7]]}
    write(Scene.model_validate({"seconds": 1.0, "audible": False, "shapes": [shape]}), silent)
    set_up = place()
    result = await set_up.ask(video=str(silent), when_deaf="error")
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
        await set_up.ask(target="openai:gpt-4o-audio-preview", when_deaf="error", generator="offline:measure",
                         evaluator="offline:measure")  # fmt: skip


async def test_a_model_that_only_hears_is_refused_where_there_is_nothing_to_hear(place: Any) -> None:
    with pytest.raises(InputError, match="gpt-4o-audio-preview answers only requests that carry sound"):
        await place().ask(summarizer="openai:gpt-4o-audio-preview")


async def test_candidate_tracks_are_named_and_replace_the_clips_own_sound(
    place: Any, duet: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    tone = {"start": 0.1, "end": 0.6, "voice": "tone", "pitch": 700.0, "level": -14.0}
    write(Scene.model_validate({"seconds": 1.0, "fps": 12, "width": 64, "height": 48, "sounds": [tone]}), other)
    set_up = place()
    await set_up.ask(target="openai:gpt-4o-audio-preview", audio=[str(duet), str(other)])
    sent = set_up.server.by("target")[0]
    assert len(sent.of("input_audio")) == 2
    assert "Candidate sound track A, 0.00-2.00 s:" in sent.text
    assert "Candidate sound track B, 0.00-1.0" in sent.text
    assert "The clip's sound" not in sent.text
    assert "Candidate sound track B cannot be given to you" in set_up.server.by("evaluator")[0].text


async def test_the_bill_counts_cached_tokens_at_their_price(place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)])
    result = await set_up.ask(frames=16, summarizer="openai:gpt-4o-mini", feedback="openai:gpt-4o-mini")
    with sqlite3.connect(set_up.ledger) as connection:
        rows = [(row[0], json.loads(row[1])) for row in connection.execute("SELECT spec, reply FROM calls")]
    connection.close()
    due, cached = 0.0, 0
    for spec, reply in rows:
        used, price = reply["usage_metadata"], capability(spec).price
        hit = used["input_token_details"]["cache_read"]
        cached += hit
        due += (used["input_tokens"] - hit) * (price.input or 0) + hit * (price.cached or 0)
        due += used["output_tokens"] * (price.output or 0)
    assert result["usage"]["cached_tokens"] == cached > 0
    assert result["usage"]["cost_usd"] == pytest.approx(due / 1e6)
    assert result["usage"]["calls"] == len(rows) == 9
    assert result["usage"]["media_uploads"] == 6


class Recorder(BaseCallbackHandler):
    """Keeps everything that a trace would be given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.seen.append(repr((serialized, messages, more)))

    def on_llm_end(self, response: Any, **more: Any) -> None:
        self.seen.append(repr((response, more)))

    def on_llm_error(self, error: BaseException, **more: Any) -> None:
        self.seen.append(repr((error, more)))

    def on_chain_end(self, outputs: Any, **more: Any) -> None:
        self.seen.append(repr((outputs, more)))


async def test_keys_and_media_stay_out_of_bodies_ledger_and_traces(place: Any) -> None:
    set_up = place()
    recorder = Recorder()
    context = make_context({**dict.fromkeys(AGENTS, "openai:gpt-4o"), "when_deaf": "evidence", "frames": 4})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    await build_graph(desk=set_up.desk).ainvoke(question, {"callbacks": [recorder]}, context=context)
    assert all(KEY not in json.dumps(sent.body) for sent in set_up.server.sent)
    set_up.desk.close()
    kept = b"".join(file.read_bytes() for file in set_up.ledger.parent.glob("ledger.sqlite*")).decode("latin-1")
    traced = "\n".join(recorder.seen)
    assert "openai:gpt-4o" in kept and "gpt-4o" in traced
    for record in (kept, traced):
        assert KEY not in record
        assert "/9j/" not in record and "base64" not in record


async def test_a_streamed_run_sends_the_media_too(place: Any) -> None:
    set_up = place()
    context = make_context({**dict.fromkeys(AGENTS, "openai:gpt-4o"), "when_deaf": "evidence", "frames": 4})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    graph = build_graph(desk=set_up.desk)
    async for _ in graph.astream(question, context=context, stream_mode="messages"):
        pass
    assert set_up.server.refused == []
    assert len(set_up.server.by("target")[0].of("image_url")) == 4


@pytest.mark.parametrize(
    "fault",
    [Fault(429, {"Retry-After": "2"}), Fault(429), Fault(500), Fault(503), Fault("drop"), Fault("truncated")],
    ids=lambda fault: f"{fault.kind}{'+' * bool(fault.headers)}",
)
async def test_passing_faults_are_tried_again_by_the_ledger_alone(place: Any, fault: Fault) -> None:
    set_up = place()
    set_up.server.faults.extend([fault, fault])
    result = await set_up.ask(max_iterations=1, compare=False)
    assert result["answer"] == "an answer"
    assert set_up.tries()[0] == 3
    assert set_up.server.asked == 4 + 2
    assert result["warnings"] == ["openai:gpt-4o does not hear: what was measured in the sound stood in its place."]


async def test_the_wait_that_is_asked_for_is_waited_for(place: Any, session_store: ClipStore) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    made = place()
    desk = Desk(made.desk.settings, store=session_store, ledger=Ledger(made.ledger.with_name("two"), sleep=sleep))
    made.server.faults.append(Fault(429, {"Retry-After": "7"}))
    await Place(made.server, desk, made.clip, made.ledger).ask(max_iterations=1, compare=False)
    desk.close()
    assert waits == [7.0]


async def test_a_fault_that_stays_is_given_up(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(503)] * 99)
    with pytest.raises(ModelError, match=r"openai:gpt-4o did not answer \(status 503"):
        await set_up.ask(max_iterations=1, compare=False)
    assert set_up.server.asked == 2 * TRIES


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(413), "shorter clip"),
        (Fault(400), "status 400"),
        (Fault(403), "Check the key"),
        (Fault(429, {}, "insufficient_quota"), r"fault 429\)\. See its message"),
    ],
)
async def test_lasting_faults_are_not_tried_again(place: Any, fault: Fault, said: str) -> None:
    set_up = place()
    set_up.server.faults.extend([fault] * 9)
    with pytest.raises(ModelError, match=said):
        await set_up.ask(max_iterations=1, compare=False)
    assert set_up.server.asked == 2


async def test_a_wrong_key_is_one_line_before_anything_is_uploaded(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()
    wrong = "sk-proj-thewrongkey000000000000"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    with pytest.raises(InputError, match=r"openai:gpt-4o refused the key \(status 401\): check OPENAI_API_KEY") as told:
        await set_up.ask()
    assert set_up.server.asked == 0
    assert "\n" not in str(told.value) and wrong[:12] not in str(told.value)


@pytest.mark.parametrize("form", ['{"error": {"message": "%s is odd"}}', '{"detail": "%s is odd"}', "%s is odd"])
async def test_words_that_hold_the_key_are_not_shown(place: Any, form: str) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault(400, body=(form % KEY).encode())] * 9)
    with pytest.raises(ModelError, match="what it says holds the key and is not shown") as told:
        await set_up.ask(max_iterations=1, compare=False)
    assert KEY[:12] not in str(told.value)


async def test_a_key_that_is_withdrawn_ends_the_run_at_once(place: Any) -> None:
    set_up = place()
    set_up.server.faults.append(Fault(401))
    with pytest.raises(InputError, match="check OPENAI_API_KEY"):
        await set_up.ask()
    assert set_up.server.asked == 1


async def test_an_unknown_model_is_said_before_anything_is_uploaded(place: Any) -> None:
    set_up = place()
    with pytest.raises(InputError, match="There is no model openai:gpt-9"):
        await set_up.ask("openai:gpt-9")
    assert set_up.server.asked == 0


async def test_a_refusal_is_paid_for_and_asked_again_once(place: Any) -> None:
    set_up = place()
    set_up.server.faults.extend([Fault("refusal"), Fault("refusal")])
    result = await set_up.ask(max_iterations=1, compare=False)
    assert "gave no usable reply as generator, asked twice" in result["iterations"][0]["error"]
    assert result["iterations"][0]["usage"]["calls"] == 2
    first, again = set_up.server.sent[:2]
    assert again.parts == first.parts
    assert again.body["messages"][2] == {"role": "assistant", "content": "I cannot help with that."}


async def test_a_reply_cut_at_its_limit_is_paid_for_and_asked_again(place: Any) -> None:
    set_up = place()
    set_up.server.faults.append(Fault("length"))
    result = await set_up.ask(max_iterations=1, compare=False)
    assert result["answer"] == "an answer"
    assert result["iterations"][0]["usage"]["calls"] == 4


def test_one_desk_serves_several_event_loops(place: Any) -> None:
    set_up = place()
    for rollout in (0, 1):
        result = asyncio.run(set_up.ask(max_iterations=1, rollout=rollout))
        assert result["answer"] == "an answer"


def test_a_synchronous_call_carries_the_same(place: Any) -> None:
    set_up = place()
    model = set_up.desk.model("openai:gpt-4o")
    clip = set_up.desk.store.admit(set_up.clip)
    fields = {"role": "target", "clip": clip, "tracks": [], "frames": 4, "when_deaf": "evidence"}
    messages = compose("What is heard?", fields, sees_clip=True)
    reply = model.invoke(messages)
    assert reply.text == "an answer" and reply.response_metadata["media_uploads"] == 1
    assert asyncio.run(model.ainvoke(messages)).text == "an answer"
    bodies = [sent.body for sent in set_up.server.sent]
    assert bodies[0] == bodies[1] and set_up.server.lookups == 1


async def test_a_server_of_ones_own_takes_video_and_sound(compatible: Any) -> None:
    set_up = compatible(evaluator=[verdict(3), verdict(9)], feedback=[{"feedback": "There.", "windows": [WINDOW]}])
    result = await set_up.ask("compatible:omni", when_deaf="error")
    server = set_up.server
    assert server.refused == [] and server.lookups == 0
    seeing = [sent for sent in server.sent if sent.role in SEEING]
    assert len({head(sent) for sent in seeing}) == 1
    for sent in seeing:
        assert data_url(sent.of("video_url")[0], "video/mp4") == set_up.clip.read_bytes()
        rate, samples = sound(data_url(sent.of("audio_url")[0], "audio/wav"))
        assert len(samples) == pytest.approx(2 * 2 * rate, rel=0.01)
    look = server.by("generator")[1]
    assert len(look.of("image_url")) == 4
    assert len(sound(data_url(look.of("audio_url")[1], "audio/wav"))[1]) == 16000
    assert (result["warnings"], result["usage"]["cost_usd"]) == ([], None)


async def test_a_server_of_ones_own_learns_nothing_of_an_openai_account(compatible: Any) -> None:
    set_up = compatible()
    await set_up.ask("compatible:omni", max_iterations=1)
    for sent in set_up.server.sent:
        told = json.dumps(sent.headers)
        assert KEY not in told and "secret" not in told
        assert "prompt_cache_key" not in sent.body


async def test_a_server_of_ones_own_may_have_a_key(compatible: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = compatible("images+input_audio")
    set_up.server.key = "local-key"
    with pytest.raises(InputError, match="check AURELIA_COMPATIBLE_KEY"):
        await set_up.ask("compatible:omni")
    monkeypatch.setenv("AURELIA_COMPATIBLE_KEY", "local-key")
    desk = Desk(set_up.desk.settings, store=set_up.desk.store, ledger=set_up.desk.ledger)
    result = await set_up._replace(desk=desk).ask("compatible:omni", when_deaf="error", max_iterations=1)
    assert result["answer"] == "an answer"
    sent = set_up.server.by("target")[0]
    assert len(sent.of("image_url")) == 4 and len(sent.of("input_audio")) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "no room for 40 frames"}', r"status 400: Error code: 400 - no room for 40 frames\)"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', r"Error code: 400 - .*field required"),
        (b'{"object": "error", "message": "no room for 40 frames"}', r"Error code: 400 - no room for 40 frames\)"),
        (b'{"error": "no room for 40 frames"}', r"Error code: 400 - no room for 40 frames\)"),
        (b"no room, none", r"Error code: 400 - no room, none\)"),
        (b"<html>no room</html>", r"\(status 400: Error code: 400\)"),
    ],
)
async def test_what_a_server_of_ones_own_says_of_a_fault_is_passed_on(compatible: Any, body: bytes, said: str) -> None:
    set_up = compatible()
    set_up.server.faults.extend([Fault(400, body=body)] * 9)
    with pytest.raises(ModelError, match=said):
        await set_up.ask("compatible:omni", max_iterations=1, compare=False)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AURELIA_COMPATIBLE_URL", "", "the variable AURELIA_COMPATIBLE_URL"),
        ("AURELIA_COMPATIBLE_URL", "localhost:8000", "AURELIA_COMPATIBLE_URL is no address"),
        ("AURELIA_COMPATIBLE_MEDIA", "smell", "AURELIA_COMPATIBLE_MEDIA='smell' cannot be used"),
        ("AURELIA_COMPATIBLE_STRUCTURED", "xml", "AURELIA_COMPATIBLE_STRUCTURED='xml' cannot be used"),
    ],
)
async def test_the_operators_mistakes_are_named(
    compatible: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    set_up = compatible()
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=said):
        await set_up.ask("compatible:omni")


async def test_more_frames_than_a_model_takes_are_refused(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = place()
    model: Any = set_up.desk.model("openai:gpt-4o")
    narrow = model.carrier.model_copy(update={"most_frames": 3})
    monkeypatch.setattr(model._wirer, "_carrier", narrow)
    with pytest.raises(InputError, match="takes 3 images in one request, and this one has 4: lower frames"):
        await set_up.ask()
    monkeypatch.setattr(model._wirer, "_carrier", model.carrier.model_copy(update={"request_mb": 0.001}))
    with pytest.raises(InputError, match="fewer frames or a shorter clip"):
        await set_up.ask()
    assert set_up.server.asked == 0


@pytest.mark.parametrize("fault", [None, Fault(400, body=b"bad \x1b[2Jframes")])
def test_what_a_model_says_does_not_steer_the_terminal(compatible: Any, tmp_path: Path, fault: Fault | None) -> None:
    set_up = compatible("images", target=["\x1b[2Ja red\r\x07 circle"])
    set_up.server.faults.extend([fault] * 9 if fault else [])
    profile = tmp_path / "mine.toml"
    profile.write_text('when_deaf = "evidence"\nframes = 2\nmax_iterations = 1\ntarget = "compatible:omni"\n')
    arguments = ["ask", "--video", str(set_up.clip), "--question", "What is seen?", "--profile", str(profile)]
    known = {**os.environ, "AURELIA_HOME": str(tmp_path / "home")}
    ended = subprocess.run([sys.executable, "-m", "aurelia", *arguments], capture_output=True, text=True, env=known)
    assert not {"\x1b", "\x07"} & set(ended.stdout + ended.stderr)
    if fault:
        assert ended.returncode == 3 and "bad [2Jframes" in ended.stderr
    else:
        assert ended.stdout == " [2Ja red   circle\n"
