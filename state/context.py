"""Every setting of a run, bounded and described: Studio's form, the command line's options, a profile's keys."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aurelia.errors import InputError
from state.schema import Role

Inject = Literal["steps", "steps+answers", "full"]
WhenDeaf = Literal["error", "evidence"]
ROLES: tuple[Role, ...] = ("generator", "summarizer", "evaluator", "feedback", "target")
SPEC = r"^[a-z_]+:\S+$"


class Context(BaseModel):
    """The settings of one run. What only the operator may set (media roots, addresses, keys) is not among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = Field(default="offline", title="Profile", description="Name of the preset these settings came from.")
    generator: str = Field(
        default="offline:measure",
        pattern=SPEC,
        title="Reasoning Generator",
        description="Model (provider:model) that writes the reasoning steps.",
    )
    summarizer: str = Field(
        default="offline:measure",
        pattern=SPEC,
        title="Summarizer",
        description="Model that turns the reasoning into a caption; it sees no media.",
    )
    evaluator: str = Field(
        default="offline:measure",
        pattern=SPEC,
        title="Evaluator",
        description="Model that scores the caption against the clip, 1 to 10.",
    )
    feedback: str = Field(
        default="offline:measure",
        pattern=SPEC,
        title="Feedback",
        description="Model that tells the generator what to look at next.",
    )
    target: str = Field(
        default="offline:measure",
        pattern=SPEC,
        title="Target model",
        description="The frozen audio-visual LLM whose answer is wanted.",
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
    inject: Inject = Field(
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
    when_deaf: WhenDeaf = Field(
        default="error",
        title="When a model cannot hear (or see)",
        description="What becomes of sound or picture that a model cannot take: an error, or what is measured in it, as"
        " text in its place (evidence); the result's warnings say so.",
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

    def models(self) -> dict[Role, str]:
        """The model of each role, as `provider:model`."""
        return {role: getattr(self, role) for role in ROLES}


def make_context(values: dict[str, object]) -> Context:
    """Builds the settings of a run from plain values.

    Raises:
        InputError: a key is unknown or a value is out of bounds; the message names each.
    """
    try:
        return Context.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InputError(f"These settings cannot be used: {faults}.") from None
