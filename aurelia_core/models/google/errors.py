"""Converts Google's errors to typed errors, and refuses invalid replies (blocked, empty, truncated)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

from google.genai.errors import APIError, UnknownApiResponseError
from langchain_core.outputs import ChatResult

from aurelia_core.errors import AureliaError, ModelError, SettingsError
from aurelia_core.models.provider_errors import TRANSIENT_STATUSES, lasting_remedy
from aurelia_core.models.reply_ending import quoted_start

_LONGEST_MESSAGE = 300
_BAD_KEY = ("API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED")
_SECONDS = re.compile(r"^(\d+(?:\.\d+)?)s$")
_GONE = re.compile(r"cached ?contents?\b.*(not found|expired|not exist|permission)", re.IGNORECASE)
_REMEDIES = {
    "MAX_TOKENS": "The reply reached its output limit; choose a model with a larger one.",
    "SAFETY": "Its safety filter stopped the reply; choose another model for this clip or question.",
    "RECITATION": "The reply would repeat training data; ask again with another --rollout, or another model.",
}


class FileGone(Exception):
    """Google no longer has a file that the request refers to."""


class CacheGone(Exception):
    """Google no longer has the context cache that the request refers to."""


@contextmanager
def typed_errors(model_id: str, key: str) -> Iterator[None]:
    """Convert the client's errors to this project's errors; exceptions that are not from Google pass unchanged.

    Args:
        model_id: the model's name for messages.
        key: the key, which is removed from messages.

    Raises:
        SettingsError: Google does not accept the key or the model's name.
        FileGone: Google no longer has a file of the request.
        CacheGone: Google no longer has the context cache of the request.
        ModelError: any other error of Google.
    """
    try:
        yield
    except (UnknownApiResponseError, JSONDecodeError) as fault:
        raise ModelError(f"{model_id} sent a broken reply (not JSON).", transient=True) from fault
    except Exception as fault:
        for error in (fault, fault.__cause__):
            if isinstance(error, APIError):
                raise _typed_error(error, model_id, key) from None
        raise


def _typed_error(error: APIError, model_id: str, key: str) -> Exception:
    text = " ".join(str(error.message or error.status or "no message").split()).replace(key, "(key)")
    text = text[:_LONGEST_MESSAGE].rstrip(".")
    code = 0
    if isinstance(error.code, int):
        code = error.code
    if code in (400, 403, 404) and _GONE.search(text):
        return CacheGone(text)
    if code in (403, 404) and re.search(r"\bFile\b|\bfiles/", text):
        return FileGone(text)
    if _is_about_the_key(error, code, text):
        remedy = "Check GOOGLE_API_KEY (or GEMINI_API_KEY) in the environment and its permissions."
        return SettingsError(f"{model_id}: Google does not accept the key ({text}). {remedy}")
    if code == 404:
        return SettingsError(f"{model_id}: Google has no such model ({text}). Check the model's name.")
    if code == 429:
        return _rate_error(error, model_id, text)
    if code == 413 or "exceeds the maximum number of tokens" in text or "payload size exceeds" in text:
        return ModelError(f"{model_id}: the request is too large ({code}: {text}). Use a shorter clip.")
    lasting = lasting_remedy(text)
    transient = code in TRANSIENT_STATUSES and not lasting
    remedy = lasting or "See its message, or use another model."
    if transient:
        remedy = "It was tried several times; try again later."
    return ModelError(
        f"{model_id} did not answer (status {code}: {text}). {remedy}",
        transient=transient,
        retry_after=_retry_seconds(error),
        status=code or None,
    )


def _is_about_the_key(error: APIError, code: int, text: str) -> bool:
    reasons = {str(detail.get("reason")) for detail in _details(error)}
    return code in (401, 403) or bool(reasons & set(_BAD_KEY)) or (code == 400 and "API key" in text)


def _rate_error(error: APIError, model_id: str, text: str) -> AureliaError:
    """A transient error for too many requests; a permanent one for an exhausted daily quota or a quota of zero."""
    for detail in _details(error):
        for violation in detail.get("violations") or []:
            name = str(violation.get("quotaId", ""))
            if "PerDay" in name or str(violation.get("quotaValue")) == "0":
                return _quota_error(model_id, name, text)
    # Google names plan and billing in every 429, also where a minute's pause is all that is needed.
    if remedy := lasting_remedy(text.replace("plan and billing details", "")):
        return ModelError(f"{model_id} did not answer (status 429: {text}). {remedy}", status=429)
    if re.search(r"\blimit: 0\b", str(error.message)):
        return _quota_error(model_id, "of this key for this model", text)
    message = f"{model_id}: too many requests (status 429: {text}). It was tried several times; try again later."
    return ModelError(message, transient=True, retry_after=_retry_seconds(error), status=429)


def _quota_error(model_id: str, name: str, text: str) -> ModelError:
    return ModelError(f"{model_id}: the quota {name} is exhausted ({text}). Wait until it is renewed, or raise it.")


def _retry_seconds(error: APIError) -> float | None:
    """Seconds to wait according to Google: its RetryInfo, or the Retry-After header in seconds."""
    for detail in _details(error):
        if match := _SECONDS.match(str(detail.get("retryDelay", ""))):
            return float(match[1])
    value = str((getattr(error.response, "headers", None) or {}).get("retry-after", ""))
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    return None


def _details(error: APIError) -> list[dict[str, Any]]:
    if not isinstance(error.details, dict):
        return []
    body = error.details.get("error")
    if not isinstance(body, dict):
        return []
    return [detail for detail in body.get("details") or [] if isinstance(detail, dict)]


def check_reply(result: ChatResult, model_id: str) -> None:
    """Refuse an invalid reply.

    Raises:
        ModelError: the prompt was blocked, the reply was stopped or truncated, or it is empty (transient).
    """
    feedback = (result.llm_output or {}).get("prompt_feedback") or {}
    if reason := feedback.get("block_reason"):
        name = getattr(reason, "name", str(reason))
        raise ModelError(f"{model_id} refused the request (blocked: {name}). Choose another model, clip or question.")
    generation = result.generations[0]
    ended = str((generation.generation_info or {}).get("finish_reason") or "none")
    if ended not in ("STOP", "FINISH_REASON_UNSPECIFIED", "none"):
        remedy = _REMEDIES.get(ended, "Ask again, or choose another model.")
        said = generation.message.text.strip()
        words = f" It begins {quoted_start(said)}" if said else ""
        raise ModelError(f"{model_id} gave an incomplete reply (finish reason {ended}). {remedy}{words}")
    if not generation.message.text.strip():
        raise ModelError(f"{model_id} sent an empty reply (finish reason {ended}).", transient=True)
