"""Print a run in a terminal: one line per event as it happens, then the reasoning and both answers."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aurelia.cli.text import cost_text, count_noun
from aurelia_core.sanitize import escape_invisible
from aurelia_core.types import Media, Reasoning, is_video
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
    """Writes the events of a run to stderr as they happen."""

    def __init__(self, context: Context, console: Console | None = None) -> None:
        """Create a printer; nothing is written yet.

        Args:
            context: the settings of the run.
            console: where to write (default: stderr).
        """
        self._context = context
        self._console = console or Console(stderr=True, highlight=False)

    def event(self, event: Event) -> None:
        """Print one event of the graph."""
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
        done = count_noun(event["iterations"], "attempt")
        self._line("Thread", f"{event['thread']} is resumed after {done}: {', '.join(event['next'])}", "cyan")

    def _clip(self, event: ClipEvent) -> None:
        clip = event["clip"]
        parts = [*_video_parts(event), *_still_parts(event), *_sound_parts(event)]
        self._line("Clip", f"{', '.join(parts)}  [{clip['id'][:12]}]", "cyan")

    def _described(self, event: DescriptionEvent) -> None:
        self._line("Described", f"the {event['sense']}, by {event['by']}", "cyan")
        for line in event["text"].splitlines():
            self._line("", line, "dim")

    def _attempt(self, event: AttemptEvent) -> None:
        score = "not scored"
        style = "yellow"
        if event["score"] is not None:
            score = f"{event['score']}/10"
            if event["score"] >= self._context.threshold:
                style = "green"
        self._line(f"Attempt {event['iteration']}", f"{score}  {event['caption'] or event['error']}", style)
        if event["caption"] and (event["critique"] or event["error"]):
            self._line("", f"evaluator: {event['critique'] or event['error']}", "dim")

    def _feedback(self, event: FeedbackEvent) -> None:
        self._line("", f"feedback: {event['feedback']}", "dim")

    def _review(self, event: ReviewEvent) -> None:
        decisions = {
            "accept": "the reasoning is accepted",
            "edit": "the reasoning is edited",
            "again": f"another attempt: {event['feedback']}",
        }
        self._line("Review", decisions[event["action"]], "cyan")

    def _target(self, event: TargetEvent) -> None:
        text = _NO_REASONING
        if event["edited"]:
            text = f"answers with the edited reasoning ({self._context.inject})"
        elif event["best_iteration"]:
            text = f"answers with the reasoning of attempt {event['best_iteration']} ({self._context.inject})"
        self._line("Target", text, "cyan")

    def result(self, result: dict[str, Any]) -> None:
        """Print the chosen reasoning, the warnings, both answers and the cost."""
        if result["best"]:
            source = "edited by a person, without a score"
            if result["best_iteration"]:
                source = f"attempt {result['best_iteration']}, score {result['score']}/10"
            self._line("Reasoning", f"{source}, stopped by {result['stop_reason']}", "cyan")
            self._steps(result["best"])
        for warning in result["warnings"]:
            self._line("Note", warning, "yellow")
        if self._context.compare:
            self._line("Zero-shot", result["zero_shot_answer"] or "none", "magenta")
        self._line("AURELIA", result["answer"] or "none", "bold green")
        usage = result["usage"]
        bill = "all replies were in the ledger: nothing to pay"
        if usage["calls"]:
            bill = f"{count_noun(usage['calls'], 'call')}, cost {cost_text(usage)}"
        self._line("", f"{bill}, {result['seconds']:.1f} s", "dim")

    def pause(self, pause: Mapping[str, Any]) -> None:
        """Print what a person is asked to review."""
        source = "no attempt could be scored"
        if pause["best_iteration"]:
            source = f"attempt {pause['best_iteration']} of {pause['attempts']}, score {pause['score']}/10"
        self._line("Review", f"{source}, stopped by {pause['stop_reason']}", "cyan")
        if pause["reasoning"]:
            self._steps(pause["reasoning"])
            self._line("", f"caption: {pause['caption']}", "dim")
            self._line("", f"evaluator: {pause['critique']}", "dim")
        if pause["why_no_more"]:
            self._line("", f"no further attempt is possible: {pause['why_no_more']}", "yellow")

    def note(self, label: str, text: str) -> None:
        """Print a line that is not an event of the graph."""
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


def _video_parts(event: ClipEvent) -> list[str]:
    clip = event["clip"]
    if not is_video(clip):
        return []
    return [f"{clip['duration']:.2f} s", f"{clip['width']}x{clip['height']}", f"{clip['fps']:.4g} frames/s"]


def _still_parts(event: ClipEvent) -> list[str]:
    stills = Media(event["clip"], event["pictures"], event["tracks"]).stills
    if not stills:
        return []
    sizes = ", ".join(f"{ref['width']}x{ref['height']}" for ref in stills)
    return [f"{count_noun(len(stills), 'image')} ({sizes})"]


def _sound_parts(event: ClipEvent) -> list[str]:
    clip = event["clip"]
    if event["tracks"]:
        noun = "separate sound track"
        if not is_video(clip):
            noun = "sound"
        return [count_noun(len(event["tracks"]), noun)]
    if clip["has_audio"]:
        return [f"sound of {clip['audio_seconds']:.2f} s"]
    return ["no sound"]


def render_answer(result: dict[str, Any]) -> str:
    """The text for stdout without --json: the answer alone."""
    return escape_invisible(str(result["answer"]))
