"""Which chat model a `provider:model` name stands for. Nothing is imported before it is asked for."""

from collections.abc import Callable, Mapping

from langchain_core.language_models import BaseChatModel

from aurelia.errors import InputError
from aurelia.media import ClipStore

Provider = Callable[[str, ClipStore], BaseChatModel]


def _offline(name: str, store: ClipStore) -> BaseChatModel:
    if name != "measure":
        raise InputError(f"The offline provider has one model, offline:measure; there is no offline:{name}.")
    from aurelia.models.offline.chat import MeasuringChat

    return MeasuringChat(store=store)


def _google(name: str, store: ClipStore) -> BaseChatModel:
    try:
        from aurelia.models.google_chat import make
    except ModuleNotFoundError as fault:
        said = f"google_genai:{name} needs a package that is not installed ({fault.name})"
        raise InputError(f"{said}: pip install 'aurelia[google]'") from None
    return make(name, store)


BUILT_IN: Mapping[str, Provider] = {"offline": _offline, "google_genai": _google}


def make_model(spec: str, store: ClipStore, providers: Mapping[str, Provider]) -> BaseChatModel:
    """The chat model that `spec` names.

    Args:
        spec: `provider:model`, for instance `offline:measure`.
        store: where an adapter finds the media that messages refer to.
        providers: the known providers by name.

    Raises:
        InputError: the provider is unknown, or has no such model.
    """
    provider, _, name = spec.partition(":")
    if provider not in providers or not name:
        known = ", ".join(sorted(providers))
        raise InputError(f"There is no model {spec!r}: write PROVIDER:MODEL, with a provider of {known}.")
    return providers[provider](name, store)
