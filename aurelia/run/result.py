"""The result of one question: `Result` for users, the same keys as a plain dict for files and JSON output."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from aurelia_core.answers.clean_answer import UNKNOWN, clean_answer
from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.types import Reasoning, Role, Usage
from state.schema import Attempt, GateDecision, StopReason


class ResultClip(TypedDict):
    """The clip of a result, without its name. Units: seconds, pixels, frames per second; null: does not apply.

    `id` is the SHA-256 (hex) of the file; `audio_seconds` is when its sound ends.
    """

    id: str
    duration: float
    width: int | None
    height: int | None
    fps: float | None
    has_audio: bool
    audio_channels: int | None
    audio_seconds: float | None


class Result(BaseModel):
    """The answer to one question, and how it was reached. `model_dump()` is the JSON of `aurelia ask --json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str | None = Field(description="The answer alone, from the target's reply with the best reasoning.")
    reply: str | None = Field(description="This reply as the target wrote it.")
    choice: str | None = Field(description="The choice that this reply names; null for an open question.")
    zero_shot_answer: str | None = Field(description="The answer without reasoning; null without compare.")
    zero_shot_reply: str | None = Field(description="The reply without reasoning as the target wrote it.")
    gate: GateDecision | None = Field(
        description="Which answer counts and why, with the reply with reasoning; null: the gate is always open."
    )
    why_unknown: str | None = Field(description='Why the answer is "unknown"; null for any other answer.')
    stop_reason: StopReason | None = Field(description="Why the loop ended.")
    score: int | None = Field(description="The evaluator's score of the best attempt, 1 to 10.")
    best_iteration: int | None = Field(description="The number of the best attempt, from 1; null: none was scored.")
    best: Reasoning | None = Field(description="The reasoning that the target received.")
    target_in_domain: bool | None = Field(
        description="Whether clip and question belong to the target's own world; null: it has none."
    )
    leaks: list[str] | None = Field(description="Choices, or the answer, that the injected steps state already.")
    iterations: list[Attempt] = Field(description="Every attempt of the loop, in order.")
    clip: ResultClip = Field(description="The clip.")
    models: dict[Role, str] = Field(description="The model of each role, as provider:model.")
    prompts: dict[str, str] = Field(
        description="The hash of each text that the models read: the first 12 hex digits of its SHA-256."
    )
    usage: Usage = Field(description="What all calls of this question cost.")
    seconds: float = Field(description="Duration of the run in seconds.", ge=0)
    warnings: list[str] = Field(description="Substitutions and failures that did not end the run.")


RESULT_KEYS = tuple(Result.model_fields)
CLIP_KEYS = tuple(ResultClip.__annotations__)


def make_result(output: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The result as a dict with the keys `RESULT_KEYS`, from the output of the graph.

    Args:
        output: the last state of the graph.
        seconds: duration of the run.
    """
    found = {name: output.get(name) for name in RESULT_KEYS}
    clip = {name: output["clip"][name] for name in CLIP_KEYS}
    return {**found, **_answers(output), "clip": clip, "seconds": seconds}


def warn_of_low_score(found: dict[str, Any], threshold: int) -> dict[str, Any]:
    """The result with a warning if the evaluator scored the reasoning behind the answer below the threshold.

    Args:
        found: a result (`make_result`).
        threshold: the threshold of the run, 1 to 10.
    """
    score = found["score"]
    if score is None or score >= threshold:
        return found
    warning = (
        f"The answer stands on reasoning that the evaluator scored {score}/10, below the threshold {threshold}:"
        " check it against the clip."
    )
    return {**found, "warnings": [*found["warnings"], warning]}


def _answers(output: Mapping[str, Any]) -> dict[str, Any]:
    """The answers alone and the replies that they come from."""
    reply = output.get("answer")
    zero_shot = output.get("zero_shot_answer")
    found: dict[str, Any] = {"reply": reply, "zero_shot_reply": zero_shot}
    # A server of another version may send anything.
    if isinstance(reply, str):
        steps = [step["step"] for step in (output.get("best") or {"steps": []})["steps"]]
        answer = clean_answer(reply, output.get("choice"), steps)
        found["answer"] = answer.text
        if answer.text == UNKNOWN:
            found["why_unknown"] = answer.reason or _reason_of_steps(output.get("best"))
    if isinstance(zero_shot, str):
        choices = output.get("choices") or []
        choice = extract_choice_text(zero_shot, choices) if choices else None
        found["zero_shot_answer"] = clean_answer(zero_shot, choice).text
    return found


def _reason_of_steps(best: Reasoning | None) -> str | None:
    """Why the last step of a reasoning that finds nothing finds nothing; None if no step says so."""
    for step in reversed((best or {"steps": []})["steps"]):
        if clean_answer(step["answer"]).text == UNKNOWN and step["justification"]:
            return step["justification"]
    return None


def all_attempts_failed(result: dict[str, Any]) -> bool:
    """Whether the target had no reasoning because models failed in every attempt; an evaluator that abstained did not.

    Args:
        result: the result as a dict.
    """
    attempts = result["iterations"]
    judged = any(attempt["score"] is not None or attempt["critique"] is not None for attempt in attempts)
    failed = all(attempt["error"] for attempt in attempts)
    return bool(attempts) and result["best"] is None and not judged and failed
