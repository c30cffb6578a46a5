"""A clip from an address on the web, where the operator allows its origin: looked up once, pinned, never redirected.

It gives the bytes as they come. How many are taken, and how long it may take, is decided where they are written.
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
"""Seconds that a host may take to connect, or to send something more."""
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def fetch_clip(
    url: str, origins: Collection[str], resolve: Resolver | None = None
) -> AsyncGenerator[bytes, None]:
    """What lies at an address, block by block.

    Args:
        url: with its scheme.
        origins: those that may be asked, as `https://host` or `https://host:port`.
        resolve: gives the addresses of a host that may be asked (default: `public_addresses`).

    Raises:
        MediaError: the origin is not allowed, it leads into a private network, it redirects, or it does not answer.
    """
    host, port, origin = _parse_url(url, origins)
    pinned = (await (resolve or resolve_public_addresses)(host, port))[0]
    headers = {"Host": urlsplit(origin).netloc, "Accept-Encoding": "identity"}
    # The environment's proxies would look the name up again, and somewhere else.
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=FETCH_TIMEOUT_SECONDS) as client:
        try:
            address = httpx.URL(url).copy_with(host=pinned, fragment=None)
            request = client.build_request("GET", address, headers=headers, extensions={"sni_hostname": host})
            answer = await client.send(request, stream=True)
            try:
                if answer.is_redirect:
                    raise MediaError(f"{host} sends on to another address; give that one, if its origin is allowed")
                if answer.status_code != httpx.codes.OK:
                    raise MediaError(f"{host} answers {answer.status_code}; check the address")
                async for block in answer.aiter_raw():
                    yield block
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise MediaError(f"{host} does not give the clip ({type(fault).__name__}); try again later") from None


async def resolve_public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host.

    Raises:
        MediaError: it has none, or one of them is not of the public internet.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise MediaError(f"{host} cannot be looked up; check the address") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(is_public_address, addresses)):
        raise MediaError(f"{host} leads into a private network; only the public internet is asked")
    return addresses


def is_public_address(address: str) -> bool:
    """Whether an IP address is one of the public internet, and not another one in disguise."""
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
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise MediaError("This is no address of a clip; write https://HOST/PATH") from None
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if not host or not port:
        raise MediaError("This is no address of a clip; write https://HOST/PATH")
    if origin not in origins:
        raise MediaError(
            f"Clips from {host[:60]!r} are not fetched here; upload the clip, or let the operator add "
            "its origin to AURELIA_CLIP_ORIGINS"
        )
    return host, port, origin
