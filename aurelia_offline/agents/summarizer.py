"""The offline Summarizer: a caption of what a reasoning says about sound and picture, without the clip."""

import re

from aurelia_core.models.requests import SummarizerRequest
from aurelia_offline.world.stage_agent import bare_findings

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_MAX_SENTENCES = 12
_TIME_OR_SENSE = re.compile(
    r"\d\s*(?:s|seconds|Hz|BPM)\b|\b(?:hear|heard|sound|tone|noise|click|silent|silence|beat|move|moves|background|cut|cuts|"
    r"flash|loud|soft|left|right|centre|shape|colour|plays?|seen|visible|shows?)",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:is|are|was|were|has|moves?|plays?|sounds|lasts|starts?|ends?|appears?|shows?|rings?)\b")
_BARE_VERDICTS = {"unknown", "yes", "no", "", "none"}


def summarize_reasoning(request: SummarizerRequest) -> dict[str, str]:
    """The caption of a request's `reasoning`, without knowledge steps and bare verdicts ("yes", "3")."""
    steps = request.reasoning["steps"] if request.reasoning else []
    told: list[str] = []
    senses = [step for step in steps if step["modality"] != "knowledge"]
    for part in ("answer", "justification"):
        for step in senses:
            if part == "justification" and any(_checkable_sentences(other["answer"]) for other in senses):
                continue
            told.extend(said for said in _checkable_sentences(step[part]) if not _is_repeated(said, told))
    return {"caption": " ".join(told[:_MAX_SENTENCES]) or "The reasoning states nothing that can be heard or seen."}


def _checkable_sentences(text: str) -> list[str]:
    """The sentences of a text that state something about the clip, with capital letter and full stop."""
    found = []
    for part in _SENTENCE.split(text.strip()):
        plain = part.strip()
        telling = len(plain.split()) >= 3 and _TIME_OR_SENSE.search(plain)
        bare = plain.lower().rstrip(".")
        if (
            telling
            and bare not in _BARE_VERDICTS
            and bare not in bare_findings()
            and not plain.lower().startswith("unknown")
        ):
            found.append(plain[0].upper() + plain[1:] + ("" if plain[-1] in ".!?" else "."))
    return found


def _content_words(sentence: str) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+(?:\.\d+)?", sentence.lower())) - {
        "a",
        "an",
        "the",
        "is",
        "are",
        "of",
        "about",
        "to",
    }


def _is_repeated(sentence: str, told: list[str]) -> bool:
    """Whether earlier sentences contain all words of a sentence, or half of those of a phrase without a verb."""
    said = set().union(*(_content_words(earlier) for earlier in told)) if told else set()
    content = _content_words(sentence)
    enough = 1.0 if _VERB.search(sentence) else 0.5
    return len(content & said) >= enough * len(content)
