"""Installs a shipped worker: its environment, its settings in AURELIA_HOME, and one question to see that it answers.

Everything that can be checked is checked before anything is written. A second run goes on where the first one failed.
"""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from aurelia_core.errors import AureliaError, InputError
from aurelia_core.models.worker.setup import PROTOCOL_VERSION, WorkerSetup
from aurelia_core.settings import Settings
from targets import Target, WorkerRecord
from targets.explain import find_target_row

_QUESTION = "What is heard, and which colour fills the picture?"
_YELLOW = (220, 200, 40)
_MAX_TOKENS = 32


@dataclass(frozen=True)
class WorkerPlan:
    """What an installation will do; everything in it was checked.

    Attributes:
        name: the row's name.
        row: the row.
        setup: the settings of the worker.
        environment: the environment to make; None: the user's own is used.
        interpreter: the Python that makes it.
        settings_file: file of the settings.
    """

    name: str
    row: Target
    setup: WorkerSetup
    environment: Path | None
    interpreter: Path
    settings_file: Path

    @property
    def packages_file(self) -> Path:
        """The packages of the environment, with their versions."""
        return self.setup.script.with_suffix(".txt")

    def needs(self) -> str:
        """What the installation needs and what it will do, for a person."""
        record = self.row.worker
        assert record is not None
        unknown = "not confirmed"
        environment = "yours; its packages are left as they are"
        disk = "no more"
        if self.environment:
            free = shutil.disk_usage(self.settings_file.parents[1]).free / 1e9
            environment = f"made by Python {self.row.python}, with the packages of {self.packages_file.name}"
            size = f"{record.environment_gb:g} GB" if record.environment_gb else "not measured"
            disk = f"environment: {size} with the CPU build of torch, more with CUDA; {free:.0f} GB are free"
        commit = re.search(r"[0-9a-f]{40}", record.log or "")
        seen = f", as seen here at commit {commit[0][:12]}" if commit else ""
        facts = {
            "Worker": record.summary,
            "Environment": environment,
            "Disk": disk,
            "Checkout": f"of {self.row.upstream}{seen}",
            "Weights": ", ".join(self.row.weights) or self.row.weights_elsewhere or "none",
            "Licence": f"code: {self.row.licence_code or unknown}; weights: {self.row.licence_weights or unknown}",
            "Settings": f"workers/{self.name}.toml in AURELIA_HOME",
        }
        return "\n".join([f"{self.row.title}  [{self.name}]", *(f"  {k:<12}{v}" for k, v in facts.items())])


def plan_worker(
    name: str, repository: Path, options: Mapping[str, str], settings: Settings, python: Path | None = None
) -> WorkerPlan:
    """Check what the installation of a row's worker needs; write nothing.

    Args:
        name: as for `aurelia targets`.
        repository: checkout of the makers' repository.
        options: values of the script's `load` by name; those that the row's record lists are paths of weights.
        settings: the operator's settings.
        python: the Python of an environment that the user made; None: an environment is made.

    Raises:
        InputError: the row has no shipped worker, or its Python, the checkout or weights are missing, or other settings
            of the worker are there; the message names the remedy.
    """
    key, row = find_target_row(name)
    record = row.worker
    if record is None or record.state == "cannot":
        reason = f": {record.reason}" if record else ""
        raise InputError(f"No worker is shipped for {row.title}{reason}. aurelia targets {key} says what it needs.")
    if not repository.is_dir():
        raise InputError(f"--repo {repository.name!r} is no folder: clone {row.upstream} and name the checkout.")
    home = settings.home.absolute()
    environment = None
    if python is None:
        environment = home / "workers" / key
        interpreter, python = find_interpreter(row), environment / "bin" / "python"
    elif python.is_file():
        interpreter = python = python.absolute()
    else:
        raise InputError(f"--python {python.name!r} is no file: name the Python of the environment that you made.")
    setup = WorkerSetup(
        python=python,
        script=Path(str(files("targets"))) / "workers" / f"{record.script or key}.py",
        folder=repository.absolute(),
        options=read_worker_options(record, options),
        frames=row.frames,
        sees=bool({"video", "image"} & {*row.modalities}),
        sounds=int("audio" in row.modalities and row.together is not False),
        decoding=[*record.decoding],
    )
    plan = WorkerPlan(key, row, setup, environment, interpreter, home / "workers" / f"{key}.toml")
    if plan.settings_file.exists() and plan.settings_file.read_text("utf-8") != worker_settings_text(setup):
        raise InputError(
            f"workers/{key}.toml in AURELIA_HOME has other settings than these, perhaps yours: remove it, or give the"
            " same checkout and options."
        )
    return plan


