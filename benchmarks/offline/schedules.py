"""Random schedules of sounds and movements for the offline agents: whatever the clip holds, every role answers.

A schedule is made in memory: sounds of all kinds and lengths over silence, noise or rumble, and pictures of any size
with shapes, blank frames, fades and noise. Run: `python -m benchmarks.offline.schedules [COUNT]`; it prints each
schedule that made a role fail, and how many did.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from langchain_core.messages import HumanMessage

from aurelia_core.errors import AureliaError
from aurelia_core.media.resampling import downsample
from aurelia_core.media.sampling import normalize_windows
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.chat import MeasuringChat

RATE = 16000
QUESTIONS = (
    "How many sounds are there?",
    "Which sound is the loudest?",
    "What is the tempo?",
    "Is there a cut?",
    "What moves first?",
    "When does the second sound start?",
    "What happens on the left?",
    "Does the motion match the sound?",
    "What colour is the background at the end?",
)
_SIZES = ((18, 32), (90, 160), (180, 320), (2, 2), (180, 60), (1, 1), (1, 7))
_SECONDS = (0.04, 0.2, 1.0, 3.0, 6.0, 10.0)


class MemoryFrames(NamedTuple):
    """Frames of a clip in memory, as `aurelia_core.media.store.Frames`."""

    times: npt.NDArray[np.float64]
    images: npt.NDArray[np.uint8]


class MemoryAudio(NamedTuple):
    """Sound of a clip in memory, as `aurelia_core.media.store.AudioSegment`."""

    samples: npt.NDArray[np.float32]
    rate: int
    start: float


class MemoryStore:
    """One clip in memory, with the methods of a clip store that measurements use."""

    def __init__(
        self,
        samples: npt.NDArray[np.float32] | None,
        times: npt.NDArray[np.float64],
        images: npt.NDArray[np.uint8],
        seconds: float,
    ) -> None:
        """Holds the clip.

        Args:
            samples: float32[n] at 16 kHz, or None without a sound track.
            times: float64[frames], seconds.
            images: uint8[frames, height, width, 3].
            seconds: length of the clip.
        """
        self.samples = samples
        self.times = times
        self.images = images
        self.seconds = seconds

    def frames(
        self, ref: MediaRef, windows: Sequence[Window], count: int, height: int = 180, shift: float = 0.0
    ) -> MemoryFrames:
        """At most `count` frames inside the windows."""
        spans = normalize_windows(windows, self.seconds)
        chosen = np.unique(
            np.concatenate([np.flatnonzero((self.times >= start) & (self.times <= end)) for start, end in spans])
        )
        if not len(chosen):
            chosen = np.array([np.abs(self.times - spans[0][0]).argmin()])
        if len(chosen) > count:
            chosen = chosen[np.linspace(0, len(chosen) - 1, count).round().astype(int)]
        return MemoryFrames(self.times[chosen], self.images[chosen])

    def audio(self, ref: MediaRef, windows: Sequence[Window], rate: int = RATE) -> list[MemoryAudio]:
        """The sound of the windows."""
        if self.samples is None:
            return []
        return [
            MemoryAudio(downsample(self.samples[round(start * RATE) : round(end * RATE)], rate), rate, start)
            for start, end in normalize_windows(windows, self.seconds)
        ]

    def reference(self, name: str) -> MediaRef:
        """The reference of the clip; `name` becomes its id."""
        has_audio = self.samples is not None
        return {
            "id": name.rjust(64, "0"),
            "name": "schedule.mp4",
            "bytes": 1,
            "duration": self.seconds,
            "width": int(self.images.shape[2]),
            "height": int(self.images.shape[1]),
            "fps": 12.0,
            "has_audio": has_audio,
            "audio_channels": int(has_audio),
            "audio_seconds": self.seconds if has_audio else None,
            "warnings": [],
        }


def random_clip(seed: int) -> MemoryStore:
    """The clip of a seed; every tenth has no sound track."""
    rng = np.random.default_rng(seed)
    seconds = float(rng.choice(_SECONDS) * rng.uniform(0.8, 1.2))
    samples = _random_sound(rng, int(seconds * RATE))
    times = np.arange(max(1, int(seconds * float(rng.choice([1, 5, 12]))))) / 12
    times *= seconds / (times[-1] + 1 / 12)
    images = _random_pictures(rng, times, seconds)
    return MemoryStore(None if rng.random() < 0.1 else samples, times, images, seconds)


def _random_sound(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    wave = np.zeros(count)
    if rng.random() < 0.5:
        wave += rng.standard_normal(count) * 10 ** (rng.uniform(-100, -20) / 20)
    if rng.random() < 0.3:
        hum = np.sin(2 * np.pi * rng.uniform(10, 200) * np.arange(count) / RATE)
        wave += hum * 10 ** (rng.uniform(-80, -3) / 20)
    for _ in range(rng.integers(0, 9)):
        start = int(rng.uniform(0, count))
        length = max(1, min(count - start, int(rng.choice([0.002, 0.02, 0.2, 1.0, 4.0]) * RATE)))
        wave[start : start + length] += _random_event(rng, length)
    return np.clip(wave, -1, 1).astype(np.float32)


def _random_event(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    clock = np.arange(count) / RATE
    kind = rng.integers(8)
    if kind < 3:
        wave = np.sin(2 * np.pi * rng.uniform(*((25, 7000), (15, 60), (200, 2000))[kind]) * clock)
    elif kind == 3:
        wave = rng.standard_normal(count)
    elif kind == 4:
        wave = np.cumsum(rng.standard_normal(count))
        wave /= np.abs(wave).max() + 1e-9
    elif kind == 5:
        wave = np.zeros(count)
        wave[:: max(1, count // int(rng.integers(1, 9)))] = 1
    elif kind == 6:
        wave = np.sin(2 * np.pi * (rng.uniform(50, 3000) * clock + rng.uniform(-900, 900) * clock**2))
    else:
        wave = np.ones(count)
    if rng.random() < 0.5:
        wave = wave * np.exp(-clock * rng.uniform(0.5, 30))
    return np.asarray(wave * 10 ** (rng.uniform(-90, 0) / 20), np.float64)


def _random_pictures(rng: np.random.Generator, times: npt.NDArray[np.float64], seconds: float) -> npt.NDArray[np.uint8]:
    height, width = _SIZES[rng.integers(len(_SIZES))]
    images = np.zeros((len(times), height, width, 3), np.uint8) + rng.integers(0, 256, 3).astype(np.uint8)
    if rng.random() < 0.3:
        images[:] = rng.integers(0, 256, (height, width, 3))
    for _ in range(rng.integers(0, 5)):
        start, end = sorted(rng.uniform(0, seconds, 2))
        colour, kind = rng.integers(0, 256, 3), rng.integers(4)
        x, y, size = int(rng.uniform(0, 1) * width), rng.uniform(0, 1), int(rng.uniform(0.02, 0.4) * height)
        for number in np.flatnonzero((times >= start) & (times <= end)):
            if kind == 0:
                top = max(0, int((y + 0.1 * np.sin(9 * times[number])) * height))
                images[number, top : top + size, x : x + size] = colour
            elif kind == 1:
                images[number] = colour
            elif kind == 2:
                images[number] = images[number] * (1 - (times[number] - start) / (end - start + 1e-6))
            else:
                images[number] = rng.integers(0, 256, (height, width, 3))
    for _ in range(rng.integers(0, 3)):
        images[rng.integers(0, len(times))] = 255
    return images


def play_all_roles(store: MemoryStore, name: str, question: str) -> dict[str, Any]:
    """Two attempts of all offline agents at one question, and the target with and without the reasoning.

    Returns:
        The last attempt's reasoning, caption and verdict, and both answers of the target.

    Raises:
        InternalError: a role failed.
    """
    chat, clip = MeasuringChat(store=store), store.reference(name)
    shared = {"clip": clip, "tracks": [], "duration": clip["duration"], "has_audio": clip["has_audio"]}

    def ask(role: str, **fields: Any) -> str:
        request = {**shared, "frames": 16, "samples": 48000, "role": role, "question": question, **fields}
        return chat.invoke([HumanMessage(question, additional_kwargs={"request": request})]).text

    looks: list[list[Window]] = [[]]
    reasoning, caption, verdict = {}, "", {}
    for iteration in (1, 2):
        reasoning = json.loads(ask("generator", choices=[], looks=looks, iteration=iteration))
        caption = json.loads(ask("summarizer", reasoning=reasoning))["caption"]
        verdict = json.loads(ask("evaluator", caption=caption))
        attempt = {"reasoning": reasoning, "caption": caption, "score": verdict["score"]}
        attempt |= {"critique": verdict["justification"], "doubts": verdict["windows"]}
        looks = [*looks, json.loads(ask("feedback", looks=looks, iteration=iteration, **attempt))["windows"]]
    answers = [ask("target", choices=[], reasoning=given) for given in (reasoning, None)]
    return {"reasoning": reasoning, "caption": caption, "verdict": verdict, "answers": answers}


def main(count: int = 500) -> int:
    """Play the schedules of `count` seeds; returns how many failed."""
    failed = 0
    for seed in range(count):
        try:
            play_all_roles(random_clip(seed), f"{seed:x}", QUESTIONS[seed % len(QUESTIONS)])
        except AureliaError as fault:
            failed += 1
            print(f"schedule {seed}: {fault}")
    print(f"offline agents: {failed} of {count} random schedules made one fail")
    return failed


if __name__ == "__main__":
    sys.exit(min(1, main(*(int(argument) for argument in sys.argv[1:2]))))
