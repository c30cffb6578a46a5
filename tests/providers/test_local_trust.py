"""Code that comes with weights runs only where the operator named that very model, and is said aloud."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.local import loading as local_load
from aurelia_core.models.local.weights import find_weights
from aurelia_core.settings import Settings
from state.context import ROLES, make_context
from tests.support.clips import film

CODE = """from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

with open({mark!r}, "a") as file:
    file.write("ran ")


class OwnConfig(Qwen2_5OmniThinkerConfig):
    model_type = {kind!r}


class OwnModel(Qwen2_5OmniThinkerForConditionalGeneration):
    config_class = OwnConfig
"""
WARNING = (
    "transformers:own-omni runs its own Python code with all rights of this process, because the operator's"
    " AURELIA_TRUST_MODEL_CODE names it."
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The processor, no choices of the operator, and a place of its own for code that transformers copies."""
    from transformers import dynamic_module_utils

    for name in ("DTYPE", "CACHE_MB", "THREADS", "MODELS"):
        monkeypatch.delenv(f"AURELIA_LOCAL_{name}", raising=False)
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", "4")
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    local_load.unload_all()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def with_code(folder: Path, mark: Path, kind: str) -> Path:
    """The checkpoint, of this architecture, with code of its own for it."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    auto = {"AutoConfig": "own.OwnConfig", "AutoModelForMultimodalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": kind, "auto_map": auto}), "utf-8")
    (folder / "own.py").write_text(CODE.format(mark=str(mark), kind=kind), "utf-8")
    return folder


@pytest.fixture
def own(tiny_omni: Path, tmp_path: Path, mark: Path) -> Path:
    """A checkpoint of an architecture that only its own code knows; no other model is loaded."""
    local_load.unload_all()
    folder = Path(shutil.copytree(tiny_omni, tmp_path / "own-omni"))
    weights = folder / "model.safetensors"
    # transformers renames old checkpoints' tensors only for architectures that it knows.
    tensors = load_file(weights)
    renamed = {re.sub(r"^model\.", "model.language_model.", name): tensors[name] for name in tensors}
    save_file(renamed, weights, {"format": "pt"})
    return with_code(folder, mark, "own_omni")


async def answered(own: Path, tmp_path: Path, *trusted: str) -> Any:
    settings = Settings(home=tmp_path / "home", allow_any_file=True, trusted_models=trusted)
    agents = {**dict.fromkeys(ROLES, "offline:measure"), "target": f"transformers:{own}"}
    clip = film(tmp_path / "a.mp4", size=(64, 64), sound_seconds=1.0)
    desk = ModelClient(settings, store=ClipStore(settings))
    try:
        context = make_context({**agents, "max_iterations": 1, "compare": False, "frames": 4})
        return await answer_question({"video": str(clip), "question": "What is heard?"}, context, client=desk)
    finally:
        desk.close()


async def test_the_code_of_a_named_model_runs_and_that_is_said_aloud(own, tmp_path, mark, capsys):
    found = await answered(own, tmp_path, str(own))
    assert mark.exists() and found["answer"] is not None
    assert found["warnings"].count(WARNING) == 1
    assert capsys.readouterr().err.count(f"aurelia: WARNING: {WARNING}\n") == 1
    assert [type(engine.model).__name__ for engine in local_load._engines.values()] == ["OwnModel"]


@pytest.mark.parametrize("trusted", [[], ["Own/own-omni"], ["{parent}"], ["{own}/deeper"]])
async def test_no_other_models_code_runs(own, tmp_path, mark, capsys, trusted):
    trusted = [part.format(own=own, parent=own.parent) for part in trusted]
    with pytest.raises(InputError, match="'own_omni', which this transformers cannot run"):
        await answered(own, tmp_path, *trusted)
    assert not mark.exists() and not (tmp_path / "modules").exists()
    assert "WARNING" not in capsys.readouterr().err


async def test_an_architecture_that_is_known_needs_no_trust(own, tmp_path, mark):
    known = with_code(own, mark, "qwen2_5_omni_thinker")
    found = await answered(known, tmp_path)
    assert not mark.exists() and not any("Python code" in text for text in found["warnings"])
    assert (await answered(known, tmp_path, str(known)))["warnings"].count(WARNING) == 1
    assert mark.exists()


async def test_code_that_fails_is_one_line(own, tmp_path):
    (own / "own.py").write_text("raise RuntimeError('no\\nluck')", "utf-8")
    with pytest.raises(InputError, match=r"transformers:own-omni cannot be loaded \(RuntimeError: no luck\)"):
        await answered(own, tmp_path, str(own))


def test_changed_code_is_another_model_where_it_runs(own):
    def print_of(*trusted: str) -> str:
        return find_weights(str(own), trusted=trusted).fingerprint

    before = print_of(str(own)), print_of()
    (own / "own.py").write_text("pass", "utf-8")
    assert print_of() == before[1] and len({*before, print_of(str(own))}) == 3


def test_the_operator_names_whole_folders_or_models_of_the_hub(tmp_path):
    def read(said: str) -> tuple[str, ...]:
        return Settings.from_environment(local=True, environment={"AURELIA_TRUST_MODEL_CODE": said}).trusted_models

    assert read("") == () and read(f"{tmp_path}:Org/Model ") == (str(tmp_path), "Org/Model")
    for said in ("true", "1", "*", "./model", "a/b/c", "transformers"):
        with pytest.raises(InputError, match="AURELIA_TRUST_MODEL_CODE has .*: name each model"):
            read(said)


def test_no_run_can_ask_for_it(own, tmp_path):
    for name in ("trusted_models", "trust_remote_code", "AURELIA_TRUST_MODEL_CODE"):
        with pytest.raises(InputError, match=name):
            make_context({**dict.fromkeys(ROLES, "offline:measure"), name: str(own)})
    settings = Settings(home=tmp_path / "home")
    assert replace(settings).trusted_models == ()
