"""The page GET /clips/new: one file, without data of anybody, which calls the routes of clips from the browser."""

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

PAGE_PATH = "/clips/new"


@lru_cache(maxsize=1)
def _page() -> str:
    return files("aurelia.server").joinpath("page/clips.html").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _policy() -> str:
    """What the page may do: run its own script and style, and call this server."""
    allowed = {}
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", _page(), re.DOTALL)
        allowed[tag] = f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    return (
        f"default-src 'none'; script-src {allowed['script']}; style-src {allowed['style']}; connect-src 'self';"
        " img-src 'self' blob:; media-src 'self' blob:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


def upload_page() -> Response:
    """The page; a browser cannot send a token with the address of a page, so it is answered without one."""
    return HTMLResponse(
        _page(),
        headers={
            "Content-Security-Policy": _policy(),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        },
    )
