"""The records that travel through the graph: plain JSON, references to media, never bytes.

`typing_extensions.TypedDict` rather than `typing.TypedDict`: on Python 3.11 the server publishes no schema otherwise.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from aurelia_core.claims import Finding
from aurelia_core.errors import InputError
from aurelia_core.types import NO_USAGE, MediaRef, Reasoning, Role, Sense, Usage, Window, add_usage

ChosenAnswer = Literal["reasoning", "zero_shot"]
StopReason = Literal[
    "threshold", "max_iterations", "no_valid_score", "budget", "recursion_limit", "patience", "one_round"
]
"""`one_round`: the strategy makes its attempts once, side by side."""


class Attempt(TypedDict):
    """One turn of the loop, t from 1. A null score: the attempt could not be scored, and `error` says why.

    `critique` and `doubts` are the evaluator's reasons and the windows where it disagrees. `feedback` and `windows` are
    the guidance after this attempt, and where the next one looks more closely. `seconds` and `usage` are the sums over
    the calls of its agents; `feedback_seconds` and `feedback_usage` are the part that a last attempt does not have.
    `claims` are the findings of a critic of claims. `fallbacks` are the roles whose fallback model answered. `notes`
    are the words of agents that were added to the graph, by role. `candidate` is its number, from 1, among those that
    were made side by side; absent for one that was made alone. `reply` is the target's answer in this attempt, where it
    answered in it (vote).
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
    claims: NotRequired[list[Finding]]
    notes: NotRequired[dict[Role, str]]
    candidate: NotRequired[int]
    reply: NotRequired[str]
    feedback_seconds: float
    feedback_usage: Usage


def new_attempt(iteration: int) -> Attempt:
    """An empty attempt."""
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
    """Reducer: merges partial attempts into those of the same iteration; seconds and usage add up. None resets.

    A whole attempt, as a person writes it into a thread, replaces the one of its iteration.

    Raises:
        InputError: there is no attempt before one of these.
    """
    if new is None:
        return []
    merged = {attempt["iteration"]: attempt for attempt in old or []}
    for part in new:
        known = merged.get(part["iteration"]) or new_attempt(part["iteration"])
        update: Any = {**known, **part}
        if part.keys() >= Attempt.__required_keys__:
            merged[part["iteration"]] = update
            continue
        update["seconds"] = known["seconds"] + part.get("seconds", 0.0)
        update["usage"] = add_usage(known["usage"], part.get("usage", NO_USAGE))
        if "notes" in part:
            update["notes"] = {**known.get("notes", {}), **part["notes"]}
        update["fallbacks"] = list(dict.fromkeys([*known.get("fallbacks", []), *part.get("fallbacks", [])]))
        merged[part["iteration"]] = update
    for number, iteration in enumerate(sorted(merged), 1):
        if number != iteration:
            raise InputError(
                f"iterations: attempt {iteration} cannot be written, because there is no attempt {number}."
            )
    return [merged[iteration] for iteration in sorted(merged)]


def append_new(old: list[Any] | None, new: list[Any] | None) -> list[Any]:
    """Reducer: appends the entries that are new; None resets, also as the first entry."""
    if new is None:
        return []
    if new and new[0] is None:
        return list(dict.fromkeys(new[1:]))
    return list(dict.fromkeys([*(old or []), *new]))


def add_seconds(old: float | None, new: float | None) -> float:
    """Reducer: adds; None resets."""
    if new is None:
        return 0.0
    return (old or 0.0) + new


class Input(TypedDict):
    """A question about a video, a sound, or still pictures. Several sounds are candidates, as in DM-Match."""

    video: NotRequired[
        Annotated[
            str,
            Field(
                description="The clip: its name under the media folders, or the id of an upload; not needed with images"
                " or audio."
            ),
        ]
    ]
    question: Annotated[str, Field(description="What is asked about the clip.")]
    audio: NotRequired[
        Annotated[
            list[str], Field(description="Separate sound: one track replaces the clip's, several are candidates.")
        ]
    ]
    images: NotRequired[Annotated[list[str], Field(description="Still pictures, alone or beside video and audio.")]]
    choices: NotRequired[Annotated[list[str], Field(description="The answers to choose from; none: an open question.")]]


