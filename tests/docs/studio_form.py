"""The table in docs/settings.md: every setting as the server publishes it for Studio's form. It starts no server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graph.build import build_graph

BEGIN, END = "<!-- settings: begin (make pictures) -->\n", "<!-- settings: end -->\n"
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}


def table() -> str:
    """The settings as a Markdown table, from the graph's own context schema."""
    rows = ["| title | setting | default | bounds | what it does |", "|---|---|---|---|---|"]
    published = build_graph().get_context_jsonschema()
    if not published:
        raise ValueError("the graph publishes no settings")
    for name, field in published["properties"].items():
        default = "none" if field["default"] in (None, "") else f"`{json.dumps(field['default']).strip(chr(34))}`"
        cells = [field["title"], f"`{name}`", default, _bounds(field), field["description"]]
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _bounds(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for form in (field, *field.get("anyOf", ())):
        if said := [f"{words} {form[key]}" for key, words in _BOUNDS.items() if key in form]:
            return ", ".join(said)
    if field.get("type") == "boolean":
        return "on or off"
    return f"`{field['pattern']}`" if "pattern" in field else "any text"


def renewed(page: str) -> str:
    """The page with its table as it should be.

    Raises:
        ValueError: the page has no place for it, or the graph publishes no settings.
    """
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def renew(page: Path) -> None:
    """Writes the table into the page."""
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
