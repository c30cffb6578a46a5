"""A strict /v1/chat/completions on loopback: refuses what OpenAI (or, for `omni`, vLLM) refuses; can be faulty."""

import base64
import binascii
import io
import json
import re
import threading
import wave
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from PIL import Image
from scripted import reasoning, verdict

VARIABLES = (
    "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_PROXY",
    "AURELIA_COMPATIBLE_URL", "AURELIA_COMPATIBLE_KEY", "AURELIA_COMPATIBLE_MEDIA", "AURELIA_COMPATIBLE_STRUCTURED",
)  # fmt: skip
KEY = "sk-proj-loopback0123456789abcdefghij"
MODELS = {
    "gpt-4o": {"images", "schema"},
    "gpt-4o-mini": {"images", "schema"},
    "gpt-4o-2024-05-13": {"images"},
    "gpt-4o-audio-preview": {"audio"},
    "omni": {"images", "audio", "video", "urls", "schema"},
}
PARAMETERS = {
    "model", "messages", "stream", "response_format", "temperature", "seed", "n", "stop", "modalities", "audio",
    "max_completion_tokens", "max_tokens", "prompt_cache_key", "service_tier", "store", "metadata", "tools",
}  # fmt: skip
STRICT = {"type", "enum", "const", "anyOf", "items", "properties", "required", "additionalProperties", "$ref", "$defs",
          "title", "description"}  # fmt: skip
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


