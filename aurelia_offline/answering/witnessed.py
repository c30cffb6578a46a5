"""Answers questions about speech and about text on the picture from witnesses, if their packages are installed."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.signals.spans import join_spans
from aurelia_core.types import Modality, Span
from aurelia_core.witnesses.base import ClipView, inside
from aurelia_core.witnesses.voice import VoiceWitness, clip_voices
from aurelia_core.witnesses.written import TextLine, WrittenWitness, read_clip, similarity
from aurelia_offline.answering.finding import (
    MeasuredAnswer,
    join_words,
    seconds_text,
    span_text,
    unknown_finding,
    yes_no_finding,
)
from aurelia_offline.questions.choices import Value, choose_answer
from aurelia_offline.questions.witnessed import WitnessedAsk, WitnessedQuestion

_ALIKE = 0.9
_MAX_LINES = 8
_CLEAR_SCORE, _SAME_TEXT = 0.96, 0.7


class Witnessed(NamedTuple):
    """The finding of a witness, the final answer, and the task in words."""

    finding: MeasuredAnswer
    answer: str
    task: str


def answer_from_witnesses(question: WitnessedQuestion, choices: list[str], view: ClipView) -> Witnessed:
    """The answer to a question about speech or text.

    Args:
        question: the question as it was read.
        choices: the choices, possibly none.
        view: the clip.

    Raises:
        MediaError: the clip cannot be decoded.
    """
    if question.span is not None and question.window(view.duration) is None:
        nothing = unknown_finding("the clip has no such part", _sense(question))
        return Witnessed(nothing, nothing.text, "Find the part of the clip that the question names.")
    if question.subject == "speech":
        finding, task = _answer_speech(question, view), "Listen for voices and their times."
    else:
        finding, task = _answer_text(question, view), "Read the text on the picture."
    answer = finding.text
    if choices:
        answer = _choose(question, finding, choices)
    return Witnessed(finding, answer, task)


def _answer_speech(question: WitnessedQuestion, view: ClipView) -> MeasuredAnswer:
    if lacks := VoiceWitness().lacks():
        return unknown_finding(f"voices are not told from other sounds here: this needs {join_words(lacks)}", "audio")
    if not view.has_audio:
        return _absent(question, "the clip has no sound track")
    spans, doubtful = (inside(part, question.window(view.duration)) for part in clip_voices(view))
    if doubtful and (not spans or _changes_times(question.ask, spans, doubtful)):
        told = join_words([span_text(*span) for span in doubtful[:_MAX_LINES]])
        return unknown_finding(f"whether the sound {told} is a voice is not clear", "audio")
    if not spans:
        return _absent(question, "no voice is heard")
    return _about_spans(question, spans, f"a voice is heard {join_words([span_text(*span) for span in spans[:8]])}")


def _changes_times(ask: WitnessedAsk, spans: list[Span], doubtful: list[Span]) -> bool:
    """Whether the asked time would be another one if the doubtful spans counted."""
    match ask:
        case "when":
            return min(doubtful) < min(spans)
        case "end":
            return max(end for _, end in doubtful) > max(end for _, end in spans)
        case "length":
            return True
    return False


def _about_spans(question: WitnessedQuestion, spans: list[Span], cue: str) -> MeasuredAnswer:
    """Whether, when and how long, from the spans in which something is there."""
    sense = _sense(question)
    if question.ask == "exists":
        return yes_no_finding(not question.negated, cue, sense)
    if question.ask == "when":
        listed = join_words([span_text(*span) for span in join_spans(spans)[:_MAX_LINES]])
        return MeasuredAnswer((Value("seconds", min(spans)[0]),), listed, cue, sense)
    if question.ask == "end":
        last = max(end for _, end in spans)
        return MeasuredAnswer((Value("seconds", last),), seconds_text(last), cue, sense)
    total = sum(end - start for start, end in join_spans(spans))
    return MeasuredAnswer((Value("seconds", total),), seconds_text(total), cue, sense)


def _sense(question: WitnessedQuestion) -> Modality:
    if question.subject == "speech":
        return "audio"
    return "visual"


def _absent(question: WitnessedQuestion, cue: str) -> MeasuredAnswer:
    """The answer if there is none: no to whether, else unknown with the reason."""
    if question.ask == "exists":
        return yes_no_finding(question.negated, cue, _sense(question))
    return unknown_finding(cue, _sense(question))


def _answer_text(question: WitnessedQuestion, view: ClipView) -> MeasuredAnswer:
    if lacks := WrittenWitness().lacks():
        return unknown_finding(f"text on the picture is not read here: this needs {join_words(lacks)}", "visual")
    if not view.has_picture:
        return _absent(question, "there is no picture")
    reading = read_clip(view, question.window(view.clip["duration"]))
    lines = [line for line in reading.lines if all(_stands_at(line, place) for place in question.places)]
    shown = join_words([f'"{line.text}"' for line in lines[:_MAX_LINES]]) or "no text"
    cue = f"{shown} was read; letters smaller than a 25th of the picture's height may be missed"
    if question.quoted:
        alike = [line for line in lines if similarity(question.quoted, line.text) >= _ALIKE]
        lines = [line for line in alike if similarity(question.quoted, line.text) == 1.0]
        if alike and not lines:
            return unknown_finding(f'"{alike[0].text}" was read, which may be another word', "visual")
    if not lines:
        if not reading.complete:
            return unknown_finding(f"{cue}; not every picture was read", "visual")
        if reading.hinted:
            return unknown_finding("something like letters is too small or too dim to read", "visual")
        return _absent(question, cue)
    if question.titled and _is_unclear_title(question, lines):
        return unknown_finding(f"which of the texts is the title is not clear: {cue}", "visual")
    if question.ask == "what":
        return _tell_text(lines, cue, reading.complete)
    return _about_spans(question, [(line.start, line.end) for line in lines], cue)


def _is_unclear_title(question: WitnessedQuestion, lines: Sequence[TextLine]) -> bool:
    """Whether the times of a title are asked, and several texts are shown at different times."""
    timed = question.ask in {"when", "end", "length"} and not question.quoted
    return timed and len({line.start for line in lines}) > 1


def _tell_text(lines: Sequence[TextLine], cue: str, complete: bool) -> MeasuredAnswer:
    """What was read, and that there is or may be more."""
    every = _sure_texts(lines)
    if not every:
        return unknown_finding(f"letters are seen, and what they say is not sure: {cue}", "visual")
    texts = every[:_MAX_LINES]
    told = join_words(texts) + (f" and {len(every) - _MAX_LINES} more" if len(every) > _MAX_LINES else "")
    if not complete:
        told = f"{told} (not every picture was read; there may be more)"
    return MeasuredAnswer(tuple(Value("phrase", text) for text in texts), told, cue, "visual")


def _sure_texts(lines: Sequence[TextLine]) -> list[str]:
    """The texts that were read twice or clearly, in order of time; of several readings of one text the best."""
    best: list[TextLine] = []
    for line in sorted(lines, key=lambda line: (-line.readings, -line.score)):
        sure = line.readings > 1 or line.score >= _CLEAR_SCORE
        if sure and not any(_is_reading_of(line.text, known.text) for known in best):
            best.append(line)
    return [line.text for line in sorted(best, key=lambda line: (line.start, round(line.y, 1), line.x))]


def _is_reading_of(text: str, known: str) -> bool:
    """Whether a text may be another reading of a known one, or a part of it; other digits are another text."""
    if re.findall(r"\d+", text) != re.findall(r"\d+", known):
        return similarity(text, known) == 1.0
    return max(similarity(text, known), similarity(known, text)) >= _SAME_TEXT


def _stands_at(line: TextLine, place: str) -> bool:
    """Whether a line stands in the half of the picture that a place names."""
    along = line.y if place in {"top", "bottom"} else line.x
    return along < 0.5 if place in {"top", "left"} else along > 0.5


def _choose(question: WitnessedQuestion, finding: MeasuredAnswer, choices: list[str]) -> str:
    """The choice that means the finding: for a text the only one that was read, else by its value."""
    if question.ask != "what":
        return choose_answer(list(finding.values), choices) if finding.values else UNKNOWN
    fitting = [
        choice for choice in choices if similarity(choice, " ".join(str(v.data) for v in finding.values)) >= _ALIKE
    ]
    return fitting[0] if len(fitting) == 1 else UNKNOWN
