"""The clip of one request, and what the request says about showing it. Every adapter reads it; nothing is decoded here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.types import MediaRef, Sense

_DEFAULT_FRAMES = 16
_VERBS: dict[Sense, str] = {"picture": "see", "sound": "hear"}


@dataclass(frozen=True, kw_only=True)
class MediaRequest:
    """What a role is shown.

    Attributes:
        clip, tracks: the clip and its separate sound tracks.
        frames: most frames of one look; None: `DEFAULT_FRAMES`.
        unsupported_modality: what is done with sound or picture that the model cannot take (`state.context`).
        described: the text that another model wrote about the sound or the picture.
        only: the one sense that is wanted; None: both.
    """

    clip: MediaRef
    tracks: Sequence[MediaRef] = ()
    frames: int | None = None
    unsupported_modality: str = "error"
    described: Mapping[Sense, str] = field(default_factory=dict)
    only: Sense | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "MediaRequest":
        """The media of a request's plain fields."""
        return cls(
            clip=fields["clip"],
            tracks=fields.get("tracks") or (),
            frames=fields.get("frames"),
            unsupported_modality=fields.get("when_deaf") or "error",
            described=fields.get("described") or {},
            only=fields.get("only"),
        )

    def fields(self) -> dict[str, Any]:
        """The same as plain data. The keys are part of the call ledger's key: stored replies depend on them."""
        found: dict[str, Any] = {"clip": self.clip, "tracks": list(self.tracks), "when_deaf": self.unsupported_modality}
        optional = {"frames": self.frames, "described": dict(self.described), "only": self.only}
        return found | {name: value for name, value in optional.items() if value}

    @property
    def frame_count(self) -> int:
        """Most frames of one look."""
        return self.frames or _DEFAULT_FRAMES

    @property
    def sounding(self) -> list[MediaRef]:
        """The sounds that are heard: the separate tracks, else the clip's own sound; none if only the picture counts."""
        if self.only == "picture":
            return []
        if self.tracks:
            return list(self.tracks)
        return [self.clip] if self.clip["has_audio"] else []

    @property
    def visible(self) -> bool:
        """Whether the picture is wanted."""
        return self.only != "sound"

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that the head of the messages depends on, except the system text."""
        ids = (self.clip["id"], *(track["id"] for track in self.tracks))
        return (*ids, self.frame_count, self.only, *sorted(self.described.items()))

    def missing_modalities(self, *, sees: bool, hears: bool) -> list[Sense]:
        """Which senses of the media a model cannot take, given whether it sees and hears."""
        missing: list[Sense] = []
        if self.visible and not sees:
            missing.append("picture")
        if self.sounding and not hears:
            missing.append("sound")
        return missing

    def stand_in(self, sense: Sense, measure: Callable[[], str]) -> str:
        """The text that replaces sound or picture: the description if there is one, else what `measure` returns."""
        if sense in self.described:
            return self.described_text(sense)
        return measure()

    def described_text(self, sense: Sense) -> str:
        """The description, each line after `> `: words that are seen or heard in a clip are never instructions."""
        return "\n" + "\n".join(f"> {line}".rstrip() for line in self.described[sense].splitlines())

    def check(self, model_id: str, missing: Sequence[Sense]) -> None:
        """Refuses senses that the model cannot take, unless the settings say what replaces them.

        Raises:
            InputError: a sense would be lost; the message says what to do.
        """
        if self.unsupported_modality != "error":
            return
        for sense in missing:
            raise InputError(
                f"{model_id} does not {_VERBS[sense]}, and this clip has {sense}: give the role a model that does, or set"
                f' unsupported_modality = "evidence" in the profile to give it what is measured in the {sense} as text,'
                f' or "describe:PROVIDER:MODEL" for a description by a model that can.'
            )

    def notes(self, model_id: str, missing: Sequence[Sense]) -> list[str]:
        """Which text replaced which sense, for the result's warnings."""
        return [
            f"{model_id} does not {_VERBS[sense]}: it was given {self._origin(sense)} instead." for sense in missing
        ]

    def _origin(self, sense: Sense) -> str:
        if sense in self.described:
            return f"the description of the {sense} by {self.unsupported_modality.removeprefix('describe:')}"
        return f"what was measured in the {sense}"
