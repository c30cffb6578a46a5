"""Access to the server: the operator's tokens; without tokens, only programs on the server's own machine.

This module identifies the sender. `aurelia.server.auth` decides what the sender may read and write, and
`aurelia.server.validation` what a request may contain.
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
    """A sender without access; the message says what is needed."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The access rules of the operator.

    Attributes:
        tokens: SHA-256 of each token by its owner's name; empty: access from this machine only.
        studio: whether Studio on this machine has access without a token (as the owner `studio`).
        origins: origins of web pages that may call the server from a browser.
        models: patterns of the models that a run may name; empty: any model.
        clip_origins: origins that clips may be fetched from; empty: none.
        public_pages: whether version, load and description of the server are answered without a token.
    """

    tokens: Mapping[str, bytes]
    studio: bool = False
    origins: tuple[str, ...] = (STUDIO_ORIGIN,)
    models: tuple[str, ...] = ()
    clip_origins: tuple[str, ...] = ()
    public_pages: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "AccessRules":
        """Read AURELIA_TOKENS, _TOKENS_FILE, _STUDIO, _ORIGINS, _MODELS, _CLIP_ORIGINS and _PUBLIC_PAGES.

        With tokens but without AURELIA_MODELS only the offline models are allowed: other models cost the operator's
        money, or load files from the operator's disk.

        Args:
            environment: the variables to read (default: the process's own).

        Raises:
            InputError: a variable cannot be used; the message shows no token.
        """
        env = os.environ if environment is None else environment
        pairs = [*_split_list(env.get("AURELIA_TOKENS", "")), *_read_lines(env.get("AURELIA_TOKENS_FILE", ""))]
        tokens = _digests_by_owner(pairs)
        models = _split_list(env.get("AURELIA_MODELS", ""))
        if tokens and not models:
            models = [_OFFLINE_MODELS]
        return cls(
            tokens=tokens,
            studio=is_switched_on(env, "AURELIA_STUDIO"),
            origins=_origins(env, "AURELIA_ORIGINS", STUDIO_ORIGIN),
            models=tuple(models),
            clip_origins=_origins(env, "AURELIA_CLIP_ORIGINS", ""),
            public_pages=is_switched_on(env, "AURELIA_PUBLIC_PAGES"),
        )

    def owner(self, client: str | None, host: str, authorization: str | None) -> str:
        """The name of the owner who sends a request.

        Args:
            client: the IP address of the connection; None if it is not known.
            host: the Host header.
            authorization: the Authorization header, or None.

        Raises:
            AccessDenied: the token is missing or wrong; or there are no tokens and the request is from elsewhere.
        """
        local = _is_loopback(client) and _names_loopback(host)
        if not self.tokens:
            if local:
                return LOCAL_OWNER
            raise AccessDenied(
                "This server has no tokens and serves only its own machine: ask the operator to set AURELIA_TOKENS."
            )
        if authorization is None and self.studio and local:
            return STUDIO_OWNER
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AccessDenied("A token is needed: send the header 'Authorization: Bearer TOKEN'.")
        found = _digest(token.strip())
        # Every token is compared, so that the duration does not depend on which one matches.
        names = [name for name, digest in self.tokens.items() if hmac.compare_digest(digest, found)]
        if not names:
            raise AccessDenied("This token is unknown: ask the operator for a token.")
        return names[0]


@lru_cache(maxsize=1)
def access_rules() -> AccessRules:
    """The access rules of this process, read once.

    Raises:
        InputError: a variable cannot be used.
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
                f"Token {number} cannot be used: write NAME:TOKEN, with a name of letters, digits, '.', '_', '-'."
            )
        if name in (LOCAL_OWNER, STUDIO_OWNER) or name in found:
            raise InputError(f"The name {name!r} of token {number} is already used: give another name.")
        if len(token) < MIN_TOKEN_LENGTH:
            raise InputError(f"The token of {name} is shorter than {MIN_TOKEN_LENGTH} characters: make a random one.")
        found[name] = _digest(token)
    if len(set(found.values())) < len(found):
        raise InputError("Two names have the same token: give each name its own.")
    return found


def _origins(env: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    found = tuple(origin.lower() for origin in _split_list(env.get(name, default)))
    if wrong := [origin for origin in found if not re.fullmatch(r"https?://[^/*@\s]+", origin)]:
        raise InputError(f"{name} has {wrong[0][:60]!r}: write origins such as {STUDIO_ORIGIN}.")
    return found


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_lines(path: str) -> list[str]:
    if not path.strip():
        return []
    try:
        lines = Path(path.strip()).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise InputError("The file of AURELIA_TOKENS_FILE cannot be read: check its path and permissions.") from None
    found = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    if not found:
        raise InputError("The file of AURELIA_TOKENS_FILE has no token: write NAME:TOKEN, one per line.")
    return found


def _is_loopback(client: str | None) -> bool:
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _names_loopback(host: str) -> bool:
    """Whether the Host header names this machine; a browser that a foreign DNS name led here sends that name."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name == "localhost" or _is_loopback(name)
