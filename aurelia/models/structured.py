"""What the agents must reply, and reading it strictly: extracted, validated, or a typed failure; never a default."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aurelia.errors import ReplyError
from state.schema import Modality

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OUT_OF_TEN = re.compile(r"^\s*(\d+)\s*/\s*10\s*$")
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _whole_score(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    if isinstance(value, str) and (match := _OUT_OF_TEN.match(value)):
        return int(match[1])
    return value


Text = Annotated[str, AfterValidator(_filled)]
Score = Annotated[int, Field(ge=1, le=10), BeforeValidator(_whole_score)]


class Reply(BaseModel):
    """Base of all replies; what a model adds beside the fields asked for is ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class WindowReply(Reply):
    """A stretch of the clip in seconds; put inside the clip by whoever uses it."""

    start: float
    end: float


class StepReply(Reply):
    """One reasoning step."""

    step: Text
    justification: str = ""
    answer: str = ""
    modality: Modality = "both"


class ReasoningReply(Reply):
    """r of section 3.1."""

    steps: list[StepReply] = Field(min_length=1)
    answer: str = ""


class CaptionReply(Reply):
    """c = S(r, q)."""

    caption: Text


class VerdictReply(Reply):
    """e = E(v, a, c), an integer 1..10; an explicit null says that nothing in the caption can be checked."""

    score: Score | None
    justification: str = ""
    windows: list[WindowReply] = []


class FeedbackReply(Reply):
    """F(e, r, q, …): guidance, and where to look."""

    feedback: Text
    windows: list[WindowReply] = []


R = TypeVar("R", bound=Reply)


def read(text: str, schema: type[R]) -> R:
    """Reads a reply: the last JSON object in the text that satisfies the schema.

    Args:
        text: what the model said; prose, code fences and thinking blocks around the object are passed over.
        schema: what it must satisfy.

    Raises:
        ReplyError: no object satisfies it; the message says why, in words fit to be sent back to the model.
    """
    plain = _THINKING.sub("", text).strip()
    if not plain:
        raise ReplyError("the reply is empty.")
    fault = "it holds no JSON object."
    good: R | None = None
    for found in _objects(plain):
        try:
            good = schema.model_validate(found)
        except ValidationError as error:
            fault = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()) + "."
    if good is None:
        raise ReplyError(fault)
    return good


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every outermost JSON object in the text, in order; stray backslashes (LaTeX) are taken literally."""
    decoder = json.JSONDecoder(strict=False)
    position = text.find("{")
    while position >= 0:
        for candidate in (text[position:], _BAD_ESCAPE.sub(r"\\\\", text[position:])):
            try:
                value, length = decoder.raw_decode(candidate)
            except json.JSONDecodeError:
                continue
            yield value
            consumed = length if candidate == text[position:] else _raw_length(text[position:], length)
            position += consumed - 1
            break
        position = text.find("{", position + 1)


def _raw_length(raw: str, mended_length: int) -> int:
    """How far into the raw text the first `mended_length` characters of its mended form reach."""
    added = 0
    for match in _BAD_ESCAPE.finditer(raw):
        if match.start() + added >= mended_length:
            break
        added += 1
    return mended_length - added
