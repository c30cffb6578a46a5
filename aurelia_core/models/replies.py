"""The agents' reply schemas, and a strict parser for them: a reply is valid, or raises a ReplyError."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aurelia_core.errors import ReplyError
from aurelia_core.sanitize import clean_text
from aurelia_core.types import Modality

_THINKING = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_SCORE = re.compile(r"\s*([0-9]{1,2})(?:\.0)?\s*(?:/\s*10\s*)?")
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')
MAX_REPLY_BYTES = 200_000
"""Most characters of a reply."""
_MAX_DIGITS = 300
_START = re.compile(r'\{\s*["}]')
_MAX_STARTS = 1000


def _nonempty(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
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


_ReplyLine = Annotated[str, BeforeValidator(_clean_string)]
ReplyText = Annotated[_ReplyLine, AfterValidator(_nonempty)]
_ScoreValue = Annotated[int, Field(ge=1, le=10), BeforeValidator(_parse_score)]


class ModelReply(BaseModel):
    """Base of all replies; what a model adds beside the fields asked for is ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class WindowReply(ModelReply):
    """A stretch of the clip in seconds; put inside the clip by whoever uses it."""

    start: float
    end: float


class StepReply(ModelReply):
    """One reasoning step."""

    step: ReplyText
    justification: _ReplyLine = ""
    answer: _ReplyLine = ""
    modality: Modality = "both"


class ReasoningReply(ModelReply):
    """r of section 3.1."""

    steps: list[StepReply] = Field(min_length=1)
    answer: _ReplyLine = ""


class CaptionReply(ModelReply):
    """c = S(r, q)."""

    caption: ReplyText


class VerdictReply(ModelReply):
    """e = E(v, a, c), an integer 1..10; an explicit null says that nothing in the caption can be checked."""

    score: _ScoreValue | None
    justification: _ReplyLine = ""
    windows: list[WindowReply] = []


class FeedbackReply(ModelReply):
    """F(e, r, q, …): guidance, and where to look."""

    feedback: ReplyText
    windows: list[WindowReply] = []


_Reply = TypeVar("_Reply", bound=ModelReply)


@cache
def schema_text(schema: type[ModelReply]) -> str:
    """The JSON schema of a reply as text. Cached: making a schema takes milliseconds."""
    return json.dumps(schema.model_json_schema())


def reply_schemas() -> str:
    """The JSON schemas of all agents' replies: a model reads them, so they are part of a run's fingerprint."""
    return "\n".join(map(schema_text, (ReasoningReply, CaptionReply, VerdictReply, FeedbackReply)))


def parse_reply(text: str, schema: type[_Reply]) -> _Reply:
    """Parse a reply: the last JSON object in the text that satisfies the schema.

    Args:
        text: the model's reply; prose, code fences and thinking blocks around the object are ignored.
        schema: the schema of the reply.

    Raises:
        ReplyError: no object satisfies the schema; the message gives the reason and is sent back to the model.
    """
    if len(text) > MAX_REPLY_BYTES:
        raise ReplyError(f"the reply has {len(text)} characters: at most {MAX_REPLY_BYTES} are read.")
    plain = _without_thinking(text).strip()
    if not plain:
        raise ReplyError("the reply is empty.")
    fault = "it holds no JSON object."
    reply: _Reply | None = None
    for candidate in _objects(plain):
        if candidate is _DUPLICATE_NAME:
            fault = "a name stands twice in its JSON object."
            continue
        try:
            reply = schema.model_validate(candidate)
        except ValidationError as error:
            fault = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()) + "."
    if reply is None:
        raise ReplyError(fault)
    return reply


def _without_thinking(text: str) -> str:
    """The text without thinking blocks; an unclosed tag is searched to the end only once, to stay linear."""
    parts = []
    position = 0
    unclosed = set()
    for opened in _THINKING.finditer(text):
        tag = opened[1].casefold()
        if opened.start() < position or tag in unclosed:
            continue
        if closed := re.compile(f"</{tag}>", re.IGNORECASE).search(text, opened.end()):
            parts.append(text[position : opened.start()])
            position = closed.end()
        else:
            unclosed.add(tag)
    return "".join([*parts, text[position:]])


def _objects(text: str) -> Iterator[Any]:
    """Every outermost JSON object in the text, in order; stray backslashes (LaTeX) are taken literally.

    Objects inside a truncated object are not returned. The search ends after a thousand `{`.

    Raises:
        ReplyError: an object is nested too deeply.
    """
    # `repaired` has one more backslash before each bad escape: at `bad_escapes` in `text`, `inserted` in `repaired`.
    repaired = _BAD_ESCAPE.sub(r"\\\\", text)
    bad_escapes = [match.start() for match in _BAD_ESCAPE.finditer(text)]
    inserted = [place + number for number, place in enumerate(bad_escapes)]
    end = 0
    truncated = False
    for _ in range(_MAX_STARTS):
        opened = _START.search(text, end)
        if truncated or opened is None:
            return
        position = opened.start()
        end = position + 1
        for source, start in ((text, position), (repaired, position + bisect_left(bad_escapes, position))):
            try:
                value, stop = _DECODER.raw_decode(source, start)
            except json.JSONDecodeError as fault:
                truncated = fault.pos >= len(source) or fault.msg.startswith("Unterminated")
                continue
            except RecursionError:
                raise ReplyError("its JSON object is nested too deeply.") from None
            yield value
            end = stop
            if source is repaired:
                end = stop - bisect_left(inserted, stop)
            truncated = False
            break


def _unique_names(pairs: list[tuple[str, Any]]) -> Any:
    """The object, or `_DUPLICATE_NAME` if a name occurs twice: its value would be ambiguous."""
    if len({name for name, _ in pairs}) < len(pairs):
        return _DUPLICATE_NAME
    return dict(pairs)


def _parse_integer(digits: str) -> int | float:
    # Python refuses to convert very long integers.
    if len(digits) > _MAX_DIGITS:
        return float(digits)
    return int(digits)


_DUPLICATE_NAME = object()
_DECODER = json.JSONDecoder(strict=False, parse_int=_parse_integer, object_pairs_hook=_unique_names)
