"""Converts exceptions of a model or its client to a ModelError that says whether a retry may help."""

import asyncio
from email.utils import parsedate_to_datetime
from typing import Any

from aurelia_core.errors import AureliaError, ModelError

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_QUOTA_WORDS = ("insufficient_quota", "quota exceeded for the day", "billing")
_LONGEST_MESSAGE = 300


def as_model_error(fault: Exception, model_id: str) -> AureliaError:
    """The typed error for an exception of the model `model_id`; this project's own errors are returned unchanged.

    The HTTP status (of openai, google-genai, httpx and similar clients) decides whether the error is transient. Without
    a status, connection errors and timeouts are transient.
    """
    if isinstance(fault, AureliaError):
        return fault
    status = _status(fault)
    text = " ".join(error_text(fault).split())[:_LONGEST_MESSAGE] or type(fault).__name__
    if status:
        text_and_code = f"{text} {getattr(fault, 'code', '')}".lower()
        quota_exhausted = any(word in text_and_code for word in _QUOTA_WORDS)
        transient = status in TRANSIENT_STATUSES and not quota_exhausted
        reason = f"status {status}: {text}"
    else:
        transient = _is_connection(fault)
        reason = f"{type(fault).__name__}: {text}"
    return ModelError(
        f"{model_id} did not answer ({reason}). {_remedy(status, transient)}",
        transient=transient,
        retry_after=_retry_after(fault),
        status=status,
    )


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


def _status(fault: Exception) -> int | None:
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