def find_interpreter(row: Target) -> Path:
    """A Python on the path with the version of the row.

    Raises:
        InputError: there is none that runs.
    """
    found = shutil.which(f"python{row.python}")
    # A shim of a version manager is there for versions that are not.
    if row.python and found and subprocess.run([found, "-m", "venv", "-h"], capture_output=True).returncode == 0:
        return Path(found)
    raise InputError(
        f"{row.title} needs Python {row.python} with venv, and there is no python{row.python} that runs: install it"
        f" (uv python install {row.python}, pyenv, or the system's packages), or make an environment with the packages"
        " of its .txt file and name its Python with --python."
    )


def read_worker_options(record: WorkerRecord, options: Mapping[str, str]) -> dict[str, Any]:
    """The options of `load`: paths of weights made absolute, other values read as JSON where they are.

    Raises:
        InputError: weights are not named, or not there.
    """
    values: dict[str, Any] = {}
    for name, kind in record.weights.items():
        if name not in options:
            raise InputError(f"The weights {kind} are needed: add --option {name}=PATH.")
        path = Path(options[name]).expanduser().absolute()
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise InputError(f"--option {name}={path.name}: there is nothing. Fetch the weights {kind} first.")
        values[name] = str(path)
    for name, text in options.items():
        if name not in values:
            try:
                values[name] = json.loads(text)
            except ValueError:
                values[name] = text
    return values


def worker_settings_text(setup: WorkerSetup) -> str:
    """The settings as the text of `workers/ROW.toml`."""
    values = setup.model_dump(mode="json", exclude_defaults=True)
    options = values.pop("options", {})
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    lines += ["", "[options]", *(f"{name} = {json.dumps(v, ensure_ascii=False)}" for name, v in options.items())]
    return "\n".join([f"protocol = {PROTOCOL_VERSION}", *lines, ""])


def make_environment(plan: WorkerPlan) -> None:
    """Make the environment and install its packages; what they print goes to stderr.

    Raises:
        AureliaError: venv or pip failed.
    """
    if plan.environment is None:
        return
    if not plan.setup.python.exists():
        _run([str(plan.interpreter), "-m", "venv", str(plan.environment)], "The environment cannot be made")
    install = [str(plan.setup.python), "-m", "pip", "install", "--disable-pip-version-check", "-r"]
    _run([*install, str(plan.packages_file)], f"The packages of {plan.packages_file.name} cannot be installed")


def _run(command: list[str], failure: str) -> None:
    status = subprocess.run(command, stdout=2).returncode
    if status:
        raise AureliaError(f"{failure} (status {status}; the reason stands above). The same command goes on from here.")


def install_worker(plan: WorkerPlan, settings: Settings, say: Callable[[str], None]) -> str:
    """Make the environment, write the settings, start the worker and ask about a clip that is made here.

    Args:
        plan: of `plan_worker`.
        settings: the operator's settings.
        say: takes each step in words.

    Returns:
        The answer.

    Raises:
        AureliaError: the environment cannot be made.
        ModelError: the worker cannot be started, or does not answer.
    """
    make_environment(plan)
    plan.settings_file.parent.mkdir(parents=True, exist_ok=True)
    plan.settings_file.write_text(worker_settings_text(plan.setup), "utf-8")
    say(f"Written: workers/{plan.name}.toml in AURELIA_HOME. Loading the model ...")
    from aurelia_core.models.client import ModelClient
    from aurelia_core.models.worker.chat import WorkerChat

    client = ModelClient(settings)
    worker = client.model(f"worker:{plan.name}")
    assert isinstance(worker, WorkerChat)
    try:
        facts = worker.start()
        packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
        say(f"Loaded with Python {facts['python']}{', ' + packages if packages else ''}. Asking: {_QUESTION}")
        return _ask(client, plan.name)
    finally:
        worker.close()
        client.close()


def _ask(client: Any, name: str) -> str:
    """The answer of the target alone."""
    from aurelia.bench.hearing import write_probe_clip
    from aurelia.run.ask import answer_question
    from graph.build import build_zero_shot
    from state.context import make_context

    settings = {"unsupported_modality": "evidence", "decoding": {"target": {"max_tokens": _MAX_TOKENS}}}
    context = make_context({"target": f"worker:{name}", **settings})
    with tempfile.TemporaryDirectory(prefix="aurelia-install-") as folder:
        clip = Path(folder) / "clip.mp4"
        # Another sound each time: a stored reply is no sign that the worker runs.
        write_probe_clip(clip, _YELLOW, "a hiss", time.time_ns() % 2**32)
        question: Any = {"video": str(clip), "question": _QUESTION}
        result = asyncio.run(answer_question(question, context, client=client, graph=build_zero_shot(client)))
    return str(result["zero_shot_reply"])
