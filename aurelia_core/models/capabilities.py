"""Input modalities, limits, prices and requirements of each model family, from the table `capabilities.toml`."""

import os
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command, package_version

VisualInput = Literal["none", "images", "video"]
StructuredOutput = Literal["json_schema", "json_object_schema", "json_object", "none"]
"""The form that a provider can enforce on a reply; json_object_schema: an object, with its schema beside the type."""

_MILLION = 1_000_000
_NOTICE = timedelta(days=90)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenPrice(_Row):
    """US dollars for a million tokens; None: unknown.

    Attributes:
        input, cached, output: input tokens, input tokens from the provider's cache, output tokens.
        audio: audio input tokens, if their price differs from `input`.
        up_to: most input tokens of one call at these prices.
        read: the day on which they were last read.
    """

    input: float | None = None
    cached: float | None = None
    output: float | None = None
    audio: float | None = None
    up_to: int | None = None
    read: date | None = None


class Capability(_Row):
    """What a model family accepts.

    Attributes:
        models: patterns of `provider:model` that the row describes.
        sees: none, images (frames) or video (the file itself).
        hears: accepted audio formats, best first; empty: no audio.
        needs_audio: whether it refuses a request without sound.
        most_frames: most images in one request; None: no known limit.
        audio_seconds: most sound in one request, seconds; None: no known limit.
        request_mb: largest encoded size of one request, millions of bytes; None: no known limit.
        context, output: largest input and output, tokens; None: unknown.
        structured: the form that the provider can enforce on a reply.
        price: price of its tokens.
        refused: why this project does not use the model, with the remedy; empty: it is used.
        verified: whether the row was copied from the provider's documentation.
        ends: the last day on which the provider is sure to serve the model; None: no end is announced.
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
    ends: date | None = None


class ProviderRequirements(_Row):
    """Packages and environment variables that a provider requires; `A|B` means that one of the two is set."""

    packages: list[str] = []
    extra: str = ""
    variables: list[str] = []


class WeightsFamily(_Row):
    """What an architecture of local weights accepts, by the `model_type` of its configuration.

    Attributes:
        sees: none, images (each frame after its time) or video (its own video processor, if torchvision is installed).
        hears: whether it accepts sound.
        most_frames: most images in one request; None: no known limit.
        height: height of the frames, pixels.
        frames: most frames of a clip; None: the number in the settings.
        audio_seconds: longest sound in one part, longer sound is split; None: the limit of its processor.
        output: most tokens of one reply.
        reuse: whether the keys and values of a clip can be cached and reused.
        state: tested: this project's tests run it with random weights; untested: expected to work.
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


class CapabilityTable(_Row):
    """The whole table, and the days on which its names and its limits were last read."""

    names_read: date
    limits_read: date
    provider: dict[str, ProviderRequirements]
    model: list[Capability]
    family: dict[str, WeightsFamily]


@lru_cache
def capability_table() -> CapabilityTable:
    """The table `capabilities.toml`."""
    text = files("aurelia_core.models").joinpath("capabilities.toml").read_text("utf-8")
    return CapabilityTable.model_validate(tomllib.loads(text))


def find_capability(model_id: str) -> Capability:
    """The first row of the table that matches the model `model_id` (`provider:model`).

    Raises:
        InputError: no row matches, or the row says why the model is not used.
    """
    for row in capability_table().model:
        if any(fnmatchcase(model_id, pattern) for pattern in row.models):
            if row.refused:
                raise InputError(f"{model_id} cannot be used: {row.refused}.")
            return row
    raise InputError(
        f"The capabilities of {model_id} are unknown: add a row for it to aurelia_core/models/capabilities.toml."
    )


def ending_note(model_id: str, announced: date | None = None, today: date | None = None) -> str:
    """A warning if a model ends within 90 days or has ended; empty otherwise.

    Args:
        model_id: the model, `provider:model`.
        announced: the day that the provider's look-up names; None: the day in the table.
        today: the day of the call (default: today).
    """
    ends = announced or find_capability(model_id).ends
    now = today or date.today()
    if ends is None or ends - now > _NOTICE:
        return ""
    said = "ends" if ends >= now else "ended"
    return f"{model_id} {said} on {ends.isoformat()}, as its provider has announced: choose another model."


def find_family(model_type: str) -> WeightsFamily | None:
    """The row of an architecture of local weights; None if the table has no such row."""
    return capability_table().family.get(model_type.removesuffix("_thinker"))


def missing_requirements(provider: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """The requirements of `provider` that this machine lacks, in words; [] also for a provider without a row.

    Args:
        provider: the part of a model_id before the colon.
        environment: the variables to read (default: those of the process); their values are never shown.
    """
    requirements = capability_table().provider.get(provider, ProviderRequirements())
    if environment is None:
        environment = os.environ
    missing = [
        f"the package {name} ({install_command(requirements.extra)})"
        for name in requirements.packages
        if package_version(name) is None
    ]
    for variable in requirements.variables:
        names = variable.split("|")
        if not any(environment.get(name, "").strip() or environment.get(f"{name}_FILE", "").strip() for name in names):
            missing.append(f"the variable {' or '.join(names)}")
    return missing


def call_cost(price: TokenPrice, usage: Mapping[str, Any] | None, tier: str | None = None) -> float | None:
    """The cost of a call in US dollars; None if a required price is unknown.

    Args:
        price: the model's prices in the standard tier.
        usage: LangChain's usage metadata (`input_token_details` with `cache_read` and `audio`).
        tier: the service tier that answered; the prices hold for the standard tier only.
    """
    if usage is None or tier not in (None, "default", "auto", "standard"):
        return None
    input_tokens = usage["input_tokens"]
    details = usage.get("input_token_details") or {}
    cached = details.get("cache_read") or 0
    audio = details.get("audio") or 0
    if price.up_to is not None and input_tokens > price.up_to:
        return None
    if price.audio is None:
        audio = 0
    # The price of audio tokens from the cache is ambiguous.
    if details.get("cache_creation") or (cached and audio):
        return None
    parts = (
        (input_tokens - cached - audio, price.input),
        (cached, price.cached),
        (audio, price.audio),
        (usage["output_tokens"], price.output),
    )
    if any(tokens and rate is None for tokens, rate in parts):
        return None
    return sum(tokens * (rate or 0.0) for tokens, rate in parts) / _MILLION
