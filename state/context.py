"""Every setting of a run, bounded and described: Studio's form, the command line's options, a profile's keys."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from aurelia_core.errors import InputError
from aurelia_core.models.decoding import Decoding
from aurelia_core.suggestions import suggest_name
from aurelia_core.types import Role
from state.setting_fields import (
    MODEL_ID_OR_NONE,
    MODEL_ID_PATTERN,
    fallback_field,
    fault_in_words,
    prompt_field,
    shown_at,
)

InjectMode = Literal["steps", "steps+answers", "full"]
_PromptCacheMode = Literal["implicit", "explicit"]
_PromptStyle = Literal["aurelia", "paper"]
_ReviewMode = Literal["none", "reasoning"]
Strategy = Literal["refine", "best_of_n", "vote", "own_steps", "script"]
_Spread = Literal["frames", "temperature"]
_Guide = Literal["feedback", "score", "none"]
MAX_CANDIDATES = 16
"""Most attempts that are made side by side."""
_ClaimWindows = Literal["caption", "sound"]
Critic = Literal["holistic", "claims", "tools", "both"]
InjectFilter = Literal["none", "supported"]
Gate = Literal["always", "agree", "arbiter"]
ROLES: tuple[Role, ...] = ("generator", "summarizer", "evaluator", "feedback", "target")
_DESCRIBE = "describe:"
_UNSUPPORTED_MODALITY = r"^(error|evidence|describe:[a-z_]+:\S+)$"
_PROMPT = "_prompt"
ROLLOUTS = 1_000
"""Number of repetitions; those of candidates follow above them in the call ledger."""
MAX_NODE_SECONDS = 86_400.0
"""The largest time limit of a node, in seconds."""
_AGENT_NODES = ("reasoning_generator", "summarizer", "evaluator", "feedback")
_TARGET_NODES = ("target_model", "zero_shot")
_CLIP_NODES = ("describer", "reasoning_generator", "evaluator", *_TARGET_NODES)
_MODEL_NODES = ("describer", *_AGENT_NODES, *_TARGET_NODES)

_RENAMED_SETTINGS = {"when_deaf": "unsupported_modality"}
"""Settings that had another name in the last release: old name -> name."""


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings under their current names, for those of an old run file, thread or profile."""
    return {_RENAMED_SETTINGS.get(name, name): value for name, value in values.items()}


