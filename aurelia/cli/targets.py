"""The command `targets`: the target models as a list, one of them explained, or the worker of one installed."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aurelia.cli.ending import print_output
from aurelia.cli.home import check_home
from aurelia.cli.options import DebugOption, JsonOption
from aurelia_core.errors import InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible
from aurelia_core.settings import Settings


class TargetsGroup(TyperGroup):
    """`aurelia targets NAME` is `aurelia targets show NAME`."""

    default_command = "show"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before words that name none."""
        if not args or args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


targets_app = typer.Typer(
    cls=TargetsGroup,
    subcommand_metavar="[NAME] | install NAME",
    help="List the target models, explain one, or install the worker of one.",
    rich_markup_mode=None,
)


@targets_app.command("show")
def show_command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Target to explain in full.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the target models, or explain one: what it accepts, how to run it, what is missing."""
    from targets import explain

    if name is None:
        found = explain.list_targets()
        print_output(dump_visible_json(found) if as_json else explain.render_target_list(found))
        return
    explain.find_target_row(name)
    from aurelia_core.models.registry import known_providers

    row = explain.explain_target(name, known_providers())
    print_output(dump_visible_json(row) if as_json else explain.render_target(row))


@targets_app.command("install")
def install_worker_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Target whose worker is shipped.")],
    repo: Annotated[Path, typer.Option(metavar="DIR", help="Checkout of its makers' repository.")],
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the script: a path of weights, device, dtype; repeatable."),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Python of an environment of yours (default: one is made).")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Install the worker of a target: environment and settings in AURELIA_HOME, then one question to see it answer."""
    options = {}
    for text in option or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--option {text}: write NAME=VALUE, such as --option device=cpu.")
        options[key] = value
    settings = Settings.from_environment(local=True)
    from aurelia.run.worker_install import install_worker, plan_worker

    plan = plan_worker(name, repo, options, settings, python)
    check_home(settings)
    typer.echo(plan.needs(), err=True)
    answer = install_worker(plan, settings, lambda text: typer.echo(text, err=True))
    print_output(escape_invisible(answer))
    typer.echo(
        f'It answers. Use it: aurelia ask --video CLIP --question "..." --model target=worker:{plan.name}', err=True
    )
