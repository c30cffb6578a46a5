"""The web application around the LangGraph server (`langgraph.json`): the guard, and the routes of clips.

The server adds its own routes, its authentication before all routes, and the graph.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.clips import ClipRoutes
from aurelia.server.middleware import RequestGuard
from aurelia.server.tokens import AccessRules, access_rules
from graph.serve import client


def make_app(rules: AccessRules, owners: ClipOwners) -> Starlette:
    """Make the application.

    Args:
        rules: the access rules of the operator.
        owners: the clips and their owners.
    """
    routes = ClipRoutes(owners, rules.clip_origins).routes()
    return Starlette(routes=routes, middleware=[Middleware(RequestGuard, rules=rules, owners=owners)])


app = make_app(access_rules(), ClipOwners(client.store))
