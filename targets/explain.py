"""Target rows for a person: all rows as a table, or one row in full with the command that uses it.

What is missing before a row can answer follows from its state and from the known providers.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from targets import Target, WorkerRecord, find_target, target_rows

_PACKAGE_EXTRAS = {"google_genai": "google", "openai": "openai", "compatible": "openai", "transformers": "local"}


def list_targets() -> list[dict[str, Any]]:
    """Every row as `name`, `title`, `state`, `run`, `paper_row`, `worker`: those of the paper first, then by name."""
    order = sorted(target_rows().items(), key=lambda entry: (not entry[1].paper_row, entry[0]))
    found = []
    for name, row in order:
        worker = row.worker.summary if row.worker else None
        found.append({"name": name, **row.model_dump(include={"title", "state", "run", "paper_row"}), "worker": worker})
    return found


def find_target_row(name: str) -> tuple[str, Target]:
    """The row with this name, this title, or, for a `provider:model`, the row that describes it.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    known = target_rows()
    wanted = name.strip().casefold()
    for key, row in known.items():
        if wanted in (key, row.title.casefold()):
            return key, row
    if ":" in wanted:
        found = find_target(name.strip())
        return next((key, row) for key, row in known.items() if row is found)
    spoken = {row.title.casefold(): key for key, row in known.items()}
    near = get_close_matches(wanted, [*known, *spoken], n=5, cutoff=0.5)
    names = list(dict.fromkeys(spoken.get(match, match) for match in near))
    hint = f"did you mean {', '.join(names)}?" if names else "aurelia targets lists them."
    raise InputError(f"There is no target {name!r}: {hint}")


def explain_target(name: str, providers: Iterable[str]) -> dict[str, Any]:
    """One row in full.

    Args:
        name: as for `find`.
        providers: names of the providers that are built in.

    Returns:
        the row's fields, and `name`, `spec` (the model to write; null when the row is that of any model), `command`
        (null when nothing can be run), `lacks` (what has to be done first, in order; empty when it works as it is).
    """
    key, row = find_target_row(name)
    spec = name.strip() if ":" in name else None if row.models == ["*"] else row.models[0]
    written = spec or "PROVIDER:MODEL"
    asks = f'aurelia ask --video CLIP --question "..." --model target={written}'
    command = None if row.state == "no public weights" else asks
    return {
        "name": key,
        "spec": spec,
        "command": command,
        "lacks": _lacks(row, spec, set(providers)),
        **row.model_dump(),
    }


def _lacks(row: Target, spec: str | None, providers: set[str]) -> list[str]:
    """What has to be there before this row can answer."""
    if row.state == "no public weights":
        return ["weights: none were published, or the service has ended (see the notes)"]
    if spec is None:
        return ["a model's name instead of PROVIDER:MODEL"]
    provider = spec.partition(":")[0]
    lacks = [] if provider in providers else [f"the provider {provider}:, which is not installed"]
    if provider in _PACKAGE_EXTRAS:
        lacks.append(f"its packages: {install_command(_PACKAGE_EXTRAS[provider])}")
    if row.key:
        lacks.append(f"a key in the environment variable {row.key}")
    if provider == "compatible":
        lacks.append("the server's address in AURELIA_COMPATIBLE_URL, and what it takes in AURELIA_COMPATIBLE_MEDIA")
    if row.state == "needs a server":
        lacks.append(f"a server with OpenAI's protocol and the weights: {', '.join(row.weights)}")
    if row.run == "native" and provider == "transformers":
        lacks.append(f"the weights: hf download {spec.partition(':')[2]}")
    if row.run == "worker":
        lacks += _environment(row, spec.partition(":")[2])
    return lacks


def _environment(row: Target, name: str) -> list[str]:
    python = f" (Python {row.python})" if row.python else ""
    weights = f"the weights: {', '.join(row.weights) or row.weights_elsewhere}"
    if row.worker and row.worker.state != "cannot":
        options = "".join(f" --option {option}=PATH" for option in row.worker.weights)
        return [
            f"a checkout of {row.upstream}",
            weights,
            f"its own environment{python}: aurelia targets install {name} --repo CHECKOUT{options}",
        ]
    return [
        f"an environment of its own{python}, made as {row.upstream} says",
        weights,
        "a script with load(options) and answer(model, request) around the makers' code (docs/workers.md)",
        f"workers/{name}.toml in AURELIA_HOME: protocol = 2, python = that environment's Python, script = that script",
    ]


def render_target_list(found: list[dict[str, Any]]) -> str:
    """The rows as a table for a terminal."""
    wide = max(len(row["name"]) for row in found) + 2
    named = max(len(row["title"]) for row in found) + 2
    text = [
        f"{row['name']:<{wide}}{row['title']:<{named}}{row['state'] or 'depends on the model':<28}{row['run']}"
        + (f": {row['worker']}" if row["worker"] else "")
        for row in found
    ]
    return "\n".join([*text, "", "aurelia targets NAME explains one."])


def render_target(row: dict[str, Any]) -> str:
    """One row for a terminal."""
    unknown = "not confirmed"
    paper = ", a row of the paper's Table 1" if row["paper_row"] else ""
    takes = ", ".join(row["modalities"]) or unknown
    together = {True: ", seen and heard together", False: ", not both at once", None: ""}[row["together"]]
    frames = f"; {row['frames']} frames" if row["frames"] else ""
    worker = row["worker"] and WorkerRecord.model_validate(row["worker"])
    facts = {
        "State": row["state"] or "depends on the model",
        "Run as": row["run"],
        "Models": ", ".join(row["models"]),
        "Takes": f"{takes}{together}{frames}",
        "Prompt": f"{row['placement']}, the reasoning before the question"
        + (f", inside {row['wrapper']!r}" if row["wrapper"] else ""),
        "Reasoning": repr(row["reasoning"].strip()),
        "Answer": f"{row['short']} Of choices: {row['choice']}",
        "Upstream": row["upstream"] or unknown,
        "Weights": ", ".join(row["weights"]) or row["weights_elsewhere"] or "none",
        "Licence": f"code: {row['licence_code'] or unknown}; weights: {row['licence_weights'] or unknown}",
        "Worker": ": ".join(filter(None, [worker.summary, worker.log])) if worker else None,
        "Notes": row["notes"],
        "Needs": "\n            ".join(row["lacks"]) or "nothing more: it works as it is",
        "Use it": row["command"] or "not possible as it is",
    }
    if row["run"] == "provider":
        facts = {label: fact for label, fact in facts.items() if label not in ("Upstream", "Weights", "Licence")}
    return "\n".join([f"{row['title']}  [{row['name']}{paper}]", *(f"  {k:<10}{v}" for k, v in facts.items() if v)])
