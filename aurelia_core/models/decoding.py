"""How a model decodes its reply, as settings of one role: they are part of a result, and of the ledger's key.

A setting that a model's adapter cannot carry is refused before the first paid call, never dropped.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aurelia_core.errors import InputError


class Decoding(BaseModel):
    """Decoding settings of one role; null: the model's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str | None = Field(default=None, max_length=4000, description="System text in place of this project's.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sampling temperature; 0: greedy.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus sampling.")
    repetition_penalty: float | None = Field(default=None, gt=0, le=3, description="1: none.")
    max_tokens: int | None = Field(default=None, ge=1, description="Most tokens of a reply, its thinking included.")
    seed: int | None = Field(default=None, ge=0, description="Seed of the sampler.")
    thinking: bool | None = Field(default=None, description="Whether the model thinks before it answers.")
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = Field(
        default=None, description="How much it thinks (Gemini 3, GPT)."
    )
    thinking_budget: int | None = Field(default=None, ge=0, description="Most tokens of thinking (Gemini 2.5).")
    fps: float | None = Field(default=None, gt=0, le=24, description="Frames a second that Gemini samples of a clip.")
    media_resolution: Literal["low", "medium", "high"] | None = Field(
        default=None, description="Resolution at which Gemini reads a clip."
    )
    detail: Literal["low", "high", "auto"] | None = Field(default=None, description="Detail of images (OpenAI).")
    mm_processor_kwargs: dict[str, Any] | None = Field(
        default=None, description="Passed to the processor of a vLLM server, for instance use_audio_in_video."
    )

    def set_values(self) -> dict[str, Any]:
        """The settings that have a value."""
        return self.model_dump(exclude_none=True)


def decodes_by_sampling(values: Mapping[str, Any]) -> bool:
    """Whether local weights sample with these settings: a temperature above 0, or top_p without a temperature of 0."""
    if "temperature" in values:
        return bool(values["temperature"] > 0)
    return "top_p" in values


def check_decoding(model_id: str, role: str, values: Mapping[str, Any], carried: Iterable[str]) -> None:
    """Refuse decoding settings that a model cannot carry.

    Args:
        model_id: the model, for the message.
        role: the role that is asked.
        values: the settings by name.
        carried: the names that the model's adapter carries.

    Raises:
        InputError: a setting would be lost; the message names it.
    """
    if lost := sorted(values.keys() - set(carried)):
        raise InputError(
            f"{model_id} does not take {', '.join(lost)}: leave decoding.{role}.{lost[0]} out of the settings, or"
            " choose another model."
        )
