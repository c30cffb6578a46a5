"""Finds the chat model for a `provider:model` name. A provider's module is imported at its first use."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aurelia_core import plugins
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from aurelia_core.media import ClipStore

Provider: TypeAlias = "Callable[[str, ClipStore], BaseChatModel]"


def _lazy(module: str, factory: str, extra: str = "") -> Provider:
    """A provider whose module is imported at the first use; the package extra `extra` installs its requirements."""

    def make(name: str, store: "ClipStore") -> "BaseChatModel":
        try:
            built: Provider = getattr(import_module(f"aurelia_core.models.{module}"), factory)
        except ModuleNotFoundError as fault:
            remedy = "install AURELIA again"
            if extra:
                remedy = install_command(extra)
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
    "tools": _lazy("tools", "make_tools", "critic"),
    "worker": _lazy("worker.chat", "make_worker"),
}


def _from_package(provider: str) -> Provider:
    """A provider from an installed package; its module is imported at the first use."""

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
    """All providers by name; a provider from an installed package cannot replace a built-in one."""
    added = {name: _from_package(name) for name in plugins.entry_points("aurelia.providers")}
    return {**added, **BUILT_IN_PROVIDERS}


@lru_cache
def model_display_name(model_id: str) -> str:
    """The model's name for messages; a local folder, also that of an adapter, is shortened to the last part."""
    provider, _, name = model_id.partition(":")
    parts = [Path(part).name if Path(part).is_absolute() else part for part in name.split("+")]
    return f"{provider}:{'+'.join(parts)}" if name else model_id


def make_model(model_id: str, store: "ClipStore", providers: Mapping[str, Provider]) -> "BaseChatModel":
    """The chat model that `model_id` names.

    Args:
        model_id: `provider:model`, for instance `offline:measure`.
        store: clip store with the media that messages refer to.
        providers: all providers by name.

    Raises:
        InputError: the provider is unknown, or the model does not exist.
    """
    provider, _, name = model_id.partition(":")
    if provider not in providers or not name:
        known = ", ".join(sorted(providers))
        raise InputError(f"There is no model {model_id!r}: write PROVIDER:MODEL, with a provider of {known}.")
    return providers[provider](name, store)
