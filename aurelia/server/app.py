"""The web application that a LangGraph server is mounted in (`langgraph.json`): the clips' routes behind the door.

The server brings its own routes, its authentication in front of all of them, and the graph.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from aurelia.server.clip_owners import Library
from aurelia.server.clips import Clips
from aurelia.server.middleware import Door
from aurelia.server.tokens import Access, access
from graph.serve import client as desk


def make_app(rules: Access, library: Library) -> Starlette:
    """The application.

    Args:
        rules: the operator's rules.
        library: the clips.
    """
    routes = Clips(library, rules.clip_origins).routes()
    return Starlette(routes=routes, middleware=[Middleware(Door, access=rules, library=library)])


app = make_app(access(), Library(desk.store))
