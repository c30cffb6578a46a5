"""A probe of the senses of a model: questions whose answer is only audible, and questions whose answer is only visible.

A server that drops the sound in silence answers the second kind and not the first. The clips are made here: four kinds
of sound over a grey picture, and four colours over a hum. Chance is one in four.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from aurelia.bench.conditions import Condition, ConditionFigures
from aurelia.bench.records import Record, RecordSource, write_records
from state.context import Context

HEARD, SEEN = "heard", "seen"
_SOUNDS = ("high beeps", "a low hum", "a hiss", "nothing, it is silent")
_COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200), "yellow": (220, 200, 40)}
_CHOICES = {HEARD: _SOUNDS, SEEN: tuple(_COLOURS)}
_QUESTIONS = {HEARD: "What is heard in this clip?", SEEN: "Which colour fills the picture?"}
TRIALS = 8
"""Questions of each kind."""
CHANCE = 1 / len(_SOUNDS)
LEVEL = 0.05
_SECONDS, _FPS, _RATE, _SIZE = 4, 8, 16_000, 128
_GREY = (96, 96, 96)


class SenseFinding(NamedTuple):
    """What the probe found of one sense of one model.

    Attributes:
        model: `provider:model`.
        sense: heard or seen.
        right, asked: right answers, and answers.
        p: probability of so many right answers by guessing.
        refused: why the model was not asked; None: it was.
    """

    model: str
    sense: str
    right: int
    asked: int
    p: float
    refused: str | None = None

    @property
    def verdict(self) -> str:
        """In words."""
        if self.refused:
            return f"not asked: {self.refused}"
        verb = "hears" if self.sense == HEARD else "sees"
        score = f"{self.right} of {self.asked} right, {CHANCE * self.asked:.0f} by chance, p = {self.p:.2g}"
        if self.asked and self.p < LEVEL:
            return f"{verb} ({score})"
        return f"no sign that it {verb} ({score})"


def write_probe(out: Path) -> dict[str, Path]:
    """Writes the clips, once, and the records of both kinds; the files of the records by kind."""
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for sense, question in _QUESTIONS.items():
        records = []
        for trial in range(TRIALS):
            choices = _CHOICES[sense]
            answer = choices[trial % len(choices)]
            name = f"{sense}-{trial}.mp4"
            if not (out / name).exists():
                write_probe_clip(
                    out / name, _COLOURS.get(answer, _GREY), answer if sense == HEARD else _SOUNDS[1], trial
                )
            source = RecordSource(dataset="probe", item=str(trial))
            records.append(
                Record(id=f"probe:{sense}:{trial}", column="other", video=name, question=question,
                       choices=list(choices), answers=[answer], source=source, licence="CC0-1.0")
            )  # fmt: skip
        files[sense] = out / f"{sense}.jsonl"
        write_records(records, files[sense])
    return files


def probe_conditions(files: dict[str, Path], models: Sequence[str], context: Context) -> list[Condition]:
    """Both kinds of questions for every model, as the target alone."""
    conditions = []
    for model in dict.fromkeys(models):
        asked = context.model_copy(update={"target": model, "target_fallback": "", "frames": _SECONDS})
        for sense, file in files.items():
            conditions.append(Condition(f"{model.replace(':', ' ')} {sense}", asked, "zero_shot", file))
    return conditions


def sense_findings(found: Sequence[ConditionFigures], models: Sequence[str]) -> list[SenseFinding]:
    """What the conditions of `probe_conditions` found, in the same order."""
    names = [(model, sense) for model in dict.fromkeys(models) for sense in _QUESTIONS]
    findings = []
    for (model, sense), figures in zip(names, found, strict=True):
        right, asked = int(sum(figures.values.values())), len(figures.values)
        p = float(binomtest(right, asked, CHANCE, alternative="greater").pvalue) if asked else 1.0
        refused = figures.refused
        if not asked and not refused:
            refused = f"none of {figures.failed} calls was answered"
        findings.append(SenseFinding(model, sense, right, asked, p, refused))
    return findings


def write_probe_clip(path: Path, colour: tuple[int, int, int], kind: str, seed: int) -> None:
    """A clip of 4 s in one colour, with one kind of sound; the seed varies pitch and noise."""
    import av

    image = np.full((_SIZE, _SIZE, 3), colour, np.uint8)
    sound = _samples(kind, seed)
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4") as container:
        video: Any = container.add_stream("mpeg4", rate=_FPS)
        video.width = video.height = _SIZE
        video.pix_fmt = "yuv420p"
        audio: Any = container.add_stream("aac", rate=_RATE, layout="mono")
        for _ in range(_SECONDS * _FPS):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        for start in range(0, len(sound), 1024):
            frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate = _RATE
            frame.pts = start
            frame.time_base = Fraction(1, _RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    part.replace(path)


def _samples(kind: str, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    times = np.arange(_SECONDS * _RATE) / _RATE
    if kind == "high beeps":
        beeps = np.convolve((times % 0.5) < 0.2, np.ones(160) / 160, "same")
        found = 0.4 * beeps * np.sin(2 * np.pi * rng.uniform(1500, 2500) * times)
    elif kind == "a low hum":
        found = 0.3 * np.sin(2 * np.pi * rng.uniform(90, 130) * times)
    elif kind == "a hiss":
        found = 0.2 * rng.normal(size=len(times))
    else:
        found = np.zeros(len(times))
    return np.asarray(np.clip(found, -1, 1), np.float32)
