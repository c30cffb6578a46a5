"""Which choices a text asserts by their texts: a mention alone asserts nothing."""

import re

from aurelia_core.answers import choice_rules as rules
from aurelia_core.answers.options import ChoiceNames
from aurelia_core.answers.tokens import Mention, asserted

_BEGIN = re.compile(r"[.!?;\n](?=\s|$)|,\s*but\b")
# "The 2008 event" says nothing of a year that is asked for.
_ATTRIBUTE = re.compile(r"\b(?:the|this|that)\s+$", re.IGNORECASE)
_NUMBER_AND_NOUN = re.compile(r"\d+\s+(?!(?:is|are|was|were|in|at|on|and|but|or|as)\b)[a-z]")

# A choice that begins with such a word joins what is before it.
_LINKING = re.compile(
    r"(?:because|to|behind|in|on|at|above|below|under|with|from|by|near|after|before|during|while|when|as|for)\b", re.I
)


def asserted_choices(text: str, options: ChoiceNames) -> set[int]:
    """The choices that a text asserts; empty if a sentence names one without asserting or denying it."""
    mentions = options.find_mentions(text)
    if all(len(key) == 1 and key[0] in rules.YES_NO for key in options.keys):
        # What such a sentence says besides is about the clip.
        return asserted(mentions)
    return asserted(_with_mood(text, mention) for mention in mentions)


def _with_mood(text: str, mention: Mention) -> Mention:
    """The mention, denied if it is counterfactual, unclear if its sentence does not assert it."""
    if rules.ASKED_AND_DENIED.match(text[mention.end :]):
        return mention._replace(status="denied")
    if mention.status != "asserted":
        return mention
    start = max((match.end() for match in _BEGIN.finditer(text, 0, mention.start)), default=0)
    ended = re.compile(r"[.!?;\n](?=\s|$)").search(text, mention.end)
    end = ended.start() if ended else len(text)
    conceded = rules.CONCEDED.search(text[start : mention.start]) and "," in text[mention.end : end]
    supposed = rules.SUPPOSED.search(text[start : mention.start])
    if conceded or supposed or rules.COUNTERFACTUAL.match(text[mention.end : end]):
        return mention._replace(status="denied")
    around = f"{text[start : mention.start]}…{text[mention.end : end]}"
    if rules.CLAUSE_DENIED.match(text[mention.end : end]) or rules.FOREIGN_DENIAL.search(around):
        return mention._replace(status="unclear")
    if _ATTRIBUTE.search(text[: mention.start]) and _NUMBER_AND_NOUN.match(text[mention.start :]):
        return mention._replace(status="unclear")
    linked = _LINKING.match(text, mention.start)
    if rules.IS_UNASSERTED.search(around) or not (linked or rules.ASSERTING.search(text[start : mention.start])):
        return mention._replace(status="unclear")
    return mention
