"""Turns whatever a model or its client raises into a ModelError that says whether trying again may help."""

import asyncio
from email.utils import parsedate_to_datetime
from typing import Any

from aurelia_core.errors import AureliaError, ModelError

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_QUOTA_WORDS = ("insufficient_quota", "quota exceeded for the day", "billing")
_LONGEST_MESSAGE = 300


def as_model_error(fault: Exception, model_id: str) -> AureliaError:
    """The typed error for a fault of the model `model_id`.

    A status code (of openai, google-genai, httpx or a look-alike) decides whether it is transient, else its kind does;
    errors of our own pass through.
    """
    if isinstance(fault, AureliaError):
        return fault
    status = _status(fault)
    text = " ".join(error_text(fault).split())[:_LONGEST_MESSAGE] or type(fault).__name__
    told = f"{text} {getattr(fault, 'code', '')}".lower()
    spent = any(word in told for word in _QUOTA_WORDS)
    transient = (status in TRANSIENT_STATUSES and not spent) if status else _is_connection(fault)
    said = f"status {status}: {text}" if status else f"{type(fault).__name__}: {text}"
    return ModelError(
        f"{model_id} did not answer ({said}). {_remedy(status, transient)}",
        transient=transient,
        retry_after=_retry_after(fault),
        status=status,
    )


def error_text(fault: Exception) -> str:
    """What the fault says, with the server's own words where the client passed over them.

    OpenAI's client repeats `error.message` alone; other servers say it in FastAPI's `detail`, in a bare `error`, or as
    plain text. A page of HTML is not for a terminal.
    """
    said, body = str(fault), getattr(fault, "body", None)
    if isinstance(body, dict):
        body = body.get("detail") or body.get("message")
    if not body or (isinstance(body, str) and (body in said or body.lstrip().startswith("<"))):
        return said
    return f"{said} - {body}"


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
        return "Check the key in the environment and what it may use."
    if status == 404:
        return "Check the model's name."
    if status == 413:
        return "Give it fewer or smaller frames, or a shorter clip."
    if transient:
        return "It was tried several times; try again later, what was answered is kept."
    return "See its message, or choose another model with --model ROLE=PROVIDER:MODEL."
