"""The agents' reply schemas, and a parser for them: a reply is valid, or raises a ReplyError.

Strict on what counts: score, steps, caption, guidance. Lenient on the rest: a modality, a finding or a window in
another form is read if its meaning is plain, and a window that cannot be read is left out, with a note. An object that
repeats an example of the request is no reply.
"""

import json
import re
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
)

from aurelia_core.claims import CLAIM_KINDS, Claim, ClaimKind, Verdict
from aurelia_core.errors import ReplyError
from aurelia_core.models.reply_objects import DUPLICATE_NAME, find_objects
from aurelia_core.models.thinking import split_thinking
from aurelia_core.sanitize import clean_text
from aurelia_core.types import Modality, Window

_SCORE = re.compile(r"\s*([0-9]{1,2})(?:\.0)?\s*(?:/\s*10\s*)?")
MAX_REPLY_BYTES = 200_000
"""Most characters of a reply."""
# The second form is a placeholder that lost its end.
_PLACEHOLDER = re.compile(r"\.{3}|…|<[^<>]*>|<[^\W\d][^<>]*")
_ASKED_FOR = re.compile(r"<([^<>\n]+)>")
_WORD = re.compile(r"\w+")
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)\s*(?:s|secs?|seconds?)?", re.IGNORECASE)
_SPAN = re.compile(r"([^-–—]{1,20}?)\s*(?:-|–|—|\bto\b)\s*(.{1,20})")
_MAX_CLAIMS = 64
_WRAPPERS = ("result", "reply", "response", "output")
_MODALITIES = {
    **dict.fromkeys(("sound", "auditory"), "audio"),
    **dict.fromkeys(("video", "vision", "picture", "image"), "visual"),
    **dict.fromkeys(("audiovisual", "audio-visual", "audio and visual", "audio, visual", "visual, audio"), "both"),
}


class _Reading(NamedTuple):
    """What the validators share: the notes of a reply, and the words of the prompt's placeholders."""

    notes: list[str]
    placeholders: frozenset[tuple[str, ...]]


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _is_placeholder(text: str, info: ValidationInfo) -> bool:
    """Whether a text is a placeholder of the prompt, given back with its brackets or without."""
    if _PLACEHOLDER.fullmatch(text.strip()):
        return True
    words = _words(text)
    # One word ("answer") may be meant.
    return len(words) > 1 and isinstance(info.context, _Reading) and words in info.context.placeholders


def _nonempty(text: str, info: ValidationInfo) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if _is_placeholder(text, info) or not any(character.isalnum() for character in text):
        raise ValueError("must hold words, not a placeholder")
    return text.strip()


