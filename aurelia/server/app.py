"""The web application that a LangGraph server is mounted in (`langgraph.json`): the clips' routes behind the door.

The server brings its own routes, its authentication in front of all of them, and the graph.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.clips import ClipRoutes
from aurelia.server.middleware import RequestGuard
from aurelia.server.tokens import AccessRules, access_rules
from graph.serve import client


def make_app(rules: AccessRules, library: ClipOwners) -> Starlette:
    """The application.

    Args:
        rules: the operator's rules.
        library: the clips.
    """
    routes = ClipRoutes(library, rules.clip_origins).routes()
    return Starlette(routes=routes, middleware=[Middleware(RequestGuard, access=rules, library=library)])


app = make_app(access_rules(), ClipOwners(client.store))
