"""How and on which system this project is installed: advice in errors, the version, and what the system must have.

Pip stores the source of an installed package in `direct_url.json` (PEP 610).
"""

import json
import os
import re
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError

DISTRIBUTION = "aurelia"
_ROOT = Path(__file__).resolve().parents[1]
_USER_OF_URL = re.compile(r"(?<=://)[^/@]*@")


def install_command(extra: str) -> str:
    """The command that adds the packages of an extra to this installation.

    Args:
        extra: the name of an extra in `pyproject.toml`, for instance "google".
    """
    origin = _origin()
    if origin is None:
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    if "vcs_info" in origin:
        where = _USER_OF_URL.sub("", str(origin.get("url", "")))
        return f"pip install '{DISTRIBUTION}[{extra}] @ {origin['vcs_info'].get('vcs', 'git')}+{where}'"
    if (origin.get("dir_info") or {}).get("editable"):
        return f"pip install -e '.[{extra}]'"
    return f"pip install '.[{extra}]' in the folder that {DISTRIBUTION} was installed from"


def check_system() -> None:
    """Check that this system can read clips safely.

    Raises:
        InputError: it is Windows without WSL.
    """
    if not hasattr(os, "pread"):
        raise InputError("Clips are read with safeguards that Windows itself lacks: run AURELIA in WSL 2 there.")


def installed_version() -> str:
    """The version of this project, or "unknown" where it runs without being installed."""
    return package_version(DISTRIBUTION) or "unknown"


def package_version(name: str) -> str | None:
    """The version of an installed package, which is not imported; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def _origin() -> dict[str, Any] | None:
    """What pip stored about the source; None for a package index. Code that runs from a clone counts as editable."""
    text = None
    with suppress(metadata.PackageNotFoundError):
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    if text:
        found: dict[str, Any] = json.loads(text)
        return found
    if (_ROOT / "pyproject.toml").is_file():
        return {"dir_info": {"editable": True}}
    return None
