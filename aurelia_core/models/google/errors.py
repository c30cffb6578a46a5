"""What Google says when it does not answer, as typed errors; and replies that are none (blocked, empty, cut off)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

from google.genai.errors import APIError, UnknownApiResponseError
from langchain_core.outputs import ChatResult

from aurelia_core.errors import AureliaError, ModelError, SettingsError
from aurelia_core.models.provider_errors import TRANSIENT_STATUSES

_LONGEST_MESSAGE = 300
_BAD_KEY = ("API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED")
_SECONDS = re.compile(r"^(\d+(?:\.\d+)?)s$")
_GONE = re.compile(r"cached ?contents?\b.*(not found|expired|not exist|permission)", re.IGNORECASE)
_REMEDIES = {
    "MAX_TOKENS": "Its output limit cut the reply off; choose a model with a larger one.",
    "SAFETY": "Its safety filter stopped the reply; choose another model for this clip or question.",
    "RECITATION": "It was about to recite what it was trained on; ask again with another --rollout, or another model.",
}


class FileGone(Exception):
    """Google no longer has a file that a request named."""


class CacheGone(Exception):
    """Google no longer has the context cache that a request named."""


@contextmanager
def typed_errors(model_id: str, key: str) -> Iterator[None]:
    """Turns what the client raises into this project's errors; what is not Google's answer passes unchanged.

    Args:
        model_id: the model's name for messages.
        key: the key, which is cut out of any message.

    Raises:
        SettingsError: the key, or the model's name, is not accepted.
        FileGone: a file that was named is not there.
        CacheGone: a context cache that was named is not there.
        ModelError: anything else that Google says.
    """
    try:
        yield
    except (UnknownApiResponseError, JSONDecodeError) as fault:
        raise ModelError(f"{model_id} sent a broken reply (not JSON).", transient=True) from fault
    except Exception as fault:
        answer = fault if isinstance(fault, APIError) else fault.__cause__
        if not isinstance(answer, APIError):
            raise
        raise _error(answer, model_id, key) from None


def _error(answer: APIError, model_id: str, key: str) -> Exception:
    said = " ".join(str(answer.message or answer.status or "no message").split()).replace(key, "(key)")
    said = said[:_LONGEST_MESSAGE].rstrip(".")
    code = answer.code if isinstance(answer.code, int) else 0
    if code in (400, 403, 404) and _GONE.search(said):
        return CacheGone(said)
    if code in (403, 404) and re.search(r"\bFile\b|\bfiles/", said):
        return FileGone(said)
    if _is_about_the_key(answer, code, said):
        remedy = "Check GOOGLE_API_KEY (or GEMINI_API_KEY) in the environment, and what it may use."
        return SettingsError(f"{model_id}: Google does not accept the key ({said}). {remedy}")
    if code == 404:
        return SettingsError(f"{model_id}: Google has no such model ({said}). Check the model's name.")
    if code == 429:
        return _limited(answer, model_id, said)
    if code == 413 or "exceeds the maximum number of tokens" in said or "payload size exceeds" in said:
        return ModelError(f"{model_id} was given too much ({code}: {said}). Use a shorter clip.")
    transient = code in TRANSIENT_STATUSES
    remedy = "It was tried several times; try again later." if transient else "See its message, or use another model."
    return ModelError(
        f"{model_id} did not answer (status {code}: {said}). {remedy}",
        transient=transient,
        retry_after=_wait(answer),
        status=code or None,
    )


def _is_about_the_key(answer: APIError, code: int, said: str) -> bool:
    reasons = {str(detail.get("reason")) for detail in _details(answer)}
    return code in (401, 403) or bool(reasons & set(_BAD_KEY)) or (code == 400 and "API key" in said)


def _limited(answer: APIError, model_id: str, said: str) -> AureliaError:
    """Too fast, which passes; or a quota used up for the day or for good, which waiting a minute does not mend."""
    broken = [violation for detail in _details(answer) for violation in detail.get("violations") or []]
    for violation in broken:
        name = str(violation.get("quotaId", ""))
        if "PerDay" in name or str(violation.get("quotaValue")) == "0":
            return _exhausted(model_id, name, said)
    if re.search(r"\blimit: 0\b", str(answer.message)):
        return _exhausted(model_id, "of this key for this model", said)
    told = f"{model_id} is asked too fast (status 429: {said}). It was tried several times; try again later."
    return ModelError(told, transient=True, retry_after=_wait(answer), status=429)


def _exhausted(model_id: str, name: str, said: str) -> ModelError:
    return ModelError(f"{model_id}: the quota {name} is exhausted ({said}). Wait for a new one, or raise it.")


def _wait(answer: APIError) -> float | None:
    """Seconds that Google asks to wait: its RetryInfo, or the Retry-After header in seconds."""
    for detail in _details(answer):
        if match := _SECONDS.match(str(detail.get("retryDelay", ""))):
            return float(match[1])
    value = str((getattr(answer.response, "headers", None) or {}).get("retry-after", ""))
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def _details(answer: APIError) -> list[dict[str, Any]]:
    error = answer.details.get("error") if isinstance(answer.details, dict) else None
    found = error.get("details") if isinstance(error, dict) else None
    return [detail for detail in found or [] if isinstance(detail, dict)]


def check_reply(result: ChatResult, model_id: str) -> None:
    """Refuses what is no reply.

    Raises:
        ModelError: the prompt was blocked, the reply was stopped or cut off, or there is none (which may pass).
    """
    feedback = (result.llm_output or {}).get("prompt_feedback") or {}
    if reason := feedback.get("block_reason"):
        name = getattr(reason, "name", str(reason))
        raise ModelError(f"{model_id} refused the request (blocked: {name}). Choose another model, clip or question.")
    generation = result.generations[0]
    ended = str((generation.generation_info or {}).get("finish_reason") or "none")
    if ended not in ("STOP", "FINISH_REASON_UNSPECIFIED", "none"):
        remedy = _REMEDIES.get(ended, "Ask again, or choose another model.")
        raise ModelError(f"{model_id} ended without a whole reply (finish reason {ended}). {remedy}")
    if not generation.message.text.strip():
        raise ModelError(f"{model_id} sent an empty reply (finish reason {ended}).", transient=True)
