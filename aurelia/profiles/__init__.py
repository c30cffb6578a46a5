"""Profiles: named, documented presets of `Context`, one TOML file each, here or anywhere the user keeps one."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError
from state.context import Context, make_context


def profile_names() -> list[str]:
    """The profiles that come with the project."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if entry.name.endswith(".toml")
    )


def read_profile(name: str) -> dict[str, Any]:
    """The values of a profile, `description` included.

    Args:
        name: one of `names()`, or the path of a TOML file (ending in `.toml`).

    Raises:
        InputError: there is no such profile, or it is not TOML.
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


def context_from_profile(name: str, overrides: dict[str, Any]) -> Context:
    """The settings of a run: the overrides that are not None, over the profile, over the defaults.

    Raises:
        InputError: the profile cannot be read, or a key or value of it cannot be used.
    """
    values = {key: value for key, value in read_profile(name).items() if key != "description"}
    return make_context({**values, **{key: value for key, value in overrides.items() if value is not None}})
