"""Who may come in: the operator's tokens, or, without any, only programs on the server's own machine.

It decides who somebody is. What they may see is decided in `aurelia.server.auth`, and what they may send in `checks`.
"""

import hashlib
import hmac
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aurelia_core.errors import AureliaError, InputError
from aurelia_core.settings import is_switched_on

STUDIO_ORIGIN = "https://smith.langchain.com"
LOCAL_OWNER, STUDIO_OWNER = "local", "studio"
MIN_TOKEN_LENGTH = 16
_OFFLINE_MODELS = "offline:*"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class AccessDenied(AureliaError):
    """Somebody who may not come in; the message says what to bring."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The operator's rules.

    Attributes:
        tokens: SHA-256 of each token by its owner's name; none: only this machine may come in.
        studio: whether, beside tokens, Studio may come in from this machine without one (as the owner `studio`).
        origins: web pages that may call the server from a browser.
        models: patterns of the models that a run may name; none: any.
        clip_origins: web origins that clips may be fetched from; none: no clip is fetched.
    """

    tokens: Mapping[str, bytes]
    studio: bool = False
    origins: tuple[str, ...] = (STUDIO_ORIGIN,)
    models: tuple[str, ...] = ()
    clip_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "AccessRules":
        """The rules in AURELIA_TOKENS, _TOKENS_FILE, _STUDIO, _ORIGINS, _MODELS and _CLIP_ORIGINS.

        Without AURELIA_MODELS whoever holds a token may name the offline models alone: others spend the operator's
        money, or load what lies on the operator's disk.

        Args:
            environment: the variables to read (default: the process's own).

        Raises:
            InputError: one of them cannot be understood; a token is never shown.
        """
        env = os.environ if environment is None else environment
        pairs = [*_split_list(env.get("AURELIA_TOKENS", "")), *_read_lines(env.get("AURELIA_TOKENS_FILE", ""))]
        tokens = _digests_by_owner(pairs)
        models = _split_list(env.get("AURELIA_MODELS", "")) or ([_OFFLINE_MODELS] if tokens else [])
        pages, clips = _origins(env, "AURELIA_ORIGINS", STUDIO_ORIGIN), _origins(env, "AURELIA_CLIP_ORIGINS", "")
        return cls(tokens, is_switched_on(env, "AURELIA_STUDIO"), pages, tuple(models), clips)

    def owner(self, client: str | None, host: str, authorization: str | None) -> str:
        """The name of whoever sends a request.

        Args:
            client: the address that the connection comes from; None if it is not known.
            host: the request's Host header.
            authorization: its Authorization header, or None.

        Raises:
            Refused: no token, a wrong one, or, without any, another machine.
        """
        here = _on_loopback(client) and _names_loopback(host)
        if not self.tokens:
            if here:
                return LOCAL_OWNER
            raise AccessDenied(
                "This server has no tokens and serves only its own machine: the operator sets AURELIA_TOKENS."
            )
        if authorization is None and self.studio and here:
            return STUDIO_OWNER
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AccessDenied("A token is needed: send the header 'Authorization: Bearer TOKEN'.")
        found = _digest(token.strip())
        # Every token is compared, so that the time says nothing of which one came close.
        names = [name for name, kept in self.tokens.items() if hmac.compare_digest(kept, found)]
        if not names:
            raise AccessDenied("This token is not known here: ask the operator for one.")
        return names[0]


@lru_cache(maxsize=1)
def access_rules() -> AccessRules:
    """The rules of this process, read once.

    Raises:
        InputError: they cannot be understood.
    """
    return AccessRules.from_environment()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _digests_by_owner(pairs: Iterable[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number, pair in enumerate(pairs, 1):
        name, colon, token = pair.partition(":")
        name, token = name.strip(), token.strip()
        if not colon or not _NAME.fullmatch(name):
            raise InputError(
                f"Token {number} is not written as NAME:TOKEN, the name in letters, digits, '.', '_', '-'."
            )
        if name in (LOCAL_OWNER, STUDIO_OWNER) or name in found:
            raise InputError(f"The name {name!r} of token {number} is taken: give another.")
        if len(token) < MIN_TOKEN_LENGTH:
            raise InputError(f"The token of {name} is shorter than {MIN_TOKEN_LENGTH} characters: make one at random.")
        found[name] = _digest(token)
    if len(set(found.values())) < len(found):
        raise InputError("Two names have the same token: give each its own.")
    return found


def _origins(env: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    found = tuple(origin.lower() for origin in _split_list(env.get(name, default)))
    if wrong := [origin for origin in found if not re.fullmatch(r"https?://[^/*@\s]+", origin)]:
        raise InputError(f"{name} names {wrong[0][:60]!r}: write origins such as {STUDIO_ORIGIN}.")
    return found


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_lines(path: str) -> list[str]:
    if not path.strip():
        return []
    try:
        lines = Path(path.strip()).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise InputError("The file that AURELIA_TOKENS_FILE names cannot be read: check its path and rights.") from None
    found = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    if not found:
        raise InputError("The file that AURELIA_TOKENS_FILE names holds no token: write NAME:TOKEN, one a line.")
    return found


def _on_loopback(client: str | None) -> bool:
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _names_loopback(host: str) -> bool:
    """Whether a browser that sends this Host was told to go to this machine, not led here by another's DNS name."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name == "localhost" or _on_loopback(name)
