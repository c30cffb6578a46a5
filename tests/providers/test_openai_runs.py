"""The real OpenAI client behind the real graph, against a strict loopback server: bills, traces, streams, loops."""

import asyncio
import json
import sqlite3
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from aurelia_core.models.capabilities import find_capability
from graph.build import build_graph
from state.context import make_context
from tests.support.openai_fixtures import AGENTS
from tests.support.openai_server import KEY
from tests.support.requests import compose_messages
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket


async def test_the_bill_counts_cached_tokens_at_their_price(place: Any) -> None:
    set_up = place(evaluator=[verdict(3), verdict(9)])
    result = await set_up.ask(frames=16, summarizer="openai:gpt-4o-mini", feedback="openai:gpt-4o-mini")
    with sqlite3.connect(set_up.ledger) as connection:
        rows = [(row[0], json.loads(row[1])) for row in connection.execute("SELECT spec, reply FROM calls")]
    connection.close()
    due, cached = 0.0, 0
    for spec, reply in rows:
        used, price = reply["usage_metadata"], find_capability(spec).price
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
    context = make_context({**dict.fromkeys(AGENTS, "openai:gpt-4o"), "unsupported_modality": "evidence", "frames": 4})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    await build_graph(client=set_up.desk).ainvoke(question, {"callbacks": [recorder]}, context=context)
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
    context = make_context({**dict.fromkeys(AGENTS, "openai:gpt-4o"), "unsupported_modality": "evidence", "frames": 4})
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    graph = build_graph(client=set_up.desk)
    async for _ in graph.astream(question, context=context, stream_mode="messages"):
        pass
    assert set_up.server.refused == []
    assert len(set_up.server.by("target")[0].of("image_url")) == 4


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
    messages = compose_messages("What is heard?", fields, sees_clip=True)
    reply = model.invoke(messages)
    assert reply.text == "an answer" and reply.response_metadata["media_uploads"] == 1
    assert asyncio.run(model.ainvoke(messages)).text == "an answer"
    bodies = [sent.body for sent in set_up.server.sent]
    assert bodies[0] == bodies[1] and set_up.server.lookups == 1
