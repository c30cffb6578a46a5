"""Clips over HTTP: POST /clips takes one in, GET /clips/{id} says what it holds, GET /clips/{id}/sheet.jpg shows it.

The bytes of a clip are never given back. Who asks is known from the server's authentication.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aurelia.server.clip_owners import ClipKind, ClipOwners, OwnedClip
from aurelia.server.fetch import Resolver, fetch_clip
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media.contact_sheet import render_contact_sheet

_WRITE_BYTES = 1 << 20
IDLE_SECONDS, UPLOAD_SECONDS = 60.0, 3600.0
"""Seconds that an upload may send nothing before it is given up, and that it may take with its decoding."""
MAX_UPLOADS = 4
"""Uploads that are taken at once; a further one is told to come back."""
_KINDS: dict[str | None, ClipKind | None] = {None: None, "video": "video", "audio": "audio"}


class ClipRoutes:
    """The routes."""

    def __init__(self, library: ClipOwners, origins: Collection[str] = (), resolve: Resolver | None = None) -> None:
        """Opens nothing.

        Args:
            library: where clips are kept.
            origins: web origins that clips may be fetched from.
            resolve: how their hosts are looked up (default: public addresses alone).
        """
        self._library = library
        self._origins = origins
        self._resolve = resolve
        self._busy = 0

    def routes(self) -> list[Route]:
        """All routes of this module."""
        return [
            Route("/clips", self.upload, methods=["POST"]),
            Route("/clips/{clip}", self.show, methods=["GET"]),
            Route("/clips/{clip}/sheet.jpg", self.picture, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Takes a clip, streamed to disk; answers 201 with its id and what it holds.

        ---
        summary: Upload a clip
        description: The body is the file itself. A run's `video` may then be the id in the answer.
        parameters:
          - {name: name, in: query, schema: {type: string}, description: What you call the clip.}
          - name: url
            in: query
            schema: {type: string}
            description: An address to fetch the clip from, instead of a body, where the operator allows its origin.
          - name: kind
            in: query
            schema: {type: string, enum: [video, audio]}
            description: What it is to be used as; without it, as its container says.
        requestBody: {content: {application/octet-stream: {schema: {type: string, format: binary}}}}
        responses:
          '201': {description: The id and what the clip holds.}
          '413': {description: It is larger than the operator allows.}
          '422': {description: It is no clip, or a damaged one.}
        """
        kind = request.query_params.get("kind")
        if kind not in _KINDS:
            raise HTTPException(422, "kind is video or audio.")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(415, "Send the file itself as the body, for instance: curl --data-binary @clip.mp4")
        self._fits(int(length) if (length := request.headers.get("content-length", "")).isdecimal() else 0)
        if self._busy >= MAX_UPLOADS:
            raise HTTPException(503, "Too many clips are being uploaded; try again in a minute.", {"Retry-After": "60"})
        self._busy += 1
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                clip = await self._received(request, _KINDS[kind])
        except TimeoutError:
            raise HTTPException(408, "The upload took too long: upload the clip again.") from None
        except MediaError as fault:
            raise HTTPException(422, str(fault)) from None
        finally:
            self._busy -= 1
        return JSONResponse(_clip_json(clip), 201, {"Location": f"/clips/{clip.ref['id']}"})

    async def show(self, request: Request) -> Response:
        """What a clip holds.

        ---
        summary: What a clip holds
        responses: {'200': {description: The id and what the clip holds.}, '404': {description: No such clip of yours.}}
        """
        return JSONResponse(_clip_json(await self._found(request)))

    async def picture(self, request: Request) -> Response:
        """The clip's contact sheet.

        ---
        summary: A clip at a glance, frames and sound as one JPEG
        responses: {'200': {description: The contact sheet.}, '404': {description: No such clip of yours.}}
        """
        clip = await self._found(request)
        try:
            made = await asyncio.to_thread(render_contact_sheet, self._library.store, clip.ref)
        except InputError as fault:
            raise HTTPException(422, str(fault)) from None
        return Response(made, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def _found(self, request: Request) -> OwnedClip:
        named = request.path_params["clip"]
        clip = await asyncio.to_thread(self._library.find, named, request.user.identity)
        if clip is None:
            raise HTTPException(404, f"There is no clip {named[:12]!r} here: upload it with POST /clips.")
        return clip

    async def _received(self, request: Request, kind: ClipKind | None) -> OwnedClip:
        url = request.query_params.get("url", "")
        name = request.query_params.get("name") or url.partition("?")[0]
        if await asyncio.to_thread(self._library.full):
            raise HTTPException(507, "The server holds as many clips as its operator allows: ask the operator.")
        receiving = self._library.receiving()
        folder = await asyncio.to_thread(receiving.__enter__)
        try:
            file = folder / "received"
            chunks = fetch_clip(url, self._origins, self._resolve) if url else request.stream()
            async with aclosing(chunks):
                await self._streamed(chunks, file)
            return await asyncio.to_thread(self._library.add, file, request.user.identity, name, kind)
        finally:
            await asyncio.to_thread(receiving.__exit__, None, None, None)

    async def _streamed(self, chunks: AsyncGenerator[bytes, None], file: Path) -> None:
        taken, block = 0, bytearray()
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                taken += len(chunk)
                self._fits(taken)
                block += chunk
                if len(block) >= _WRITE_BYTES:
                    await asyncio.to_thread(_append, file, bytes(block))
                    block.clear()
        except TimeoutError:
            raise HTTPException(408, f"Nothing came for {IDLE_SECONDS:.0f} s: upload the clip again.") from None
        except ClientDisconnect:
            raise HTTPException(400, "The upload broke off.") from None
        await asyncio.to_thread(_append, file, bytes(block))

    def _fits(self, taken: int) -> None:
        most = self._library.store.settings.max_media_bytes
        if taken > most:
            raise HTTPException(
                413, f"The clip has more than the {most / 1e6:g} MB that are allowed; cut or compress it."
            )


def _append(file: Path, block: bytes) -> None:
    try:
        with file.open("ab") as opened:
            opened.write(block)
    except OSError as error:
        raise MediaError(f"The clip cannot be kept ({error.strerror}); the operator makes room") from error


def _clip_json(clip: OwnedClip) -> dict[str, Any]:
    return {"id": clip.ref["id"], "name": clip.ref["name"], "kind": clip.kind, **clip.ref}
