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


def _openai(name: str, store: ClipStore) -> BaseChatModel:
    from aurelia.models.openai_make import make_openai

    return make_openai(name, store)


def _compatible(name: str, store: ClipStore) -> BaseChatModel:
    from aurelia.models.openai_make import make_compatible

    return make_compatible(name, store)


BUILT_IN: Mapping[str, Provider] = {"offline": _offline, "openai": _openai, "compatible": _compatible}


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
