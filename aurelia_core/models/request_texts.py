"""The words that the toolkit itself puts into a request. `prompts/render.py` supplies them: no text is written here."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import BaseMessage

from aurelia_core.errors import InputError
from aurelia_core.types import MediaRef, Sense, Window

if TYPE_CHECKING:
    from aurelia_core.signals.observation import Observation


class RequestTexts(ABC):
    """Every sentence that an adapter writes beside a role's prompt."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The system text of all roles."""

    @abstractmethod
    def clip_facts(self, clip: MediaRef, tracks: Sequence[MediaRef]) -> str:
        """What every role is told about the clip."""

    @abstractmethod
    def correction(self, fault: str) -> str:
        """Asks again after a reply that cannot be used."""

    @abstractmethod
    def frames_heading(self, count: int) -> str:
        """Before `count` frames."""

    @abstractmethod
    def frame_time(self, seconds: float) -> str:
        """Before one frame."""

    @abstractmethod
    def video_heading(self, *, with_sound: bool) -> str:
        """Before a video."""

    @abstractmethod
    def closer_look(self, window: Window) -> str:
        """Before a closer look at a window."""

    @abstractmethod
    def sound_name(self, number: int | None, count: int) -> str:
        """The name of sound `number` (from 0) of `count` separate tracks; None: the clip's own sound."""

    @abstractmethod
    def sound_heading(self, name: str, start: float, end: float) -> str:
        """Before a piece of sound."""

    @abstractmethod
    def replacement(self, name: str, text: str) -> str:
        """In place of a sense that the model cannot take."""

    @abstractmethod
    def sense_name(self, sense: Sense) -> str:
        """The name of a sense in `replacement`."""

    @abstractmethod
    def track_heading(self, number: int, count: int) -> str:
        """Before a whole separate track that travels as a file."""

    @abstractmethod
    def file_look(self, window: Window) -> str:
        """Before a closer look at a part of a file."""

    @abstractmethod
    def sound_cut(self, number: int | None, count: int, window: Window) -> str:
        """The title of a cut of a sound: track `number` of `count`, None: the clip's own sound."""

    @abstractmethod
    def sound_cut_ended(self, title: str) -> str:
        """In place of a cut that begins after the sound has ended."""

    @abstractmethod
    def sound_cut_long(self, title: str) -> str:
        """In place of a cut that is too long to be sent again."""

    @abstractmethod
    def measured_sound(self, observation: "Observation") -> str:
        """What was measured in a sound."""

    @abstractmethod
    def measured_picture(self, observation: "Observation", frames: int) -> str:
        """What was measured in a picture, from so many frames at most."""


def texts_of(messages: Sequence[BaseMessage]) -> RequestTexts:
    """The texts that travel with a request.

    Raises:
        InputError: a message refers to a clip, but was not made by `compose_messages`.
    """
    texts = messages[-1].additional_kwargs.get("texts") if messages else None
    if not isinstance(texts, RequestTexts):
        raise InputError("A message that refers to a clip needs its texts: make it with compose_messages.")
    return texts
