"""The offline target: one look at the clip and a direct answer; with a reasoning, the plan guides the look."""

from collections.abc import Callable

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.models.requests import TargetRequest
from aurelia_core.signals.observation import Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_core.types import Reasoning, Window
from aurelia_offline.agents.inventory import TIME_RANGE, merge_windows
from aurelia_offline.answering.answers import final_answer, find_answer
from aurelia_offline.answering.witnessed import Witnessed
from aurelia_offline.questions.question import parse_question
from aurelia_offline.world import stage_agent

_MAX_WINDOWS = 8


def plan_windows(reasoning: Reasoning | None, duration: float) -> list[Window]:
    """The windows that the texts of the steps name, joined, inside the clip; [] if they name none."""
    texts = [step["step"] for step in reasoning["steps"]] if reasoning else []
    named = [match for text in texts for match in TIME_RANGE.findall(text)]
    windows = [Window(start=float(start), end=float(end)) for start, end in named if float(start) < float(end)]
    return merge_windows(windows, duration, most=_MAX_WINDOWS, gap=0.05)


def answer_as_target(
    request: TargetRequest,
    observe: Callable[[list[Window]], Observation],
    candidates: Callable[[list[Window]], list[tuple[str, Observation]] | None] = lambda windows: None,
    whole: Callable[[], WholeClip | None] = lambda: None,
    witnessed: Witnessed | None = None,
) -> str:
    """The target's answer in plain text: one of the choices or "unknown", or a short free answer.

    Without a reasoning the one look covers the whole clip. With one, the look covers the windows that the plan names;
    the plan names all windows with events, so the rest counts as empty. If the look cannot answer the question, the
    target uses the answer stated in the reasoning, and says so.

    Args:
        request: the target's request.
        observe: makes one look at the given windows ([] is the whole clip), within the budget of one look.
        candidates: for candidate tracks, makes the same look with each of them.
        whole: measures the whole clip, to tell what the look missed.
        witnessed: the answer of a witness, to a question that measurements do not answer.
    """
    choices = list(request.choices)
    if witnessed is not None:
        return _said(witnessed.answer, witnessed.finding.cue, request.reasoning, choices)
    windows = plan_windows(request.reasoning, request.duration)
    tracks = candidates(windows)
    question = request.question
    seen = tracks[0][1] if tracks else observe(windows)
    if not tracks and (posed := stage_agent.read_stage_question(question, seen)):
        said = stage_agent.stage_answer(*posed, choices)
        return said if said != UNKNOWN else _stated_answer(request.reasoning, choices) or UNKNOWN
    query = parse_question(question, choices, len(tracks or []))
    complete = None
    if not tracks and query.ask != "unknowable":
        complete = whole()
    found = find_answer(query, seen, tracks, [seen], complete)
    return _said(final_answer(found, choices), found.cue, request.reasoning, choices)


def _said(answer: str, cue: str, reasoning: Reasoning | None, choices: list[str]) -> str:
    """The target's own answer; without one that of the reasoning; else unknown, with the reason."""
    if answer != UNKNOWN:
        return answer
    return _stated_answer(reasoning, choices) or (UNKNOWN if choices else f"{UNKNOWN}: {cue}")


def _stated_answer(reasoning: Reasoning | None, choices: list[str]) -> str:
    """The answer stated in the reasoning, if it is given and usable, else ""."""
    said = reasoning["answer"] if reasoning else ""
    if not said or said.lower().startswith(UNKNOWN):
        return ""
    if choices:
        return said if said in choices else ""
    return f"{said} (as the reasoning states)"
