"""Print a run in a terminal: one line per event as it happens, then the reasoning and both answers.

A sentence is printed once: what the caption of an attempt says already is left out of the steps below.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from aurelia.cli.ending import output_error
from aurelia.cli.text import cost_text, count_noun
from aurelia_core.answers.clean_answer import clean_answer
from aurelia_core.claims import CLAIM_VERDICTS, Finding
from aurelia_core.sanitize import escape_invisible
from aurelia_core.types import Media, Reasoning, is_video
from state.context import Context
from state.events import (
    AttemptEvent,
    ClipEvent,
    DescriptionEvent,
    Event,
    FeedbackEvent,
    GateEvent,
    ResumeEvent,
    ReviewEvent,
    TargetEvent,
)

_NO_REASONING = "answers without reasoning"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SHORT_WORDS = 3
"""A sentence with at most this many words may be said again: it is an answer, not a finding."""
_LABEL_WIDTH = 11
_VERDICT_SIGNS = {"supported": ("+", "dim"), "contradicted": ("-", "yellow"), "cannot_tell": ("?", "dim")}


class _Terminal(Console):
    """A console whose reader may stop reading."""

    def on_broken_pipe(self) -> None:
        raise output_error(BrokenPipeError())


class ProgressPrinter:
    """Writes the events of a run to stderr as they happen."""

    def __init__(self, context: Context | None = None, console: Console | None = None) -> None:
        """Create a printer; nothing is written yet.

        Args:
            context: the settings of the run (default: `Context()`).
            console: where to write (default: stderr).
        """
        self._context = context or Context()
        self._console = console or _Terminal(stderr=True, highlight=False)
        self._status: Status | None = None
        self._printed: set[str] = set()

    @contextmanager
    def waiting(self, doing: str) -> Iterator[None]:
        """Show on a terminal what is being done, with a spinner, while the block runs; elsewhere nothing.

        Args:
            doing: what is being done; the events of the run change it.
        """
        # Colours can be forced into a pipe (FORCE_COLOR), where a spinner would be noise.
        if not self._console.file.isatty():
            yield
            return
        with self._console.status(doing, spinner_style="cyan") as self._status:
            try:
                yield
            finally:
                self._status = None

    def doing(self, text: str) -> None:
        """Change what the spinner says."""
        if self._status:
            self._status.update(text)

    def event(self, event: Event) -> None:
        """Print one event of the graph."""
        writers: dict[str, Callable[[Any], None]] = {
            "clip": self._clip,
            "described": self._described,
            "attempt": self._attempt,
            "feedback": self._feedback,
            "review": self._review,
            "target": self._target,
            "gate": self._gate,
            "resumed": self._resumed,
        }
        writers[event["event"]](event)
        self.doing(_next_work(event, self._context))

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
        said = event["caption"] or event["error"] or ""
        findings = self._new_sentences(said)
        if findings.split() != said.split():
            findings = f"{findings} (The rest as before.)".strip()
        self._line(f"Attempt {event['iteration']}", f"{score}  {findings}", style)
        if event.get("claims"):
            self.claims(event["claims"])
        elif event["caption"] and (event["critique"] or event["error"]):
            self._new_line("evaluator: ", event["critique"] or event["error"] or "")

    def claims(self, findings: Sequence[Finding]) -> None:
        """How many hold, which makes the score; then each with the sign of its verdict, window, witness and reason."""
        counts = Counter(finding["verdict"] for finding in findings)
        words = ("supported (+)", "contradicted (-)", "not told (?)")
        held = ", ".join(f"{counts[verdict]} {word}" for verdict, word in zip(CLAIM_VERDICTS, words, strict=True))
        self._line("Claims", f"{held}, which makes the score", "cyan")
        for finding in findings:
            sign, style = _VERDICT_SIGNS[finding["verdict"]]
            window = finding["claim"]["window"] or finding["window"]
            where = f", {window['start']:.1f}-{window['end']:.1f} s" if window else ""
            text = f"{sign} {finding['claim']['text']} ({finding['witness']}{where})"
            if finding["verdict"] != "supported" and finding["reason"]:
                text = f"{text}: {finding['reason']}"
            self._line("", text, style)

    def _gate(self, event: GateEvent) -> None:
        which = "the answer with reasoning counts"
        if event["chosen"] == "zero_shot":
            which = "the zero-shot answer counts"
        self._line("Gate", f"{which}: {event['reason']}", "cyan")

    def _feedback(self, event: FeedbackEvent) -> None:
        self._new_line("feedback: ", event["feedback"])

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
        # The reason of an "unknown" stands with the answer, not also with the steps.
        reason = self._new_sentences(result["why_unknown"] or "")
        if result["best"]:
            source = "edited by a person, without a score"
            if result["best_iteration"]:
                source = f"of attempt {result['best_iteration']}, scored {result['score']}/10"
                if result["score"] is None:
                    source = "written by the target itself, without a score"
            self._line("Reasoning", f"{source}; {_stop_text(result, self._context)}", "cyan")
            self._steps(result["best"])
        self._votes(result["iterations"])
        for warning in result["warnings"]:
            self._line("Warning", warning, "yellow")
        usage = result["usage"]
        bill = "all replies were in the ledger: nothing to pay"
        if usage["calls"]:
            bill = f"{count_noun(usage['calls'], 'call')}, {cost_text(usage)}"
        self._line("Cost", f"{bill}; {result['seconds']:.1f} s", "dim")
        if result["why_unknown"]:
            self._line("Unknown", reason or "for the reason above", "yellow")
        if self._context.compare:
            self._line("Zero-shot", result["zero_shot_answer"] or "none", "magenta")
        if self._answer_follows():
            self._console.print(Text(f"{'AURELIA':<{_LABEL_WIDTH}}", "bold"), end="")
        else:
            self._line("AURELIA", result["answer"] or "none", "bold green")

    def _votes(self, attempts: Sequence[Mapping[str, Any]]) -> None:
        """How a vote went: each answer as its reply gives it, and how often it was given."""
        counted = Counter(clean_answer(attempt["reply"]).text for attempt in attempts if "reply" in attempt)
        if counted:
            self._line("Votes", ", ".join(f"{count} for {reply!r}" for reply, count in counted.most_common()), "cyan")

    def _answer_follows(self) -> bool:
        """Whether stdout is this terminal, too, so that the answer there ends the line that begins here."""
        return self._console.file.isatty() and sys.stdout.isatty()

    def pause(self, pause: Mapping[str, Any]) -> None:
        """Print what a person is asked to review; the spinner ends here."""
        if self._status:
            self._status.stop()
            self._status = None
        source = "no attempt could be scored"
        if pause["best_iteration"]:
            source = f"attempt {pause['best_iteration']} of {pause['attempts']}, score {pause['score']}/10"
        self._line("Review", f"{source}; {_stop_text(pause, self._context)}", "cyan")
        # The person decides about all of it, wherever a part was printed before.
        self._printed.clear()
        if pause["reasoning"]:
            self._steps(pause["reasoning"])
            self._line("", f"caption: {pause['caption']}", "dim")
            self._line("", f"evaluator: {pause['critique']}", "dim")
        if pause["why_no_more"]:
            self._line("", f"no further attempt is possible: {pause['why_no_more']}", "yellow")

    def note(self, label: str, text: str) -> None:
        """Print a line that is not an event of the graph."""
        self._line(label, text, "cyan")

    def foresee(self, target: str, why: str, needed: str) -> None:
        """Print before a run that its target cannot answer such a question.

        Args:
            target: the model.
            why: the reason, which is not printed again with the answer.
            needed: what such a question needs.
        """
        self._line("Note", f"{target} will answer unknown: {self._new_sentences(why)}. {needed}", "yellow")

    def _steps(self, reasoning: Reasoning) -> None:
        for number, step in enumerate(reasoning["steps"], 1):
            self._line("", f"{number}. {step['step']} [{step['modality']}]", "")
            answer = self._new_sentences(step["answer"])
            reason = self._new_sentences(step["justification"])
            if answer and reason:
                answer = f"{answer} ({reason})"
            if answer or reason:
                self._line("", f"   {answer or reason}", "dim")

    def _new_line(self, prefix: str, text: str) -> None:
        """Print what of a text was not printed before, if anything."""
        if new := self._new_sentences(text):
            self._line("", f"{prefix}{new}", "dim")

    def _new_sentences(self, text: str) -> str:
        """The sentences of a text that were not printed before."""
        new = []
        for sentence in _SENTENCE_END.split(text.strip()):
            key = sentence.casefold().rstrip(".!?")
            if len(key.split()) > _SHORT_WORDS:
                if self._is_printed(key):
                    continue
                self._printed.add(key)
            new.append(sentence)
        return " ".join(new)

    def _is_printed(self, key: str) -> bool:
        """Whether a sentence was printed, also in whole where it is quoted and cut ("The evaluator says: …")."""
        if key in self._printed:
            return True
        quoted = key.partition(": ")[2].rstrip(" …")
        return len(quoted.split()) > _SHORT_WORDS and any(one.startswith(quoted) for one in self._printed)

    def _line(self, label: str, text: str, style: str) -> None:
        text = escape_invisible(text)
        if not self._console.is_terminal:
            self._console.print(Text.assemble((f"{label:<{_LABEL_WIDTH}}", "bold"), (text, style)), soft_wrap=True)
            return
        grid = Table.grid()
        grid.add_column(width=_LABEL_WIDTH)
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


_FIRST_WORK = {
    "best_of_n": "{count} attempts side by side: the generator looks and listens, the evaluator checks",
    "vote": "The target answers {count} times, and the majority counts",
    "own_steps": "The target writes its own steps",
    "script": "The describer writes a script of the clip",
}
"""What the strategies beside the loop do first."""


def _next_work(event: Event, context: Context) -> str:
    """What a run does after an event."""
    match event["event"]:
        case "clip" | "described" if context.strategy != "refine":
            return _FIRST_WORK[context.strategy].format(count=context.candidates)
        case "clip" | "described":
            return "Attempt 1: the generator looks and listens, the evaluator checks"
        case "attempt":
            done = (
                context.strategy != "refine"
                or event["iteration"] >= context.max_iterations
                or (event["score"] or 0) >= context.threshold
            )
            return "The target is asked" if done else "Feedback: where to look again"
        case "feedback":
            return f"Attempt {event['iteration'] + 1}: the generator looks and listens again, the evaluator checks"
        case "target":
            return "The target answers"
    return "The run goes on"


def _stop_text(result: Mapping[str, Any], context: Context) -> str:
    """Why the loop ended, in words."""
    reasons = {
        "threshold": f"the threshold {context.threshold} is reached",
        "max_iterations": f"the threshold {context.threshold} was not reached in {context.max_iterations} attempts",
        "patience": f"the score did not rise in {context.patience} attempts",
        "one_round": f"the strategy {context.strategy} makes one round of attempts",
        "budget": "the budget is used up",
        "no_valid_score": "no attempt could be scored",
    }
    return reasons.get(result["stop_reason"], "the loop did not end by itself")


def render_answer(result: dict[str, Any]) -> str:
    """The text for stdout without --json: the answer alone."""
    return escape_invisible(result["answer"] or "none")
