"""What installed packages add to the project, by entry points: providers, targets, data sets and commands.

A package names what it adds in its own `pyproject.toml` (docs/extending.md has an example of each). The offline
package is added in the same way. Nothing is imported before it is asked for.
"""

from functools import cache
from importlib import metadata
from typing import Any, Literal

from aurelia_core.errors import InputError

EntryPointGroup = Literal["aurelia.providers", "aurelia.targets", "aurelia.datasets", "aurelia.commands"]


@cache
def entry_points(group: EntryPointGroup) -> dict[str, metadata.EntryPoint]:
    """The entry points of a group by name, in alphabetical order.

    Raises:
        InputError: two installed packages claim the same name.
    """
    found: dict[str, metadata.EntryPoint] = {}
    for entry in sorted(metadata.entry_points(group=group), key=lambda one: one.name):
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise InputError(
                f"Two installed packages add {entry.name!r} to {group} ({other.value} and {entry.value}): uninstall one."
            )
        found[entry.name] = entry
    return found


def load_entry_point(group: EntryPointGroup, name: str) -> Any:
    """The object that the entry point `name` of a group stands for.

    Raises:
        InputError: the package cannot be imported, or has no such object; the message names the package.
        ModuleNotFoundError: a package that the plug-in itself needs is missing.
    """
    entry = entry_points(group)[name]
    try:
        return entry.load()
    except ModuleNotFoundError as fault:
        if fault.name and not entry.module.startswith(fault.name):
            raise
        raise InputError(_broken(group, entry, str(fault))) from None
    except Exception as fault:
        raise InputError(_broken(group, entry, f"{type(fault).__name__}: {fault}")) from fault


def _broken(group: EntryPointGroup, entry: metadata.EntryPoint, fault: str) -> str:
    package = entry.dist.name if entry.dist else entry.module
    return f"The package {package!r} adds {entry.name!r} to {group}, but it cannot be imported ({fault})."
