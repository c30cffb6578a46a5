"""Addresses given to the server's door: hosts in disguise, redirects, and a DNS that changes its answer."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aurelia.server.fetch import Resolver, fetch_clip
from aurelia_core.errors import MediaError
from benchmarks.attack.row import Row
from benchmarks.attack.witnesses import Server, answer, connections

PUBLIC = "93.184.215.14"
"""An address of the public internet; never reached, as connections beyond this machine are stopped."""
HOSTS = (
    *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "127.1", "127.0.1", "0", "0.0.0.0"),
    *("2130706433", "017700000001", "0177.0.0.1", "0x7f.1", "0x7f000001", "0x7f.0.0.0x1", "127.0.0.1%00.example"),
    *(
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ),
    *("[fe80::1%25lo]", "[0:0:0:0:0:0:0:1]", "[0:0:0:0:0:ffff:7f00:1]", "10.0.0.1", "172.16.0.1", "192.168.0.1"),
    *("169.254.169.254", "100.64.0.1", "[fd00::1]", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛocalhost", "loc\u00adalhost"),
)
LOOKUPS = (
    *(["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::1"], ["::ffff:127.0.0.1"], ["0.0.0.0"]),
    *(["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["fe80::1%lo"], ["169.254.169.254"], [PUBLIC, "fd00::1"], []),
)
"""What a name that the operator allows may lead to."""


def attack_addresses(clip: bytes, every: int = 1) -> list[Row]:
    """Hands them to the door, or every so many of them; what was reached."""
    with connections() as calls:
        return [_disguised(calls, clip, every), _redirected(clip, every), _changing(calls, clip, 20 // every)]


def _tried(url: str, origins: list[str], resolve: Resolver | None = None) -> str:
    """What the door says to an address: the type of its error, or "taken"."""

    async def take() -> int:
        return sum([len(block) async for block in fetch_clip(url, origins, resolve)])

    try:
        asyncio.run(take())
    except MediaError:
        return "refused"
    except Exception as fault:
        return type(fault).__name__
    return "taken"


def _disguised(calls: list[str], clip: bytes, every: int) -> Row:
    server = Server(answer(clip))
    ends, tried = [], 0
    for host in HOSTS[::every]:
        # The worst of operators allows that very origin.
        origin = f"http://{host}:{server.port}"
        with _lookups(list):
            ends.append(_tried(f"{origin}/x.mp4", [origin.lower()]))
    port = server.port
    for url in (
        *(f"http://media.example:{port}@127.0.0.1:{port}/x", f"http://127.0.0.1:{port}#@media.example:{port}/x"),
        *(f"http://127.0.0.1:{port}\\@media.example:{port}/x", f"http://media.example:{port}\\@127.0.0.1:{port}/x"),
        *(
            f"http://127.0.0.1:{port}/http://media.example:{port}/x",
            f"//127.0.0.1:{port}/x",
            f"http:127.0.0.1:{port}/x",
        ),
        *(f"http:///127.0.0.1:{port}/x", f"http://media.example:{port}\t@127.0.0.1:{port}/", "file:///etc/passwd"),
        *(f"http://media.example:{port}\r\nHost: 127.0.0.1/x", f"gopher://media.example:{port}/x", "data:,x", "", "x"),
    ):
        ends.append(_tried(url, [f"http://media.example:{port}"]))
    tried = len(ends)
    for found in LOOKUPS:
        with _lookups(lambda found=found: found) as asked:
            ends.append(_tried(f"http://media.example:{port}/x", [f"http://media.example:{port}"]))
            tried += len(asked) == 1
    server.close()
    reached = len(calls) + server.callers
    odd = [end for end in ends if end != "refused"]
    fine = reached == 0 and not odd and tried == len(ends)
    what = f"{len(ends)} addresses in disguise at the server's door: connections, ends that are no refusal"
    return Row("paths", what, f"{reached}, {len(odd)}", "0, 0", fine)


def _redirected(clip: bytes, every: int) -> Row:
    """Redirects of an allowed origin to a canary: the first is asked, the second never."""
    canary = Server(answer(clip))
    target = f"http://127.0.0.1:{canary.port}/x.mp4"
    ends, asked = [], 0
    for status in (302, 307, 301, 303, 308, 300, 305)[::every]:
        for more in ("", f"Refresh: 0; url={target}\r\nLink: <{target}>; rel=preload\r\n"):
            head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {target}\r\n{more}Content-Length: 0\r\n\r\n"
            server = Server(head.encode())

            async def here(host: str, port: int) -> list[str]:
                return ["127.0.0.1"]

            origin = f"http://media.example:{server.port}"
            ends.append(_tried(f"{origin}/x.mp4", [origin], here))
            asked += server.callers
            server.close()
    canary.close()
    fine = canary.callers == 0 and set(ends) == {"refused"} and asked == len(ends)
    what = f"{len(ends)} redirects to a private address: the canary's callers"
    return Row("paths", what, str(canary.callers), "0", fine)


def _changing(calls: list[str], clip: bytes, many: int) -> Row:
    """A name that is public when it is looked up, and private whenever it is looked up again."""
    canary = Server(answer(clip))
    wrong = 0
    for _ in range(many):
        calls.clear()
        answers: Iterator[list[str]] = iter([[PUBLIC]])
        with _lookups(lambda answers=answers: next(answers, ["127.0.0.1"])) as asked:  # type: ignore[misc]
            end = _tried(f"http://media.example:{canary.port}/x", [f"http://media.example:{canary.port}"])
        wrong += end != "refused" or calls != [PUBLIC] or len(asked) != 1
    calls.clear()
    canary.close()
    fine = wrong == 0 and canary.callers == 0
    what = f"{many} names whose DNS answer changes: not asked once, where first looked up; the canary's callers"
    return Row("paths", what, f"{wrong}, {canary.callers}", "0, 0", fine)


def _here(real: Callable[..., Any], host: str, port: int) -> Any:
    """What this machine makes of a host without asking any other: numbers in all their forms, and its own name."""
    try:
        return real(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        if host.encode("idna").rstrip(b".").lower() != b"localhost":
            raise
        return real("localhost", port, type=socket.SOCK_STREAM)


@contextmanager
def _lookups(found: Callable[[], list[str]]) -> Iterator[list[str]]:
    """A DNS that gives these addresses for names of media.example; the names that were asked for."""
    real, asked = socket.getaddrinfo, []

    def lookup(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "media.example":
            return _here(real, host, port)
        asked.append(host)
        if not (addresses := found()):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        pairs = zip(families, addresses, strict=True)
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in pairs]

    socket.getaddrinfo = lookup
    try:
        yield asked
    finally:
        socket.getaddrinfo = real
