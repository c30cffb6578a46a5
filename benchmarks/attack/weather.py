"""Bad weather for the loopback providers: of all calls so many fail, in a mix of every fault that real ones have.

What meets a call follows from its words and from how often it came, not from the moment. It keeps what each call met,
so that a run can be held against it. It runs nothing.
"""

import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from aurelia_core.models.call_ledger import MAX_TRIES
from tests.support.google_server import BLOCKED, ROLES, Gemini, error, gone, limited, reply
from tests.support.openai_server import Fault, role_of
from tests.support.scripted import reasoning, verdict

SHARE = 0.3
SHORT = 0.01
REFUSAL = "I cannot help with that."
# Each takes seconds.
SELDOM = 0.25
PAID = {"promptTokenCount": 1300, "candidatesTokenCount": 70, "thoughtsTokenCount": 9, "totalTokenCount": 1379}
AGAIN, FINAL, GONE, ANSWERED = "again", "final", "gone", "answered"
# Replies that are billed and stored, and say nothing that can be used.
SAID = {
    "prose": "I like it.",
    "no object": "[8]",
    "out of bounds": {"score": 11},
    "no fields": {},
    "abstained": {"score": None, "justification": "Nothing to check."},
}
OPENAI: dict[str, tuple[str, Fault]] = {
    "429 with Retry-After": (AGAIN, Fault(429, {"Retry-After": str(SHORT)})),
    "429": (AGAIN, Fault(429)),
    "429 for hours": (FINAL, Fault(429, {"Retry-After": "7200"})),
    "quota": (FINAL, Fault(429, code="insufficient_quota")),
    **{str(status): (AGAIN, Fault(status)) for status in (408, 500, 502, 503, 529)},
    "400": (FINAL, Fault(400)),
    "413": (FINAL, Fault(413)),
    "dropped": (AGAIN, Fault("drop")),
    "read time-out": (AGAIN, Fault("hang")),
    "broken JSON": (AGAIN, Fault("truncated")),
    "empty": (AGAIN, Fault("empty")),
    "safety": (FINAL, Fault("content_filter")),
    "cut off": (ANSWERED, Fault("length")),
    "refusal": (ANSWERED, Fault("refusal")),
}
GOOGLE: dict[str, tuple[str, Any]] = {
    "429 with Retry-After": (AGAIN, limited(SHORT)),
    "429": (AGAIN, limited(None)),
    "429 for hours": (FINAL, limited(7200)),
    "quota": (FINAL, limited(None, "GenerateRequestsPerDayPerProjectPerModel")),
    "500": (AGAIN, error(500, "INTERNAL", "Internal error encountered.")),
    "503": (AGAIN, error(503, "UNAVAILABLE", "The model is overloaded.")),
    "504": (AGAIN, error(504, "DEADLINE_EXCEEDED", "Deadline expired.")),
    "400": (FINAL, error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
    "413": (FINAL, error(413, "FAILED_PRECONDITION", "Request entity too large.")),
    "dropped": (AGAIN, "drop"),
    "read time-out": (AGAIN, "hang"),
    "broken JSON": (AGAIN, "truncate"),
    "empty": (AGAIN, reply("", PAID)),
    "safety": (FINAL, reply("", PAID, "SAFETY")),
    "blocked": (FINAL, {**BLOCKED, "usageMetadata": {"promptTokenCount": 1300, "totalTokenCount": 1300}}),
    "cut off": (FINAL, reply('{"steps": [', PAID, "MAX_TOKENS")),
    "expired file": (GONE, gone("files/f000").body),
    "lost context cache": (GONE, error(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")),
}
UPLOADS = [error(503, "UNAVAILABLE", "Overloaded."), error(500, "INTERNAL", "Internal."), "drop", limited(SHORT)]


class Met(NamedTuple):
    """What one request met: the fault's name (or "none"), and what may follow it."""

    what: str
    then: str


class Weather:
    """What the calls of one run meet.

    Attributes:
        met: by the call's fingerprint, in order.
        roles: who was asked, by the call's fingerprint.
        scores: by caption, those that an evaluator really gave.
        answers: what the target really said.
        faults: how often each came.
        requests: all calls, those for uploads and caches included.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.met: defaultdict[str, list[Met]] = defaultdict(list)
        self.scores: defaultdict[str, set[int]] = defaultdict(set)
        self.roles: dict[str, str] = {}
        self.answers: set[str] = set()
        self.faults: Counter[str] = Counter()
        self.requests = 0

    def draw(self, call: str, role: str, table: dict[str, tuple[str, Any]]) -> str | None:
        """The fault of the table that this call meets this time, by name; None: it is answered well."""
        self.requests += 1
        self.roles[call] = role
        dice = random.Random(f"{self.seed} {call} {len(self.met[call])}")
        if dice.random() >= SHARE:
            # What the server itself refuses, because a file or a cache was lost meanwhile, stays so.
            self.met[call].append(Met("none", GONE))
            return None
        # A target is free to say what it likes, so nothing that it says is out of form.
        whats = [*table, *(SAID if role != "target" else ())]
        [what] = dice.choices(whats, [SELDOM if name == "read time-out" else 1.0 for name in whats])
        self.faults[what] += 1
        then = table[what][0] if what in table else ANSWERED
        if what == "refusal":
            self.answers.add(REFUSAL)
        # Half a text is no answer; half a JSON object is stored, seen as such, and asked for again.
        self.met[call].append(Met(what, FINAL if what == "cut off" and role == "target" else then))
        return what

    def said(self, role: str, texts: list[str]) -> Any:
        """What a role answers, well or out of form: the same to the same words."""
        call = fingerprint(texts)
        number = int(hashlib.sha256(call.encode()).hexdigest()[:8], 16)
        what = self.met[call][-1].what if self.met[call] else "none"
        if what in SAID:
            return SAID[what]
        if what == "none":
            self.met[call][-1:] = [Met("none", ANSWERED)]
        if role == "evaluator":
            return self._verdict(number, what, texts)
        if role == "target":
            self.answers.add(f"answer {number}")
            return f"answer {number}"
        return {
            "generator": reasoning(f"r{number}"),
            "summarizer": {"caption": f"Caption {number}."},
            "feedback": {"feedback": f"Look again {number}.", "windows": []},
        }[role]

    def _verdict(self, number: int, what: str, texts: list[str]) -> Any:
        score = 1 + number % 10
        if what == "none":
            caption = re.search(r"Caption \d+\.", " ".join(texts))
            self.scores[caption[0] if caption else ""].add(score)
        return verdict(score)


def fingerprint(texts: list[str]) -> str:
    """Names a call by its words: the last text of every turn; clips and caches differ from one try to the next."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def texts_of_google(body: dict[str, Any]) -> list[str]:
    """The last text of every turn of a generateContent request."""
    return [[part["text"] for part in turn["parts"] if "text" in part][-1] for turn in body["contents"]]


def texts_of_openai(body: dict[str, Any]) -> list[str]:
    """The last text of every message but the system's."""
    said = [message["content"] for message in body["messages"] if message["role"] != "system"]
    parts = [[{"type": "text", "text": one}] if isinstance(one, str) else one for one in said]
    return [[part["text"] for part in one if part["type"] == "text"][-1] for one in parts]


class Endless(list[Any]):
    """A script of faults that never ends: `make` decides what comes next."""

    def __init__(self, make: Any) -> None:
        super().__init__([make])

    def pop(self, index: Any = 0) -> Any:
        """What is to come next, which stays."""
        return self[0]


def holding(raw: bytes) -> dict[str, tuple[str, Any]]:
    """The faults that a request to Google can meet: it can lose only what it names."""
    names = {"lost context cache": b"cachedContent" in raw, "expired file": b"fileData" in raw}
    return {what: fault for what, fault in GOOGLE.items() if names.get(what, True)}


def over_google(gemini: Gemini, weather: Weather) -> None:
    """Lets the weather act on a loopback Gemini: on every kind of call that it knows."""

    def generate(gemini: Gemini) -> Any:
        raw = gemini.bodies[-1]
        body = json.loads(raw[raw.index(b"{") :])
        gemini.bodies.clear()
        gemini.asked.clear()
        config = body.get("generationConfig") or {}
        schema = config.get("responseJsonSchema") or config.get("response_json_schema") or {}
        role = next((ROLES[name] for name in schema.get("properties", {}) if name in ROLES), "target")
        texts = texts_of_google(body)
        table = holding(raw)
        what = weather.draw(fingerprint(texts), role, table)
        if what == "expired file":
            gemini.files.clear()
        if what == "lost context cache":
            gemini.caches.kept.clear()
        if what in SAID:
            said = SAID[what]
            return reply(said if isinstance(said, str) else json.dumps(said), PAID)
        return table[what][1] if what else None

    def other(gemini: Gemini) -> Any:
        weather.requests += 1
        gemini.bodies.clear()
        dice = random.Random(f"{weather.seed} {weather.requests}")
        if dice.random() >= SHARE:
            return None
        weather.faults["an upload or a cache"] += 1
        return dice.choice(UPLOADS)

    gemini.faults = {"generate": Endless(generate), **{kind: Endless(other) for kind in ("start", "cache", "model")}}
    for role in (*ROLES.values(), "target"):
        gemini.script[role] = lambda number, body, role=role: weather.said(role, texts_of_google(body))


def over_openai(server: Any, weather: Weather) -> None:
    """Lets the weather act on a loopback OpenAI."""

    def mishap(raw: bytes) -> Fault | None:
        body = json.loads(raw)
        del server.sent[:-20]
        what = weather.draw(fingerprint(texts_of_openai(body)), role_of(body), OPENAI)
        return OPENAI[what][1] if what in OPENAI else None

    server.mishap = mishap
    for role in (*ROLES.values(), "target"):
        server.replies[role] = lambda body, role=role: weather.said(role, texts_of_openai(body))


class Tries(NamedTuple):
    """How often a call was sent: the most tries of one, the most sends of one try, asked again after a reply."""

    tries: int
    sends: int
    after: int
    asked: int


def tries(met: list[Met]) -> Tries:
    """Reads the tries of one call off what its requests met: a call ends with a reply, for good, or after all tries."""
    most = sends = run_of_gone = now = after = asked = 0
    for place, one in enumerate(met):
        if place and met[place - 1].then == ANSWERED:
            after += 1
        if one.then == GONE:
            run_of_gone += 1
            sends = max(sends, run_of_gone + 1)
            continue
        run_of_gone, now = 0, now + 1
        most = max(most, now)
        if one.then in (ANSWERED, FINAL) or now == MAX_TRIES:
            asked, now = asked + 1, 0
    return Tries(most, max(sends, 1), after, asked + (now > 0))


def total(bills: list[dict[str, int]]) -> dict[str, int]:
    """The sum of bills."""
    return {name: sum(bill[name] for bill in bills) for name in bills[0]}


def gap(one: dict[str, int], other: dict[str, int]) -> str:
    """What two bills differ in."""
    apart = {name: one[name] - other[name] for name in one if one[name] != other[name]}
    return ", ".join(f"{number:+} {name}" for name, number in apart.items()) or "0"
