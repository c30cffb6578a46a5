"""`aurelia targets install`: a made-up repository and a row of it, in an environment that is made here."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia.cli.main import main
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.settings import Settings
from targets import explain, read_target_rows

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SCRIPT = """
from pathlib import Path

from aurelia_worker import read_samples, required


def load(options):
    import theirs

    return theirs.Model(Path(options["checkpoint"]).read_text(), options["rate"])


def answer(model, request):
    samples = read_samples(required(request["sound"], "sound"))
    return model.ask(len(request["images"]), len(samples), request["text"])
"""
REPOSITORY = """
class Model:
    def __init__(self, weights, rate):
        if weights == "broken":
            raise ValueError("the weights are broken")
        self.rate = rate

    def ask(self, frames, samples, text):
        assert "which colour" in text
        return "%d frames, %.0f s" % (frames, samples / self.rate)
"""
ROW = """
title = "Theirs"
models = ["worker:theirs"]
modalities = ["video", "audio"]
frames = 3
reasoning = "{{reasoning}}"
short = "Answer briefly."
choice = "One of them."
run = "worker"
state = "needs its own environment"
python = "PYTHON"
upstream = "https://example.org/theirs"
weights = ["them/theirs"]

[worker]
state = "written, not run"
reason = "a test"
weights = {checkpoint = "them/theirs"}
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the checkout, weights, and the shipped script; its Python is on the path."""
    for name, text in {
        "shipped/theirs.toml": ROW.replace("PYTHON", VERSION),
        "shipped/workers/theirs.py": SCRIPT,
        "shipped/workers/theirs.txt": "# nothing but Python\n",
        "checkout/theirs.py": REPOSITORY,
        "weights.bin": "weights",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / f"python{VERSION}").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    rows = read_target_rows(tmp_path / "shipped")
    monkeypatch.setattr(explain, "target_rows", lambda: rows)
    monkeypatch.setattr("targets.target_rows", lambda: rows | read_target_rows(Path(explain.__file__).parent))
    monkeypatch.setattr("aurelia.run.worker_install.files", lambda package: tmp_path / "shipped")
    return tmp_path


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    words = ["aurelia", "targets", "install", "theirs", "--repo", str(folder / "checkout")]
    words += [word for option in options for word in ("--option", option)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_it_makes_the_environment_asks_and_can_be_repeated(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = f"checkpoint={installed / 'weights.bin'}"
    (installed / "weights.bin").write_text("broken")
    assert install(installed, monkeypatch, weights, "rate=16000") == 3
    said = capsys.readouterr()
    assert said.out == ""
    for part in (f"made by Python {VERSION}", "theirs.txt", "example.org/theirs", "them/theirs", "not confirmed"):
        assert part in said.err
    assert "worker:theirs refused to load: ValueError: the weights are broken" in said.err
    made = (installed / "home" / "workers" / "theirs" / "bin" / "python").stat().st_ctime_ns

    (installed / "weights.bin").write_text("weights")
    for _ in range(2):
        assert install(installed, monkeypatch, weights, "rate=16000") == 0
        said = capsys.readouterr()
        assert said.out == "3 frames, 4 s\n"
        assert "target=worker:theirs" in said.err
    assert (installed / "home" / "workers" / "theirs" / "bin" / "python").stat().st_ctime_ns == made

    assert install(installed, monkeypatch, weights, "rate=8000") == 2
    assert "has other settings than these" in capsys.readouterr().err


def test_packages_that_cannot_be_installed_are_an_error_and_nothing_is_set_up(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (installed / "shipped" / "workers" / "theirs.txt").write_text("no such package at all\n")
    assert install(installed, monkeypatch, f"checkpoint={installed / 'weights.bin'}", "rate=16000") == 3
    assert "The packages of theirs.txt cannot be installed (status 1" in capfd.readouterr().err
    assert not (installed / "home" / "workers" / "theirs.toml").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "av_llm"}, r"No worker is shipped for AV-LLM \(13B\): no code and no weights were found"),
        ({"name": "gemini"}, "No worker is shipped for Gemini. aurelia targets gemini"),
        ({"repository": Path("/nowhere/checkout")}, "--repo 'checkout' is no folder: clone https://example.org/theirs"),
        ({"options": {}}, "The weights them/theirs are needed: add --option checkpoint=PATH"),
        ({"options": {"checkpoint": "/nowhere/x.bin"}}, "--option checkpoint=x.bin: there is nothing"),
        ({"options": {"checkpoint": "EMPTY"}}, "there is nothing. Fetch the weights them/theirs first"),
        ({"python": Path("/nowhere/python")}, "--python 'python' is no file"),
        ({"version": "3.77"}, r"Theirs needs Python 3.77 with venv, and there is no python3.77 that runs: install it"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(
    installed: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    from aurelia.run.worker_install import plan_worker

    if version := changes.pop("version", None):
        (installed / "shipped" / "theirs.toml").write_text(ROW.replace("PYTHON", version))
        shim = installed / "bin" / f"python{version}"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        rows = read_target_rows(installed / "shipped")
        monkeypatch.setattr(explain, "target_rows", lambda: rows)
    if changes.get("name"):
        monkeypatch.setattr(explain, "target_rows", lambda: read_target_rows(Path(explain.__file__).parent))
    if changes.get("options") == {"checkpoint": "EMPTY"}:
        (installed / "empty").mkdir()
        changes["options"] = {"checkpoint": str(installed / "empty")}
    asked: dict[str, Any] = {"name": "theirs", "repository": installed / "checkout", "python": None}
    asked["options"] = {"checkpoint": str(installed / "weights.bin")}
    with pytest.raises(InputError, match=said) as fault:
        plan_worker(settings=Settings.from_environment(local=True), **(asked | changes))
    assert isinstance(fault.value, AureliaError) and str(installed) not in str(fault.value)
    assert not (installed / "home").exists()


def test_a_model_of_one_sense_at_a_time_is_set_up_for_pictures_and_asked(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"theirs": explain.target_rows()["theirs"].model_copy(update={"together": False})}
    monkeypatch.setattr(explain, "target_rows", lambda: rows)
    (installed / "shipped" / "workers" / "theirs.py").write_text(
        "def load(options):\n    return None\n\n\n"
        "def answer(model, request):\n    return f\"{len(request['images'])} frames, sound {request['sound']}\"\n"
    )
    assert install(installed, monkeypatch, f"checkpoint={installed / 'weights.bin'}") == 0
    assert capsys.readouterr().out == "3 frames, sound None\n"


def test_an_environment_of_the_users_own_is_left_as_it_is(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--repo", str(installed / "checkout"), "--python", sys.executable, "--option", "rate=16000"]
    words += ["--option", f"checkpoint={installed / 'weights.bin'}"]
    monkeypatch.setattr(sys, "argv", ["aurelia", "targets", "install", "theirs", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code or 0, said.out) == (0, "3 frames, 4 s\n")
    assert "yours; its packages are left as they are" in said.err
    assert not (installed / "home" / "workers" / "theirs").exists()