def _parse_score(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    if not isinstance(value, str):
        return value
    if match := _SCORE.fullmatch(value):
        return int(match[1])
    raise ValueError("must be a whole number from 1 to 10")


def _clean_string(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    return value


def _read_line(value: object, info: ValidationInfo) -> object:
    """A text that a reply can do without: null and a placeholder as nothing, numbers and lists as text."""
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        value = "; ".join(map(str, value))
    if isinstance(value, int | float):
        value = str(value)
    if value is None or (isinstance(value, str) and _is_placeholder(value, info)):
        return ""
    return _clean_string(value)


def _read_modality(value: object) -> object:
    if value is None:
        return "both"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    if isinstance(value, str):
        name = value.strip().casefold()
        return _MODALITIES.get(name, name)
    return value


def _read_windows(value: object, info: ValidationInfo) -> object:
    """The windows that can be read; what cannot is left out, with a note."""
    if value is None:
        return []
    entries = value if isinstance(value, list) else [value]
    windows = []
    for entry in entries:
        window = _read_window(entry)
        if window is not None:
            windows.append(window)
        elif isinstance(info.context, _Reading):
            info.context.notes.append(f"a window was left out, because it cannot be read: {str(entry)[:60]!r}")
    return windows


def _read_window(entry: object) -> object:
    """A window's start and end in seconds; None if the entry is none."""
    pair: Any = None
    if isinstance(entry, WindowReply):
        return entry
    if isinstance(entry, str) and (span := _SPAN.fullmatch(entry.strip())):
        pair = span.groups()
    elif isinstance(entry, list) and len(entry) == 2:
        pair = entry
    elif isinstance(entry, dict):
        pair = (entry.get("start"), entry.get("end"))
    if pair is None:
        return None
    start, end = map(_read_seconds, pair)
    if start is None or end is None:
        return None
    return {"start": start, "end": end}


def _read_seconds(value: object) -> float | None:
    """Seconds from a number, from "5.0 s" or from a clock time ("1:02.5")."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(seconds.replace(",", "."))


def _read_kind(value: object) -> object:
    """The kind of a claim; one that is not known is "other"."""
    name = value.strip().casefold().replace(" ", "_") if isinstance(value, str) else value
    return name if name in CLAIM_KINDS else "other"


_VERDICT_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(("supported", "true", "yes", "correct", "confirmed"), "supported"),
    **dict.fromkeys(("contradicted", "false", "no", "incorrect", "wrong", "refuted"), "contradicted"),
}


_UNTOLD_WORDS = ("cannot tell", "can't tell", "cannot-tell", "unknown", "unclear", "undecided")


def _read_verdict(value: object, info: ValidationInfo) -> object:
    """A verdict, also in a common other word; one that is not understood cannot tell."""
    name = str(value).strip(" .!\"'*").casefold()
    if name in _VERDICT_WORDS:
        return _VERDICT_WORDS[name]
    if name.replace("_", " ") not in _UNTOLD_WORDS and isinstance(info.context, _Reading):
        info.context.notes.append(f"a verdict counts as cannot_tell, because it is not understood: {str(value)[:60]!r}")
    return "cannot_tell"


def _read_margin(value: object) -> object:
    """A number from -1 to 1; null for anything else."""
    number = _read_number(value)
    return number if isinstance(number, int | float) and -1 <= number <= 1 else None


def _read_number(value: object) -> object:
    """A number, also as text; null where there is none."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value


_ReplyLine = Annotated[str, BeforeValidator(_read_line)]
ReplyText = Annotated[str, BeforeValidator(_clean_string), AfterValidator(_nonempty)]
_ScoreValue = Annotated[int, Field(ge=1, le=10), BeforeValidator(_parse_score)]
_ReadModality = Annotated[Modality, BeforeValidator(_read_modality)]


_ClaimKind = Annotated[ClaimKind, BeforeValidator(_read_kind)]
_ReadVerdict = Annotated[Verdict, BeforeValidator(_read_verdict)]
_MaybeNumber = Annotated[float | None, BeforeValidator(_read_number)]


class ModelReply(BaseModel):
    """Base of all replies; what a model adds beside the fields asked for is ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    _notes: list[str] = PrivateAttr(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What was left out of the reply, in words."""
        return self._notes


class WindowReply(ModelReply):
    """A stretch of the clip in seconds; put inside the clip by whoever uses it."""

    start: float
    end: float


_Windows = Annotated[list[WindowReply], BeforeValidator(_read_windows)]
_MaybeWindow = Annotated[WindowReply | None, BeforeValidator(_read_window)]


class StepReply(ModelReply):
    """One reasoning step."""

    step: ReplyText
    justification: _ReplyLine = ""
    answer: _ReplyLine = ""
    modality: _ReadModality = "both"


class ReasoningReply(ModelReply):
    """r of section 3.1."""

    steps: list[StepReply] = Field(min_length=1)
    answer: _ReplyLine = ""


class CaptionReply(ModelReply):
    """c = S(r, q)."""

    caption: ReplyText


class VerdictReply(ModelReply):
    """e = E(v, a, c), an integer 1..10; an explicit null says that nothing in the caption can be checked."""

    justification: _ReplyLine = ""
    windows: _Windows = []
    score: _ScoreValue | None


class FeedbackReply(ModelReply):
    """F(e, r, q, …): guidance, and where to look."""

    feedback: ReplyText
    windows: _Windows = []


class ClaimReply(ModelReply):
    """One statement of a caption that can be true or false on its own."""

    text: ReplyText
    kind: _ClaimKind = "other"
    modality: _ReadModality = "both"
    window: _MaybeWindow = None
    subject: _ReplyLine = ""
    other: _ReplyLine = ""
    value: _ReplyLine = ""
    count: _MaybeNumber = None
    relation: _ReplyLine = ""
    negated: bool = False

    def claim(self) -> Claim:
        """The claim without the parts that it does not have."""
        window = None
        if self.window:
            window = Window(start=self.window.start, end=self.window.end)
        found = Claim(text=self.text, kind=self.kind, modality=self.modality, window=window)
        parts = self.model_dump(include={"subject", "other", "value", "count", "relation", "negated"})
        found.update({name: value for name, value in parts.items() if value not in ("", None, False)})  # type: ignore[typeddict-item]
        return found


class ClaimsReply(ModelReply):
    """The claims of a caption, in its order; none where it states nothing about the clip."""

    claims: list[ClaimReply] = Field(max_length=_MAX_CLAIMS)


class ClaimCheckReply(ModelReply):
    """The check of one claim, by its number from 1."""

    number: int
    reason: _ReplyLine = ""
    verdict: _ReadVerdict
    window: _MaybeWindow = None
    margin: Annotated[Annotated[float, Field(ge=-1, le=1)] | None, BeforeValidator(_read_margin)] = None
    witness: _ReplyLine = ""


class ClaimChecksReply(ModelReply):
    """The checks of the claims that were asked; a claim without a check could not be told."""

    checks: list[ClaimCheckReply]


class ArbiterReply(ModelReply):
    """Which of two answers the clip bears out; null: it does not decide."""

    reason: _ReplyLine = ""
    answer: Literal[1, 2] | None


_Reply = TypeVar("_Reply", bound=ModelReply)


@cache
def schema_text(schema: type[ModelReply]) -> str:
    """The JSON schema of a reply as text. Cached: making a schema takes milliseconds."""
    return json.dumps(schema.model_json_schema())


def reply_schemas() -> str:
    """The JSON schemas of all agents' replies: a model reads them, so they are part of a run's fingerprint."""
    return "\n".join(map(schema_text, (ReasoningReply, CaptionReply, VerdictReply, FeedbackReply)))


def parse_reply(text: str, schema: type[_Reply], asked: str = "") -> _Reply:
    """Parse a reply: the last JSON object in the text that satisfies the schema.

    Args:
        text: the model's reply; prose, code fences and thinking around the object are ignored.
        schema: the schema of the reply.
        asked: the prompt; an object that stands in it is an example, and no reply.

    Raises:
        ReplyError: no object satisfies the schema; the message gives the reason and is sent back to the model.
    """
    if len(text) > MAX_REPLY_BYTES:
        raise ReplyError(f"the reply has {len(text)} characters: at most {MAX_REPLY_BYTES} are read.")
    spoken = split_thinking(text)
    if not spoken.answer:
        raise ReplyError("the reply holds only thinking, and is empty besides." if spoken.has_thinking else _EMPTY)
    examples = _examples(asked)
    placeholders = frozenset(map(_words, _ASKED_FOR.findall(asked)))
    fault = "it holds no JSON object."
    reply: _Reply | None = None
    for candidate in find_objects(spoken.answer):
        if candidate is DUPLICATE_NAME:
            fault = "a name stands twice in its JSON object."
            continue
        if candidate in examples:
            fault = "it repeats the example of the request instead of filling it in."
            continue
        notes: list[str] = []
        try:
            reply = schema.model_validate(_unwrapped(candidate), context=_Reading(notes, placeholders))
            reply._notes = notes
        except ValidationError as error:
            fault = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()) + "."
    if reply is None:
        raise ReplyError(fault)
    return reply


_EMPTY = "the reply is empty."


def _examples(asked: str) -> list[Any]:
    try:
        return list(find_objects(asked))
    except ReplyError:
        return []


def _unwrapped(candidate: Any) -> Any:
    """The object inside `{"result": {…}}`; any other object unchanged."""
    if len(candidate) == 1:
        name, value = next(iter(candidate.items()))
        if name in _WRAPPERS and isinstance(value, dict):
            return value
    return candidate
