"""Profiles: named, documented presets of `Context`. A profile is a TOML file, in this folder or of the user."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError
from state.context import Context, make_context


def profile_names() -> list[str]:
    """The names of the built-in profiles."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if entry.name.endswith(".toml")
    )


def read_profile(name: str) -> dict[str, Any]:
    """Read a profile: its settings, and its `description`.

    Args:
        name: one of `profile_names()`, or the path of a TOML file (ending in `.toml`).

    Raises:
        InputError: there is no such profile, or it is not valid TOML.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"There is no profile file {path.name!r}: check its path.")
        text = path.read_bytes()
    elif name in profile_names():
        text = files(__name__).joinpath(f"{name}.toml").read_bytes()
    else:
        raise InputError(
            f"There is no profile {name!r}: use one of {', '.join(profile_names())}, or the path of a .toml file."
        )
    try:
        values = tomllib.loads(text.decode("utf-8"))
    except ValueError as fault:
        raise InputError(f"The profile {Path(name).name!r} is not valid TOML: {fault}.") from None
    return {"profile": Path(name).stem, **values}


def context_from_profile(name: str, overrides: Mapping[str, Any] | None = None) -> Context:
    """The settings of a run: the defaults, replaced by the profile, replaced by the overrides.

    The profile's decoding of a role belongs to the profile's model: it does not hold for one that replaces it.

    Args:
        name: as for `read_profile`.
        overrides: settings by name; None is ignored.

    Raises:
        InputError: the profile cannot be read, or a setting is unknown or out of bounds.
    """
    values = read_profile(name)
    values.pop("description", None)
    decoding = dict(values.get("decoding") or {})
    for role, model_id in (overrides or {}).items():
        if role in decoding and model_id not in (None, values.get(role)):
            del decoding[role]
    if decoding != (values.get("decoding") or {}):
        values["decoding"] = decoding
    for key, value in (overrides or {}).items():
        if value is not None:
            values[key] = {**decoding, **value} if key == "decoding" else value
    return make_context(values)


def check_profile(name: str) -> None:
    """Refuse a name that no built-in profile has.

    Raises:
        InputError: the message names the profiles.
    """
    if name not in profile_names():
        raise InputError(f"There is no profile {name!r}: use one of {', '.join(profile_names())}.")


def with_profile(context: Context) -> Context:
    """The settings with those of the profile that they name, as far as they do not give them themselves.

    A name that is not a built-in profile is a label: the settings come from a person's own file.

    Raises:
        InputError: the profile's file cannot be used.
    """
    if "profile" not in context.model_fields_set or context.profile not in profile_names():
        return context
    return context_from_profile(context.profile, context.model_dump(include=context.model_fields_set))
