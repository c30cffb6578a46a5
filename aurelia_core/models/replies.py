"""What the agents must reply, and reading it strictly: extracted, validated, or a typed failure; never a default."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aurelia_core.errors import ReplyError
from aurelia_core.sanitize import clean_text
from aurelia_core.types import Modality

_THINKING = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_SCORE = re.compile(r"\s*([0-9]{1,2})(?:\.0)?\s*(?:/\s*10\s*)?")
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')
MAX_REPLY_BYTES = 200_000
"""Characters of a reply that are read."""
_LONGEST_NUMBER = 300
_START = re.compile(r'\{\s*["}]')
_MOST_STARTS = 1000


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _whole_score(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    if not isinstance(value, str):
        return value
    if match := _SCORE.fullmatch(value):
        return int(match[1])
    raise ValueError("must be a whole number from 1 to 10")


def _legible(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


_ReplyLine = Annotated[str, BeforeValidator(_legible)]
ReplyText = Annotated[_ReplyLine, AfterValidator(_filled)]
_ScoreValue = Annotated[int, Field(ge=1, le=10), BeforeValidator(_whole_score)]


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


def reply_schemas() -> str:
    """The JSON schemas of all agents' replies: a model reads them, so they are part of a run's fingerprint."""
    kinds = (ReasoningReply, CaptionReply, VerdictReply, FeedbackReply)
    return json.dumps([kind.model_json_schema() for kind in kinds], sort_keys=True)


def parse_reply(text: str, schema: type[_Reply]) -> _Reply:
    """Reads a reply: the last JSON object in the text that satisfies the schema.

    Args:
        text: what the model said; prose, code fences and thinking blocks around the object are passed over.
        schema: what it must satisfy.

    Raises:
        ReplyError: no object satisfies it; the message says why, in words fit to be sent back to the model.
    """
    if len(text) > MAX_REPLY_BYTES:
        raise ReplyError(f"the reply has {len(text)} characters: at most {MAX_REPLY_BYTES} are read.")
    plain = _unthought(text).strip()
    if not plain:
        raise ReplyError("the reply is empty.")
    fault = "it holds no JSON object."
    good: _Reply | None = None
    for found in _objects(plain):
        if found is _TWICE:
            fault = "a name stands twice in its JSON object."
            continue
        try:
            good = schema.model_validate(found)
        except ValidationError as error:
            fault = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()) + "."
    if good is None:
        raise ReplyError(fault)
    return good


def _unthought(text: str) -> str:
    """The text without what stands between thinking tags; searched once for each tag that is never closed."""
    kept, at, endless = [], 0, set()
    for opened in _THINKING.finditer(text):
        tag = opened[1].casefold()
        if opened.start() < at or tag in endless:
            continue
        if closed := re.compile(f"</{tag}>", re.IGNORECASE).search(text, opened.end()):
            kept.append(text[at : opened.start()])
            at = closed.end()
        else:
            endless.add(tag)
    return "".join([*kept, text[at:]])


def _objects(text: str) -> Iterator[Any]:
    """Every outermost JSON object in the text, in order; stray backslashes (LaTeX) are taken literally.

    What stands inside an object that is cut off is no outermost one; after a thousand broken ones it gives up.

    Raises:
        ReplyError: it is nested too deeply.
    """
    mended, added = _BAD_ESCAPE.sub(r"\\\\", text), [found.start() for found in _BAD_ESCAPE.finditer(text)]
    inserted = [place + number for number, place in enumerate(added)]
    end, whole = 0, True
    for _ in range(_MOST_STARTS):
        opened = _START.search(text, end) if whole else None
        if opened is None:
            return
        position = opened.start()
        end = position + 1
        for source, start in ((text, position), (mended, position + bisect_left(added, position))):
            try:
                value, stop = _DECODER.raw_decode(source, start)
            except json.JSONDecodeError as fault:
                whole = fault.pos < len(source) and not fault.msg.startswith("Unterminated")
                continue
            except RecursionError:
                raise ReplyError("its JSON object is nested too deeply.") from None
            yield value
            end, whole = (stop if source is text else stop - bisect_left(inserted, stop)), True
            break


def _unambiguous(pairs: list[tuple[str, Any]]) -> Any:
    """An object whose names each stand once; what says a thing twice says nothing."""
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else _TWICE


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


_TWICE = object()
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number, object_pairs_hook=_unambiguous)
