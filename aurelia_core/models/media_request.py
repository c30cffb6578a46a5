"""The media of one request and the settings for showing them. All adapters read it; nothing is decoded here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.models.request_texts import RequestTexts
from aurelia_core.sanitize import quote_lines
from aurelia_core.types import Media, MediaRef, Sense, content_key, is_video

_DEFAULT_FRAMES = 16
_VERBS: dict[Sense, str] = {"picture": "see", "sound": "hear"}


@dataclass(frozen=True, kw_only=True)
class MediaRequest:
    """The media that a role receives.

    Attributes:
        clip, tracks, pictures: the clip, separate sounds, and still pictures beside it (`aurelia_core.types.Media`).
        frames: most frames of one look at the clip; None: 16.
        frame_shift: moves the frames' times by this part of the distance between two frames, 0 up to below 1.
        unsupported_modality: what replaces sound or picture that the model does not accept (`state.context`).
        described: descriptions of the sound or the picture by another model.
        only: the one sense to show; None: both.
    """

    clip: MediaRef
    tracks: Sequence[MediaRef] = ()
    pictures: Sequence[MediaRef] = ()
    frames: int | None = None
    frame_shift: float = 0.0
    unsupported_modality: str = "error"
    described: Mapping[Sense, str] = field(default_factory=dict)
    only: Sense | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "MediaRequest":
        """The media request from a request's plain fields."""
        return cls(
            clip=fields["clip"],
            tracks=fields.get("tracks") or (),
            pictures=fields.get("pictures") or (),
            frames=fields.get("frames"),
            frame_shift=fields.get("frame_shift") or 0.0,
            unsupported_modality=fields.get("when_deaf") or "error",
            described=fields.get("described") or {},
            only=fields.get("only"),
        )

    def fields(self) -> dict[str, Any]:
        """The request as plain data. Its keys are part of the call ledger's key: stored replies depend on them."""
        found: dict[str, Any] = {"clip": self.clip, "tracks": list(self.tracks), "when_deaf": self.unsupported_modality}
        optional = {
            "frames": self.frames,
            "frame_shift": self.frame_shift,
            "described": dict(self.described),
            "only": self.only,
            "pictures": list(self.pictures),
        }
        return found | {name: value for name, value in optional.items() if value}

    @property
    def arranged(self) -> Media:
        """The media without the settings."""
        return Media(self.clip, list(self.pictures), list(self.tracks))

    @property
    def has_video(self) -> bool:
        """Whether the clip is a video."""
        return is_video(self.clip)

    @property
    def stills(self) -> list[MediaRef]:
        """The still pictures that are shown, in order."""
        if not self.shows_picture:
            return []
        return self.arranged.stills

    @property
    def frame_count(self) -> int:
        """Most frames of one look at the clip."""
        return self.frames or _DEFAULT_FRAMES

    @property
    def sound_sources(self) -> list[MediaRef]:
        """The media with the sound: the separate tracks, else the clip itself; [] if only the picture is shown."""
        if self.only == "picture":
            return []
        if self.tracks:
            return list(self.tracks)
        if self.clip["has_audio"]:
            return [self.clip]
        return []

    @property
    def shows_picture(self) -> bool:
        """Whether there is a picture, and it is shown."""
        return self.only != "sound" and (self.clip["width"] is not None or bool(self.pictures))

    @property
    def shows_video(self) -> bool:
        """Whether there is a video, and its picture is shown."""
        return self.has_video and self.shows_picture

    def sound_name(self, number: int, texts: RequestTexts) -> str:
        """The name of sound source `number` (from 0)."""
        if not self.tracks:
            return texts.sound_name(None, 0)
        return texts.sound_name(number, len(self.tracks), beside_video=self.has_video)

    @property
    def cache_key(self) -> tuple[Any, ...]:
        """Everything that determines the head of the messages, except the system text."""
        ids = (content_key(ref) for ref in (self.clip, *self.tracks))
        pictures = tuple(picture["id"] for picture in self.pictures)
        return (*ids, pictures, self.frame_count, self.frame_shift, self.only, *sorted(self.described.items()))

    def missing_modalities(self, *, sees: bool, hears: bool) -> list[Sense]:
        """The senses of the media that a model does not accept, given whether it sees and hears."""
        missing: list[Sense] = []
        if self.shows_picture and not sees:
            missing.append("picture")
        if self.sound_sources and not hears:
            missing.append("sound")
        return missing

    def replacement_text(self, sense: Sense, measure: Callable[[], str]) -> str:
        """The text that replaces sound or picture: the description if there is one, else the result of `measure`."""
        if sense in self.described:
            return self.quoted_description(sense)
        return measure()

    def quoted_description(self, sense: Sense) -> str:
        """The description as a quotation, `> ` before each line: text in a clip must not act as an instruction."""
        return f"\n{quote_lines(self.described[sense])}"

    def check(self, model_id: str, missing: Sequence[Sense]) -> None:
        """Refuse senses that the model does not accept, unless the settings say what replaces them.

        Raises:
            InputError: a sense would be lost; the message names the remedy.
        """
        if self.unsupported_modality != "error":
            return
        for sense in missing:
            raise InputError(
                f"{model_id} does not {_VERBS[sense]}, and this clip has {sense}: choose another model for the role, or"
                f' set unsupported_modality = "evidence" in the profile to give it measurements of the {sense} as text,'
                f' or "describe:PROVIDER:MODEL" for a description by another model.'
            )

    def notes(self, model_id: str, missing: Sequence[Sense]) -> list[str]:
        """Which text replaced which sense, for the result's warnings."""
        return [
            f"{model_id} does not {_VERBS[sense]}: it was given {self._origin(sense)} instead." for sense in missing
        ]

    def _origin(self, sense: Sense) -> str:
        if sense in self.described:
            return f"the description of the {sense} by {self.unsupported_modality.removeprefix('describe:')}"
        return f"measurements of the {sense}"
