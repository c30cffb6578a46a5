"""How many input tokens a clip costs, by generation of models, from the table `media_tokens.toml`.

The counts are estimates before a call: they refuse what no context holds, and forecast a run. What was paid comes from
the provider's own counts.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from aurelia_core.errors import InputError

_TILE_PIXELS = 512
_PATCH_PIXELS = 32
_LOW_DETAIL_PIXELS = 512


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tiles(_Row):
    """A picture costs `base` tokens and `tile` for each square of 512 pixels; `base` alone in low detail."""

    base: int
    tile: int

    def count(self, size: "PictureSize", detail: str) -> int:
        """Tokens of a picture."""
        if detail == "low":
            return self.base
        return self.base + self.tile * size.squares(_TILE_PIXELS)


class Patches(_Row):
    """A picture costs `factor` tokens for each square of 32 pixels, of which `most` are counted."""

    factor: float
    most: int

    def count(self, size: "PictureSize", detail: str) -> int:
        """Tokens of a picture."""
        if detail == "low":
            size = size.limited(_LOW_DETAIL_PIXELS)
        return math.ceil(self.factor * min(self.most, size.squares(_PATCH_PIXELS)))


class PictureSize(NamedTuple):
    """Width and height of a picture, pixels."""

    width: int
    height: int

    def squares(self, side: int) -> int:
        """How many squares of `side` pixels cover it."""
        return math.ceil(self.width / side) * math.ceil(self.height / side)

    def limited(self, most: int) -> "PictureSize":
        """The size after it was shrunk to at most `most` pixels in each direction."""
        scale = min(1.0, most / max(self.width, self.height, 1))
        return PictureSize(math.ceil(self.width * scale), math.ceil(self.height * scale))

    def of_height(self, most: int) -> "PictureSize":
        """The size after it was shrunk to at most `most` pixels of height."""
        scale = min(1.0, most / max(self.height, 1))
        return PictureSize(math.ceil(self.width * scale), math.ceil(self.height * scale))


class MediaTokens(_Row):
    """What the parts of a clip cost in one generation of models.

    Attributes:
        models: patterns of `provider:model` that the row describes.
        read: the day on which it was last read.
        verified: whether it was copied from the provider's own page.
        frame: tokens of a frame of a video file, by media resolution.
        still: tokens of a picture, by media resolution; empty: `tiles` or `patches` say it.
        sound: tokens of a second of sound.
        tiles, patches: tokens of a picture by its size.
    """

    models: list[str] = Field(min_length=1)
    read: date
    verified: bool = False
    frame: dict[str, int] = {}
    still: dict[str, int] = {}
    sound: float = 0.0
    tiles: Tiles | None = None
    patches: Patches | None = None

    def frames(self, count: float, decoding: Mapping[str, Any]) -> int:
        """Tokens of frames of a video file."""
        return math.ceil(count) * _by_resolution(self.frame, decoding)

    def pictures(self, sizes: Sequence[PictureSize], decoding: Mapping[str, Any]) -> int:
        """Tokens of pictures."""
        by_size = self.tiles or self.patches
        if by_size is None:
            return len(sizes) * _by_resolution(self.still, decoding)
        detail = str(decoding.get("detail") or "high")
        return sum(by_size.count(size, detail) for size in sizes)

    def seconds(self, sound: float) -> int:
        """Tokens of so many seconds of sound."""
        return math.ceil(sound * self.sound)


def _by_resolution(table: Mapping[str, int], decoding: Mapping[str, Any]) -> int:
    if not table:
        return 0
    return table[str(decoding.get("media_resolution") or "default")]


@lru_cache
def token_rows() -> list[MediaTokens]:
    """Every row of the table."""
    text = files("aurelia_core.models").joinpath("media_tokens.toml").read_text("utf-8")
    return [MediaTokens.model_validate(row) for row in tomllib.loads(text)["tokens"]]


def find_media_tokens(model_id: str) -> MediaTokens | None:
    """The first row that matches the model `model_id` (`provider:model`); None if its counts are unknown."""
    for row in token_rows():
        if any(fnmatchcase(model_id, pattern) for pattern in row.models):
            return row
    return None


def check_context(model_id: str, context: int | None, tokens: int | None) -> None:
    """Refuse media that fill a model's context, before anything is paid.

    Args:
        model_id: the model, for the message.
        context: its largest input, tokens; None: unknown.
        tokens: about how many the media cost; None: unknown.

    Raises:
        InputError: they do not fit; the message names the remedies.
    """
    if context is None or tokens is None or tokens <= context:
        return
    raise InputError(
        f"{model_id} takes {context} tokens, and this clip has about {tokens}: give a shorter clip, or lower frames,"
        " decoding.ROLE.fps, media_resolution or detail, whichever the model takes."
    )
