"""Keys of providers: from an environment variable, or from the file that NAME_FILE names."""

import os
from collections.abc import Mapping
from pathlib import Path

from aurelia_core.errors import InputError


def read_key(*names: str, environment: Mapping[str, str] | None = None) -> str:
    """The first key among these variables, or in the files that they name with `_FILE`; empty if there is none.

    Args:
        names: the variables, for instance GOOGLE_API_KEY.
        environment: the variables to read (default: those of the process).

    Raises:
        InputError: a file cannot be read.
    """
    env = os.environ if environment is None else environment
    for name in names:
        if key := env.get(name, "").strip():
            return key
        if file := env.get(f"{name}_FILE", "").strip():
            try:
                key = Path(file).expanduser().read_text("utf-8").strip()
            except (OSError, ValueError) as fault:
                raise InputError(
                    f"The file in {name}_FILE cannot be read ({type(fault).__name__}): check the path."
                ) from None
            if not key or "\n" in key:
                raise InputError(f"The file in {name}_FILE holds no key: write the key into it, on one line.")
            return key
    return ""
