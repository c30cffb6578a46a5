"""How a run reads in a terminal: a line an attempt as it happens, then the reasoning and both answers. No logic."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aurelia_core.sanitize import escape_invisible
from aurelia_core.types import Reasoning
from state.context import Context
from state.events import (
    AttemptEvent,
    ClipEvent,
    DescriptionEvent,
    Event,
    FeedbackEvent,
    ResumeEvent,
    ReviewEvent,
    TargetEvent,
)

_NO_REASONING = "answers without reasoning"


class ProgressPrinter:
    """Writes a run's events to stderr as they come."""

    def __init__(self, context: Context, console: Console | None = None) -> None:
        """Writes nothing yet.

        Args:
            context: the run's settings, for what the scores are held against.
            console: where to write (default: stderr).
        """
        self._context = context
        self._console = console or Console(stderr=True, highlight=False)

    def event(self, event: Event) -> None:
        """Shows one event of the graph."""
        writers: dict[str, Callable[[Any], None]] = {
            "clip": self._clip,
            "described": self._described,
            "attempt": self._attempt,
            "feedback": self._feedback,
            "review": self._review,
            "target": self._target,
            "resumed": self._resumed,
        }
        writers[event["event"]](event)

    def _resumed(self, event: ResumeEvent) -> None:
        done = f"{event['iterations']} attempt{'s' if event['iterations'] != 1 else ''}"
        self._line("Thread", f"{event['thread']} goes on after {done}: {', '.join(event['next'])}", "cyan")

    def _clip(self, event: ClipEvent) -> None:
        clip, tracks = event["clip"], event["tracks"]
        if tracks:
            sound = f"{len(tracks)} separate sound track{'s' if len(tracks) > 1 else ''}"
        else:
            sound = f"sound of {clip['audio_seconds']:.2f} s" if clip["has_audio"] else "no sound"
        size = f"{clip['width']}x{clip['height']}, {clip['fps']:.4g} frames/s"
        self._line("Clip", f"{clip['duration']:.2f} s, {size}, {sound}  [{clip['id'][:12]}]", "cyan")

    def _described(self, event: DescriptionEvent) -> None:
        self._line("Described", f"the {event['sense']}, by {event['by']}", "cyan")
        for line in event["text"].splitlines():
            self._line("", line, "dim")

    def _attempt(self, event: AttemptEvent) -> None:
        of_ten = "not scored" if event["score"] is None else f"{event['score']}/10"
        style = "green" if (event["score"] or 0) >= self._context.threshold else "yellow"
        self._line(f"Attempt {event['iteration']}", f"{of_ten}  {event['caption'] or event['error']}", style)
        if event["caption"] and (event["critique"] or event["error"]):
            self._line("", f"evaluator: {event['critique'] or event['error']}", "dim")

    def _feedback(self, event: FeedbackEvent) -> None:
        self._line("", f"feedback: {event['feedback']}", "dim")

    def _review(self, event: ReviewEvent) -> None:
        said = {
            "accept": "the reasoning is accepted",
            "edit": "the reasoning is edited",
            "again": f"another attempt: {event['feedback']}",
        }
        self._line("Review", said[event["action"]], "cyan")

    def _target(self, event: TargetEvent) -> None:
        which = "the edited reasoning" if event["edited"] else f"the reasoning of attempt {event['best_iteration']}"
        given = event["edited"] or event["best_iteration"]
        self._line("Target", f"answers with {which} ({self._context.inject})" if given else _NO_REASONING, "cyan")

    def result(self, result: dict[str, Any]) -> None:
        """Shows the chosen reasoning, the zero-shot answer and what went wrong."""
        if result["best"]:
            scored = f"attempt {result['best_iteration']}, score {result['score']}/10"
            which = scored if result["best_iteration"] else "a person's, without a score"
            self._line("Reasoning", f"{which}, stopped by {result['stop_reason']}", "cyan")
            self._steps(result["best"])
        for warning in result["warnings"]:
            self._line("Note", warning, "yellow")
        if self._context.compare:
            self._line("Zero-shot", result["zero_shot_answer"] or "none", "magenta")
        self._line("AURELIA", result["answer"] or "none", "bold green")
        usage = result["usage"]
        cost = "unknown" if usage["cost_usd"] is None else f"${usage['cost_usd']:.4f}"
        bill = (
            f"{usage['calls']} calls, cost {cost}"
            if usage["calls"]
            else "every reply was in the ledger: nothing to pay"
        )
        self._line("", f"{bill}, {result['seconds']:.1f} s", "dim")

    def pause(self, pause: Mapping[str, Any]) -> None:
        """Shows what a person is asked to review."""
        scored = f"attempt {pause['best_iteration']} of {pause['attempts']}, score {pause['score']}/10"
        which = scored if pause["best_iteration"] else "no attempt could be scored"
        self._line("Review", f"{which}, stopped by {pause['stop_reason']}", "cyan")
        if pause["reasoning"]:
            self._steps(pause["reasoning"])
            self._line("", f"caption: {pause['caption']}", "dim")
            self._line("", f"evaluator: {pause['critique']}", "dim")
        if pause["why_no_more"]:
            self._line("", f"there can be no other attempt: {pause['why_no_more']}", "yellow")

    def note(self, label: str, text: str) -> None:
        """Shows a line of the command line's own."""
        self._line(label, text, "cyan")

    def _steps(self, reasoning: Reasoning) -> None:
        for number, step in enumerate(reasoning["steps"], 1):
            self._line("", f"{number}. {step['step']} [{step['modality']}]", "")
            self._line("", f"   {step['answer']} ({step['justification']})", "dim")

    def _line(self, label: str, text: str, style: str) -> None:
        text = escape_invisible(text)
        if not self._console.is_terminal:
            self._console.print(Text.assemble((f"{label:<11}", "bold"), (text, style)), soft_wrap=True)
            return
        grid = Table.grid()
        grid.add_column(width=11)
        grid.add_column()
        grid.add_row(Text(label, "bold"), Text(text, style))
        self._console.print(grid)


def render_answer(result: dict[str, Any]) -> str:
    """What goes to stdout without --json: the answer alone."""
    return escape_invisible(str(result["answer"]))
