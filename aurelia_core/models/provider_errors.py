"""Converts exceptions of a model or its client to a ModelError that says whether a retry may help."""

import asyncio
import re
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from aurelia_core.errors import AureliaError, ModelError

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_MESSAGE = 300


class _Lasting(NamedTuple):
    """Words of an error that no retry mends, whatever its status, and the remedy."""

    words: re.Pattern[str]
    remedy: str


def _lasting(words: str, remedy: str) -> _Lasting:
    return _Lasting(re.compile(words, re.IGNORECASE), remedy)


_LASTING = (
    _lasting(
        r"insufficient_quota|quota exceeded for the day|billing|credit balance|credits? (?:are |is |have been )?"
        r"(?:depleted|exhausted|used up)|insufficient (?:credits|funds|balance)|more credits|payment required",
        "See its message: the account has no credit left. Top it up, or choose another model.",
    ),
    _lasting(
        r"request too large|too large for .{0,80}(?:tokens per min|tpm)|payload too large",
        "One request is larger than the key's tier allows in a minute: lower frames, or raise the tier.",
    ),
    _lasting(
        r"(?:location|country|region|territory)[^.]{0,40}(?:not|un)[ -]?supported|unsupported_country",
        "The provider does not serve this location: choose another provider.",
    ),
    _lasting(
        r"(?:image|video|audio|vision|multimodal)[^.]{0,30} (?:is |are )?(?:not|un)[ -]?supported|"
        r"does not support (?:image|video|audio|vision)|support (?:image|video|audio) input|mmproj",
        "The model does not accept this part of the clip: set AURELIA_COMPATIBLE_MEDIA to what it accepts, or choose"
        " another model.",
    ),
    _lasting(
        r"context[ _](?:length|window|size)|maximum (?:context|number of tokens)|exceeds? the (?:available )?context",
        "The request is longer than the model's context: lower frames, or give a shorter clip.",
    ),
)


def as_model_error(fault: Exception, model_id: str) -> AureliaError:
    """The typed error for an exception of the model `model_id`; this project's own errors are returned unchanged.

    The HTTP status (of openai, google-genai, httpx and similar clients) and the words decide whether the error is
    transient. Without a status, connection errors and timeouts are transient.
    """
    if isinstance(fault, AureliaError):
        return fault
    text = error_text(fault)
    if status := error_status(fault):
        return status_error(model_id, status, f"{text} {getattr(fault, 'code', '')}", text, _retry_after(fault))
    line = _one_line(text) or type(fault).__name__
    unreachable = _is_connection(fault)
    return ModelError(
        f"{model_id} did not answer ({type(fault).__name__}: {line}). {_remedy(None, unreachable)}",
        transient=unreachable,
        unreachable=unreachable,
        retry_after=_retry_after(fault),
    )


def status_error(
    model_id: str, status: int, said: str, shown: str | None = None, retry_after: float | None = None
) -> ModelError:
    """The error of a reply with an error status.

    Args:
        model_id: the model, for messages.
        status: the HTTP status, or the same number in the body of a reply with status 200.
        said: everything that the provider says; its words decide whether a retry may help.
        shown: the part of it that is shown (default: all).
        retry_after: seconds to wait as requested by the provider.
    """
    lasting = lasting_remedy(said)
    transient = status in TRANSIENT_STATUSES and not lasting
    remedy = lasting or _remedy(status, transient)
    line = _one_line(said if shown is None else shown) or "no message"
    return ModelError(
        f"{model_id} did not answer (status {status}: {line}). {remedy}",
        transient=transient,
        retry_after=retry_after,
        status=status,
    )


def body_error(model_id: str, error: Any) -> ModelError:
    """The error that stands in the body of a reply with status 200: retried if its code says so.

    Args:
        model_id: the model, for messages.
        error: the value of `error`: an object with `message` and `code`, or a text.
    """
    said = str(error)
    shown = said
    code: Any = None
    if isinstance(error, dict):
        shown = str(error.get("message") or said)
        code = error.get("code") or error.get("status")
    status = int(code) if str(code).isdecimal() else 0
    if 400 <= status <= 599:
        return status_error(model_id, status, said, shown)
    remedy = lasting_remedy(said) or _remedy(None, False)
    return ModelError(f"{model_id} did not answer ({_one_line(shown)}). {remedy}", status=400)


def lasting_remedy(said: str) -> str:
    """The remedy of an error that no retry mends, by its words; empty for any other error."""
    return next((kind.remedy for kind in _LASTING if kind.words.search(said)), "")


def error_text(fault: Exception) -> str:
    """The exception's text, followed by the server's own message if the client left it out.

    OpenAI's client repeats only `error.message`; other servers use FastAPI's `detail`, a plain `error`, or plain text.
    An HTML page is left out.
    """
    text = str(fault)
    body = getattr(fault, "body", None)
    if isinstance(body, dict):
        body = body.get("detail") or body.get("message")
    if not body or (isinstance(body, str) and (body in text or body.lstrip().startswith("<"))):
        return text
    return f"{text} - {body}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def error_status(fault: Exception) -> int | None:
    """The HTTP status of an exception, of its response, or of a typed error; None without one."""
    for holder in (fault, getattr(fault, "response", None)):
        for name in ("status_code", "code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 400 <= value <= 599:
                return value
    return None


def _is_connection(fault: BaseException | None) -> bool:
    while fault is not None:
        kinds = {kind.__name__ for kind in type(fault).__mro__}
        if isinstance(fault, ConnectionError | TimeoutError | asyncio.TimeoutError) or kinds & {
            "TransportError",
            "APIConnectionError",
            "APITimeoutError",
        }:
            return True
        fault = fault.__cause__
    return False


def _retry_after(fault: Exception) -> float | None:
    headers: Any = getattr(getattr(fault, "response", None), "headers", None) or {}
    value = headers.get("retry-after") if hasattr(headers, "get") else None
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    from datetime import datetime

    return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())


def _remedy(status: int | None, transient: bool) -> str:
    if status in (401, 403):
        return "Check the key in the environment and its permissions."
    if status == 404:
        return "Check the model's name."
    if status == 413:
        return "Give it fewer or smaller frames, or a shorter clip."
    if transient:
        return "It was tried several times; try again later, finished calls are stored."
    return "See its message, or choose another model with --model ROLE=PROVIDER:MODEL."
