"""Clips from the web: only from origins that the operator allows, from public addresses, once, and no further."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware

from aurelia.server.clip_owners import ClipOwners
from aurelia.server.clips import ClipRoutes
from aurelia.server.fetch import fetch_clip, is_public_address
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings

pytestmark = pytest.mark.enable_socket


class _Alice(SimpleUser):
    identity = "alice"


class _Anybody(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        return AuthCredentials([]), _Alice("alice")


async def here(host: str, port: int) -> list[str]:
    """A resolver for hosts that a test serves itself; the rest of the way is the real one."""
    return ["127.0.0.1"]


@asynccontextmanager
async def web(answer: Callable[[str], bytes]) -> AsyncIterator[tuple[str, list[str]]]:
    """A web server under the name media.example: its origin, and the heads of the requests that came."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer(heads[-1]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://media.example:{server.sockets[0].getsockname()[1]}", heads


def ok(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(content), content)


def uploading(home: Path, origin: str, **limits: Any) -> httpx.AsyncClient:
    library = ClipOwners(ClipStore(Settings(home=home, **limits), copy=True))
    routes = ClipRoutes(library, [origin], here).routes()
    app = Starlette(routes=routes, middleware=[Middleware(AuthenticationMiddleware, backend=_Anybody())])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.fixture(scope="module")
def content(duet: Path) -> bytes:
    return duet.read_bytes()


async def test_a_clip_is_fetched_from_an_allowed_origin(tmp_path: Path, content: bytes) -> None:
    async with web(lambda head: ok(content)) as (origin, heads), uploading(tmp_path, origin) as client:
        answer = await client.post("/clips", params={"url": f"{origin}/films/duet.mp4?part=1"})
        assert (answer.status_code, answer.json()["name"], answer.json()["duration"]) == (201, "duet.mp4", 2.0)
        assert heads[0].startswith("GET /films/duet.mp4?part=1 HTTP/1.1\r\n")
        assert f"host: {origin.removeprefix('http://')}\r\n" in heads[0].lower()
        assert "authorization" not in heads[0].lower()


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
            422,
            "redirects to another URL",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 422, "answers 404"),
        (b"nonsense\r\n\r\n", 422, "does not send the clip"),
        (ok(b"<html>not a clip</html>"), 422, "no known clip"),
        (ok(bytes(200_000)), 413, "0.1 MB"),
    ],
)
async def test_what_is_no_clip_is_not_kept(tmp_path: Path, reply: bytes, status: int, said: str) -> None:
    async with (
        web(lambda head: reply) as (origin, heads),
        uploading(tmp_path, origin, max_media_bytes=100_000) as client,
    ):
        answer = await client.post("/clips", params={"url": f"{origin}/x.mp4"})
        assert (answer.status_code, said in answer.text) == (status, True)
        assert len(heads) == 1
        assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://elsewhere.example/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("http://media.example/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("https://media.example:444/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("https://media.example@elsewhere.example/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("https://user:word@media.example/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("https://media.example.elsewhere.example/x.mp4", "AURELIA_CLIP_ORIGINS"),
        ("file:///etc/passwd", "write https"),
        ("https://[", "write https"),
        ("https://media.example:x/", "write https"),
    ],
)
async def test_other_origins_are_not_asked(url: str, said: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError("a refused host was looked up")

    with pytest.raises(MediaError, match=said):
        await anext(fetch_clip(url, ["https://media.example"], never))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254"])
async def test_an_allowed_name_that_leads_into_a_private_network_is_not_asked(host: str) -> None:
    with pytest.raises(MediaError, match="private network"):
        await anext(fetch_clip(f"https://{host}/x.mp4", [f"https://{host}"]))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("0.0.0.0", False),
        ("100.64.0.1", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("media.example", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, public: bool) -> None:
    assert is_public_address(address) is public


async def test_tls_is_asked_for_the_hosts_own_name_at_the_pinned_address() -> None:
    hellos: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        origin = f"https://media.example:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(MediaError, match="does not send the clip"):
            await anext(fetch_clip(f"{origin}/x.mp4", [origin], here))
    assert b"media.example" in hellos[0]
