"""The request of each role as data: one frozen dataclass per role.

A message holds its request as plain JSON (`RoleRequest.fields`), so that a model implemented in code reads fields
instead of prose. The JSON is part of the call ledger's key: if a key or a default changes, no stored reply is found and
every call is paid again (tests/unit/test_ledger_keys.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from langchain_core.messages import BaseMessage

from aurelia_core.claims import Claim, Finding
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Reasoning, Role, Window

_KINDS: dict[tuple[str, str], type["RoleRequest"]] = {}
_OPTIONAL = {"optional": True}


@dataclass(frozen=True, kw_only=True)
class RoleRequest:
    """The common part of all requests. `parse_request` finds a subclass by its `role` and its `task`.

    Attributes:
        task: what the role is asked to do, where that is not its usual reply; empty: the usual one.
        schema: the JSON schema of the reply; None: plain text.
        decoding: the decoding settings by name (`aurelia_core.models.decoding`); None: the model's own.
    """

    role: ClassVar[str] = ""
    task: ClassVar[str] = ""
    schema: Mapping[str, Any] | None = field(default=None, metadata=_OPTIONAL)
    decoding: Mapping[str, Any] | None = field(default=None, metadata=_OPTIONAL)

    def __init_subclass__(cls) -> None:
        """Registers the class under its role and task."""
        if "role" in cls.__dict__:
            _KINDS[cls.role, cls.task] = cls

    def fields(self) -> dict[str, Any]:
        """The request as plain JSON, without optional fields that have no value."""
        found: dict[str, Any] = {"role": self.role}
        if self.task:
            found["task"] = self.task
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, MediaRequest):
                found |= value.fields()
            elif value or not one.metadata.get("optional"):
                found[one.name] = value
        return found

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "RoleRequest":
        """The request from plain fields; unknown fields are ignored."""
        known = {one.name: given[one.name] for one in fields(cls) if one.name in given}
        if "clip" in given and any(one.name == "media" for one in fields(cls)):
            known["media"] = MediaRequest.parse(given)
        return cls(**known)

    @property
    def closer_look(self) -> Sequence[Window]:
        """The windows to look at more closely; empty: the whole clip only."""
        return ()


@dataclass(frozen=True, kw_only=True)
class AgentRequest(RoleRequest):
    """A request about a clip, whether the role sees the clip or not.

    Attributes:
        duration: length of the clip, seconds.
        has_audio: whether anything can be heard.
    """

    duration: float = 0.0
    has_audio: bool = False


@dataclass(frozen=True, kw_only=True)
class ClipRequest(AgentRequest):
    """A request whose messages begin with the clip.

    Attributes:
        media: the clip to show; None only in a request from another program.
        reuse: guaranteed number of calls on this clip, by role; it decides about explicit caching, not about the reply.
    """

    media: MediaRequest | None = None
    reuse: Mapping[Role, int] | None = field(default=None, metadata=_OPTIONAL)


@dataclass(frozen=True, kw_only=True)
class GeneratorRequest(ClipRequest):
    """Reasoning Generator (section 3.1): `looks` are the windows of each attempt, this one last."""

    role: ClassVar[str] = "generator"
    question: str = ""
    choices: Sequence[str] = ()
    iteration: int = 1
    looks: Sequence[Sequence[Window]] = ((),)
    samples: int = 48_000
    reasoning: Reasoning | None = None
    score: int | None = None
    guidance: str | None = None

    @property
    def closer_look(self) -> Sequence[Window]:
        """The windows of this attempt."""
        return self.looks[-1] if self.looks else ()


@dataclass(frozen=True, kw_only=True)
class SummarizerRequest(AgentRequest):
    """Summarizer (section 3.2): sees no media."""

    role: ClassVar[str] = "summarizer"
    question: str = ""
    reasoning: Reasoning | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluatorRequest(ClipRequest):
    """Evaluator (section 3.2): sees the clip and the caption, neither question nor reasoning."""

    role: ClassVar[str] = "evaluator"
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class ClaimsRequest(AgentRequest):
    """The evaluator's model as reader: the claims of a caption. It sees no media. The reply is a `ClaimsReply`."""

    role: ClassVar[str] = "evaluator"
    task: ClassVar[str] = "claims"
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class ClaimCheckRequest(ClipRequest):
    """The check of a few claims against the clip, by whatever plays the witness. The reply is a `ClaimChecksReply`.

    Attributes:
        claims: the claims, in the order of their numbers, which begin at 1.
        windows: where to look closely, seconds; empty: the whole clip only. `media.only` is "sound" where all claims
            are about sound.
    """

    role: ClassVar[str] = "evaluator"
    task: ClassVar[str] = "check"
    claims: Sequence[Claim] = ()
    windows: Sequence[Window] = ()

    @property
    def closer_look(self) -> Sequence[Window]:
        """The windows of the claims."""
        return self.windows


@dataclass(frozen=True, kw_only=True)
class FeedbackRequest(AgentRequest):
    """Feedback (section 3.2): the scored attempt, and the windows of all attempts so far."""

    role: ClassVar[str] = "feedback"
    question: str = ""
    choices: Sequence[str] = ()
    looks: Sequence[Sequence[Window]] = ((),)
    frames: int = 16
    samples: int = 48_000
    iteration: int = 1
    reasoning: Reasoning | None = None
    caption: str | None = None
    score: int | None = None
    critique: str | None = None
    doubts: Sequence[Window] = ()
    claims: Sequence[Finding] = field(default=(), metadata=_OPTIONAL)


@dataclass(frozen=True, kw_only=True)
class TargetRequest(ClipRequest):
    """Target (section 3.3): `reasoning` is the injected reasoning; None: zero-shot."""

    role: ClassVar[str] = "target"
    question: str = ""
    choices: Sequence[str] = ()
    reasoning: Reasoning | None = None
    samples: int = 48_000


@dataclass(frozen=True, kw_only=True)
class OwnStepsRequest(TargetRequest):
    """The target writes the steps itself, before it answers with them."""

    role: ClassVar[str] = "target"
    task: ClassVar[str] = "steps"


@dataclass(frozen=True, kw_only=True)
class ArbiterRequest(ClipRequest):
    """Arbiter of the gate: the two answers in the order in which it reads them. The reply is an `ArbiterReply`."""

    role: ClassVar[str] = "arbiter"
    question: str = ""
    choices: Sequence[str] = ()
    answers: Sequence[str] = ()
    samples: int = 48_000


@dataclass(frozen=True, kw_only=True)
class DescriberRequest(ClipRequest):
    """Describer: describes the sense `media.only` for models that do not accept it."""

    role: ClassVar[str] = "describer"


@dataclass(frozen=True, kw_only=True)
class JudgeRequest(RoleRequest):
    """Judge of a benchmark: which choice a reply means, or whether it agrees with the reference answers."""

    role: ClassVar[str] = "judge"
    question: str = ""
    reply: str = ""
    answers: Sequence[str] = field(default=(), metadata=_OPTIONAL)
    choices: Sequence[str] = field(default=(), metadata=_OPTIONAL)


def parse_request(given: Mapping[str, Any]) -> RoleRequest:
    """The typed request from plain fields; for an unknown role or task a `ClipRequest`."""
    kind = _KINDS.get((str(given.get("role")), str(given.get("task") or "")), ClipRequest)
    return kind.parse(given)


def request_of(messages: Sequence[BaseMessage]) -> RoleRequest:
    """The request of the last message; an empty one if it has none."""
    given = messages[-1].additional_kwargs.get("request") if messages else None
    return parse_request(given or {})
