"""A strict Gemini on the loopback: models.get, resumable upload, files.get and generateContent, with faults by script.

Written from Google's REST reference; it refuses what Google refuses, and it speaks to the real client libraries. It is
no model: its replies come from a script, one for each role, which it knows by the schema that the reply must satisfy.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.google_cache_server import Caches
from tests.support.google_server_checks import MIMES, Refused, bad, check_body, check_magic, check_part, error, gone

KEY = "AIzaSyNotARealKey-0123456789abcdefghijk"
MODEL = "gemini-2.5-flash"
MOST_INLINE = 20_000_000
DESCRIBER = "You are the Describer"
ROLES = {"steps": "generator", "caption": "summarizer", "score": "evaluator", "feedback": "feedback"}


BAD_KEY = error(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
)


def limited(seconds: float | None, quota: str = "GenerateRequestsPerMinutePerProjectPerModel") -> dict[str, Any]:
    violation = {"quotaMetric": "generate_content", "quotaId": quota, "quotaValue": "15"}
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
    if seconds is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:g}s"})
    told = "You exceeded your current quota, please check your plan and billing details."
    return error(429, "RESOURCE_EXHAUSTED", told, *details)


class Gemini:
    """The state of the server.

    Attributes:
        faults: what happens instead of the next call of a kind: an error body, a finished reply, "drop", "truncate",
            "hang" (no answer for `silence` seconds, then none), or a function.
        asked: every generateContent request that was accepted, with its role.
        billed: tokens of every reply that was sent whole, and of every context cache: what Google's bill would say.
    """

    def __init__(self) -> None:
        self.script: dict[str, Any] = {}
        self.faults: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.calls: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.files: dict[str, dict[str, Any]] = {}
        self.open: dict[str, dict[str, Any]] = {}
        self.received = 0
        self.bodies: list[bytes] = []
        self.refused: list[str] = []
        self.processing = 1
        self.lifetime = timedelta(hours=48)
        self.heads: set[str] = set()
        self.usages: list[dict[str, Any]] = []
        self.caches = Caches()
        self.billed: Counter[str] = Counter()
        self.bills: list[dict[str, Any]] = []
        self.silence = 5.0
        self.answers_as = MODEL
        self.closed = threading.Event()
        self.guard = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"gemini": self}))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(0.02), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def roles(self) -> list[str]:
        return [role for role, _ in self.asked]

    def start(self, headers: Any, body: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        told = json.loads(body or b"{}")
        size, mime = headers["X-Goog-Upload-Header-Content-Length"], headers["X-Goog-Upload-Header-Content-Type"]
        if headers["X-Goog-Upload-Protocol"] != "resumable" or headers["X-Goog-Upload-Command"] != "start" or not size:
            raise Refused(400, "INVALID_ARGUMENT", "Not the start of a resumable upload.")
        if mime not in MIMES:
            raise Refused(400, "INVALID_ARGUMENT", f"Unsupported MIME type: {mime}")
        if (name := (told.get("file") or {}).get("displayName")) or headers["X-Goog-Upload-File-Name"]:
            raise AssertionError(f"a file's name leaves the machine: {name}")
        ticket = f"t{len(self.open)}"
        self.open[ticket] = {"size": int(size), "mime": mime, "data": b""}
        return {}, {
            "X-Goog-Upload-URL": f"{self.url}/upload/v1beta/files?upload_id={ticket}&upload_protocol=resumable",
            "X-Goog-Upload-Status": "active",
        }

    def upload(self, ticket: str, headers: Any, body: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        known = self.open.get(ticket)
        if known is None or int(headers["X-Goog-Upload-Offset"]) != len(known["data"]):
            raise Refused(400, "INVALID_ARGUMENT", "Wrong upload or offset.")
        known["data"] += body
        if headers["X-Goog-Upload-Command"] != "upload, finalize":
            return {}, {"X-Goog-Upload-Status": "active"}
        if len(known["data"]) != known["size"]:
            raise Refused(400, "INVALID_ARGUMENT", "The upload is not complete.")
        check_magic(known["mime"], known["data"])
        name = f"files/f{len(self.files):03d}{int(time.time() * 1e6) % 10**9}"
        self.files[name] = {
            "name": name,
            "uri": f"{self.url}/v1beta/{name}",
            "mimeType": known["mime"],
            "sizeBytes": str(known["size"]),
            "expirationTime": (datetime.now(UTC) + self.lifetime).isoformat().replace("+00:00", "Z"),
            "state": "PROCESSING" if self.processing else "ACTIVE",
            "left": self.processing,
        }
        return {"file": shown(self.files[name])}, {"X-Goog-Upload-Status": "final"}

    def file(self, name: str) -> dict[str, Any]:
        known = self.files.get(name)
        if known is None:
            raise gone(name)
        if known["state"] == "PROCESSING":
            known["left"] -= 1
            known["state"] = "PROCESSING" if known["left"] > 0 else "ACTIVE"
        return shown(known)

    def delete(self, name: str) -> dict[str, Any]:
        if self.files.pop(name, None) is None:
            raise gone(name)
        return {}

    def cache(self, body: dict[str, Any]) -> dict[str, Any]:
        body = camel(body)
        for content in body.get("contents", []):
            for part in content["parts"]:
                check_part(part, self.files)
        made = self.caches.make(body)
        if isinstance(made, str):
            raise bad(made)
        self.billed["input"] += made["usageMetadata"]["totalTokenCount"]
        return made

    def bill(self, answer: Any) -> None:
        """Counts what a reply, scripted or instead of one, says that it cost."""
        used = answer.get("usageMetadata") if isinstance(answer, dict) else None
        if used:
            self.billed["calls"] += 1
            self.billed["input"] += used.get("promptTokenCount", 0)
            self.billed["output"] += used.get("candidatesTokenCount", 0) + used.get("thoughtsTokenCount", 0)
            self.billed["cached"] += used.get("cachedContentTokenCount", 0)
            self.bills.append(used)

    def generate(self, body: dict[str, Any], model: str) -> dict[str, Any]:
        body = camel(body)
        check_body(body, self.files)
        if "cachedContent" in body and (fault := self.caches.fault(body, model)):
            lost = Refused(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")
            raise lost if fault == "gone" else bad(fault)
        schema = body.get("generationConfig", {}).get("responseJsonSchema")
        role = next((ROLES[name] for name in (schema or {}).get("properties", {}) if name in ROLES), "target")
        if any(part.get("text", "").startswith(DESCRIBER) for part in body["contents"][0]["parts"]):
            role = "describer"
        number, self.said[role] = self.said[role], self.said[role] + 1
        self.asked.append((role, body))
        said = self.script.get(role) or DEFAULTS[role]
        told = said(number, body) if callable(said) else said[min(number, len(said) - 1)]
        text = told if isinstance(told, str) else json.dumps(told)
        self.usages.append(self._usage(body))
        return {**reply(text, self.usages[-1]), "modelVersion": self.answers_as}

    def _usage(self, body: dict[str, Any]) -> dict[str, Any]:
        if "cachedContent" in body:
            return self.caches.usage(body["cachedContent"])
        head = json.dumps([part for part in body["contents"][0]["parts"] if "text" not in part][:1])
        cached = 600 if len(head) > 2 and head in self.heads else 0
        self.heads.add(head)
        details = [{"modality": "TEXT", "tokenCount": 900}, {"modality": "AUDIO", "tokenCount": 100}]
        usage = {"promptTokenCount": 1000, "candidatesTokenCount": 50, "thoughtsTokenCount": 20}
        return {**usage, "totalTokenCount": 1070, "cachedContentTokenCount": cached, "promptTokensDetails": details}


def reply(text: str, usage: dict[str, Any] | None = None, ended: str = "STOP") -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]} if text else {"role": "model"}
    known = usage or {"promptTokenCount": 10, "totalTokenCount": 10}
    candidate = {"content": content, "finishReason": ended, "index": 0}
    return {"candidates": [candidate], "usageMetadata": known, "modelVersion": MODEL, "responseId": "r"}


BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
    "modelVersion": MODEL,
}
DEFAULTS: dict[str, Callable[[int, dict[str, Any]], Any]] = {
    "generator": lambda number, body: {
        "steps": [{"step": f"Listen, {number}.", "justification": "at 1 s", "answer": "a tone", "modality": "audio"}],
        "answer": f"tone {number}",
    },
    "summarizer": lambda number, body: {"caption": f"Caption {number}: a tone is heard."},
    "evaluator": lambda number, body: {"score": 3 + number, "justification": "so so", "windows": []},
    "feedback": lambda number, body: {
        "feedback": f"Listen again, {number}.",
        "windows": [{"start": 0.2, "end": 0.7}, {"start": 1.2, "end": 1.8}],
    },
    "describer": lambda number, body: "0.20-0.70 s: a loud tone\n1.20-1.80 s: a soft, higher tone",
    "target": lambda number, body: f"Two tones, said {number}.",
}


def camel(value: Any) -> Any:
    """The same with lowerCamelCase names: Google takes both those and snake_case ones; a schema stays as it is."""
    if isinstance(value, list):
        return [camel(part) for part in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_(\w)", lambda match: match[1].upper(), name): part for name, part in value.items()}
    return {name: part if name == "responseJsonSchema" else camel(part) for name, part in named.items()}


def shown(file: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in file.items() if key != "left"}


class Handler(BaseHTTPRequestHandler):
    gemini: Gemini
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.respond("model" if "/models/" in self.path else "file", b"")

    def do_DELETE(self) -> None:
        self.respond("delete", b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        cache = "cache" if self.path == "/v1beta/cachedContents" else "upload"
        self.respond("generate" if "generateContent" in self.path else cache, body)

    def respond(self, kind: str, body: bytes) -> None:
        gemini = self.gemini
        with gemini.guard:
            if kind == "upload" and "upload_id=" not in self.path:
                kind = "start"
            gemini.calls[kind] += 1
            gemini.received += len(body)
            if kind != "upload":
                gemini.bodies.append(self.path.encode() + body)
            fault = gemini.faults[kind].pop(0) if gemini.faults.get(kind) else None
            if callable(fault):
                fault = fault(gemini)
            headers: dict[str, str] = {}
            if fault is None:
                answer, headers = self.answer(kind, body)
            else:
                answer = fault
            if kind == "generate":
                gemini.bill(answer)
        if fault in ("drop", "hang"):
            gemini.closed.wait(gemini.silence if fault == "hang" else 0.0)
            self.close_connection = True
            return
        if isinstance(answer, tuple):
            answer, headers = answer
        self.send(answer, headers, cut=fault == "truncate")

    def answer(self, kind: str, body: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        gemini = self.gemini
        try:
            # The upload's address is a ticket of its own: Google asks for no key there, and the client sends none.
            if kind != "upload" and self.headers["x-goog-api-key"] != KEY:
                return BAD_KEY, {}
            if kind == "start":
                return gemini.start(self.headers, body)
            if kind == "upload":
                ticket = re.search(r"upload_id=(\w+)", self.path)
                return gemini.upload(ticket[1] if ticket else "", self.headers, body)
            if kind in ("file", "delete"):
                name_only = self.path.removeprefix("/v1beta/")
                return (gemini.file if kind == "file" else gemini.delete)(name_only), {}
            if kind == "cache":
                return gemini.cache(json.loads(body)), {}
            name = re.fullmatch(r"/v1beta/models/([\w.-]+)(:generateContent)?", self.path)
            if not name or name[1] not in (MODEL, "gemini-2.5-pro"):
                raise Refused(404, "NOT_FOUND", f"{self.path[8:]} is not found for API version v1beta.")
            if kind == "model":
                return {"name": f"models/{name[1]}", "supportedGenerationMethods": ["generateContent"]}, {}
            if len(body) > MOST_INLINE:
                raise bad("Request payload size exceeds the limit: 20971520 bytes.")
            return gemini.generate(json.loads(body), name[1]), {}
        except Refused as refused:
            gemini.refused.append(str(refused))
            return refused.body, {}

    def send(self, answer: Any, headers: dict[str, str], cut: bool = False) -> None:
        data = b'{"candidates": [{"content"' if cut else json.dumps(answer).encode()
        code = answer.get("error", {}).get("code", 200) if isinstance(answer, dict) else 200
        with suppress(ConnectionError):
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
