"""The tempo of music, by Beat This! (package beat-this): beats are the peaks of its logits, 50 a second.

Its package is not part of an extra, because it brings torchaudio; the spectrogram is made here without it.
"""

import os
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from aurelia_core.arrays import Samples, Vector
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.errors import InputError
from aurelia_core.installation import package_version
from aurelia_core.witnesses.base import SAMPLE_RATE, ClipView, missing_packages, threshold, undecided
from aurelia_core.witnesses.measured import decide_tempo

_NAME = "beat-this"
_WEIGHTS = "beat_this-final0.ckpt"
_FRAMES_PER_SECOND = 50
_RATE, _FFT, _HOP, _MELS, _LOWEST, _HIGHEST = 22_050, 1024, 441, 128, 30.0, 11_000.0
_PIECE, _BORDER = 1488, 6
_NEAR = 3
"""Frames on either side within which one peak is one beat."""


class BeatWitness:
    """Claims about the beats a minute."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"tempo"})

    def __init__(self, weights: Path | None = None) -> None:
        """Use the weights in torch's folder of downloads, or another file."""
        self._weights = weights or _hub_folder() / _WEIGHTS

    def lacks(self) -> list[str]:
        """The packages or the weights, if they are not on this machine."""
        lacking = missing_packages(["torch", "transformers"])
        if package_version(_NAME) is None:
            lacking.append("the package beat-this (pip install beat-this)")
        if not self._weights.is_file():
            command = "python -c \"from beat_this.inference import load_model; load_model('final0')\""
            lacking.append(f"the weights ({command})")
        return lacking

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the median distance of the beats."""
        if claim.get("count") is None or claim["window"] is not None or not view.has_audio:
            return undecided(claim, _NAME, "the claim names no number of beats a minute for the whole clip")
        if _NAME not in view.memory:
            view.memory[_NAME] = steady_tempo(self.logits(view.sound()))
        bpm = view.memory[_NAME]
        if bpm is None:
            return undecided(claim, _NAME, "no steady beat was heard")
        return decide_tempo(claim, _NAME, bpm)

    def logits(self, samples: Samples) -> Vector:
        """The logit of a beat in each frame of 20 ms, float64[frames]."""
        import torch

        model = _load(self._weights)
        spectrogram = torch.from_numpy(mel_spectrogram(samples))
        found = []
        for start in range(0, len(spectrogram), _PIECE):
            before = min(start, _BORDER)
            with torch.inference_mode():
                heard = model(spectrogram[None, start - before : start + _PIECE + _BORDER])["beat"][0]
            found.append(heard[before : before + _PIECE].float().numpy())
        return np.concatenate(found).astype(np.float64)


def mel_spectrogram(samples: Samples) -> np.ndarray:
    """The input of Beat This!, float32[frames, 128]; as its LogMelSpect with torchaudio.

    Args:
        samples: float32[n] at `SAMPLE_RATE`.
    """
    import torch
    from scipy.signal import resample_poly
    from transformers.audio_utils import mel_filter_bank

    raised = torch.from_numpy(resample_poly(samples, _RATE // 50, SAMPLE_RATE // 50).astype(np.float32))
    window = torch.hann_window(_FFT)
    spectrum = torch.stft(raised, _FFT, _HOP, window=window, normalized=True, return_complex=True).abs()
    bank = mel_filter_bank(_FFT // 2 + 1, _MELS, _LOWEST, _HIGHEST, _RATE, norm=None, mel_scale="slaney")
    return np.asarray(np.log1p(1000 * spectrum.numpy().T @ bank), np.float32)


def steady_tempo(logits: Vector) -> float | None:
    """The beats a minute of logits, 50 a second; None for fewer than the least beats, or an unsteady beat."""
    peaks = [at for at in np.flatnonzero(logits > 0) if logits[at] == logits[max(0, at - _NEAR) : at + _NEAR + 1].max()]
    gaps = np.diff(peaks) / _FRAMES_PER_SECOND
    gaps = gaps[gaps > _NEAR / _FRAMES_PER_SECOND]
    if len(gaps) + 1 < threshold(_NAME, "least_beats"):
        return None
    middle = float(np.median(gaps))
    if float(np.mean(np.abs(gaps - middle) > threshold(_NAME, "uneven") * middle)) > threshold(_NAME, "most_uneven"):
        return None
    return 60 / float(np.mean(gaps[np.abs(gaps - middle) <= threshold(_NAME, "uneven") * middle]))


def _hub_folder() -> Path:
    """Torch's folder of downloaded checkpoints, found without importing torch."""
    cache_folder = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache_folder}/torch")).expanduser() / "hub" / "checkpoints"


@cache
def _load(path: Path) -> Any:
    """The model of a checkpoint.

    Raises:
        InputError: it is no checkpoint of Beat This!
    """
    import torch
    from beat_this.model.beat_tracker import BeatThis

    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        known = BeatThis.__init__.__annotations__
        model = BeatThis(**{name: value for name, value in stored["hyper_parameters"].items() if name in known})
        model.load_state_dict({name.removeprefix("model."): value for name, value in stored["state_dict"].items()})
    except (OSError, LookupError, RuntimeError, TypeError, ValueError, UnpicklingError) as fault:
        raise InputError(f"{path.name} is no checkpoint of Beat This!: download it again.") from fault
    return model.eval()
