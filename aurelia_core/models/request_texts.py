"""Interface of the texts that the toolkit adds to a request. `prompts/render.py` implements it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import BaseMessage

from aurelia_core.errors import InputError
from aurelia_core.types import MediaRef, Sense, Window

if TYPE_CHECKING:
    from aurelia_core.signals.observation import Observation
    from aurelia_core.witnesses.evidence import SoundEvidence


class RequestTexts(ABC):
    """The texts that an adapter adds to a role's prompt."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The system text of all roles."""

    @abstractmethod
    def clip_facts(self, clip: MediaRef, tracks: Sequence[MediaRef], pictures: Sequence[MediaRef] = ()) -> str:
        """Facts about the media (`aurelia_core.types.Media`), the same for every role."""

    @abstractmethod
    def correction(self, fault: str) -> str:
        """The request for a new reply after an invalid one."""

    @abstractmethod
    def frames_heading(self, count: int) -> str:
        """Heading of `count` frames."""

    @abstractmethod
    def frame_time(self, seconds: float) -> str:
        """The time of one frame, written before it."""

    @abstractmethod
    def video_heading(self, *, with_sound: bool) -> str:
        """Heading of a video."""

    @abstractmethod
    def closer_look(self, window: Window) -> str:
        """Heading of a closer look at a window."""

    @abstractmethod
    def picture_name(self, number: int, count: int) -> str:
        """The name of still picture `number` (from 0) of `count`."""

    @abstractmethod
    def sound_name(self, number: int | None, count: int, *, beside_video: bool = True) -> str:
        """The name of sound `number` (from 0) of `count` separate tracks; None: the clip's own sound."""

    @abstractmethod
    def sound_heading(self, name: str, start: float, end: float) -> str:
        """Heading of a part of a sound."""

    @abstractmethod
    def replacement(self, name: str, text: str) -> str:
        """The text that replaces a sense that the model does not accept."""

    @abstractmethod
    def sense_name(self, sense: Sense) -> str:
        """The name of a sense in `replacement`."""

    @abstractmethod
    def track_heading(self, number: int, count: int, *, beside_video: bool = True) -> str:
        """Heading of a separate track that is sent as a file."""

    @abstractmethod
    def file_look(self, window: Window) -> str:
        """Heading of a closer look at a part of a file."""

    @abstractmethod
    def look_again(self, window: Window) -> str:
        """The text that replaces a closer look at a video that cannot be sent in parts."""

    @abstractmethod
    def sound_cut(self, number: int | None, count: int, window: Window, *, beside_video: bool = True) -> str:
        """The title of a cut of a sound: track `number` of `count`, None: the clip's own sound."""

    @abstractmethod
    def sound_cut_ended(self, title: str) -> str:
        """The text that replaces a cut that begins after the end of the sound."""

    @abstractmethod
    def sound_cut_long(self, title: str) -> str:
        """The text that replaces a cut that is too long to be sent again."""

    @abstractmethod
    def measured_sound(self, observation: "Observation", heard: "SoundEvidence | None" = None) -> str:
        """The measurements of a sound, and what witnesses hear in it; None: no witness is installed."""

    @abstractmethod
    def measured_picture(self, observation: "Observation", frames: int) -> str:
        """The measurements of a picture, from at most `frames` frames."""

    @abstractmethod
    def measured_still(self, observation: "Observation") -> str:
        """The measurements of a still picture."""


def texts_of(messages: Sequence[BaseMessage]) -> RequestTexts:
    """The texts of a request.

    Raises:
        InputError: the last message has no texts, because `compose_messages` did not build it.
    """
    texts = messages[-1].additional_kwargs.get("texts") if messages else None
    if not isinstance(texts, RequestTexts):
        raise InputError("A message that refers to a clip needs its texts: make it with compose_messages.")
    return texts
