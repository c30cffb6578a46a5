"""Every setting of a run, bounded and described: Studio's form, the command line's options, a profile's keys."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aurelia_core.errors import InputError
from aurelia_core.models.decoding import Decoding
from aurelia_core.suggestions import suggest_name
from aurelia_core.types import Role

InjectMode = Literal["steps", "steps+answers", "full"]
_PromptCacheMode = Literal["implicit", "explicit"]
_PromptStyle = Literal["aurelia", "paper"]
_ReviewMode = Literal["none", "reasoning"]
ROLES: tuple[Role, ...] = ("generator", "summarizer", "evaluator", "feedback", "target")
_MODEL_ID_PATTERN = r"^[a-z_]+:\S+$"
_SPEC_OR_NONE = r"^([a-z_]+:\S+)?$"
_DESCRIBE = "describe:"
_UNSUPPORTED_MODALITY = r"^(error|evidence|describe:[a-z_]+:\S+)$"


_RENAMED_SETTINGS = {"when_deaf": "unsupported_modality"}
"""Settings that had another name in the last release: old name -> name."""


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings under their current names, for those of an old run file, thread or profile."""
    return {_RENAMED_SETTINGS.get(name, name): value for name, value in values.items()}


def _fallback(title: str) -> Any:
    return Field(
        default="",
        pattern=_SPEC_OR_NONE,
        title=f"{title}: fallback",
        description="Model that is asked when that one fails permanently; empty: none.",
    )


