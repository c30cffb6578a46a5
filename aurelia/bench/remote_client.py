"""One LangGraph server of this project, as a benchmark run uses it: clips by id, questions as stateless runs.

It says how a request ended; which server is asked, and what becomes of a failure, is `aurelia.bench.remote_runner`'s.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.errors import APIStatusError

from aurelia_core.errors import AureliaError, InputError, MediaError, ModelError, SettingsError
from aurelia_core.sanitize import sanitize_json

CONNECT_SECONDS, READ_SECONDS = 10.0, 600.0
"""Seconds to connect, and that a server may say nothing (one that works on a run says so every few seconds)."""
UPLOADS_PER_SERVER = 2
"""Clips that are uploaded to one server at once, of the few that it takes."""
_READ_BYTES = 1 << 20
_BUSY_STATUSES = frozenset({408, 429})
_STOP_ERRORS = frozenset({"CancelledError", "UserInterrupt", "UserRollback", "UserTimeout"})


class ServerUnavailable(ModelError):
    """A server that does not answer, or that stopped in the middle: another one may be asked the same."""


class RemoteServer:
    """A server.

    Attributes:
        name: host and port, which errors and outcomes call it by.
        lane: the same without a colon, which `aurelia.bench.rate_limits` calls it by.
        ready: whether it was seen to let us in and to serve what will be asked (`check`).
        in_hand: questions that are handed to it and wait or are worked on; its user keeps it.
        rests_until: time of the loop until which it is not asked; its user keeps it.
    """

    def __init__(self, url: str, token: str | None) -> None:
        """Connects to nothing yet.

        Args:
            url: http or https, without user or query.
            token: sent as a bearer token, or None.

        Raises:
            InputError: that is no such address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            shown = url.rpartition("@")[2][:60]
            raise InputError(f"--server {shown!r} is no address of a server: write http://HOST:PORT.")
        self.name = parts.netloc.lower()
        self.lane = self.name.replace(":", " ")
        self.ready = False
        self.in_hand = 0
        self.rests_until = 0.0
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Without an explicit None the client would send a person's LangSmith key along.
        self._client = get_client(
            url=url, api_key=None, headers=headers, timeout=(CONNECT_SECONDS, READ_SECONDS, READ_SECONDS, None)
        )
        self._http = self._client.http.client
        self._held: dict[str, asyncio.Task[None]] = {}
        self._uploading = asyncio.Semaphore(UPLOADS_PER_SERVER)

    async def check(self, graphs: Sequence[str]) -> None:
        """Sees that it lets us in and serves these graphs.

        Raises:
            AureliaError: it does not; what to do.
        """
        for graph in graphs:
            with self._told():
                found = await self._client.assistants.search(graph_id=graph, limit=1)
            if not found:
                raise InputError(f"The server {self.name} has no graph {graph!r}: let it run this version of Aurelia.")
        self.ready = True

    async def alive(self) -> bool:
        """Whether it answers at all; asked once, where other requests try to connect for some seconds."""
        try:
            async with httpx.AsyncClient(base_url=self._http.base_url, timeout=CONNECT_SECONDS) as client:
                return (await client.get("/ok")).is_success
        except httpx.HTTPError:
            return False

    async def hold(self, clip: str, kind: str, path: Path) -> None:
        """Lets it have a clip: asked for once, and uploaded if it has not got it.

        Args:
            clip: the clip's id.
            kind: video or audio.
            path: the clip's file.

        Raises:
            MediaError: it does not take the clip.
            Gone: it does not answer.
            SettingsError: it does not let us in.
        """
        task = self._held.get(clip)
        if task is None:
            task = self._held[clip] = asyncio.create_task(self._given(clip, kind, path))
        try:
            await asyncio.shield(task)
        except AureliaError:
            self._held.pop(clip, None)
            raise

    async def answer(
        self, graph: str, question: Mapping[str, Any], context: Mapping[str, Any], config: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One stateless run; one that nobody waits for any more is cancelled.

        Returns:
            The graph's output.

        Raises:
            Gone: it does not answer, or the run was stopped from its side.
            SettingsError: it does not let us in, refuses the settings, or a provider refuses its key.
            ModelError: the run failed.
        """
        run = {"assistant_id": graph, "input": question, "context": context, "config": config}
        with self._told():
            output = sanitize_json(await self._client.http.post("/runs/wait", json={**run, "on_disconnect": "cancel"}))
        fault = output.get("__error__") if isinstance(output, dict) else None
        if isinstance(fault, dict):
            kind, said = str(fault.get("error")), str(fault.get("message"))
            if kind in _STOP_ERRORS:
                raise ServerUnavailable(f"The server {self.name} stopped the run ({kind}).")
            raise SettingsError(said) if kind == "SettingsError" else ModelError(said)
        if not isinstance(output, dict) or output.get("answer" if graph == "aurelia" else "zero_shot_answer") is None:
            raise ServerUnavailable(f"The server {self.name} ended the run without an answer.")
        return output

    async def close(self) -> None:
        """Ends the connections and what is being uploaded."""
        tasks = list(self._held.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _given(self, clip: str, kind: str, path: Path) -> None:
        async with self._uploading:
            with self._told():
                there = await self._http.get(f"/clips/{clip}")
                if there.is_success:
                    return
                if there.status_code != httpx.codes.NOT_FOUND:
                    self._refuse(there.status_code, _error_detail(there.text))
                size = await asyncio.to_thread(lambda: path.stat().st_size)
                given = await self._http.post(
                    "/clips",
                    params={"name": path.name, "kind": kind},
                    content=_file_blocks(path),
                    headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
                )
                if given.status_code in (413, 415, 422):
                    raise MediaError(f"The server {self.name} does not take {path.name}: {_error_detail(given.text)}")
                if not given.is_success:
                    self._refuse(given.status_code, _error_detail(given.text))
                if given.json().get("id") != clip:
                    raise MediaError(f"{path.name} changed while it was uploaded: try again when nothing writes to it.")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The client's errors as errors of ours."""
        try:
            yield
        except APIStatusError as fault:
            self._refuse(fault.status_code, _error_detail(fault.body))
        except (httpx.HTTPError, json.JSONDecodeError) as fault:
            said = f"The server {self.name} does not answer ({type(fault).__name__}): see that it runs."
            raise ServerUnavailable(said, transient=True) from None

    def _refuse(self, status: int, said: str) -> NoReturn:
        if status in (401, 403):
            raise SettingsError(f"The server {self.name} does not let you in: {said} (AURELIA_SERVER_TOKEN)")
        if status in (400, 422):
            raise SettingsError(f"The server {self.name} refuses the run: {said}")
        if status in _BUSY_STATUSES or status >= 500:
            raise ServerUnavailable(f"The server {self.name} answers {status}: {said}", transient=True, status=status)
        if status == httpx.codes.NOT_FOUND:
            self._held.clear()
        raise ModelError(f"The server {self.name} answers {status}: {said}")


async def _file_blocks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while block := await asyncio.to_thread(file.read, _READ_BYTES):
            yield block


def _error_detail(body: Any) -> str:
    """What a refusal says, from its body, on one line."""
    if isinstance(body, str):
        with suppress(ValueError):
            body = json.loads(body)
    said = body.get("detail") or body.get("message") or body if isinstance(body, dict) else body
    return " ".join(str(said).split())[:300]
