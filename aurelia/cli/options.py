"""Options that several commands share, and the settings that follow from them. Nothing heavy is imported."""

import json
import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aurelia_core.errors import InputError

if TYPE_CHECKING:
    from state.context import Context

ProfileOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE.toml",
        envvar="AURELIA_PROFILE",
        help="Preset of models and settings: a name, or your own file.",
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE=PROVIDER:MODEL",
        help="Model of a role (generator, summarizer, evaluator, feedback or target); repeatable.",
    ),
]
StrategyOption = Annotated[
    Literal["refine", "best_of_n", "vote", "own_steps", "script"] | None,
    typer.Option(help="How the calls are used (default: the profile's, else refine, the paper's loop)."),
]
CandidatesOption = Annotated[
    int | None,
    typer.Option(min=1, max=16, help="Attempts of best_of_n, or answers of a vote, side by side (default: 1)."),
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting, as a line of a profile: critic=claims, decoding.target.temperature=0.7; repeatable.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def context_from_options(
    profile: str,
    models: Sequence[str] | None,
    overrides: dict[str, Any],
    settings: Sequence[str] | None = None,
    *,
    profile_given: bool = True,
) -> "Context":
    """The settings of a run: a profile, then the settings by name, then the models and the other options.

    Args:
        profile: name of a profile, or the path of a TOML file.
        models: entries `ROLE=PROVIDER:MODEL`.
        overrides: other settings by name; None: not given.
        settings: entries `NAME=VALUE`.
        profile_given: whether the user named the profile, on the command line or in the environment.

    Raises:
        InputError: one of them cannot be used.
    """
    from aurelia.profiles import context_from_profile
    from state.context import make_context

    given = {name: value for name, value in overrides.items() if value is not None}
    overrides = {**_read_settings(settings or []), **given, **models_by_role("--model", models)}
    if not profile_given:
        # The default profile holds the defaults. Left unset, they do not override those of a thread that is resumed.
        return make_context(overrides)
    return context_from_profile(profile, overrides)


def _read_settings(entries: Sequence[str]) -> dict[str, Any]:
    """The entries `NAME=VALUE` as a dict. VALUE is written as in TOML, or is a text without quotes.

    Raises:
        InputError: an entry has another form, or two of them set the same.
    """
    lines = []
    for entry in entries:
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not name:
            raise InputError(f"--set {entry!r} cannot be used: write NAME=VALUE, as --set critic=claims.")
        line = f"{name} = {value}"
        try:
            tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            line = f"{name} = {json.dumps(value)}"
        lines.append(line)
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as fault:
        raise InputError(f"--set {', '.join(map(repr, entries))} cannot be used: {fault}.") from None


def models_by_role(option: str, entries: Sequence[str] | None) -> dict[str, str]:
    """Read the entries `ROLE=PROVIDER:MODEL` of an option as a dict of models by role.

    Raises:
        InputError: an entry has another form.
    """
    from state.context import ROLES

    named: dict[str, str] = {}
    for entry in entries or []:
        role, equals, spec = entry.partition("=")
        if not equals or role not in ROLES:
            raise InputError(
                f"{option} {entry!r} cannot be used: write ROLE=PROVIDER:MODEL, ROLE one of {', '.join(ROLES)}."
            )
        named[role] = spec
    return named
