"""How a run's progress reads: a bar on a terminal, a line now and then elsewhere, and a summary. No logic."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aurelia_core.sanitize import escape_invisible

_MAX_LINES = 20
_ARM_LABELS = {"zero_shot": "zero-shot", "aurelia": "AURELIA"}


class ProgressDisplay:
    """Shows a run's events on stderr; use it as a context, so that the bar is taken down at the end."""

    def __init__(self, console: Console | None = None) -> None:
        """Shows nothing yet.

        Args:
            console: where to write (default: stderr).
        """
        self._console = console or Console(stderr=True, highlight=False)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._shown = 0

    def __enter__(self) -> "ProgressDisplay":
        """Puts the bar up."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the bar down."""
        self._bar.stop()

    def event(self, event: dict[str, Any]) -> None:
        """Shows one event of `aurelia.bench.runner`."""
        shown = {"note": self._note, "start": self._start, "outcome": self._outcome, "stopping": self._stopping}
        {**shown, "end": self._end}[event["event"]](event)

    def _note(self, event: dict[str, Any]) -> None:
        self._say(event["text"])

    def _start(self, event: dict[str, Any]) -> None:
        left_out = f", {event['left_out']} left out for want of their media" if event["left_out"] else ""
        self._say(f"{event['run']}: {event['questions']} questions{left_out}")

    def _outcome(self, event: dict[str, Any]) -> None:
        text = f"{_accuracy(event)}  {_cost(event)}"
        self._bar.update(self._task, total=event["to_do"], completed=event["done"], description=text)
        share = event["done"] * _MAX_LINES // event["to_do"]
        if not self._console.is_terminal and share > self._shown:
            self._shown = share
            self._say(f"{event['done']}/{event['to_do']}  {text}")

    def _stopping(self, event: dict[str, Any]) -> None:
        self._say(f"Stopping when {event['calls']} calls under way are stored; Ctrl-C again stops at once.")

    def _end(self, event: dict[str, Any]) -> None:
        for arm, count in event["arms"].items():
            right = count["accuracy"]
            accuracy = "" if right is None else f", {right:.1%} right, {count['unparsed']} unparsed"
            failed = f", {count['failed']} failed" if count["failed"] else ""
            self._say(f"{_ARM_LABELS[arm]:<10}{count['answered']} answered{failed}{accuracy}")
        usage = event["usage"]
        self._say(f"{'Bill':<10}{usage['calls']} calls, {_cost(event)}, {event['seconds']:.0f} s of work")
        if event["stopped_by"]:
            how = ", with a larger budget" if "budget" in event["stopped_by"] else ""
            self._say(f"Stopped: {event['stopped_by']}. Answers left: {event['left']}. The same command goes on{how}.")
        elif any(count["failed"] for count in event["arms"].values()):
            tried = f"; {event['given_up']} were tried as often as --max-tries allows" if event["given_up"] else ""
            self._say(f"What failed is asked again by the same command{tried}. The last error: {event['last_error']}")

    def _say(self, text: str) -> None:
        self._bar.console.print(escape_invisible(text), soft_wrap=True, markup=False)


def _accuracy(event: dict[str, Any]) -> str:
    shown = [
        f"{_ARM_LABELS[arm]} {count['accuracy']:.1%}"
        for arm, count in event["arms"].items()
        if count["accuracy"] is not None
    ]
    return "  ".join(shown) or "nothing to judge yet"


def _cost(event: dict[str, Any]) -> str:
    cost = event["usage"]["cost_usd"]
    return "cost unknown" if cost is None else f"${cost:.4f}"
