"""What a worker's script can import as `aurelia_worker`: a seed, samples of a WAV file, and stand-ins for packages.

It runs in the model's own environment and needs only the standard library of Python 3.8.
"""

from __future__ import annotations

import array
import importlib.machinery
import os
import random
import sys
import wave
from types import ModuleType
from typing import Any


def fix_seed(decoding: dict[str, Any]) -> None:
    """Seed every sampler of the process with `decoding["seed"]`, else 0: the same request gets the same answer.

    Some repositories choose frames or parts of the sound at random.
    """
    seed = int(decoding.get("seed") or 0)
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def generation_settings(decoding: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """The decoding settings as arguments of `generate` of transformers; greedy unless a temperature is set.

    Args:
        decoding: the request's settings.
        max_tokens: most new tokens if the settings do not say it.
    """
    settings: dict[str, Any] = {"max_new_tokens": decoding.get("max_tokens") or max_tokens, "do_sample": False}
    if decoding.get("temperature"):
        settings.update(do_sample=True, temperature=decoding["temperature"], top_p=decoding.get("top_p") or 1.0)
    if decoding.get("repetition_penalty"):
        settings["repetition_penalty"] = decoding["repetition_penalty"]
    return settings


def read_samples(path: str) -> array.array[int]:
    """The samples of a WAV file of a request, int16 at 16 kHz, mono.

    Raises:
        ValueError: the file is none of a request.
    """
    with wave.open(path, "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, 16_000):
            raise ValueError("the sound is not 16 kHz, mono, 16 bits")
        samples = array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def required(path: str | None, kind: str) -> str:
    """The path, for a model that cannot do without it.

    Raises:
        ValueError: there is none. Without this, some repositories answer about silence or a black picture.
    """
    if not path:
        raise ValueError(f"this model needs {kind}, and the request has none")
    return path


def stand_in(*names: str) -> None:
    """Let the repository import packages that it does not use to answer; a use of one raises.

    Args:
        names: the modules, each with its parents, such as `moviepy`, `moviepy.editor`.
    """
    for name in names:
        if name not in sys.modules:
            module = _StandIn(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            module.__path__ = []
            sys.modules[name] = module
            parent, _, last = name.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, module)


def skip_init(folder: str, *packages: str) -> None:
    """Let modules of these packages be imported without the packages' own `__init__`, which imports everything.

    Args:
        folder: the folder that holds the outermost package.
        packages: their names, each with its parents, such as `lavis`, `lavis.models`.
    """
    for name in packages:
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = [os.path.join(folder, *name.split("."))]
        sys.modules[name] = module


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Unusable,), {"package": self.__name__})


class _Unusable:
    package = ""

    def __init__(self, *values: Any, **named: Any) -> None:
        raise RuntimeError(f"{self.package} is not installed in this worker's environment")
