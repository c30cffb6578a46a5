"""Builds a role's messages: the same head (system text, clip) for every role that sees the clip, then what differs.

Media travel as reference blocks `{"type": "clip", "clip": MediaRef}`; an adapter turns them into its wire form inside
its own `_generate`. The request's fields ride beside the text in `additional_kwargs["request"]`, so that a model
that is code never has to parse our prose.
"""

from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

import prompts
from aurelia_core.types import MediaRef

TRACK_LETTERS = "ABCDEFGH"


def clip_facts(clip: MediaRef, tracks: list[MediaRef]) -> str:
    """What every role is told of the clip in words: length, size and whether it can be heard at all."""
    size = f"{clip['width']}x{clip['height']}, {clip['fps']:.4g} frames a second" if clip["width"] else "no picture"
    lines = [f"About the clip: {clip['duration']:.2f} s, {size}."]
    if len(tracks) > 1:
        lengths = ", ".join(
            f"{letter} ({track['duration']:.2f} s)" for letter, track in zip(TRACK_LETTERS, tracks, strict=False)
        )
        lines.append(f"Beside it stand {len(tracks)} candidate sound tracks: {lengths}.")
    elif tracks:
        lines.append(f"Its sound is a separate track of {tracks[0]['duration']:.2f} s.")
    elif clip["has_audio"]:
        lines.append(f"It has a sound track of {clip['audio_seconds'] or clip['duration']:.2f} s.")
    else:
        lines.append("It has no sound track: it is silent.")
    return " ".join(lines)


def clip_head(clip: MediaRef, tracks: list[MediaRef]) -> list[str | dict[str, Any]]:
    """The content blocks with which every request that carries the clip begins, byte for byte the same."""
    blocks: list[str | dict[str, Any]] = [{"type": "clip", "clip": dict(clip)}]
    blocks += [{"type": "clip", "clip": dict(track)} for track in tracks]
    return [*blocks, {"type": "text", "text": clip_facts(clip, tracks)}]


class RequestMessage(HumanMessage):
    """A human message with its request's fields beside the text; a trace shows the text, which says the same."""

    def __init__(self, content: str | list[str | dict[str, Any]], fields: dict[str, Any]) -> None:
        """A message whose `additional_kwargs["request"]` are the fields."""
        super().__init__(content=content, additional_kwargs={"request": fields})

    def to_json(self) -> Any:
        """The message as a trace keeps it: a human message without the fields."""
        return HumanMessage(self.content).to_json()


def compose_messages(text: str, fields: dict[str, Any], *, sees_clip: bool) -> list[AnyMessage]:
    """The messages of one request.

    Args:
        text: the role's prompt, filled.
        fields: the same request as data; with `clip` and `tracks` when the role sees them.
        sees_clip: whether the shared head with the clip stands before the text.
    """
    blocks = clip_head(fields["clip"], fields["tracks"]) if sees_clip else []
    human = RequestMessage([*blocks, {"type": "text", "text": text}], fields)
    return [SystemMessage(prompts.load_prompt("system")), human]
