"""Words for the direction of a movement ("moves to the right", "jumps up"), which is not measured; places are."""

import re

_VERB = (
    r"(?:mov|bounc|hop|jump|leap|shift|travel|slid|drift|glid|float|roll|wander|bob|swing|swung|wiggl|wobbl|shak)\w*"
    r"|motions?"
)
_THING = (
    r"(?:shape|thing|object|item|figure|blob|circle|square|triangle|ball|dis[ck]|dot|box|rectangle|block|patch|it)s?"
)
_SECONDS = r"\d+(?:\.\d+)? ?(?:s\b|sec\b|seconds?\b)?"
_BETWEEN = (
    rf"(?:,? (?:\w+ly|first|then|once|twice|again|straight|back|over|off|out|more|a bit|a little|all the way|further"
    r"|also|just|up|down|\d+ times"
    rf"|(?:at|from|between|around|about|after|for) {_SECONDS}(?: ?(?:to|and|-|until) ?{_SECONDS})?"
    r"))*"
)
_SIDE = (
    r"(?:(?:far |very |other |opposite )*(?:(?:top|upper|bottom|lower)[ -])?"
    r"(?:left|right|top|bottom|cent(?:re|er)|middle|upper|lower|side|edge|corner)(?:[- ]hand)?"
    r"(?: (?:side|half|edge|corner|part))?"
    r"(?! of (?!(?:the |this |its )?(?:screen|picture|frame|image|scene|view|clip|video|canvas)))"
    r"(?: of (?:the |this |its )?\w+)?)"
)
_TARGET = r"(?:the|an?|its) (?:\w+ (?!(?:at|from|on|in|while|when|and|as|for|with|between|of|after|before)\b))?\w+"
_NOT_A_DIRECTION = (
    r"(?![- ](?:side|half|hand|part|corner|after|before|when|whenever|as|at|with|while|during|following|away|now"
    r"|behind|next|on|in|around|until|once)\b)"
)
_DIRECTION = (
    rf"(?:(?:from (?:the )?{_SIDE} )?(?:in)?(?:to|towards?) (?:the |its |a |one )?{_SIDE}\b"
    rf"|from (?:the )?{_SIDE}\b"
    rf"|(?:towards?|away from)\b(?! \d)(?: {_TARGET})?"
    r"|(?:up|down|left|right|for|back|in|out|side)wards?\b|sideways\b|diagonally\b|horizontally\b|vertically\b"
    r"|back and forth\b|from side to side\b|(?:up|down)\b(?! to\b)"
    rf"|(?<!movement )(?<!motion )(?<!movements )(?<!motions )(?:left|right)\b{_NOT_A_DIRECTION})"
)
_CHAIN = rf"{_DIRECTION}(?:,?(?: and| or| but)?(?: then)? (?:{_DIRECTION}|(?:left|right)\b))*"
_AFTER_VERB = re.compile(rf"(?P<verb>\b(?:{_VERB})(?: not)?{_BETWEEN}) {_CHAIN}", re.IGNORECASE)
_GOING = re.compile(
    rf"(?P<verb>\b{_THING} (?:\w+ )?(?:goes|go|going|went|comes|come|coming){_BETWEEN}) {_CHAIN}", re.IGNORECASE
)
_ASKED = re.compile(
    rf"\b(?:direction|which way|what way|(?:to|towards?) (?:which|what) side)\b.*\b(?:{_VERB}|go|goes)\b"
    rf"|\b(?:{_VERB})\b.*\b(?:direction|which way|what way)\b"
    rf"|\b(?:where|side|place)\b.*\b(?:{_VERB}) to(?:wards?)?\s*\??$",
    re.IGNORECASE,
)
_MARK = "\u2192"
"""Stands in a caption for a direction that was taken out."""


def asks_direction(question: str) -> bool:
    """Whether a question asks for the direction of a movement, or assumes one."""
    plain = re.sub(r"\s+", " ", question)
    return any(pattern.search(plain) for pattern in (_AFTER_VERB, _GOING, _ASKED))


def mark_directions(caption: str) -> str:
    """The caption with a mark in place of the direction of each movement."""
    for pattern in (_AFTER_VERB, _GOING):
        caption = pattern.sub(rf"\g<verb> {_MARK}", caption)
    return caption


def drop_mark(clause: str) -> tuple[str, bool]:
    """The clause without marks, and whether it had one."""
    return re.sub(rf" ?{_MARK}", "", clause).strip(" ,"), _MARK in clause
