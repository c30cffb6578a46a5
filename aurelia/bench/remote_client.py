"""Client of one LangGraph server of this project: uploads clips by id and answers questions as stateless runs.

`aurelia.bench.remote_runner` decides what happens after a failure.
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

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
"""Seconds without any data from a server; during a run it sends some every few seconds."""
UPLOADS_PER_SERVER = 2
"""Clips uploaded to one server at the same time."""
_READ_BYTES = 1 << 20
_BUSY_STATUSES = frozenset({408, 429})
_STOP_ERRORS = frozenset({"CancelledError", "UserInterrupt", "UserRollback", "UserTimeout"})


class ServerUnavailable(ModelError):
    """The server does not answer, or stopped a run: it may answer the same question later."""


class RemoteServer:
    """One server.

    Attributes:
        name: Host and port, used in errors and outcomes.
        limiter_key: The name without a colon, for `aurelia.bench.rate_limits`.
    """

    def __init__(self, url: str, token: str | None) -> None:
        """Connects to nothing yet.

        Args:
            url: An http or https address without user and query.
            token: Bearer token, or None.

        Raises:
            InputError: The URL is not such an address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            shown = url.rpartition("@")[2][:60]
            raise InputError(f"--server {shown!r} is not the address of a server: write http://HOST:PORT.")
        self.name = parts.netloc.lower()
        self.limiter_key = self.name.replace(":", " ")
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        timeout = (CONNECT_SECONDS, READ_SECONDS, READ_SECONDS, None)
        # Without an explicit None the client would also send the user's LangSmith key.
        self._client = get_client(url=url, api_key=None, headers=headers, timeout=timeout)
        self._http = self._client.http.client
        self._clip_tasks: dict[str, asyncio.Task[None]] = {}
        self._upload_slots = asyncio.Semaphore(UPLOADS_PER_SERVER)

    async def check(self, graphs: Sequence[str]) -> None:
        """Checks that the server accepts the token and has these graphs.

        Raises:
            AureliaError: It does not; the message says what to do.
        """
        for graph in graphs:
            with self._client_errors():
                found = await self._client.assistants.search(graph_id=graph, limit=1)
            if not found:
                raise InputError(f"The server {self.name} has no graph {graph!r}: let it run this version of Aurelia.")

    async def responds(self) -> bool:
        """Whether it answers at all; tries once, where other requests retry for some seconds."""
        try:
            async with httpx.AsyncClient(base_url=self._http.base_url, timeout=CONNECT_SECONDS) as client:
                return (await client.get("/ok")).is_success
        except httpx.HTTPError:
            return False

    async def ensure_clip(self, clip: str, kind: str, path: Path) -> None:
        """Uploads a clip unless the server has it; asks once per clip.

        Args:
            clip: Id of the clip.
            kind: video or audio.
            path: File of the clip.

        Raises:
            MediaError: The server does not accept the clip.
            ServerUnavailable: The server does not answer.
            SettingsError: The server refuses access.
        """
        task = self._clip_tasks.get(clip)
        if task is None:
            task = self._clip_tasks[clip] = asyncio.create_task(self._upload_if_missing(clip, kind, path))
        try:
            await asyncio.shield(task)
        except AureliaError:
            self._clip_tasks.pop(clip, None)
            raise

    async def answer(
        self, graph: str, question: Mapping[str, Any], context: Mapping[str, Any], config: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Answers a question in one stateless run; the run is cancelled if the caller is.

        Returns:
            The graph's output.

        Raises:
            ServerUnavailable: The server does not answer, or stopped the run.
            SettingsError: The server refuses access or the settings, or a provider refuses the server's key.
            ModelError: The run failed.
        """
        run = {"assistant_id": graph, "input": question, "context": context, "config": config}
        with self._client_errors():
            output = sanitize_json(await self._client.http.post("/runs/wait", json={**run, "on_disconnect": "cancel"}))
        if not isinstance(output, dict):
            raise ServerUnavailable(f"The server {self.name} ended the run without an answer.")
        if isinstance(output.get("__error__"), dict):
            self._raise_run_error(output["__error__"])
        answer = output.get("zero_shot_answer")
        if graph == "aurelia":
            answer = output.get("answer")
        if answer is None:
            raise ServerUnavailable(f"The server {self.name} ended the run without an answer.")
        return output

    async def close(self) -> None:
        """Closes the connections and cancels uploads."""
        tasks = list(self._clip_tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _upload_if_missing(self, clip: str, kind: str, path: Path) -> None:
        async with self._upload_slots:
            with self._client_errors():
                found = await self._http.get(f"/clips/{clip}")
                if found.is_success:
                    return
                if found.status_code != httpx.codes.NOT_FOUND:
                    self._raise_for_status(found.status_code, _error_detail(found.text))
                size = await asyncio.to_thread(lambda: path.stat().st_size)
                uploaded = await self._http.post(
                    "/clips",
                    params={"name": path.name, "kind": kind},
                    content=_file_blocks(path),
                    headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
                )
                if uploaded.status_code in (413, 415, 422):
                    detail = _error_detail(uploaded.text)
                    raise MediaError(f"The server {self.name} does not take {path.name}: {detail}")
                if not uploaded.is_success:
                    self._raise_for_status(uploaded.status_code, _error_detail(uploaded.text))
                if uploaded.json().get("id") != clip:
                    raise MediaError(f"{path.name} changed during its upload: try again when no program writes to it.")

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Turns the HTTP client's errors into this project's errors."""
        try:
            yield
        except APIStatusError as fault:
            self._raise_for_status(fault.status_code, _error_detail(fault.body))
        except (httpx.HTTPError, json.JSONDecodeError) as fault:
            raise ServerUnavailable(
                f"The server {self.name} does not answer ({type(fault).__name__}): check that it runs.", transient=True
            ) from None

    def _raise_for_status(self, status: int, detail: str) -> NoReturn:
        if status in (401, 403):
            raise SettingsError(f"The server {self.name} refuses access: {detail} (AURELIA_SERVER_TOKEN)")
        if status in (400, 422):
            raise SettingsError(f"The server {self.name} refuses the run: {detail}")
        if status in _BUSY_STATUSES or status >= 500:
            raise ServerUnavailable(f"The server {self.name} answers {status}: {detail}", transient=True, status=status)
        if status == httpx.codes.NOT_FOUND:
            self._clip_tasks.clear()
        raise ModelError(f"The server {self.name} answers {status}: {detail}")

    def _raise_run_error(self, error: Mapping[str, Any]) -> NoReturn:
        kind = str(error.get("error"))
        message = str(error.get("message"))
        if kind in _STOP_ERRORS:
            raise ServerUnavailable(f"The server {self.name} stopped the run ({kind}).")
        if kind == "SettingsError":
            raise SettingsError(message)
        raise ModelError(message)


async def _file_blocks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while block := await asyncio.to_thread(file.read, _READ_BYTES):
            yield block


def _error_detail(body: Any) -> str:
    """The reason in the body of an error response, on one line."""
    if isinstance(body, str):
        with suppress(ValueError):
            body = json.loads(body)
    detail = body
    if isinstance(body, dict):
        detail = body.get("detail") or body.get("message") or body
    return " ".join(str(detail).split())[:300]
