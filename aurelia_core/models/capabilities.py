"""What each model family sees, hears, costs and needs: reads the one table, `capabilities.toml`; asks no one."""

import os
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import metadata
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aurelia_core.errors import InputError

VisualInput = Literal["none", "images", "video"]
StructuredOutput = Literal["json_schema", "json_object", "none"]
_MILLION = 1_000_000


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenPrice(_Row):
    """US dollars for a million tokens; None where it is not surely known.

    Attributes:
        input, cached, output: tokens read, read from the provider's cache, and written.
        audio: tokens read that are sound, where they cost something else than `input`.
        up_to: input tokens of one call to which these prices hold.
    """

    input: float | None = None
    cached: float | None = None
    output: float | None = None
    audio: float | None = None
    up_to: int | None = None


class Capability(_Row):
    """What a model family can carry.

    Attributes:
        models: patterns of `provider:model` that the row stands for.
        sees: none, images (frames) or video (the file itself).
        hears: audio formats, the best first; empty when it does not hear.
        needs_audio: whether it refuses a request without sound.
        most_frames: images in one request; None: no limit known.
        audio_seconds: sound in one request, seconds; None: no limit known.
        request_mb: encoded size of one request, millions of bytes; None: no limit known.
        context, output: tokens; None: not known.
        structured: what the provider can enforce on a reply.
        price: what its tokens cost.
        refused: why this project does not use it, with the remedy; empty when it does.
        verified: whether the row is what the provider's documentation said.
    """

    models: list[str] = Field(min_length=1)
    sees: VisualInput = "none"
    hears: list[str] = []
    needs_audio: bool = False
    most_frames: int | None = None
    audio_seconds: float | None = None
    request_mb: float | None = None
    context: int | None = None
    output: int | None = None
    structured: StructuredOutput = "none"
    price: TokenPrice = TokenPrice()
    refused: str = ""
    verified: bool = False


class ProviderRequirements(_Row):
    """What must be there before a provider can be asked; a variable `A|B` is one of several names for the same."""

    packages: list[str] = []
    extra: str = ""
    variables: list[str] = []


class WeightsFamily(_Row):
    """What an architecture of local weights carries, by the `model_type` of its configuration.

    Attributes:
        sees: none, images (frames after their times) or video (its own video processor, where that works).
        hears: whether it takes sound.
        most_frames: pictures in one request; None: no limit known.
        height: pixels, of the frames that it is given.
        frames: most frames that it is given of a clip, where the settings allow more; None: as many as they allow.
        audio_seconds: longest sound in one part, longer sound is cut into several; None: as its processor says.
        output: most tokens of one reply.
        reuse: whether its keys and values of a clip can be kept and used again.
        state: whether this project's tests run it (with random weights), or it is only expected to work.
    """

    sees: VisualInput = "images"
    hears: bool = True
    most_frames: int | None = None
    height: int = 336
    frames: int | None = Field(default=None, ge=1)
    audio_seconds: float | None = None
    output: int = 2048
    reuse: bool = False
    state: Literal["tested", "untested"] = "untested"


class _Table(_Row):
    provider: dict[str, ProviderRequirements]
    model: list[Capability]
    family: dict[str, WeightsFamily]


@lru_cache
def _table() -> _Table:
    text = files("aurelia_core.models").joinpath("capabilities.toml").read_text("utf-8")
    return _Table.model_validate(tomllib.loads(text))


def find_capability(model_id: str) -> Capability:
    """What the model `model_id` (`provider:model`) can carry: the first row that fits.

    Raises:
        InputError: no row fits, or the row says why the model cannot be used here.
    """
    found = next((row for row in _table().model if any(fnmatchcase(model_id, pattern) for pattern in row.models)), None)
    if found is None:
        raise InputError(
            f"What {model_id} can carry is not known: add a row for it to aurelia_core/models/capabilities.toml."
        )
    if found.refused:
        raise InputError(f"{model_id} cannot be used: {found.refused}.")
    return found


def find_family(model_type: str) -> WeightsFamily | None:
    """The row of an architecture of local weights; None for one that the table does not know."""
    return _table().family.get(model_type.removesuffix("_thinker"))


def missing_requirements(provider: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """What this machine lacks before `provider` can be asked, in words; [] when nothing, or when nothing is known.

    Args:
        provider: the part of a model_id before the colon.
        environment: the variables to look at (default: the process's own); their values are never shown.
    """
    needs = _table().provider.get(provider, ProviderRequirements())
    known = os.environ if environment is None else environment
    lacks = [
        f"the package {name} (pip install -e '.[{needs.extra}]')" for name in needs.packages if not _installed(name)
    ]
    for variable in needs.variables:
        names = variable.split("|")
        if not any(known.get(name, "").strip() for name in names):
            lacks.append(f"the variable {' or '.join(names)}")
    return lacks


def call_cost(price: TokenPrice, usage: Mapping[str, Any] | None, tier: str | None = None) -> float | None:
    """What a call cost in US dollars; None when a price that it needs is not known.

    Args:
        price: the model's prices, for the standard tier.
        usage: LangChain's usage metadata (`input_token_details` with `cache_read` and `audio`).
        tier: the service tier that answered; another one than the standard has other prices.
    """
    if usage is None or tier not in (None, "default", "auto", "standard"):
        return None
    read, details = usage["input_tokens"], usage.get("input_token_details") or {}
    cached, sound = details.get("cache_read") or 0, details.get("audio") or 0
    if price.up_to is not None and read > price.up_to:
        return None
    # Sound that was read from the cache may be billed in either way: that is not guessed.
    if details.get("cache_creation") or (cached and sound and price.audio is not None):
        return None
    sounding = sound if price.audio is not None else 0
    parts = (
        (read - cached - sounding, price.input),
        (cached, price.cached),
        (sounding, price.audio),
        (usage["output_tokens"], price.output),
    )
    if any(tokens and rate is None for tokens, rate in parts):
        return None
    return sum(tokens * (rate or 0.0) for tokens, rate in parts) / _MILLION


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
