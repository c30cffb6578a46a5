"""Authentication and authorization of the LangGraph server (`langgraph.json`).

Threads, runs and assistants carry the name of their owner, which is set here and never by a client. Everything else
that the server can store (schedules, its store) is refused. `runs` checks a run, however it was started.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from langgraph_sdk import Auth

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.graphs import client
from aurelia.server.tokens import AccessDenied, access_rules
from aurelia.server.validation import (
    GIVEN_KEY,
    INPUT_KEYS,
    ClipNotFound,
    check_clips,
    check_keys,
    check_settings,
    check_state,
    check_stateless,
    given_settings,
)
from aurelia_core.errors import InputError

auth = Auth()
_PROXIED = {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"}


def identify_owner(scope: Any) -> str:
    """The owner who sends a request, as a name.

    Raises:
        Refused: it may not come in.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers") or []}
    address = None
    # The address of a proxy says nothing about where the request came from.
    if scope.get("client") and not _PROXIED & headers.keys():
        address = scope["client"][0]
    return access_rules().owner(address, headers.get("host", ""), headers.get("authorization"))


@auth.authenticate
async def authenticate(scope: dict[str, Any]) -> Auth.types.MinimalUserDict:
    """Identify the sender of a request; status 401 if access is denied."""
    try:
        name = identify_owner(scope)
    except AccessDenied as fault:
        raise Auth.exceptions.HTTPException(status_code=401, detail=str(fault)) from None
    return {"identity": name, "display_name": name, "is_authenticated": True, "permissions": []}


@auth.on
async def deny(ctx: Auth.types.AuthContext, value: Any) -> bool:
    """Refuse everything that is not allowed below."""
    return False


@auth.on.threads
async def threads(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """Limit owners to their own threads and runs."""
    return _owner_filter(ctx, value)


@auth.on.threads.create_run
async def runs(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """Accept a run with known inputs, settings within bounds, and clips of its owner."""
    kwargs = value.get("kwargs") or {}
    settings = kwargs.get("context")
    await _check_request(ctx.user.identity, kwargs.get("input"), settings, kwargs.get("command"))
    if kwargs.get("temporary"):
        _refuse_as_http(check_stateless, settings)
    found = _owner_filter(ctx, value)
    # The server merges the settings of the assistant into those of the run: here they can still be told apart.
    value["metadata"][GIVEN_KEY] = given_settings(settings)
    return found


@auth.on.assistants
async def assistants(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """Let everyone read the graph's own assistant; check the settings of an assistant that an owner saves."""
    if ctx.action in ("create", "update"):
        await _check_request(ctx.user.identity, None, _sent_settings(value), None)
    if ctx.action in ("read", "search"):
        return cast("Auth.types.FilterType", {"$or": [{"owner": ctx.user.identity}, {"created_by": "system"}]})
    return _owner_filter(ctx, value)


def _owner_filter(ctx: Auth.types.AuthContext, value: Any) -> Auth.types.FilterType:
    """A filter for what belongs to the owner; what the owner writes gets the owner's name."""
    owner = ctx.user.identity
    if ctx.action in ("create", "create_run", "update"):
        # The server reads the name from the mapping that it passed in.
        metadata = value.get("metadata")
        if metadata is None:
            metadata = value["metadata"] = {}
        metadata["owner"] = owner
        if "created_by" in metadata:
            metadata["created_by"] = "user"
    return {"owner": owner}


def _sent_settings(value: Any) -> Any:
    """The settings that an assistant is saved with."""
    return value.get("context") or (value.get("config") or {}).get("configurable")


async def _check_request(owner: str, run_input: Any, settings: Any, command: Any) -> None:
    def check() -> None:
        check_keys("input", run_input, INPUT_KEYS)
        check_settings(settings, access_rules().models)
        check_clips([run_input, command], owner, ClipOwners(client.store))
        check_state((command or {}).get("update"), access_rules().models)

    await asyncio.to_thread(_refuse_as_http, check)


def _refuse_as_http(check: Callable[..., None], *arguments: Any) -> None:
    """Run a check; what it refuses is status 404 for a clip, 422 for everything else."""
    try:
        check(*arguments)
    except ClipNotFound as fault:
        raise Auth.exceptions.HTTPException(status_code=404, detail=str(fault)) from None
    except InputError as fault:
        raise Auth.exceptions.HTTPException(status_code=422, detail=str(fault)) from None