class GateDecision(TypedDict):
    """Which answer counts and why; `reasoned_reply` is the reply with reasoning, also where it does not count."""

    gate: str
    chosen: ChosenAnswer
    reason: str
    reasoned_reply: str


class Update(TypedDict, total=False):
    """What a node returns: any part of the state; reducers merge it."""

    run: str
    question: str
    choices: list[str]
    clip: MediaRef
    tracks: list[MediaRef]
    pictures: list[MediaRef]
    described: dict[Sense, str]
    iterations: list[dict[str, Any]] | None
    asked: list[int] | None
    edited: Reasoning | None
    seconds: float | None
    usage: Usage | None
    warnings: Sequence[str | None] | None
    answer: str | None
    choice: str | None
    zero_shot_answer: str | None
    gate: GateDecision | None
    best: Reasoning | None
    best_iteration: int | None
    leaks: list[str] | None
    score: int | None
    stop_reason: StopReason | None
    target_in_domain: bool | None
    models: dict[Role, str]
    prompts: dict[str, str]
    settings: dict[str, Any]
    out_of_steps: bool


class ClipState(TypedDict):
    """What every agent reads: `run` is the run that pays, `described` the texts for models that lack a sense.

    `clip`, `tracks` and `pictures` are the media as `aurelia_core.types.Media` arranges them.
    """

    run: str
    question: str
    choices: list[str]
    clip: MediaRef
    tracks: list[MediaRef]
    pictures: NotRequired[list[MediaRef]]
    described: NotRequired[dict[Sense, str]]


class LoopState(ClipState):
    """What the agents of the loop also read: the attempts so far; `asked` are those that a person requested.

    `candidate` is set for the generator alone, where it makes several attempts side by side.
    """

    iterations: Annotated[list[Attempt], merge_attempts]
    asked: Annotated[list[int], append_new]
    candidate: NotRequired[int]


class EvaluatorState(TypedDict):
    """What the evaluator reads: the clip and the caption of the last attempt, not the question (section 3.2)."""

    run: str
    clip: MediaRef
    tracks: list[MediaRef]
    pictures: NotRequired[list[MediaRef]]
    described: NotRequired[dict[Sense, str]]
    iterations: Annotated[list[Attempt], merge_attempts]


class Progress(TypedDict):
    """What decides whether the loop ends: the scores of the attempts, their seconds and their cost.

    `out_of_steps`: the run's recursion_limit leaves no room for another attempt.
    """

    iterations: Annotated[list[Attempt], merge_attempts]
    seconds: Annotated[float, add_seconds]
    usage: Annotated[Usage, add_usage]
    out_of_steps: NotRequired[bool]


class PrepareRouterState(ClipState):
    """What the router reads after prepare; `settings` are those that differ from the defaults."""

    settings: NotRequired[dict[str, Any]]


class EvaluatorRouterState(Progress):
    """What the router reads at the end of an attempt; `asked` are the attempts that a person requested."""

    asked: Annotated[list[int], append_new]
    settings: NotRequired[dict[str, Any]]


class TargetState(LoopState, Progress):
    """What the target node and a reviewer read after the loop; `edited` is a person's reasoning."""

    edited: NotRequired[Reasoning | None]
    models: dict[Role, str]
    prompts: NotRequired[dict[str, str]]


class Output(TypedDict):
    """The answer of a run; null: does not apply. `leaks`: what the injected steps already say of the answer.

    `prompts`: the hash of each text that the models read (`prompts.prompt_hashes`).
    """

    answer: str | None
    choice: str | None
    zero_shot_answer: str | None
    gate: NotRequired[GateDecision | None]
    best: Reasoning | None
    best_iteration: int | None
    leaks: list[str] | None
    score: int | None
    stop_reason: StopReason | None
    target_in_domain: bool | None
    iterations: Annotated[list[Attempt], merge_attempts]
    clip: MediaRef
    models: dict[Role, str]
    prompts: dict[str, str]
    usage: Annotated[Usage, add_usage]
    warnings: Annotated[list[str], append_new]


class State(Input, Output):
    """The whole state of a run."""

    run: str
    tracks: list[MediaRef]
    pictures: NotRequired[list[MediaRef]]
    described: dict[Sense, str]
    settings: dict[str, Any]
    out_of_steps: bool
    asked: Annotated[list[int], append_new]
    edited: Reasoning | None
    seconds: Annotated[float, add_seconds]
