"""Where local weights run and with how much: the operator's environment, read once for a model. It loads nothing."""

import os
from typing import TYPE_CHECKING, NamedTuple

from aurelia_core.errors import InputError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
_MIB = 1024**2
_CPU_CACHE_MB = 2048
_GPU_SHARE = 0.25


class Placement(NamedTuple):
    """Where a model runs.

    Attributes:
        device: cpu, mps, cuda or cuda:N.
        dtype: of the weights, one of DTYPES.
        threads: of the processor; None: as torch has it.
        cache_mb: most megabytes of kept keys and values; None: a share of what the device has free.
        tokens: most tokens of one reply; None: as the capability table says.
    """

    device: str
    dtype: str
    threads: int | None
    cache_mb: int | None
    tokens: int | None


def choose_placement() -> Placement:
    """The operator's choice (AURELIA_LOCAL_*), or what this machine offers: cuda before mps before cpu.

    Raises:
        InputError: a variable has a value that cannot be used, or names a device that is not there.
    """
    device = _device(os.environ.get("AURELIA_LOCAL_DEVICE", "").strip() or "auto")
    dtype = os.environ.get("AURELIA_LOCAL_DTYPE", "").strip() or "auto"
    if dtype == "auto":
        dtype = _usual(device)
    if dtype not in DTYPES:
        raise InputError(f"AURELIA_LOCAL_DTYPE={dtype!r} cannot be used: write auto or one of {', '.join(DTYPES)}.")
    return Placement(
        device,
        dtype,
        _number("AURELIA_LOCAL_THREADS", 1),
        _number("AURELIA_LOCAL_CACHE_MB", 0),
        _number("AURELIA_LOCAL_TOKENS", 1),
    )


def describe_placement(here: Placement) -> str:
    """The place in words, for the doctor."""
    kept = "a quarter of its free memory" if here.cache_mb is None else f"{here.cache_mb} MB"
    if here.cache_mb is None and here.device == "cpu":
        kept = f"{_CPU_CACHE_MB} MB"
    return f"{here.device}, {here.dtype}, {kept} of kept clips"


def cache_bytes(here: Placement) -> int:
    """Most bytes of keys and values that are kept, once the model is loaded."""
    if here.cache_mb is not None:
        return here.cache_mb * _MIB
    if not here.device.startswith("cuda"):
        return _CPU_CACHE_MB * _MIB
    import torch

    free, _ = torch.cuda.mem_get_info(torch.device(here.device))
    return int(free * _GPU_SHARE)


def torch_dtype(here: Placement) -> "torch.dtype":
    """The dtype as torch has it."""
    import torch

    known: dict[str, torch.dtype] = {name: getattr(torch, name) for name in DTYPES}
    return known[here.dtype]


def _device(asked: str) -> str:
    import torch

    known = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, there in known.items() if there)
    kind, _, number = asked.partition(":")
    if kind not in known or (number and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} cannot be used: write auto, cpu, mps, cuda or cuda:N.")
    if not known[kind] or (number and int(number) >= torch.cuda.device_count()):
        raise InputError(f"AURELIA_LOCAL_DEVICE={asked!r} is not there: write auto or cpu.")
    return asked


def _usual(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float16" if device == "mps" else "float32"


def _number(name: str, least: int) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < least:
        raise InputError(f"{name}={text!r} cannot be used: write a whole number from {least}.")
    return int(text)
