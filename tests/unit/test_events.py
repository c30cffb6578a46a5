"""The custom events of real runs: each is of a known kind and carries what its type says, no more and no less."""

from io import StringIO
from typing import Any, get_args

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import TypeAdapter
from rich.console import Console

from aurelia.cli.progress import ProgressPrinter, _next_work
from aurelia.run.ask import answer_question
from state.context import Context, make_context
from state.events import Event
from tests.support.scripted import ScriptedChat, reasoning, scripted, verdict
from tests.support.stage import Stage

ROLES = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
KINDS = {get_args(kind.__annotations__["event"])[0]: kind for kind in get_args(Event)}


def check(event: dict[str, Any]) -> str:
    """The event's kind, if it is exactly what the kind's type says."""
    kind = KINDS[event["event"]]
    assert kind.__required_keys__ <= event.keys() <= kind.__annotations__.keys()
    assert TypeAdapter(kind).validate_python(event, strict=True) == event
    return str(event["event"])


async def events_of(at: Stage, *answers: Any, **context: Any) -> list[dict[str, Any]]:
    """The events of a run; a person gives the answers, the same thread is asked again when they run out."""
    seen: list[Any] = []
    left = list(answers)

    async def person(pause: Any) -> Any:
        return left.pop(0)

    settings = make_context({**ROLES, "review": "reasoning" if answers else "none", **context})
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    graph = at.graph(InMemorySaver())
    await answer_question(
        question, settings, client=at.desk, graph=graph, thread="one", reviewer=person, on_event=seen.append
    )
    return seen


@pytest.mark.parametrize(
    ("model", "answers", "expected"),
    [
        (scripted(evaluator=[verdict(3), verdict(9)]), [], ["clip", "attempt", "feedback", "attempt", "target"]),
        (
            scripted(),
            [{"action": "again", "feedback": "More.", "windows": [{"start": 0, "end": 1}]}, {"action": "accept"}],
            ["clip", "attempt", "review", "attempt", "review", "target"],
        ),
        (
            scripted(),
            [{"action": "edit", "reasoning": reasoning("mine")}],
            ["clip", "attempt", "review", "target"],
        ),
        (scripted(generator=[ValueError("gone")]), [], ["clip", *["attempt"] * 5, "target"]),
    ],
)
async def test_events_are_what_their_types_say(
    stage: Any, model: ScriptedChat, answers: list[Any], expected: list[str]
) -> None:
    events = await events_of(stage(model), *answers)
    assert [check(event) for event in events] == expected
    progress = ProgressPrinter(Context(), console := Console(record=True, width=200, force_terminal=False))
    for event in events:
        progress.event(event)  # type: ignore[arg-type]
    assert console.export_text().count("Attempt") == expected.count("attempt")


def test_a_check_that_an_event_is_exact_can_fail() -> None:
    with pytest.raises(AssertionError):
        check({"event": "target", "best_iteration": 1, "edited": False, "reasoning": {}})
    with pytest.raises(KeyError):
        check({"event": "token", "text": "x"})


def test_every_kind_of_event_is_shown() -> None:
    console = Console(record=True, width=200)
    progress = ProgressPrinter(Context(), console)
    progress.event({"event": "resumed", "thread": "mine", "iterations": 2, "next": ["feedback"]})
    progress.event({"event": "described", "sense": "sound", "by": "google_genai:x", "text": "a bell"})
    progress.event({"event": "target", "best_iteration": None, "edited": False})
    shown = console.export_text()
    for text in ("mine is resumed after 2 attempts: feedback", "the sound, by google_genai:x", "without reasoning"):
        assert text in shown


def shown_result(result: dict[str, Any], *events: Any, **context: Any) -> str:
    """What is printed of a run."""
    console = Console(record=True, width=200, file=StringIO())
    progress = ProgressPrinter(make_context(context), console)
    for event in events:
        progress.event(event)
    progress.result(result)
    return console.export_text()


HEARD = "A bell rings twice near the end of the clip."


async def test_a_finding_is_printed_once(stage: Any) -> None:
    step = {"step": "Listen.", "justification": HEARD, "answer": HEARD, "modality": "audio"}
    model = scripted(
        generator=[{"steps": [step], "answer": "a bell"}],
        summarizer=[{"caption": HEARD}],
        evaluator=[verdict(3), verdict(9)],
        target=["unknown: nobody knows what the bell is made of"],
    )
    at: Stage = stage(model)
    seen: list[Any] = []
    question: Any = {"video": str(at.clip), "question": "What is heard?"}
    result = await answer_question(question, make_context(ROLES), client=at.desk, on_event=seen.append)
    text = shown_result(result, *seen)
    assert text.count(HEARD.rstrip(".")) == 1
    assert text.count("nobody knows") == 1
    assert "1. Listen. [audio]" in text, text
    assert "the threshold 8 was not reached in 5 attempts" in text
    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")][-4:] == [
        "Cost",
        "Unknown",
        "Zero-shot",
        "AURELIA",
    ]


async def test_what_was_said_before_the_run_is_not_said_again(stage: Any) -> None:
    why = "the question speaks of 'animal', and no animals are known here"
    at: Stage = stage(scripted(target=[f"unknown: {why}"]))
    question: Any = {"video": str(at.clip), "question": "What animal is shown?"}
    result = await answer_question(question, make_context(ROLES), client=at.desk)
    console = Console(record=True, width=200, file=StringIO())
    progress = ProgressPrinter(make_context({}), console)
    progress.foresee("offline:measure", why, "Use a model.")
    progress.result(result)
    text = console.export_text()
    assert text.count(why) == 1
    assert "Unknown    for the reason above" in text


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "clip"}, "Attempt 1"),
        ({"event": "attempt", "iteration": 1, "score": 3}, "Feedback"),
        ({"event": "attempt", "iteration": 1, "score": 9}, "The target"),
        ({"event": "attempt", "iteration": 5, "score": 3}, "The target"),
        ({"event": "feedback", "iteration": 2}, "Attempt 3"),
        ({"event": "target"}, "The target answers"),
    ],
)
def test_the_spinner_says_what_comes_next(event: Any, said: str) -> None:
    assert _next_work(event, Context()).startswith(said)


class Screen(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_spinner_turns_at_a_terminal_only() -> None:
    for terminal in (True, False):
        console = Console(width=80, file=Screen() if terminal else StringIO(), force_terminal=True)
        progress = ProgressPrinter(Context(), console)
        with progress.waiting("Checking the clip"):
            progress.doing("Loading the models")
        assert isinstance(console.file, StringIO)
        assert ("Loading the models" in console.file.getvalue()) == terminal