class Refused(Exception):
    def __init__(self, message: str, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Fault(NamedTuple):
    """A status with headers, `drop` (no answer), `truncated` (half a body), `html` (a page), or a reply that is none.

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

    `received` counts the bytes of all of them.
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
        self.guard = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def close(self) -> None:
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
            fault = self.server.faults.popleft() if self.server.faults else None
        if fault and fault.kind == "drop":
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
        return 200, json.dumps({"id": name, "object": "model", "created": 1, "owned_by": "x"}).encode(), {}

    def _chat(self, raw: bytes, fault: Fault | None) -> tuple[int, bytes, dict[str, str]]:
        server = self.server
        if self.path != "/v1/chat/completions":
            raise Refused(f"Unknown request URL: {self.path}", 404)
        self._authorize()
        body = json.loads(raw)
        if fault and isinstance(fault.kind, int):
            error = {"message": f"fault {fault.kind}", "type": "x", "param": None, "code": fault.code}
            return fault.kind, fault.body or json.dumps({"error": error}).encode(), fault.headers
        check(body)
        role = role_of(body)
        with server.guard:
            cached = cached_tokens(body, [sent.body for sent in server.sent])
            server.sent.append(Sent(role, dict(self.headers), body))
            lines = server.replies[role]
            said = lines(body) if callable(lines) else lines[min(server.said[role], len(lines) - 1)]
            server.said[role] += 1
        answer = completion(body, said, cached, fault)
        if fault and fault.kind == "truncated":
            return 200, answer[: len(answer) // 2], {}
        if fault and fault.kind == "html":
            return 200, b"<html>busy</html>", {"Content-Type": "text/html"}
        used = json.loads(answer)["usage"]
        with server.guard:
            server.billed += Counter(calls=1, input=used["prompt_tokens"], output=used["completion_tokens"])
            server.billed["cached"] += cached
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


def flat(body: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for message in body["messages"]:
        content = message["content"]
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return parts


def weights(body: dict[str, Any]) -> list[int]:
    return [len(part["text"]) // 4 + 1 if part["type"] == "text" else 100 for part in flat(body)]


def heard(body: dict[str, Any]) -> list[int]:
    return [100 for part in flat(body) if part["type"] == "input_audio"]


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


def check(body: dict[str, Any]) -> None:
    if unknown := body.keys() - PARAMETERS:
        raise Refused(f"Unrecognized request argument supplied: {sorted(unknown)}")
    if body.get("model") not in MODELS:
        raise Refused(f"The model '{body.get('model')}' does not exist", 404, "model_not_found")
    able = MODELS[body["model"]]
    if not body.get("messages"):
        raise Refused("[] is too short - 'messages'")
    for message in body["messages"]:
        check_message(message, able)
    if able == {"audio"} and not heard(body):
        raise Refused("This model requires that either input content or output modality contain audio.")
    check_format(body, able)


def check_message(message: dict[str, Any], able: set[str]) -> None:
    if message.keys() - {"role", "content", "name"} or message.get("role") not in ("system", "user", "assistant"):
        raise Refused(f"Invalid message: {sorted(message)}")
    content = message["content"]
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Refused("Invalid type for 'messages.content'")
    for part in content:
        kind = part.get("type")
        if part.keys() != {"type", kind}:
            raise Refused(f"Invalid content part: {sorted(part)}")
        if kind != "text" and message["role"] != "user":
            raise Refused("Only user messages carry media")
        check_part(kind, part[kind], able)


def check_part(kind: str, value: Any, able: set[str]) -> None:
    if kind == "text":
        if not isinstance(value, str) or not value:
            raise Refused("Invalid text part")
    elif kind == "image_url" and "images" in able:
        image(value)
    elif kind == "input_audio" and "audio" in able:
        if value.keys() != {"data", "format"} or value["format"] not in ("wav", "mp3"):
            raise Refused(f"Invalid value: {value.get('format')!r}. Supported values are: 'wav' and 'mp3'.")
        sound(decoded(value["data"]))
    elif kind == "audio_url" and "urls" in able:
        sound(data_url(value, r"audio/wav"))
    elif kind == "video_url" and "urls" in able:
        if b"ftyp" not in data_url(value, r"video/mp4")[:16]:
            raise Refused("Not an mp4")
    else:
        raise Refused(f"Invalid content type. This model does not take {kind}.")


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise Refused(f"Invalid base64: {fault}") from None


def data_url(value: Any, kinds: str) -> bytes:
    if not isinstance(value, dict) or value.keys() - {"url", "detail"}:
        raise Refused("Invalid URL part")
    found = re.fullmatch(rf"data:({kinds});base64,([A-Za-z0-9+/=]+)", value["url"])
    if not found:
        raise Refused("Invalid data URL")
    return decoded(found[2])


def image(value: Any) -> Any:
    content = data_url(value, r"image/(?:jpeg|png|webp|gif)")
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except OSError:
        raise Refused("The image cannot be decoded") from None
    if f"image/{(picture.format or '').lower()}" not in value["url"][:30]:
        raise Refused("The image is not what its data URL says")
    return picture


def sound(content: bytes) -> tuple[int, bytes]:
    """Samples a second, and the samples (mono, 16 bits)."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            found = file.getframerate(), file.readframes(file.getnframes())
    except (wave.Error, EOFError):
        raise Refused("The audio cannot be decoded") from None
    if not found[1]:
        raise Refused("The audio is empty")
    return found


def check_format(body: dict[str, Any], able: set[str]) -> None:
    form = body.get("response_format")
    if form is None:
        return
    if form == {"type": "json_object"}:
        if "json" not in json.dumps([part for part in flat(body) if part["type"] == "text"]).lower():
            raise Refused("'messages' must contain the word 'json' in some form")
        return
    if form.get("type") != "json_schema" or "schema" not in able:
        raise Refused("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.")
    named = form["json_schema"]
    if named.keys() - {"name", "schema", "strict", "description"} or not re.fullmatch(r"[\w-]{1,64}", named["name"]):
        raise Refused("Invalid response_format.json_schema")
    if named.get("strict"):
        check_strict(named["schema"])


def check_strict(schema: dict[str, Any]) -> None:
    if schema.keys() - STRICT:
        raise Refused(f"Invalid schema: {sorted(schema.keys() - STRICT)} is not permitted")
    if "$ref" in schema and len(schema) > 1:
        raise Refused("Invalid schema: $ref cannot have keywords beside it")
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or schema.get("required") != list(schema["properties"])
    ):
        raise Refused("Invalid schema: 'required' must name every property, 'additionalProperties' must be false")
    for part in (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])):
        check_strict(part)
    if "items" in schema:
        check_strict(schema["items"])
