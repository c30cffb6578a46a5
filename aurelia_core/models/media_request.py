"""The media of one request and what the request says of them, as every adapter reads them. It decodes nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import prompts
from aurelia_core.errors import InputError
from aurelia_core.types import MediaRef, Sense

DEFAULT_FRAMES = 16
_VERBS: dict[Sense, str] = {"picture": "see", "sound": "hear"}


class MediaRequest(NamedTuple):
    """What a role is shown.

    Attributes:
        clip, tracks: the clip and its separate sound tracks.
        frames: how many frames a look may use.
        when_deaf: what becomes of what the model cannot take (`state.context`).
        described: what a model that can has written of it.
        only: the one sense that is wanted; None for both.
    """

    clip: MediaRef
    tracks: list[MediaRef]
    frames: int
    when_deaf: str
    described: Mapping[Sense, str]
    only: Sense | None

    @property
    def sounding(self) -> list[MediaRef]:
        """The sounds that count: separate tracks, or else the clip's own; none where only the picture is wanted."""
        own = [self.clip] if self.clip["has_audio"] else []
        return [] if self.only == "picture" else self.tracks or own

    @property
    def visible(self) -> bool:
        """Whether the picture is wanted."""
        return self.only != "sound"

    @property
    def key(self) -> tuple[Any, ...]:
        """What the head depends on, beside the system text."""
        ids = (self.clip["id"], *(track["id"] for track in self.tracks))
        return (*ids, self.frames, self.only, *sorted(self.described.items()))

    def lacking(self, *, sees: bool, hears: bool) -> list[Sense]:
        """What of the media is lost on a model that sees or hears, or does not."""
        blind: list[Sense] = ["picture"] if self.visible and not sees else []
        deaf: list[Sense] = ["sound"] if self.sounding and not hears else []
        return blind + deaf

    def stand_in(self, sense: Sense, measure: Callable[[], str]) -> str:
        """The text that stands for a part of the clip: what was written of it, or else what is measured in it."""
        return self.written(sense) if sense in self.described else measure()

    def written(self, sense: Sense) -> str:
        """What was written of a part of the clip, quoted: words that are seen or heard in it are no instructions."""
        return f"\n{prompts.quote_lines(self.described[sense])}"

    def refuse(self, spec: str, lacking: Sequence[Sense]) -> None:
        """Refuses what is lost on the model `spec`, unless the user has chosen that a text stands in its place.

        Raises:
            InputError: something is; the message says what to do.
        """
        for sense in lacking if self.when_deaf == "error" else []:
            raise InputError(
                f"{spec} does not {_VERBS[sense]}, and this clip has {sense}: give the role a model that does, or set"
                f' when_deaf = "evidence" in the profile to give it what is measured in the {sense} as text, or'
                f' "describe:PROVIDER:MODEL" for what a model that can writes of it.'
            )

    def notes(self, spec: str, lacking: Sequence[Sense]) -> list[str]:
        """What stood in the place of what, for the result."""
        return [f"{spec} does not {_VERBS[sense]}: {self._origin(sense)} stood in its place." for sense in lacking]

    def _origin(self, sense: Sense) -> str:
        if sense in self.described:
            return f"what {self.when_deaf.removeprefix('describe:')} wrote of the {sense}"
        return f"what was measured in the {sense}"


def media_request(fields: Mapping[str, Any], refs: Sequence[MediaRef] = ()) -> MediaRequest:
    """The media that a request's fields name.

    Args:
        fields: the request's fields.
        refs: the clip and its tracks as the message refers to them (default: those of the fields).
    """
    clip, *tracks = refs or [fields["clip"], *fields["tracks"]]
    frames, when_deaf = int(fields.get("frames") or DEFAULT_FRAMES), str(fields.get("when_deaf") or "error")
    return MediaRequest(clip, tracks, frames, when_deaf, fields.get("described") or {}, fields.get("only"))