class Context(BaseModel):
    """The settings of one run. What only the operator may set (media roots, addresses, keys) is not among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = Field(
        default="offline",
        title="Profile",
        description="Preset of models and settings. On a server its settings apply where the run gives no other;"
        " elsewhere it is the name of the preset that these settings came from.",
        json_schema_extra=shown_at("prepare"),
    )
    generator: str = Field(
        default="offline:measure",
        pattern=MODEL_ID_PATTERN,
        title="Reasoning Generator",
        description="Model (provider:model) that writes the reasoning steps.",
        json_schema_extra=shown_at("reasoning_generator"),
    )
    summarizer: str = Field(
        default="offline:measure",
        pattern=MODEL_ID_PATTERN,
        title="Summarizer",
        description="Model that turns the reasoning into a caption; it sees no media.",
        json_schema_extra=shown_at("summarizer"),
    )
    evaluator: str = Field(
        default="offline:measure",
        pattern=MODEL_ID_PATTERN,
        title="Evaluator",
        description="Model that scores the caption against the clip, 1 to 10.",
        json_schema_extra=shown_at("evaluator"),
    )
    feedback: str = Field(
        default="offline:measure",
        pattern=MODEL_ID_PATTERN,
        title="Feedback",
        description="Model that tells the generator what to look at next.",
        json_schema_extra=shown_at("feedback"),
    )
    target: str = Field(
        default="offline:measure",
        pattern=MODEL_ID_PATTERN,
        title="Target model",
        description="The frozen audio-visual LLM whose answer is wanted.",
        json_schema_extra=shown_at(*_TARGET_NODES),
    )
    generator_fallback: str = fallback_field("Reasoning Generator", "reasoning_generator")
    summarizer_fallback: str = fallback_field("Summarizer", "summarizer")
    evaluator_fallback: str = fallback_field("Evaluator", "evaluator")
    feedback_fallback: str = fallback_field("Feedback", "feedback")
    target_fallback: str = fallback_field("Target model", *_TARGET_NODES)
    agents: dict[Role, str] = Field(
        default={},
        title="Further agents",
        description="Model (provider:model) of each agent that was added to the graph, by its role; an agent that is"
        " not named uses the model of Feedback.",
        json_schema_extra=shown_at("feedback"),
    )
    threshold: int = Field(
        default=8,
        ge=1,
        le=10,
        title="Threshold (tau)",
        description="The loop ends when the score reaches this; equality is enough.",
        json_schema_extra=shown_at("evaluator"),
    )
    max_iterations: int = Field(
        default=5,
        ge=1,
        le=10,
        title="Max iterations (T)",
        description="The loop ends after this many attempts.",
        json_schema_extra=shown_at("evaluator"),
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        le=9,
        title="Patience",
        description="The loop ends after this many attempts in a row without a better score; empty: it does not.",
        json_schema_extra=shown_at("evaluator"),
    )
    strategy: Strategy = Field(
        default="refine",
        title="Strategy",
        description="refine: attempt, score, feedback, again (the paper's loop). best_of_n: attempts side by side, the"
        " best one is injected. vote: the target answers several times, the majority counts. own_steps: the target"
        " writes the steps itself. script: the describer writes a script of the clip, and the target reads it alone.",
        json_schema_extra=shown_at("reasoning_generator", "target_model"),
    )
    candidates: int = Field(
        default=1,
        ge=1,
        le=MAX_CANDIDATES,
        title="Candidates",
        description="Attempts (best_of_n) or answers (vote) that are made side by side; 1 with every other strategy.",
        json_schema_extra=shown_at("reasoning_generator"),
    )
    spread: _Spread = Field(
        default="frames",
        title="Spread of candidates",
        description="What makes candidates differ. frames: each sees a shifted grid of frames, which is deterministic."
        " temperature: each is sampled, at decoding.ROLE.temperature or 0.8.",
        json_schema_extra=shown_at("reasoning_generator"),
    )
    guide: _Guide = Field(
        default="feedback",
        title="Guide",
        description="What the next attempt is told of the last one beside its steps. feedback: score and feedback."
        " score: the score alone. none: neither. Without feedback that agent is not asked.",
        json_schema_extra=shown_at("reasoning_generator", "feedback"),
    )
    plan_tokens: int | None = Field(
        default=None,
        ge=1,
        le=32_768,
        title="Tokens of own steps",
        description="Most output tokens of the steps that the target writes with own_steps; empty: its own limit.",
        json_schema_extra=shown_at("reasoning_generator"),
    )
    critic: Critic = Field(
        default="holistic",
        title="Critic",
        description="How the caption is judged. holistic: one score by the evaluator's model (the paper's). claims:"
        " that model takes the caption apart and checks claim after claim, with a closer look at each. tools: the"
        " claims are checked by the model of `tools`. both: by both; where they contradict each other, neither counts.",
        json_schema_extra=shown_at("evaluator"),
    )
    tools: str = Field(
        default="tools:witnesses",
        pattern=MODEL_ID_PATTERN,
        title="Tools",
        description="Model (provider:model) that checks claims with critic = tools or both.",
        json_schema_extra=shown_at("evaluator"),
    )
    claim_windows: _ClaimWindows = Field(
        default="caption",
        title="Where claims are checked",
        description="caption: closer looks at the times that the caption names. sound: also, for claims without a time,"
        " where the loudest sounds begin.",
        json_schema_extra=shown_at("evaluator"),
    )
    closer_look: bool = Field(
        default=True,
        title="Closer look",
        description="With a critic of claims: the next attempt looks closely at the windows of contradicted claims and"
        " of those that nobody could tell, before those that Feedback names. More media are sent, and billed.",
        json_schema_extra=shown_at("feedback"),
    )
    early_stop: bool = Field(
        default=True,
        title="Stop early",
        description="End the loop once the threshold is met. Off, it goes on to the cap: one such run holds every"
        " smaller setting, for ablations.",
        json_schema_extra=shown_at("evaluator"),
    )
    inject: InjectMode = Field(
        default="steps",
        title="Inject",
        description="What of the best reasoning the target is given: the steps only (as in the paper), also the steps'"
        " answers, or everything with justifications and final answer.",
        json_schema_extra=shown_at("target_model"),
    )
    inject_filter: InjectFilter = Field(
        default="none",
        title="Filter of what is injected",
        description="none: all steps (the paper's). supported: a step that rests on a contradicted claim loses its"
        " finding and cue, and so do later ones that no supported claim confirms; one whose task says that claim is"
        " left out. It needs a critic of claims.",
        json_schema_extra=shown_at("target_model"),
    )
    gate: Gate = Field(
        default="always",
        title="Gate",
        description="Which answer counts. always: the one with reasoning (the paper's). agree: that one where the"
        " zero-shot answer or the reasoning's own answer agrees with it, else the zero-shot one. arbiter: the one that"
        " the model of `arbiter` chooses from the clip, without knowing which is which.",
        json_schema_extra=shown_at("target_model"),
    )
    arbiter: str = Field(
        default="",
        pattern=MODEL_ID_OR_NONE,
        title="Arbiter",
        description="Model (provider:model) that chooses with gate = arbiter; empty: the evaluator's.",
        json_schema_extra=shown_at("target_model"),
    )
    compare: bool = Field(
        default=True,
        title="Compare",
        description="Also ask the target without any reasoning (zero-shot) in the same run.",
        json_schema_extra=shown_at("zero_shot"),
    )
    review: _ReviewMode = Field(
        default="none",
        title="Review by a person",
        description="reasoning: when the loop ends, the run pauses, so that a person accepts the best reasoning, edits"
        " it or asks for another attempt before the target is given it. It needs a stored thread.",
        json_schema_extra=shown_at("review"),
    )
    prompts: _PromptStyle = Field(
        default="aurelia",
        title="Prompts",
        description="The agents' prompts: this project's, or short ones after the roles as the paper describes them.",
        json_schema_extra=shown_at(*_AGENT_NODES),
    )
    decoding: dict[Role, Decoding] = Field(
        default={},
        title="Decoding",
        description="How a role's model decodes its reply, by role: system, temperature, top_p, repetition_penalty,"
        " max_tokens, seed, thinking, and what its provider adds. The target's own row comes before it.",
        json_schema_extra=shown_at(*_MODEL_NODES),
    )
    frames: int = Field(
        default=16,
        ge=2,
        le=256,
        title="Frames per look",
        description="Frames that one look at the clip may use.",
        json_schema_extra=shown_at(*_CLIP_NODES),
    )
    frame_shift: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        title="Shift of the frames",
        description="Moves the times of all frames by this part of the distance between two frames.",
        json_schema_extra=shown_at(*_CLIP_NODES),
    )
    samples: int = Field(
        default=48_000,
        ge=8_000,
        le=16_000_000,
        title="Audio samples per look",
        description="Audio samples that one look of a measuring agent may use, spread over what it listens to.",
        json_schema_extra=shown_at("reasoning_generator", "feedback", *_TARGET_NODES),
    )
    audio_track: str = Field(
        default="",
        pattern="^[A-Za-z0-9]{0,12}$",
        title="Sound track of the clip",
        description="Number (from 1) or language (eng) of the clip's sound track; empty: the container's default.",
        examples=["", "2", "eng"],
        json_schema_extra=shown_at("prepare"),
    )
    unsupported_modality: str = Field(
        default="error",
        pattern=_UNSUPPORTED_MODALITY,
        title="If a model cannot hear (or see)",
        description="What is done with sound or picture that a model cannot take: error; evidence: text with what is"
        " measured in it; describe:provider:model: a description by a model that can, asked once"
        " per clip. The result's warnings say so.",
        examples=["error", "evidence", "describe:google_genai:gemini-3.8-flash"],
        json_schema_extra=shown_at("describer"),
    )
    prompt_cache: _PromptCacheMode = Field(
        default="implicit",
        title="Prompt cache",
        description="implicit: a provider's own cache of repeated clips, which costs nothing to keep. explicit: also"
        " pay Gemini to keep the clip for five minutes, where the bill shows few cached tokens.",
        json_schema_extra=shown_at(*_CLIP_NODES),
    )
    max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        title="Budget in dollars",
        description="The loop ends when a question's attempts have cost this much.",
        json_schema_extra=shown_at("evaluator"),
    )
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        title="Budget in tokens",
        description="The loop ends when a question's attempts have used this many tokens.",
        json_schema_extra=shown_at("evaluator"),
    )
    max_calls: int | None = Field(
        default=None,
        gt=0,
        title="Budget in calls",
        description="The loop ends when a question's attempts have made this many calls.",
        json_schema_extra=shown_at("evaluator"),
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        title="Budget in seconds",
        description="The loop ends when a question's attempts have taken this long.",
        json_schema_extra=shown_at("evaluator"),
    )
    rollout: int = Field(
        default=0,
        ge=0,
        lt=ROLLOUTS,
        title="Rollout",
        description="Number of the independent repetition; a new number pays for new replies, and moves a seed. It is"
        " refused where no model's reply would differ.",
        json_schema_extra=shown_at(*_MODEL_NODES),
    )

    node_seconds: float = Field(
        default=1800.0,
        ge=1,
        le=MAX_NODE_SECONDS,
        title="Time limit of a node",
        description="Seconds that one node may wait for its models, retries included. An agent that takes longer has"
        " failed: its attempt gets no score and the loop goes on.",
        json_schema_extra=shown_at(*_MODEL_NODES),
    )
    generator_prompt: str = prompt_field("Reasoning Generator", "generator", "reasoning_generator")
    summarizer_prompt: str = prompt_field("Summarizer", "summarizer", "summarizer")
    evaluator_prompt: str = prompt_field("Evaluator", "evaluator", "evaluator")
    feedback_prompt: str = prompt_field("Feedback", "feedback", "feedback")
    target_prompt: str = prompt_field("Target model", "target", *_TARGET_NODES)
    describe_prompt: str = prompt_field("Describer", "describe", "describer")
    system_prompt: str = prompt_field("All roles", "system", *_MODEL_NODES)

    @model_validator(mode="wrap")
    @classmethod
    def _explain_faults(cls, values: Any, handler: ModelWrapValidatorHandler["Context"]) -> "Context":
        """Accepts the names of the last release, with a notice, and explains faults in words."""
        if isinstance(values, Mapping):
            for old, new in _RENAMED_SETTINGS.items():
                if old in values:
                    warnings.warn(f"The setting {old!r} is now named {new!r}.", FutureWarning, stacklevel=2)
            values = with_current_names(values)
        try:
            return handler(values)
        except ValidationError as error:
            faults = [fault_in_words(fault, cls.model_fields) for fault in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, faults) from None

    @model_validator(mode="after")
    def _knows_its_roles(self) -> "Context":
        """A role in `decoding` that no model plays would be lost."""
        if unknown := sorted(self.decoding.keys() - {*ROLES, *self.agents, "describer", "arbiter"}):
            raise ValueError(f"decoding names {unknown[0]!r}, which is no role: {suggest_name(unknown[0], ROLES)}")
        return self

    @model_validator(mode="after")
    def _filters_what_is_checked(self) -> "Context":
        """Without claims there is nothing to filter by, and nowhere to look."""
        if self.claim_windows == "sound" and self.critic == "holistic":
            raise ValueError('claim_windows = "sound" needs a critic of claims: set critic to claims, tools or both')
        if self.inject_filter == "supported" and self.critic == "holistic":
            raise ValueError(
                'inject_filter = "supported" needs a critic of claims: set critic to claims, tools or both'
            )
        return self

    def further_models(self) -> list[tuple[Role, str]]:
        """The models beside those of the roles, as (role whose part they take, `provider:model`)."""
        found: list[tuple[Role, str]] = []
        if self.critic in ("tools", "both"):
            found.append(("evaluator", self.tools))
        if self.gate == "arbiter":
            found.append(("arbiter", self.arbiter or self.evaluator))
        return found

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

    def edited_prompts(self) -> dict[str, str]:
        """The prompts that replace the text of a file, by the name of the file."""
        named = {name: getattr(self, f"{name}{_PROMPT}") for name in EDITABLE_PROMPTS}
        return {name: text for name, text in named.items() if text}

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


EDITABLE_PROMPTS = tuple(name.removesuffix(_PROMPT) for name in Context.model_fields if name.endswith(_PROMPT))
"""Names of the prompts that a setting can replace (`generator_prompt` replaces `prompts/generator.md`)."""


def changed_settings(context: Context) -> dict[str, Any]:
    """The settings as a thread stores them: those that differ from the defaults."""
    return context.model_dump(mode="json", exclude_defaults=True)


def continued_settings(stored: Mapping[str, Any], given: Context) -> Context:
    """The settings of a run that continues a thread: those of the thread, overridden by each one that is given.

    Args:
        stored: the settings of the thread (`changed_settings`).
        given: the settings of the new run; the fields that were set explicitly count as given.

    Raises:
        InputError: a stored setting cannot be used.
    """
    overrides = given.model_dump(include=given.model_fields_set)
    return make_context({**with_current_names(stored), **overrides})


def _fault_text(fault: Mapping[str, Any]) -> str:
    """A fault with the setting's name; one of several settings together names them itself."""
    name, said = ".".join(map(str, fault["loc"])), str(fault["msg"]).removeprefix("Value error, ")
    return f"{name}: {said}" if name else said


def make_context(values: dict[str, object]) -> Context:
    """Builds the settings of a run from plain values.

    Raises:
        InputError: a key is unknown or a value is out of bounds; the message names each.
    """
    try:
        return Context.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_fault_text(fault) for fault in error.errors())
        ending = "" if faults.endswith("?") else "."
        raise InputError(f"These settings cannot be used: {faults}{ending}") from None
