"""Fetch a clip from a URL whose origin the operator allows: one look-up of the host, a fixed address, no redirect.

The blocks are yielded as they arrive; the writer of the file (`aurelia.server.clips`) limits size and duration.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from urllib.parse import urlsplit

import httpx

from aurelia_core.errors import MediaError

Resolver = Callable[[str, int], Awaitable[list[str]]]
FETCH_TIMEOUT_SECONDS = 30.0
"""Longest wait in seconds for a connection, or for more data."""
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def fetch_clip(
    url: str, origins: Collection[str], resolve: Resolver | None = None
) -> AsyncGenerator[bytes, None]:
    """Yield the content of a URL, block by block.

    Args:
        url: the URL, with its scheme.
        origins: the allowed origins, as `https://host` or `https://host:port`.
        resolve: looks up the addresses of a host (default: `resolve_public_addresses`).

    Raises:
        MediaError: the origin is not allowed, is in a private network, redirects, or does not answer.
    """
    host, port, origin = _parse_url(url, origins)
    pinned = (await (resolve or resolve_public_addresses)(host, port))[0]
    headers = {"Host": urlsplit(origin).netloc, "Accept-Encoding": "identity"}
    # A proxy of the environment would look the name up again, and could get another address.
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=FETCH_TIMEOUT_SECONDS) as client:
        try:
            address = httpx.URL(url).copy_with(host=pinned, fragment=None)
            request = client.build_request("GET", address, headers=headers, extensions={"sni_hostname": host})
            answer = await client.send(request, stream=True)
            try:
                if answer.is_redirect:
                    raise MediaError(f"{host} redirects to another URL; give that one, if its origin is allowed")
                if answer.status_code != httpx.codes.OK:
                    raise MediaError(f"{host} answers {answer.status_code}; check the URL")
                async for block in answer.aiter_raw():
                    yield block
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise MediaError(f"{host} does not send the clip ({type(fault).__name__}); try again later") from None


async def resolve_public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host.

    Raises:
        MediaError: the host has no address, or one of them is not on the public internet.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise MediaError(f"{host} cannot be looked up; check the URL") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(is_public_address, addresses)):
        raise MediaError(f"{host} is in a private network; only hosts on the public internet are used")
    return addresses


def is_public_address(address: str) -> bool:
    """Whether an IP address is on the public internet; an address that embeds another one is not."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv6Address) and (
        number.ipv4_mapped or number.sixtofour or number.teredo or number in _NAT64
    ):
        return False
    return number.is_global and not (number.is_multicast or number.is_reserved)


def _parse_url(url: str, origins: Collection[str]) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise MediaError("This is not the URL of a clip; write https://HOST/PATH") from None
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if not host or not port:
        raise MediaError("This is not the URL of a clip; write https://HOST/PATH")
    if origin not in origins:
        raise MediaError(
            f"Clips from {host[:60]!r} are not fetched here; upload the clip, or ask the operator to add "
            "its origin to AURELIA_CLIP_ORIGINS"
        )
    return host, port, origin
