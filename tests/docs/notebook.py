"""Runs a notebook of docs in this process, without Jupyter, and stores what its cells print and draw."""

import ast
import base64
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt


def run(path: Path) -> dict[str, Any]:
    """The notebook with the outputs of its cells: what they print, their figures, and the value of their last line."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    plt.switch_backend("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            cell["execution_count"] = number
            cell["outputs"] = _outputs("".join(cell["source"]), names, number)
    return notebook


def write(path: Path, notebook: dict[str, Any]) -> None:
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    body = ast.parse(source)
    last = body.body.pop() if isinstance(body.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with redirect_stdout(printed):
        exec(compile(body, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    found: list[dict[str, Any]] = []
    if text := printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(True)})
    if hasattr(value, "to_html"):
        data = {"text/html": value.to_html(), "text/plain": value.to_string()}
        found.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    for figure in map(plt.figure, plt.get_fignums()):
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=70)
        data = {"image/png": base64.b64encode(png.getvalue()).decode("ascii")}
        found.append({"output_type": "display_data", "metadata": {}, "data": data})
    plt.close("all")
    return found
