"""The custom events of a run, small and typed, without media. A run streams them in the mode `custom`.

The command line's progress shows these events and nothing else.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from aurelia_core.claims import Finding
from aurelia_core.types import MediaRef, Sense, Window
from state.schema import GateDecision

_ReviewAction = Literal["accept", "edit", "again"]


class ClipEvent(TypedDict):
    """The media are admitted (`aurelia_core.types.Media`); the loop begins."""

    event: Literal["clip"]
    clip: MediaRef
    tracks: list[MediaRef]
    pictures: list[MediaRef]


class DescriptionEvent(TypedDict):
    """A model has described a sense that others cannot take."""

    event: Literal["described"]
    sense: Sense
    by: str
    text: str


class AttemptEvent(TypedDict):
    """An attempt is over: its score of 1 to 10, or null and the error; with a critic of claims also the findings."""

    event: Literal["attempt"]
    iteration: int
    score: int | None
    caption: str | None
    critique: str | None
    error: str | None
    claims: NotRequired[list[Finding]]


class FeedbackEvent(TypedDict):
    """The guidance for the next attempt, and the windows to look at (seconds)."""

    event: Literal["feedback"]
    iteration: int
    feedback: str
    windows: list[Window]


class ReviewEvent(TypedDict):
    """A person's decision about the reasoning of attempt `best_iteration` (null: there was none)."""

    event: Literal["review"]
    action: _ReviewAction
    best_iteration: int | None
    feedback: str | None
    windows: list[Window]


class TargetEvent(TypedDict):
    """The target is asked with the reasoning of attempt `best_iteration`, with an edited one, or without (null)."""

    event: Literal["target"]
    best_iteration: int | None
    edited: bool


class GateEvent(GateDecision):
    """Which of the two answers counts."""

    event: Literal["gate"]


class ResumeEvent(TypedDict):
    """A stored thread resumes after `iterations` attempts, before the nodes `next`."""

    event: Literal["resumed"]
    thread: str
    iterations: int
    next: list[str]


Event = (
    ClipEvent | DescriptionEvent | AttemptEvent | FeedbackEvent | ReviewEvent | TargetEvent | GateEvent | ResumeEvent
)
