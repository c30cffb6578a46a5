"""Plug-ins: installed packages add providers, targets, data sets and commands by entry points.

A package declares its entry points in its own `pyproject.toml`; docs/extending.md has an example of each. The offline
package is added in the same way. An entry point is imported on first use.
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
    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise InputError(
                f"Two installed packages add {entry.name!r} to {group} ({other.value} and {entry.value}):"
                " uninstall one."
            )
        found[entry.name] = entry
    return found


def load_entry_point(group: EntryPointGroup, name: str) -> Any:
    """The object of the entry point `name` of a group.

    Raises:
        InputError: the package cannot be imported or lacks the object; the message names the package.
        ModuleNotFoundError: a dependency of the plug-in is missing.
    """
    entry = entry_points(group)[name]
    try:
        return entry.load()
    except ModuleNotFoundError as fault:
        if fault.name and not entry.module.startswith(fault.name):
            raise
        raise InputError(_import_failure(group, entry, str(fault))) from None
    except Exception as fault:
        raise InputError(_import_failure(group, entry, f"{type(fault).__name__}: {fault}")) from fault


def _import_failure(group: EntryPointGroup, entry: metadata.EntryPoint, fault: str) -> str:
    package = entry.module
    if entry.dist:
        package = entry.dist.name
    return f"The package {package!r} adds {entry.name!r} to {group}, but it cannot be imported ({fault})."
