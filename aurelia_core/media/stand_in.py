"""STAND-IN, to be deleted: sounds and pictures as clips, until `aurelia_core.media.store` itself admits them.

It has the smallest form that lets the storeys above be tried: no limits on the size of a picture, no decoding child.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from aurelia_core.errors import MediaError
from aurelia_core.media import guard, store
from aurelia_core.media.cache import CLIP_ID_PATTERN
from aurelia_core.media.frames import GRID_HEIGHT
from aurelia_core.types import MediaRef, Window

_by_magic = guard._by_magic


def _with_pictures(head: bytes) -> str | None:
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    return _by_magic(head)


vars(guard)["_by_magic"] = _with_pictures


class StandInStore(store.ClipStore):
    """The clip store that also admits a sound or a picture alone."""

    def admit(self, name: str | Path, kind: store.MediaKind = "video") -> MediaRef:
        """The reference of a video, a sound or a picture."""
        text = str(name)
        record = self._cache.read_json(text, "source.json") if CLIP_ID_PATTERN.fullmatch(text) else None
        if record is None and not CLIP_ID_PATTERN.fullmatch(text):
            with guard.open_media_file(text, self.settings) as file:
                if file.demuxer == "image":
                    return self._picture(self._register(file, guard.display_name(text)), kind)
        if record and record["demuxer"] == "image":
            self._source(text)
            return self._picture(text, kind)
        try:
            return super().admit(name, kind)
        except MediaError as fault:
            if "has no picture" not in str(fault):
                raise
            try:
                return super().admit(name, "audio")
            except MediaError as deaf:
                raise fault from deaf

    def _picture(self, clip_id: str, kind: str) -> MediaRef:
        record: Any = self._cache.read_json(clip_id, "source.json")
        if kind == "audio":
            raise MediaError(f"{record['name']} has no sound track; give a file that has one")
        height, width, _ = self._pixels(clip_id).shape
        return MediaRef(
            id=clip_id,
            name=record["name"],
            bytes=record["stamp"]["size"],
            duration=0.0,
            width=width,
            height=height,
            fps=None,
            has_audio=False,
            audio_channels=None,
            audio_seconds=None,
        )

    def _pixels(self, clip_id: str) -> Any:
        with Image.open(self._source(clip_id).path) as opened:
            shown = ImageOps.exif_transpose(opened).convert("RGBA")
            black = Image.new("RGBA", shown.size, (0, 0, 0, 255))
            return np.asarray(Image.alpha_composite(black, shown).convert("RGB"))

    def frames(self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = GRID_HEIGHT) -> store.Frames:
        """One image at 0 s of a picture; else the frames of the clip."""
        if ref["width"] is None or ref["duration"] > 0:
            return super().frames(ref, windows, count, height)
        picture = Image.fromarray(self._pixels(ref["id"]))
        if picture.height > height:
            picture = picture.resize((max(1, round(picture.width * height / picture.height)), height))
        return store.Frames(np.zeros(1), np.asarray(picture)[None])
