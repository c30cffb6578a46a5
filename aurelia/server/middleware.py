"""The outermost layer of the server: origins of web pages, closed paths, and the size of requests.

Authentication follows behind it (`aurelia.server.auth`). Writes of a thread's state are checked here, because the hooks
of the server do not receive what is written.
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
from aurelia.server.upload_page import PAGE_PATH, upload_page
from aurelia.server.validation import ClipNotFound, check_clips, check_state
from aurelia_core.errors import InputError

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Largest body in bytes of a request that is not an upload."""
# Routes of the development server without authentication: they delete its data, or deploy this folder.
_CLOSED_PATHS = re.compile(r"/(internal|deploy)(/|$)")
# Routes of the server that it answers without authentication: version, load and description.
_PAGES = re.compile(r"(/.*)?/(info|metrics|docs|openapi\.json)")
_STATE_WRITES = re.compile(r"(/.*)?/threads(/[^/]+/state)?")
_UPLOAD_PATH = "/clips"
_EXPOSED_HEADERS = ("x-pagination-total", "x-pagination-next", "content-location", "location")


class RequestGuard:
    """ASGI middleware around the whole server."""

    def __init__(self, app: ASGIApp, rules: AccessRules, owners: ClipOwners) -> None:
        """Wrap the server.

        Args:
            app: the server.
            rules: the access rules of the operator.
            owners: the clips and their owners.
        """
        self._origins = rules.origins
        self._models = rules.models
        self._pages_need_token = bool(rules.tokens) and not rules.public_pages
        self._owners = owners
        self._app = app
        self._front = CORSMiddleware(
            self._inside,
            allow_origins=rules.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=_EXPOSED_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self._refuse(scope)) is None:
            await self._front(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await WebSocketClose(code=1008, reason="refused")(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == PAGE_PATH:
            page = await asyncio.to_thread(upload_page)
            await page(scope, receive, send)
        elif scope["type"] == "http" and not scope["path"].endswith(_UPLOAD_PATH):
            await self._check_and_pass(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        """The response to a closed path or a foreign web page; None: the connection may pass."""
        if _CLOSED_PATHS.search(scope["path"]):
            return _error_response(404, "There is nothing here.")
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or origin in self._origins or urlsplit(origin).netloc == headers.get("host"):
            return None
        return _error_response(
            403, "This web page may not call this server: ask the operator to add its origin to AURELIA_ORIGINS."
        )

    async def _check_and_pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._pages_need_token and _PAGES.fullmatch(scope["path"]):
                _identify(scope)
            _check_size(Headers(scope=scope))
            if scope["method"] == "POST" and _STATE_WRITES.fullmatch(scope["path"]):
                receive = await self._checked_write(scope, receive)
        except _RequestRefused as fault:
            await _error_response(fault.status, str(fault))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _checked_write(self, scope: Scope, receive: Receive) -> Receive:
        """Read and check a write of a thread's state; the returned `receive` delivers it again."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and bool(message.get("more_body"))
        try:
            sent = json.loads(body or b"null")
        except (ValueError, RecursionError):
            raise _RequestRefused(422, "The request is not JSON, or is nested too deeply.") from None
        try:
            for written in _written_values(sent):
                await asyncio.to_thread(check_clips, written, _identify(scope), self._owners)
                await asyncio.to_thread(check_state, written, self._models)
        except ClipNotFound as fault:
            raise _RequestRefused(404, str(fault)) from None
        except InputError as fault:
            raise _RequestRefused(422, str(fault)) from None
        return _replay_body(body, receive)


class _RequestRefused(Exception):
    """Ends a request with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _identify(scope: Scope) -> str:
    try:
        return identify_owner(scope)
    except AccessDenied as fault:
        raise _RequestRefused(401, str(fault)) from None


def _written_values(sent: Any) -> list[Any]:
    """The values that a request writes: those of one update, or of the updates of every superstep."""
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
    """Refuse a request by its declared length, to which the HTTP server then limits it."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        raise _RequestRefused(411, "The request needs a Content-Length header; send a clip to POST /clips.")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        raise _RequestRefused(413, f"A request may have {MAX_BODY_BYTES} bytes; send a clip to POST /clips.")


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """A `receive` that delivers a body that was already read, and then what follows."""
    delivered = False

    async def replay() -> Message:
        nonlocal delivered
        if delivered:
            return await receive()
        delivered = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _error_response(status: int, message: str) -> JSONResponse:
    return JSONResponse({"detail": message}, status_code=status)
