"""Progress of a run on stderr: a bar in a terminal, an occasional line elsewhere, and a summary at the end."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aurelia.bench.session import INTERRUPTED
from aurelia_core.sanitize import escape_invisible

_MAX_LINES = 20
ARM_LABELS = {"zero_shot": "zero-shot", "aurelia": "AURELIA"}


class ProgressDisplay:
    """Shows the events of a run on stderr. Use it in a `with` block, so that the bar is removed at the end."""

    def __init__(self, console: Console | None = None) -> None:
        """Shows nothing yet.

        Args:
            console: Console to write to (default: stderr).
        """
        self._console = console or Console(stderr=True, highlight=False)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._lines_shown = 0

    def __enter__(self) -> "ProgressDisplay":
        """Starts the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the bar."""
        self._bar.stop()

    def event(self, event: dict[str, Any]) -> None:
        """Shows one event of `aurelia.bench.runner`."""
        handlers = {
            "note": self._note,
            "start": self._start,
            "outcome": self._outcome,
            "stopping": self._stopping,
            "end": self._end,
        }
        handlers[event["event"]](event)

    def _note(self, event: dict[str, Any]) -> None:
        self._print(event["text"])

    def _start(self, event: dict[str, Any]) -> None:
        text = f"{event['run']}: {event['questions']} questions"
        if event["left_out"]:
            text += f", {event['left_out']} left out because their media are missing"
        self._print(text)
        if event["to_do"]:
            least, most = event["calls_to_come"]
            calls = f"{least}"
            if most > least:
                calls = f"{least} to {most}"
            earlier = sum(count["answered"] for count in event["arms"].values())
            text = f"To come: {event['to_do']} answers, {calls} calls{_to_come(event)}"
            if earlier:
                text += f"; {earlier} of {event['planned']} are answered already"
            self._print(text)
        self._show_bar(event)

    def _outcome(self, event: dict[str, Any]) -> None:
        text, answered = self._show_bar(event)
        due = event["done"] * _MAX_LINES // event["to_do"]
        if not self._console.is_terminal and due > self._lines_shown:
            self._lines_shown = due
            self._print(f"{answered}/{event['planned']}  {text}")

    def _show_bar(self, event: dict[str, Any]) -> tuple[str, int]:
        """Moves the bar to the answers of the whole run; returns its text and the number of answers."""
        failed = sum(count["failed"] for count in event["arms"].values())
        text = f"{_accuracy(event)}  {_cost(event)}{_to_come(event)}"
        if failed:
            text = f"{failed} failed  {text}"
        answered = sum(count["answered"] for count in event["arms"].values())
        self._bar.update(self._task, total=event["planned"], completed=answered, description=text)
        return text, answered

    def _stopping(self, event: dict[str, Any]) -> None:
        self._print(f"Stopping: waiting for {event['calls']} running calls. Press Ctrl-C again to stop at once.")

    def _end(self, event: dict[str, Any]) -> None:
        for arm, count in event["arms"].items():
            self._print(f"{ARM_LABELS[arm]:<10}{count_text(count)}")
        if reason := event.get("why_unknown"):
            self._print(f'Unparsed: the most frequent reason that answers give for "unknown": {reason}')
        self._print(f"{'Cost':<10}{event['usage']['calls']} calls, {_cost(event)}, {event['seconds']:.0f} s of work")
        if event["stopped_by"] == INTERRUPTED:
            # The command itself ends with the remedy.
            self._print(f"Answers left: {event['left']}.")
        elif event["stopped_by"]:
            self._print(_stopped_text(event))
        elif any(count["failed"] for count in event["arms"].values()):
            self._print(_failed_text(event))

    def _print(self, text: str) -> None:
        self._bar.console.print(escape_invisible(text), soft_wrap=True, markup=False)


def count_text(count: dict[str, Any]) -> str:
    """The counts of an arm as words (`aurelia.bench.tally.ArmCount.as_dict`)."""
    text = f"{count['answered']} answered"
    if count["failed"]:
        text += f", {count['failed']} failed"
    if count["captions"]:
        text += f", {count['captions']} of them {'captions' if count['captions'] > 1 else 'a caption'}"
    if count["accuracy"] is None:
        return text
    of = f" of the other {count['scored']}" if count["captions"] else ""
    return f"{text}, {count['accuracy']:.1%}{of} right, {count['unparsed']} unparsed"


def _stopped_text(event: dict[str, Any]) -> str:
    remedy = "Finished answers are saved; run the same command to resume"
    if "all failed" in event["stopped_by"]:
        remedy = "Mend what the error names, and run the same command again"
    if "budget" in event["stopped_by"]:
        remedy += ", with a larger budget"
    return f"Stopped: {event['stopped_by']}. Answers left: {event['left']}. {remedy}."


def _failed_text(event: dict[str, Any]) -> str:
    text = "Run the same command to retry what failed"
    if event["given_up"]:
        text += f"; {event['given_up']} reached --max-tries"
    return f"{text}. Last error: {event['last_error']}"


def _accuracy(event: dict[str, Any]) -> str:
    parts = []
    for arm, count in event["arms"].items():
        if count["accuracy"] is not None:
            of = f" of {count['scored']}" if count["scored"] < count["answered"] else ""
            parts.append(f"{ARM_LABELS[arm]} {count['accuracy']:.1%}{of}")
    return "  ".join(parts) or "nothing scored yet"


def _to_come(event: dict[str, Any]) -> str:
    """Tokens and dollars to come, if earlier answers show them."""
    tokens = event["tokens_to_come"]
    if not tokens:
        return ""
    cost = event["cost_usd_to_come"]
    if cost is None:
        return f", about {tokens:,} tokens to come"
    return f", about {tokens:,} tokens and ${cost:.2f} to come"


def _cost(event: dict[str, Any]) -> str:
    cost = event["usage"]["cost_usd"]
    if cost is None:
        return "cost unknown"
    return f"${cost:.4f}"
