"""Name the user's file that hides one of AURELIA's packages.

Five packages have general names. A `state.py` beside a user's script is found before the package `state`, and Python
then only says "'state' is not a package".
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from aurelia_core.errors import InputError

_PACKAGES = ("graph", "nodes", "prompts", "state", "targets")
_FOLDER = Path(__file__).resolve().parents[1]


class ShadowedPackageError(InputError, ImportError):
    """A file of the user's has the name of one of AURELIA's packages and is found first."""


def check_packages() -> None:
    """Check that every package with a general name is AURELIA's own.

    Raises:
        ShadowedPackageError: another file or folder has the name and is found first.
    """
    for package in _PACKAGES:
        found = _location(package)
        if found is not None and found.resolve() != _FOLDER / package:
            raise ShadowedPackageError(
                f"{_display(found)} hides AURELIA's package {package!r}: rename it, or run from another folder."
            )


def runs_as_command() -> bool:
    """Whether this process is the command line, which reports the error itself in one line."""
    # While Python looks for the module that `-m` names, "-m" is all that argv holds in the place of the script.
    started_as = sys.argv[0] if sys.argv else ""
    return Path(started_as).stem == "aurelia" or (started_as == "-m" and "aurelia" in sys.orig_argv)


def _location(package: str) -> Path | None:
    """The folder of a package, or the file of a module; None: there is none, or it was made without a file."""
    try:
        spec = find_spec(package)
    except ValueError:
        # A module in sys.modules without a spec, for instance a test double.
        return None
    if spec is None:
        return None
    for folder in spec.submodule_search_locations or ():
        return Path(folder)
    return Path(spec.origin) if spec.origin else None


def _display(path: Path) -> str:
    """The path relative to the working folder; of a file elsewhere only its name and its folder's name."""
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return f"{path.parent.name}/{path.name}"