class Context(BaseModel):
    """The settings of one run. What only the operator may set (media roots, addresses, keys) is not among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = Field(default="offline", title="Profile", description="Name of the preset these settings came from.")
    generator: str = Field(
        default="offline:measure",
        pattern=_MODEL_ID_PATTERN,
        title="Reasoning Generator",
        description="Model (provider:model) that writes the reasoning steps.",
    )
    summarizer: str = Field(
        default="offline:measure",
        pattern=_MODEL_ID_PATTERN,
        title="Summarizer",
        description="Model that turns the reasoning into a caption; it sees no media.",
    )
    evaluator: str = Field(
        default="offline:measure",
        pattern=_MODEL_ID_PATTERN,
        title="Evaluator",
        description="Model that scores the caption against the clip, 1 to 10.",
    )
    feedback: str = Field(
        default="offline:measure",
        pattern=_MODEL_ID_PATTERN,
        title="Feedback",
        description="Model that tells the generator what to look at next.",
    )
    target: str = Field(
        default="offline:measure",
        pattern=_MODEL_ID_PATTERN,
        title="Target model",
        description="The frozen audio-visual LLM whose answer is wanted.",
    )
    generator_fallback: str = _fallback("Reasoning Generator")
    summarizer_fallback: str = _fallback("Summarizer")
    evaluator_fallback: str = _fallback("Evaluator")
    feedback_fallback: str = _fallback("Feedback")
    target_fallback: str = _fallback("Target model")
    agents: dict[Role, str] = Field(
        default={},
        title="Further agents",
        description="Model (provider:model) of each agent that was added to the graph, by its role; an agent that is"
        " not named uses the model of Feedback.",
    )
    threshold: int = Field(
        default=8,
        ge=1,
        le=10,
        title="Threshold (tau)",
        description="The loop ends when the score reaches this; equality is enough.",
    )
    max_iterations: int = Field(
        default=5, ge=1, le=10, title="Max iterations (T)", description="The loop ends after this many attempts."
    )
    early_stop: bool = Field(
        default=True,
        title="Stop early",
        description="End the loop once the threshold is met. Off, it goes on to the cap: one such run holds every"
        " smaller setting, for ablations.",
    )
    inject: InjectMode = Field(
        default="steps",
        title="Inject",
        description="What of the best reasoning the target is given: the steps only (as in the paper), also the steps'"
        " answers, or everything with justifications and final answer.",
    )
    compare: bool = Field(
        default=True,
        title="Compare",
        description="Also ask the target without any reasoning (zero-shot) in the same run.",
    )
    review: _ReviewMode = Field(
        default="none",
        title="Review by a person",
        description="reasoning: when the loop ends, the run pauses, so that a person accepts the best reasoning, edits"
        " it or asks for another attempt before the target is given it. It needs a stored thread.",
    )
    prompts: _PromptStyle = Field(
        default="aurelia",
        title="Prompts",
        description="The agents' prompts: this project's, or short ones after the roles as the paper describes them.",
    )
    decoding: dict[Role, Decoding] = Field(
        default={},
        title="Decoding",
        description="How a role's model decodes its reply, by role: system, temperature, top_p, repetition_penalty,"
        " max_tokens, seed, thinking, and what its provider adds. The target's own row comes before it.",
    )
    frames: int = Field(
        default=16, ge=2, le=256, title="Frames per look", description="Frames that one look at the clip may use."
    )
    samples: int = Field(
        default=48_000,
        ge=8_000,
        le=16_000_000,
        title="Audio samples per look",
        description="Audio samples that one look of a measuring agent may use, spread over what it listens to.",
    )
    audio_track: str = Field(
        default="",
        pattern="^[A-Za-z0-9]{0,12}$",
        title="Sound track of the clip",
        description="Number (from 1) or language (eng) of the clip's sound track; empty: the container's default.",
        examples=["", "2", "eng"],
    )
    unsupported_modality: str = Field(
        default="error",
        pattern=_UNSUPPORTED_MODALITY,
        title="If a model cannot hear (or see)",
        description="What is done with sound or picture that a model cannot take: error; evidence: text with what is"
        " measured in it; describe:provider:model: a description by a model that can, asked once"
        " per clip. The result's warnings say so.",
        examples=["error", "evidence", "describe:google_genai:gemini-3.8-flash"],
    )
    prompt_cache: _PromptCacheMode = Field(
        default="implicit",
        title="Prompt cache",
        description="implicit: a provider's own cache of repeated clips, which costs nothing to keep. explicit: also"
        " pay Gemini to keep the clip for five minutes, where the bill shows few cached tokens.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        title="Budget in dollars",
        description="The loop ends when a question's attempts have cost this much.",
    )
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        title="Budget in tokens",
        description="The loop ends when a question's attempts have used this many tokens.",
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        title="Budget in seconds",
        description="The loop ends when a question's attempts have taken this long.",
    )
    rollout: int = Field(
        default=0,
        ge=0,
        title="Rollout",
        description="Number of the independent repetition; a new number pays for new replies.",
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, values: Any) -> Any:
        """Accepts the names of the last release, with a notice."""
        if not isinstance(values, Mapping):
            return values
        for old, new in _RENAMED_SETTINGS.items():
            if old in values:
                warnings.warn(f"The setting {old!r} is now named {new!r}.", FutureWarning, stacklevel=2)
        return with_current_names(values)

    @model_validator(mode="after")
    def _knows_its_roles(self) -> "Context":
        """A role in `decoding` that no model plays would be lost."""
        if unknown := sorted(self.decoding.keys() - {*ROLES, *self.agents, "describer"}):
            raise ValueError(f"decoding names {unknown[0]!r}, which is no role: {suggest_name(unknown[0], ROLES)}")
        return self

    def model_of(self, role: Role) -> str:
        """The model of a role, `provider:model`, also of an agent that was added to the graph."""
        return str(getattr(self, role)) if role in ROLES else self.agents.get(role, self.feedback)

    def models(self) -> dict[Role, str]:
        """The model of each role, as `provider:model`."""
        return {role: self.model_of(role) for role in (*ROLES, *self.agents)}

    def fallbacks(self) -> dict[Role, str]:
        """The fallback of each role that has one, as `provider:model`."""
        named: dict[Role, str] = {role: getattr(self, f"{role}_fallback") for role in ROLES}
        return {role: spec for role, spec in named.items() if spec}

    def decoding_of(self, role: Role) -> dict[str, Any]:
        """The decoding settings of a role that have a value, by name."""
        return self.decoding[role].set_values() if role in self.decoding else {}

    @property
    def describer(self) -> str | None:
        """The model that writes what others cannot hear or see, `provider:model`; None without one."""
        return (
            self.unsupported_modality.removeprefix(_DESCRIBE)
            if self.unsupported_modality.startswith(_DESCRIBE)
            else None
        )

    def sure_calls(self) -> dict[Role, int]:
        """For each role that sees the clip, how many calls on the clip its model is sure to get from its call on."""
        order: list[tuple[Role, int]] = [("generator", 1), ("evaluator", 1), ("target", 1 + self.compare)]
        return {
            role: sum(calls for later, calls in order[place:] if getattr(self, later) == getattr(self, role))
            for place, (role, _) in enumerate(order)
        }


def make_context(values: dict[str, object]) -> Context:
    """Builds the settings of a run from plain values.

    Raises:
        InputError: a key is unknown or a value is out of bounds; the message names each.
    """
    try:
        return Context.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_said(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors())
        raise InputError(f"These settings cannot be used: {faults}.") from None


def _said(where: tuple[int | str, ...], kind: str, fault: str) -> str:
    name = ".".join(map(str, where))
    if kind == "extra_forbidden":
        return f"{name}: there is no such setting; {suggest_name(name, Context.model_fields)}"
    return f"{name}: {fault}"
