"""A strict /v1/chat/completions on loopback: refuses what wire_openai_rules.py says; can be faulty."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.support.openai_server_rules import MODELS, Refused, check, flat, heard
from tests.support.scripted import reasoning, verdict

VARIABLES = (
    "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_PROXY",
    "AURELIA_COMPATIBLE_URL", "AURELIA_COMPATIBLE_KEY", "AURELIA_COMPATIBLE_MEDIA", "AURELIA_COMPATIBLE_STRUCTURED",
)  # fmt: skip

KEY = "sk-proj-loopback0123456789abcdefghij"

OPENINGS = {
    "generator": "You are the Reasoning Generator",
    "summarizer": "You are the Summarizer",
    "evaluator": "You are the Evaluator",
    "feedback": "You are the Feedback agent",
}

REPLIES: dict[str, list[Any]] = {
    "generator": [reasoning(f"r{number}") for number in range(9)],
    "summarizer": [{"caption": f"Caption {number}."} for number in range(9)],
    "evaluator": [verdict(9)],
    "feedback": [{"feedback": "Look again.", "windows": []}],
    "target": ["an answer"],
}


class Fault(NamedTuple):
    """A status with headers, `drop` (no answer), `hang` (none for `silence` seconds, then none at all), `truncated`
    (half a body), `html` (a page), or a reply that is none.

    Those are `refusal`, `length` (cut), `content_filter` and `empty`, with and without a reason; all four are billed.
    `body`: what is sent with the status, in the place of an error as OpenAI words it.
    """

    kind: int | str
    headers: dict[str, str] = {}
    code: str | None = None
    body: bytes | None = None


class Sent(NamedTuple):
    role: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def parts(self) -> list[dict[str, Any]]:
        content = self.body["messages"][1]["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [part[kind] for part in self.parts if part["type"] == kind]

    @property
    def text(self) -> str:
        return "\n".join(part["text"] for part in self.parts if part["type"] == "text")


class WireOpenAI(ThreadingHTTPServer):
    """`sent` are the chat requests that were accepted, `refused` why others were not, `billed` the bill's tokens.

    `received` counts the bytes of all of them. `streams_only`: every request has to be streamed. `answers_as`: the
    model that replies name; `shutdown_date`: the day that a look-up names; `extra_message`: fields of every message.
    `mishap` is asked for a fault where none is scripted, with the body.
    """

    daemon_threads = True

    def __init__(self, key: str | None = KEY, **replies: Any) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.key = key
        self.replies = {**REPLIES, **replies}
        self.said: Counter[str] = Counter()
        self.faults: deque[Fault] = deque()
        self.sent: list[Sent] = []
        self.billed: Counter[str] = Counter()
        self.asked = 0
        self.received = 0
        self.lookups = 0
        self.refused: list[str] = []
        self.mishap: Callable[[bytes], Fault | None] = lambda raw: None
        self.silence = 5.0
        self.streams_only = False
        self.answers_as: str | None = None
        self.shutdown_date: str | None = None
        self.extra_message: dict[str, Any] = {}
        self.closed = threading.Event()
        self.guard = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def close(self) -> None:
        self.closed.set()
        self.shutdown()
        self.server_close()
        self.thread.join(5)

    def by(self, role: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.role == role]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server: WireOpenAI

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.lookups += 1
        self._answer(self._model)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.guard:
            self.server.asked += 1
            self.server.received += len(raw)
            fault = self.server.faults.popleft() if self.server.faults else self.server.mishap(raw)
        if fault and fault.kind in ("drop", "hang"):
            self.server.closed.wait(self.server.silence if fault.kind == "hang" else 0.0)
            self.close_connection = True
            self.connection.close()
            return
        self._answer(lambda: self._chat(raw, fault))

    def _answer(self, make: Callable[[], tuple[int, bytes, dict[str, str]]]) -> None:
        try:
            status, body, headers = make()
        except Refused as refused:
            self.server.refused.append(str(refused))
            error = {"message": str(refused), "type": "invalid_request_error", "param": None, "code": refused.code}
            status, body, headers = refused.status, json.dumps({"error": error}).encode(), {}
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _authorize(self) -> None:
        given = self.headers.get("Authorization", "")
        if self.server.key is not None and given != f"Bearer {self.server.key}":
            raise Refused(f"Incorrect API key provided: {given.removeprefix('Bearer ')}.", 401, "invalid_api_key")

    def _model(self) -> tuple[int, bytes, dict[str, str]]:
        self._authorize()
        name = self.path.removeprefix("/v1/models/")
        if name not in MODELS:
            raise Refused(f"The model '{name}' does not exist", 404, "model_not_found")
        found = {"id": name, "object": "model", "created": 1, "owned_by": "x"}
        if self.server.shutdown_date:
            found["shutdown_date"] = self.server.shutdown_date
        return 200, json.dumps(found).encode(), {}

    def _chat(self, raw: bytes, fault: Fault | None) -> tuple[int, bytes, dict[str, str]]:
        server = self.server
        if self.path != "/v1/chat/completions":
            raise Refused(f"Unknown request URL: {self.path}", 404)
        self._authorize()
        body = json.loads(raw)
        if fault and isinstance(fault.kind, int):
            error = {"message": f"fault {fault.kind}", "type": "x", "param": None, "code": fault.code}
            return fault.kind, fault.body or json.dumps({"error": error}).encode(), fault.headers
        if server.streams_only and not body.get("stream"):
            raise Refused("This model only support stream mode, please enable the stream parameter.")
        check(body)
        role = role_of(body)
        with server.guard:
            cached = cached_tokens(body, [sent.body for sent in server.sent])
            server.sent.append(Sent(role, dict(self.headers), body))
            lines = server.replies[role]
            said = lines(body) if callable(lines) else lines[min(server.said[role], len(lines) - 1)]
            server.said[role] += 1
        answer = completion(body, said, cached, fault)
        if server.answers_as or server.extra_message:
            changed = json.loads(answer)
            changed["model"] = server.answers_as or changed["model"]
            changed["choices"][0]["message"] |= server.extra_message
            answer = json.dumps(changed).encode()
        if fault and fault.kind == "truncated":
            return 200, answer[: len(answer) // 2], {}
        if fault and fault.kind == "html":
            return 200, b"<html>busy</html>", {"Content-Type": "text/html"}
        used = json.loads(answer)["usage"]
        with server.guard:
            server.billed += Counter(calls=1, input=used["prompt_tokens"], output=used["completion_tokens"])
            server.billed["cached"] += cached
        if body.get("stream"):
            return 200, streamed(json.loads(answer)), {"Content-Type": "text/event-stream"}
        return 200, answer, {}


def completion(body: dict[str, Any], said: Any, cached: int, fault: Fault | None) -> bytes:
    text = said if isinstance(said, str) else json.dumps(said)
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    finish = "stop"
    if fault and fault.kind == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    if fault and fault.kind == "length":
        message["content"], finish = text[: len(text) // 2], "length"
    if fault and fault.kind in ("content_filter", "empty"):
        message["content"], finish = None, "stop" if fault.kind == "empty" else "content_filter"
    used = sum(weights(body))
    usage = {
        "prompt_tokens": used,
        "completion_tokens": 50,
        "total_tokens": used + 50,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": sum(heard(body))},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice],
         "usage": usage, "service_tier": "default"}
    ).encode()  # fmt: skip


def streamed(answer: dict[str, Any]) -> bytes:
    """The same reply as server-sent events, a few characters each; the usage comes last, without a choice."""
    head = {"id": answer["id"], "object": "chat.completion.chunk", "created": 1, "model": answer["model"]}
    choice = answer["choices"][0]
    text = choice["message"]["content"]
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[place : place + 7]} for place in range(0, len(text), 7)]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    chunks.append({**head, "choices": [], "usage": answer["usage"]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def weights(body: dict[str, Any]) -> list[int]:
    return [len(part["text"]) // 4 + 1 if part["type"] == "text" else 100 for part in flat(body)]


def cached_tokens(body: dict[str, Any], before: list[dict[str, Any]]) -> int:
    """The longest prefix that an earlier request with the same reply schema began with, from 1024 tokens on."""
    parts, sizes, longest = flat(body), weights(body), 0
    for earlier in before:
        if earlier.get("response_format") != body.get("response_format"):
            continue
        total = 0
        for part, other, size in zip(parts, flat(earlier), sizes, strict=False):
            if part != other:
                break
            total += size
        longest = max(longest, total)
    return longest // 128 * 128 if longest >= 1024 else 0


def role_of(body: dict[str, Any]) -> str:
    text = "\n".join(part["text"] for part in flat(body) if part["type"] == "text")
    return next((role for role, opening in OPENINGS.items() if opening in text), "target")
