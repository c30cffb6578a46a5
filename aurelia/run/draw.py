"""Draw the graph: as Mermaid text, or as a PNG file on this machine, without a web service."""

import html
from pathlib import Path

from langchain_core.runnables.graph import LabelsDict

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from graph.build import build_graph


def render_mermaid() -> str:
    """The graph as Mermaid text."""
    return build_graph().get_graph().draw_mermaid()


def draw_png(path: Path) -> None:
    """Draw the graph with Graphviz into the file `path`.

    Raises:
        InputError: pygraphviz is not installed, or the file cannot be written.
    """
    try:
        import pygraphviz  # noqa: F401
    except ImportError:
        raise InputError(f"Drawing needs pygraphviz: {install_command('draw')}.") from None
    try:
        drawn = build_graph().get_graph()
        # Graphviz reads labels as HTML.
        labels = {str(edge.data): html.escape(str(edge.data)) for edge in drawn.edges if edge.data}
        drawn.draw_png(str(path), labels=LabelsDict(nodes={}, edges=labels))
    except OSError as fault:
        raise InputError(f"The picture {path.name!r} cannot be written: {fault.strerror}.") from None
