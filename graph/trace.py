"""What a trace shows of a node: its input by name and its decision; the words are in the model's span below it."""

from typing import Any

_SHOWN_BELOW = ("best", "iterations", "usage", "described", "settings")
_OF_THE_RUN = ("run", "question", "choices", "clip", "tracks", "described", "settings")


def node_input(state: Any) -> Any:
    """A node's input without what the run's own span says, the attempts by their number and scores."""
    if not isinstance(state, dict):
        return state
    shown = {name: value for name, value in state.items() if name not in _OF_THE_RUN}
    if "iterations" in shown:
        shown["iterations"] = [
            {"iteration": attempt["iteration"], "score": attempt["score"]} for attempt in shown["iterations"]
        ]
    return shown


def node_output(update: Any) -> Any:
    """A node's output without the texts that its model's span shows in full; the run's output has them all."""
    if not isinstance(update, dict):
        return update
    shown = {name: value for name, value in update.items() if name not in _SHOWN_BELOW}
    for attempt in update.get("iterations") or []:
        shown |= {
            name: attempt[name] for name in ("iteration", "score", "windows", "doubts", "error") if name in attempt
        }
    return shown
