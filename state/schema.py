"""The records that travel through the graph: plain JSON, references to media, never bytes.

`typing_extensions.TypedDict` rather than `typing.TypedDict`: on Python 3.11 the server publishes no schema otherwise.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from aurelia_core.types import NO_USAGE, MediaRef, Reasoning, Role, Sense, Usage, Window, add_usage

StopReason = Literal["threshold", "max_iterations", "no_valid_score", "budget"]


class Attempt(TypedDict):
    """One turn of the loop, t from 1; a null score is an attempt that could not be scored, and `error` says why.

    `critique` and `doubts` are the evaluator's reasons and the stretches where it disagrees; `feedback` and `windows`
    are what was asked after this attempt, and where the next one is to look more closely; `seconds` and `usage` are
    those of its agents' calls, `feedback_seconds` and `feedback_usage` the part of them that this attempt would not
    have had as the last one; `fallbacks` are the roles whose fallback model answered; `notes` what agents wrote that were added to the graph.
    """

    iteration: int
    score: int | None
    caption: str | None
    reasoning: Reasoning | None
    critique: str | None
    doubts: list[Window]
    feedback: str | None
    windows: list[Window]
    error: str | None
    seconds: float
    usage: Usage
    fallbacks: list[Role]
    notes: NotRequired[dict[Role, str]]
    feedback_seconds: float
    feedback_usage: Usage


def new_attempt(iteration: int) -> Attempt:
    """An attempt of which nothing is known yet."""
    return {
        "iteration": iteration,
        "score": None,
        "caption": None,
        "reasoning": None,
        "critique": None,
        "doubts": [],
        "feedback": None,
        "windows": [],
        "error": None,
        "seconds": 0.0,
        "usage": NO_USAGE,
        "fallbacks": [],
        "feedback_seconds": 0.0,
        "feedback_usage": NO_USAGE,
    }


def merge_attempts(old: list[Attempt] | None, new: list[dict[str, Any]] | None) -> list[Attempt]:
    """Reducer: lays partial attempts over those with the same iteration; seconds and usage add up. None starts anew.

    A whole attempt, as a person writes it back after a change in it, takes the place of the one that is there.
    """
    if new is None:
        return []
    merged = {attempt["iteration"]: attempt for attempt in old or []}
    for part in new:
        known = merged.get(part["iteration"]) or new_attempt(part["iteration"])
        laid: Any = {**known, **part}
        if part.keys() >= Attempt.__required_keys__:
            merged[part["iteration"]] = laid
            continue
        laid["seconds"] = known["seconds"] + part.get("seconds", 0.0)
        laid["usage"] = add_usage(known["usage"], part.get("usage", NO_USAGE))
        if "notes" in part:
            laid["notes"] = {**known.get("notes", {}), **part["notes"]}
        laid["fallbacks"] = list(dict.fromkeys([*known.get("fallbacks", []), *part.get("fallbacks", [])]))
        merged[part["iteration"]] = laid
    return [merged[iteration] for iteration in sorted(merged)]


def append_new(old: list[Any] | None, new: list[Any] | None) -> list[Any]:
    """Reducer: appends what is not there yet; None starts anew."""
    return [] if new is None else list(dict.fromkeys([*(old or []), *new]))


def add_seconds(old: float | None, new: float | None) -> float:
    """Reducer: adds up; None starts anew."""
    return 0.0 if new is None else (old or 0.0) + new


class Input(TypedDict):
    """What a run is asked (several tracks of sound: as in DM-Match)."""

    video: Annotated[str, Field(description="The clip: its name under the media folders, or the id of an upload.")]
    question: Annotated[str, Field(description="What is asked about the clip.")]
    audio: NotRequired[
        Annotated[
            list[str], Field(description="Separate sound: one track replaces the clip's, several are candidates.")
        ]
    ]
    choices: NotRequired[Annotated[list[str], Field(description="The answers to choose from; none: an open question.")]]


class Update(TypedDict, total=False):
    """What a node may return: any part of the state; reducers lay it over what is there."""

    run: str
    question: str
    choices: list[str]
    clip: MediaRef
    tracks: list[MediaRef]
    described: dict[Sense, str]
    iterations: list[dict[str, Any]] | None
    asked: list[int] | None
    edited: Reasoning | None
    seconds: float | None
    usage: Usage | None
    warnings: list[str] | None
    answer: str | None
    choice: str | None
    zero_shot_answer: str | None
    best: Reasoning | None
    best_iteration: int | None
    leaks: list[str] | None
    score: int | None
    stop_reason: StopReason | None
    target_in_domain: bool | None
    models: dict[Role, str]
    settings: dict[str, Any]


class ClipState(TypedDict):
    """What every agent is told; `run` names who pays, `described` is what was written for models that lack a sense."""

    run: str
    question: str
    choices: list[str]
    clip: MediaRef
    tracks: list[MediaRef]
    described: NotRequired[dict[Sense, str]]


class LoopState(ClipState):
    """What the agents of the loop see beside that: the attempts so far; `asked` are those that a person asked for."""

    iterations: Annotated[list[Attempt], merge_attempts]
    asked: Annotated[list[int], append_new]


class EvaluatorState(TypedDict):
    """What the evaluator sees: clip and attempts (of which it reads the caption), not the question (section 3.2)."""

    run: str
    clip: MediaRef
    tracks: list[MediaRef]
    described: NotRequired[dict[Sense, str]]
    iterations: Annotated[list[Attempt], merge_attempts]


class Progress(TypedDict):
    """What decides whether the loop ends: the attempts, of which their scores count, and what they took."""

    iterations: Annotated[list[Attempt], merge_attempts]
    seconds: Annotated[float, add_seconds]
    usage: Annotated[Usage, add_usage]


class PrepareRouterState(ClipState):
    """What the router sees after prepare; `settings` are those that differ from the defaults."""

    settings: NotRequired[dict[str, Any]]


class EvaluatorRouterState(Progress):
    """What the router sees at the end of an attempt: beside that, the attempts that a person asked for after it."""

    asked: Annotated[list[int], append_new]
    settings: NotRequired[dict[str, Any]]


class TargetState(LoopState, Progress):
    """What the target node and a reviewer see when the loop has ended; `edited` is a person's reasoning."""

    edited: NotRequired[Reasoning | None]
    models: dict[Role, str]


class Output(TypedDict):
    """What a run answers; null is what does not apply. `leaks`: what the steps say of the answer (`aurelia_core.answers.answer_leaks`)."""

    answer: str | None
    choice: str | None
    zero_shot_answer: str | None
    best: Reasoning | None
    best_iteration: int | None
    leaks: list[str] | None
    score: int | None
    stop_reason: StopReason | None
    target_in_domain: bool | None
    iterations: Annotated[list[Attempt], merge_attempts]
    clip: MediaRef
    models: dict[Role, str]
    usage: Annotated[Usage, add_usage]
    warnings: Annotated[list[str], append_new]


class State(Input, Output):
    """The whole state of a run."""

    run: str
    tracks: list[MediaRef]
    described: dict[Sense, str]
    settings: dict[str, Any]
    asked: Annotated[list[int], append_new]
    edited: Reasoning | None
    seconds: Annotated[float, add_seconds]
