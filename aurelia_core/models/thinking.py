"""Separates what a model says from what it thinks: a reply's thinking is never a part of its answer.

Services give the thinking in a field of its own; open weights and simple servers leave it in the text, between tags or
as a channel of its own (Qwen, DeepSeek, Magistral, Gemma, gpt-oss).
"""

import re
from typing import NamedTuple

_TAGS = {
    **{f"<{name}>": f"</{name}>" for name in ("think", "thinking", "thought", "reasoning", "seed:think")},
    "[think]": "[/think]",
    "<|channel>thought": "<channel|>",
}
_OPEN = re.compile("|".join(map(re.escape, _TAGS)), re.IGNORECASE)
_CLOSE = re.compile("|".join(map(re.escape, _TAGS.values())), re.IGNORECASE)
_CHANNEL = "<|channel|>"
_MESSAGE = "<|message|>"
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|call)\|>")


class SpokenText(NamedTuple):
    """What a reply says, and whether it also holds thinking."""

    answer: str
    has_thinking: bool


def split_thinking(text: str) -> SpokenText:
    """The reply without its thinking, in time linear in its length.

    Thinking that was never closed reaches to the end. A closing tag without an opening one ends thinking that the
    prompt's template opened: everything before it is thinking.
    """
    if _CHANNEL in text:
        return SpokenText(_final_channel(text), True)
    orphan = _CLOSE.search(text)
    if orphan and not _OPEN.search(text, 0, orphan.start()):
        return SpokenText(split_thinking(text[orphan.end() :]).answer, True)
    parts = []
    position = 0
    while opened := _OPEN.search(text, position):
        parts.append(text[position : opened.start()])
        closing = re.compile(re.escape(_TAGS[opened[0].lower()]), re.IGNORECASE)
        closed = closing.search(text, opened.end())
        position = closed.end() if closed else len(text)
    return SpokenText("".join([*parts, text[position:]]).strip(), bool(parts))


def _final_channel(text: str) -> str:
    """The text of the last channel named `final` (gpt-oss); empty if there is none."""
    for segment in reversed(text.split(_CHANNEL)[1:]):
        name, found, said = segment.partition(_MESSAGE)
        if found and name.strip().startswith("final"):
            return _CHANNEL_END.split(said)[0].strip()
    return ""
