"""The outermost layer of the server: which web pages may call it, which paths are closed, how much may be sent.

It knows nobody's name: that is asked behind it (`aurelia.server.auth`). Writing a thread's state is looked into here,
because the server's own hooks are not shown what is written.
"""

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from aurelia.server.auth import identify_owner
from aurelia.server.clip_owners import ClipOwners
from aurelia.server.tokens import AccessDenied, AccessRules
from aurelia.server.validation import ClipNotFound, check_clips, check_state
from aurelia_core.errors import InputError

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Bytes of a request that is no upload."""
# The development server has routes that nobody is asked a token for: they wipe its data, or deploy this folder.
_CLOSED_PATHS = re.compile(r"/(internal|deploy)(/|$)")
_STATE_WRITES = re.compile(r"(/.*)?/threads(/[^/]+/state)?")
_UPLOAD_PATH = "/clips"
_EXPOSED_HEADERS = ("x-pagination-total", "x-pagination-next", "content-location", "location")


class RequestGuard:
    """ASGI middleware around the whole server."""

    def __init__(self, app: ASGIApp, access: AccessRules, library: ClipOwners) -> None:
        """Wraps the server.

        Args:
            app: what lies behind.
            access: the operator's rules.
            library: the clips.
        """
        self._origins = access.origins
        self._library = library
        self._app = app
        self._front = CORSMiddleware(
            self._inside,
            allow_origins=access.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=_EXPOSED_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a connection through, or answers it here."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (fault := self._closed(scope)) is None:
            await self._front(scope, receive, send)
        else:
            answer = fault if scope["type"] == "http" else WebSocketClose(code=1008, reason="refused")
            await answer(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].endswith(_UPLOAD_PATH):
            await self._limited(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _closed(self, scope: Scope) -> JSONResponse | None:
        if _CLOSED_PATHS.search(scope["path"]):
            return _error_response(404, "There is nothing here.")
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or origin in self._origins or urlsplit(origin).netloc == headers.get("host"):
            return None
        return _error_response(
            403, "This web page may not call this server: the operator adds its origin to AURELIA_ORIGINS."
        )

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check_size(Headers(scope=scope))
            if scope["method"] == "POST" and _STATE_WRITES.fullmatch(scope["path"]):
                receive = await self._looked_into(scope, receive)
        except _RequestRefused as fault:
            await _error_response(fault.status, str(fault))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _looked_into(self, scope: Scope, receive: Receive) -> Receive:
        """Reads a write of state before anything else does, and gives it on when it may be written."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and bool(message.get("more_body"))
        try:
            sent = json.loads(body or b"null")
        except (ValueError, RecursionError):
            raise _RequestRefused(422, "The request is no JSON, or too deep.") from None
        try:
            for written in _written_values(sent):
                check_state(written)
                await asyncio.to_thread(check_clips, written, identify_owner(scope), self._library)
        except AccessDenied as fault:
            raise _RequestRefused(401, str(fault)) from None
        except ClipNotFound as fault:
            raise _RequestRefused(404, str(fault)) from None
        except InputError as fault:
            raise _RequestRefused(422, str(fault)) from None
        return _replay_body(body, receive)


class _RequestRefused(Exception):
    """A request that ends here."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _written_values(sent: Any) -> list[Any]:
    """What a request would write: the values of one update, or of those of every superstep."""
    found: list[Any] = []
    if isinstance(sent, dict):
        found.append(sent.get("values"))
        for step in sent.get("supersteps") or []:
            for update in (step.get("updates") if isinstance(step, dict) else None) or []:
                if isinstance(update, dict):
                    command = update.get("command")
                    found += [update.get("values"), command.get("update") if isinstance(command, dict) else None]
    return [part for part in found if part is not None]


def _check_size(headers: Headers) -> None:
    """Refuses what is too large by the length that a request promises (and the HTTP server then holds it to)."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        raise _RequestRefused(411, "Say the length of the request (Content-Length); a clip goes to POST /clips.")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        raise _RequestRefused(413, f"A request may have {MAX_BODY_BYTES} bytes; a clip goes to POST /clips.")


def _replay_body(body: bytes, receive: Receive) -> Receive:
    given = False

    async def giving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return giving


def _error_response(status: int, message: str) -> JSONResponse:
    return JSONResponse({"detail": message}, status_code=status)
