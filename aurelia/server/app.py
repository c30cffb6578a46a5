"""The web application around the LangGraph server (`langgraph.json`): the guard, and the routes of clips.

The server adds its own routes, its authentication before all routes, and the graph.
"""

from langgraph.errors import InvalidUpdateError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.clips import ClipRoutes
from aurelia.server.graphs import client
from aurelia.server.middleware import RequestGuard
from aurelia.server.tokens import AccessRules, access_rules
from aurelia_core.errors import InputError


def make_app(rules: AccessRules, owners: ClipOwners) -> Starlette:
    """Make the application.

    Args:
        rules: the access rules of the operator.
        owners: the clips and their owners.
    """
    routes = ClipRoutes(owners, rules.clip_origins).routes()
    guard = Middleware(RequestGuard, rules=rules, owners=owners)
    refusals = {InputError: _refuse, InvalidUpdateError: _refuse}
    return Starlette(routes=routes, middleware=[guard], exception_handlers=refusals)


async def _refuse(request: Request, fault: Exception) -> Response:
    """The response to a written state that the graph cannot merge: reducers and routers refuse it."""
    return JSONResponse({"detail": str(fault)}, 422)


app = make_app(access_rules(), ClipOwners(client.store))
