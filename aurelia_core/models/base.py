"""What every adapter of this project offers beside LangChain's chat model. The defaults carry and refuse nothing."""

from langchain_core.language_models import BaseChatModel

from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Sense


class ClipModel:
    """Mix-in for a chat model that takes this project's requests. Override what the model is particular about."""

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuses what the model cannot carry, before a run pays for anything.

        Args:
            media: the clip of the run.
            sees_clip: whether the role is shown it.

        Raises:
            InputError: the model cannot carry it; the message says what to do.
        """

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """Which of the clip's senses the model cannot take."""
        return []

    def check_credentials(self) -> None:
        """Asks the provider once whether key and model name are valid; other faults are left to the call itself.

        Raises:
            InputError: the key is refused, or there is no such model.
        """


_DEFAULT = ClipModel()


def as_clip_model(model: BaseChatModel) -> ClipModel:
    """The model as a `ClipModel`; a plain LangChain chat model gets the defaults."""
    return model if isinstance(model, ClipModel) else _DEFAULT
