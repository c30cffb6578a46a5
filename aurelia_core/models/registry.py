"""Which chat model a `provider:model` name stands for. Nothing is imported before it is asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aurelia_core import plugins
from aurelia_core.errors import InputError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from aurelia_core.media import ClipStore

Provider: TypeAlias = "Callable[[str, ClipStore], BaseChatModel]"


def _lazy(module: str, factory: str, extra: str = "") -> Provider:
    """A provider whose module is imported when it is asked for; `extra` installs what that module needs."""

    def make(name: str, store: "ClipStore") -> "BaseChatModel":
        try:
            built: Provider = getattr(import_module(f"aurelia_core.models.{module}"), factory)
        except ModuleNotFoundError as fault:
            remedy = f"pip install -e '.[{extra}]'" if extra else "make demo installs everything"
            raise InputError(
                f"The model {name} needs a package that is not installed ({fault.name}): {remedy}"
            ) from None
        return built(name, store)

    return make


BUILT_IN_PROVIDERS: Mapping[str, Provider] = {
    "google_genai": _lazy("google.chat", "make_gemini", "google"),
    "openai": _lazy("openai.factory", "make_openai", "openai"),
    "compatible": _lazy("openai.factory", "make_compatible", "openai"),
    "transformers": _lazy("local.chat", "make_local", "local"),
    "worker": _lazy("worker.chat", "make_worker"),
}


def _from_package(provider: str) -> Provider:
    """A provider that an installed package adds, imported when it is asked for."""

    def make(name: str, store: "ClipStore") -> "BaseChatModel":
        try:
            built: Provider = plugins.load_entry_point("aurelia.providers", provider)
        except ModuleNotFoundError as fault:
            raise InputError(
                f"The model {provider}:{name} needs a package that is not installed: {fault.name}."
            ) from None
        return built(name, store)

    return make


def known_providers() -> dict[str, Provider]:
    """Every provider by name: those that installed packages add, then the built-in ones, which none can replace."""
    added = {name: _from_package(name) for name in plugins.entry_points("aurelia.providers")}
    return {**added, **BUILT_IN_PROVIDERS}


def model_display_name(model_id: str) -> str:
    """The model's name for messages: of one that is a folder on this machine, the last part of its path."""
    provider, _, name = model_id.partition(":")
    return f"{provider}:{Path(name).name}" if Path(name).is_absolute() else model_id


def make_model(model_id: str, store: "ClipStore", providers: Mapping[str, Provider]) -> "BaseChatModel":
    """The chat model that `model_id` names.

    Args:
        model_id: `provider:model`, for instance `offline:measure`.
        store: where an adapter finds the media that messages refer to.
        providers: the known providers by name.

    Raises:
        InputError: the provider is unknown, or has no such model.
    """
    provider, _, name = model_id.partition(":")
    if provider not in providers or not name:
        known = ", ".join(sorted(providers))
        raise InputError(f"There is no model {model_id!r}: write PROVIDER:MODEL, with a provider of {known}.")
    return providers[provider](name, store)
