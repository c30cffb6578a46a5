"""The command `clean`: what this machine stores, how big and how old it is, and its deletion."""

import sys
from typing import Annotated, Any

import typer

from aurelia.cli.options import DebugOption, JsonOption
from aurelia.cli.text import count_noun
from aurelia_core.sanitize import dump_visible_json
from aurelia_core.settings import Settings

_DAY_SECONDS = 86_400.0
_TITLES = {
    "ledger": "stored replies (without one, its call is paid again)",
    "clips": "copies of uploaded and named clips",
    "cache": "decoded clips (decoded again when needed)",
    "threads": "threads of ask --thread",
    "uploads": "clips uploaded to Google (uploaded again when needed; Google deletes them in two days)",
}


def clean_command(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ledger|clips|cache|threads|uploads]...", help="What to look at (default: all)."),
    ] = None,
    older_than: Annotated[float, typer.Option(metavar="DAYS", min=0, help="Only what was written so long ago.")] = 0.0,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; without this nothing is changed.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is stored in AURELIA_HOME and at Google, and delete what is old."""
    from aurelia.run.clean import STORED_KINDS, delete_stored, list_stored

    settings = Settings.from_environment(local=True)
    items = list_stored(settings, kinds or STORED_KINDS, older_than * _DAY_SECONDS)
    remaining = 0
    if delete:
        remaining = delete_stored(settings, items)
    found: list[dict[str, Any]] = []
    for kind in STORED_KINDS:
        if not kinds or kind in kinds:
            of_kind = [item for item in items if item.kind == kind]
            oldest = max((item.age for item in of_kind), default=0.0) / _DAY_SECONDS
            size = sum(item.bytes for item in of_kind)
            found.append({"kind": kind, "items": len(of_kind), "bytes": size, "oldest_days": round(oldest, 2)})
    if as_json:
        sys.stdout.write(f"{dump_visible_json({'deleted': delete, 'remaining': remaining, 'found': found})}\n")
        return
    for row in found:
        figures = f"{row['items']:>7}  {row['bytes'] / 1e6:>10.2f} MB  {row['oldest_days']:>7.1f} days"
        sys.stdout.write(f"{row['kind']:<8}{figures}  {_TITLES[row['kind']]}\n")
    total = f"{count_noun(len(items) - remaining, 'item')}, {sum(item.bytes for item in items) / 1e6:.1f} MB"
    said = f"Deleted: {total}." if delete else f"Nothing was deleted. --delete deletes these: {total}."
    sys.stdout.write(f"{said}\n")
    if remaining:
        uploads = count_noun(remaining, "upload")
        sys.stdout.write(
            f"Not deleted: {uploads} at Google, of another key or refused. Google deletes them in two days.\n"
        )
