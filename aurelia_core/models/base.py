"""The interface of this project's adapters, in addition to LangChain's chat model. The defaults accept everything."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel

from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Sense, Window


class ClipModel:
    """Mix-in for a chat model that accepts this project's requests. Override the methods that the model needs."""

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before the first paid call.

        Args:
            media: the clip of the run.
            sees_clip: whether the role receives the clip.

        Raises:
            InputError: the model does not accept the clip; the message names the remedy.
        """

    def shifts_frames(self, media: MediaRequest) -> bool:
        """Whether `media.frame_shift` changes what the model is shown: False where it takes its frames by itself."""
        return media.shows_video

    def repeats_itself(self, decoding: Mapping[str, Any]) -> bool:
        """Whether the model gives the same reply to the same request, decoded with these settings."""
        return False

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        return []

    def clip_tokens(
        self, media: MediaRequest, decoding: Mapping[str, Any], windows: Sequence[Window] = ()
    ) -> int | None:
        """About how many input tokens the clip costs in one request; None: unknown.

        Args:
            media: the clip of the run.
            decoding: the decoding settings of the role.
            windows: the windows of a closer look, which the request shows too.
        """
        return None

    @property
    def context_tokens(self) -> int | None:
        """The largest input of the model, tokens; None: unknown."""
        return None

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The names of the decoding settings that the model takes (`aurelia_core.models.decoding`)."""
        return frozenset({"system"})

    def check_credentials(self) -> None:
        """Ask the provider once whether key and model name are valid; ignore other errors, the call reports them.

        Raises:
            InputError: the key is refused, or the model does not exist.
        """


_DEFAULT = ClipModel()


def as_clip_model(model: BaseChatModel) -> ClipModel:
    """The model as a `ClipModel`; a plain LangChain chat model gets the defaults."""
    if isinstance(model, ClipModel):
        return model
    return _DEFAULT
