"""Clips over HTTP: POST /clips uploads one, GET /clips lists them, GET /clips/new is a page for all of this.

GET /clips/{id} describes a clip, its sheet.jpg shows it, its media plays it. The server's authentication identifies the
sender. A clip is sent back to its owner only, or to everybody if it lies in the operator's folders.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from aurelia.server.clip_owners import ClipKind, ClipOwners, OwnedClip, media_type
from aurelia.server.fetch import Resolver, fetch_clip
from aurelia.server.upload_page import PAGE_PATH, upload_page
from aurelia_core.errors import InputError, MediaError
from aurelia_core.media.contact_sheet import render_contact_sheet

_WRITE_BYTES = 1 << 20
IDLE_SECONDS = 60.0
"""Seconds without data after which an upload is ended."""
UPLOAD_SECONDS = 3600.0
"""Longest duration of an upload, decoding included, in seconds."""
MAX_UPLOADS = 4
"""Uploads at once; a further one gets status 503."""
_KINDS: dict[str | None, ClipKind | None] = {
    None: None,
    "video": "video",
    "audio": "audio",
    "image": "image",
}


class ClipRoutes:
    """The routes of clips."""

    def __init__(self, owners: ClipOwners, origins: Collection[str] = (), resolve: Resolver | None = None) -> None:
        """Open nothing yet.

        Args:
            owners: the clips and their owners.
            origins: web origins that clips may be fetched from.
            resolve: looks up the addresses of a host (default: public addresses only).
        """
        self._owners = owners
        self._origins = origins
        self._resolve = resolve
        self._busy = 0

    def routes(self) -> list[Route]:
        """All routes of this module."""
        return [
            Route("/clips", self.list_clips, methods=["GET"]),
            Route("/clips", self.upload, methods=["POST"]),
            Route(PAGE_PATH, self.page, methods=["GET"]),
            Route("/clips/{clip}", self.show, methods=["GET"]),
            Route("/clips/{clip}/sheet.jpg", self.picture, methods=["GET"]),
            Route("/clips/{clip}/media", self.media, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Receive a clip and stream it to disk; the response has status 201, the id and what the clip holds.

        ---
        summary: Upload a clip
        description: The body is the file itself. A run names the id as its `video`, in `audio` or in `images`.
        parameters:
          - {name: name, in: query, schema: {type: string}, description: Your name for the clip.}
          - name: url
            in: query
            schema: {type: string}
            description: URL to fetch the clip from, instead of a body, if the operator allows its origin.
          - name: kind
            in: query
            schema: {type: string, enum: [video, audio, image]}
            description: Its use; without it, what the file is.
        requestBody: {content: {application/octet-stream: {schema: {type: string, format: binary}}}}
        responses:
          '201': {description: The id and what the clip holds.}
          '413': {description: It is larger than the operator allows.}
          '422': {description: It is not a clip, or it is damaged.}
        """
        kind = request.query_params.get("kind")
        if kind not in _KINDS:
            raise HTTPException(422, "kind is video or audio, or image for a still picture.")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(415, "Send the file itself as the body, for instance: curl --data-binary @clip.mp4")
        length = request.headers.get("content-length", "")
        if length.isdecimal():
            self._check_length(int(length))
        if self._busy >= MAX_UPLOADS:
            raise HTTPException(503, "Too many clips are being uploaded: try again in a minute.", {"Retry-After": "60"})
        self._busy += 1
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                clip = await self._receive(request, _KINDS[kind])
        except TimeoutError:
            raise HTTPException(408, "The upload took too long: upload the clip again.") from None
        except MediaError as fault:
            raise HTTPException(422, str(fault)) from None
        finally:
            self._busy -= 1
        return JSONResponse(_clip_json(clip), 201, {"Location": f"/clips/{clip.ref['id']}"})

    async def list_clips(self, request: Request) -> Response:
        """List what may be named in a question.

        ---
        summary: The clips that you may name, newest first
        responses: {'200': {description: For each what to write as `video` or `audio`, its name, kind and size.}}
        """
        return JSONResponse(await asyncio.to_thread(self._owners.usable_clips, request.user.identity))

    async def page(self, request: Request) -> Response:
        """Send the page that uploads and plays clips.

        ---
        summary: A page to upload and play clips in a browser
        responses: {'200': {description: The page; it holds no data.}}
        """
        return await asyncio.to_thread(upload_page)

    async def media(self, request: Request) -> Response:
        """Send a clip, or a range of its bytes.

        ---
        summary: The clip itself, whole or by ranges
        responses:
          '200': {description: The file.}
          '206': {description: The range of the file that the header Range names.}
          '404': {description: No such clip of yours.}
        """
        clip = await self._found(request)
        file = await asyncio.to_thread(self._owners.stored_file, clip.ref["id"])
        if file is None:
            raise HTTPException(404, "The file of this clip is not stored here: upload it with POST /clips.")
        kind = await asyncio.to_thread(media_type, file, clip.kind)
        headers = {
            "Cache-Control": "private, max-age=3600",
            "Content-Disposition": "inline",
            "Content-Security-Policy": "sandbox",
            "X-Content-Type-Options": "nosniff",
        }
        return FileResponse(file, media_type=kind, headers=headers)

    async def show(self, request: Request) -> Response:
        """Describe a clip.

        ---
        summary: What a clip holds
        responses: {'200': {description: The id and what the clip holds.}, '404': {description: No such clip of yours.}}
        """
        return JSONResponse(_clip_json(await self._found(request)))

    async def picture(self, request: Request) -> Response:
        """Send the contact sheet of a clip.

        ---
        summary: A clip at a glance, frames and sound as one JPEG
        responses: {'200': {description: The contact sheet.}, '404': {description: No such clip of yours.}}
        """
        clip = await self._found(request)
        try:
            sheet = await asyncio.to_thread(render_contact_sheet, self._owners.store, clip.ref)
        except InputError as fault:
            raise HTTPException(422, str(fault)) from None
        return Response(sheet, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def _found(self, request: Request) -> OwnedClip:
        clip_id = request.path_params["clip"]
        clip = await asyncio.to_thread(self._owners.find, clip_id, request.user.identity)
        if clip is None:
            raise HTTPException(404, f"There is no clip {clip_id[:12]!r} here: upload it with POST /clips.")
        return clip

    async def _receive(self, request: Request, kind: ClipKind | None) -> OwnedClip:
        url = request.query_params.get("url", "")
        name = request.query_params.get("name") or url.partition("?")[0]
        if await asyncio.to_thread(self._owners.is_full):
            raise HTTPException(507, "The storage of clips is full: ask the operator to make room.")
        upload = self._owners.upload_folder()
        folder = await asyncio.to_thread(upload.__enter__)
        try:
            file = folder / "received"
            chunks = fetch_clip(url, self._origins, self._resolve) if url else request.stream()
            async with aclosing(chunks):
                await self._write(chunks, file)
            return await asyncio.to_thread(self._owners.add, file, request.user.identity, name, kind)
        finally:
            await asyncio.to_thread(upload.__exit__, None, None, None)

    async def _write(self, chunks: AsyncGenerator[bytes, None], file: Path) -> None:
        received = 0
        block = bytearray()
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                received += len(chunk)
                self._check_length(received)
                block += chunk
                if len(block) >= _WRITE_BYTES:
                    await asyncio.to_thread(_append, file, bytes(block))
                    block.clear()
        except TimeoutError:
            raise HTTPException(408, f"No data arrived for {IDLE_SECONDS:.0f} s: upload the clip again.") from None
        except ClientDisconnect:
            raise HTTPException(400, "The upload was interrupted: upload the clip again.") from None
        await asyncio.to_thread(_append, file, bytes(block))

    def _check_length(self, length: int) -> None:
        limit = self._owners.store.settings.max_media_bytes
        if length > limit:
            raise HTTPException(413, f"The clip is larger than {limit / 1e6:g} MB, the limit: cut or compress it.")


def _append(file: Path, block: bytes) -> None:
    try:
        with file.open("ab") as opened:
            opened.write(block)
    except OSError as error:
        raise MediaError(f"The clip cannot be stored ({error.strerror}); ask the operator for room") from error


def _clip_json(clip: OwnedClip) -> dict[str, Any]:
    return {"id": clip.ref["id"], "name": clip.ref["name"], "kind": clip.kind, **clip.ref}
