"""Tiny random parts of the models that are built on LAVIS."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [".", str(ROOT / "aurelia_core" / "models" / "worker")]
import kit  # noqa: E402

sys.modules["aurelia_worker"] = kit


def copy_lavis(repository: Path, copy: Path) -> None:
    """Copies the makers' code with a small EVA-ViT that is not downloaded."""
    shutil.copytree(repository, copy)
    file = copy / "lavis" / "models" / "eva_vit.py"
    text = file.read_text()
    for found, instead in [
        (r"embed_dim=1408", "embed_dim=64"),
        (r"depth=39", "depth=2"),
        (r"num_heads=1408//88", "num_heads=4"),
        (r"    url = .*?strict=False\)\n", ""),
    ]:
        text, count = re.subn(found, instead, text, flags=re.S)
        assert count, found
    file.write_text(text)


def load_worker(name: str) -> ModuleType:
    """The shipped script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "targets" / "workers" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_beats(file: Path) -> None:
    """Writes a tiny BEATs with its configuration."""
    import torch

    kit.skip_init(".", "lavis", "lavis.models")
    from lavis.models.beats.BEATs import BEATs, BEATsConfig

    sizes = {
        "input_patch_size": 16, "embed_dim": 32, "encoder_layers": 2, "encoder_embed_dim": 64,
        "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 4, "conv_pos": 16, "conv_pos_groups": 4,
        "relative_position_embedding": True, "gru_rel_pos": True, "deep_norm": True,
    }  # fmt: skip
    torch.manual_seed(0)
    torch.save({"cfg": sizes, "model": BEATs(BEATsConfig(sizes)).state_dict()}, file)
