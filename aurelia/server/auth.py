"""What a LangGraph server asks for every request (`langgraph.json`): who it is, and what of the kept things is theirs.

Threads, runs and assistants carry their owner's name, set here and never by a client; everything else that the server
could keep (schedules, its store) is refused. A run is checked at the one point that every way of starting it passes.
"""

import asyncio
from typing import Any, cast

from langgraph_sdk import Auth

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.tokens import AccessDenied, access_rules
from aurelia.server.validation import INPUT_KEYS, ClipNotFound, check_clips, check_keys, check_settings, check_state
from aurelia_core.errors import InputError
from graph.serve import client

auth = Auth()
_PROXIED = {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"}


def identify_owner(scope: Any) -> str:
    """The owner's name of an ASGI connection.

    Raises:
        Refused: it may not come in.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers") or []}
    # What came through a proxy came from elsewhere, whatever address the proxy has.
    client = None if _PROXIED & headers.keys() else scope.get("client")
    return access_rules().owner(client[0] if client else None, headers.get("host", ""), headers.get("authorization"))


@auth.authenticate
async def authenticate(scope: dict[str, Any]) -> Auth.types.MinimalUserDict:
    """The one who sends a request: 401 without a token where tokens are asked for."""
    try:
        name = identify_owner(scope)
    except AccessDenied as fault:
        raise Auth.exceptions.HTTPException(status_code=401, detail=str(fault)) from None
    return {"identity": name, "display_name": name, "is_authenticated": True, "permissions": []}


@auth.on
async def deny(ctx: Auth.types.AuthContext, value: Any) -> bool:
    """Nothing that is not allowed below."""
    return False


@auth.on.threads
async def threads(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """Owners see and change only their own threads and runs."""
    return _owner_filter(ctx, value)


@auth.on.threads.create_run
async def runs(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """A run with known inputs, settings within bounds, and clips of its owner."""
    kwargs = value.get("kwargs") or {}
    await _check_request(ctx.user.identity, kwargs.get("input"), kwargs.get("context"), kwargs.get("command"))
    return _owner_filter(ctx, value)


@auth.on.assistants
async def assistants(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """Everybody reads the graph's own assistant; the settings that somebody saves are theirs, and checked now."""
    if ctx.action in ("create", "update"):
        await _check_request(ctx.user.identity, None, _sent_settings(value), None)
    if ctx.action in ("read", "search"):
        return cast("Auth.types.FilterType", {"$or": [{"owner": ctx.user.identity}, {"created_by": "system"}]})
    return _owner_filter(ctx, value)


def _owner_filter(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """The filter that lets only the owner's things through; what is written gets the owner's name."""
    owner = ctx.user.identity
    if ctx.action in ("create", "create_run", "update"):
        # The server reads the very mapping back that it handed over, where there is one.
        metadata = value.get("metadata")
        if metadata is None:
            metadata = value["metadata"] = {}
        metadata["owner"] = owner
        if "created_by" in metadata:
            metadata["created_by"] = "user"
    return {"owner": owner}


def _sent_settings(value: Any) -> Any:
    return value.get("context") or (value.get("config") or {}).get("configurable")


async def _check_request(owner: str, given: Any, settings: Any, command: Any) -> None:
    try:
        check_keys("input", given, INPUT_KEYS)
        check_settings(settings, access_rules().models)
        check_state((command or {}).get("update"))
        await asyncio.to_thread(check_clips, [given, command], owner, ClipOwners(client.store))
    except ClipNotFound as fault:
        raise Auth.exceptions.HTTPException(status_code=404, detail=str(fault)) from None
    except InputError as fault:
        raise Auth.exceptions.HTTPException(status_code=422, detail=str(fault)) from None
