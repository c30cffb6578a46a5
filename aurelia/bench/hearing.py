"""A probe of the senses of a model: questions whose answer is only audible, and questions whose answer is only visible.

A server that drops the sound in silence answers the second kind and guesses the first. The clips are made here: beeps
over a picture that does not change, and flashes over a sound that does not change. Chance is one in four.
"""

from collections.abc import Iterator, Sequence
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
_COUNTS = ("two", "three", "four", "five")
_QUESTIONS = {
    HEARD: "How many beeps are heard in this clip?",
    SEEN: "How many times does the picture flash white in this clip?",
}
TRIALS = 8
"""Questions of each kind."""
CHANCE = 1 / len(_COUNTS)
LEVEL = 0.05
_SECONDS, _FPS, _RATE, _SIZE = 8, 8, 16_000, 128
_EVENT_SECONDS = 0.5
_GREY, _WHITE = 96, 255
_PITCH, _LOUDNESS, _HUM = 880.0, 0.4, 110.0


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
            count = trial % len(_COUNTS)
            name = f"{sense}-{trial}.mp4"
            if not (out / name).exists():
                _write_clip(out / name, sense, count + 2, seed=trial)
            source = RecordSource(dataset="probe", item=str(trial))
            records.append(
                Record(id=f"probe:{sense}:{trial}", column="other", video=name, question=question,
                       choices=list(_COUNTS), answers=[_COUNTS[count]], source=source, licence="CC0-1.0")
            )  # fmt: skip
        files[sense] = out / f"{sense}.jsonl"
        write_records(records, files[sense])
    return files


def probe_conditions(files: dict[str, Path], models: Sequence[str], context: Context) -> list[Condition]:
    """Both kinds of questions for every model, as the target alone."""
    conditions = []
    for model in dict.fromkeys(models):
        asked = context.model_copy(update={"target": model, "target_fallback": "", "frames": 2 * _SECONDS})
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


def _write_clip(path: Path, sense: str, count: int, seed: int) -> None:
    """A clip of 8 s with `count` beeps or flashes of 0.5 s, at least 0.5 s apart."""
    import av

    slots = np.random.default_rng(seed).permutation(int(_SECONDS / (2 * _EVENT_SECONDS)) - 1)[:count]
    starts = sorted(2 * _EVENT_SECONDS * (slot + 0.5) for slot in slots)
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4") as container:
        video: Any = container.add_stream("mpeg4", rate=_FPS)
        video.width = video.height = _SIZE
        video.pix_fmt = "yuv420p"
        audio: Any = container.add_stream("aac", rate=_RATE, layout="mono")
        for image in _images(starts if sense == SEEN else []):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        sound = _samples(starts if sense == HEARD else [])
        for start in range(0, len(sound), 1024):
            frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate = _RATE
            frame.pts = start
            frame.time_base = Fraction(1, _RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    part.replace(path)


def _images(starts: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
    for number in range(_SECONDS * _FPS):
        time = number / _FPS
        lit = any(start <= time < start + _EVENT_SECONDS for start in starts)
        yield np.full((_SIZE, _SIZE, 3), _WHITE if lit else _GREY, np.uint8)


def _samples(starts: Sequence[float]) -> NDArray[np.float32]:
    """Beeps over silence; without any, a hum that never changes."""
    times = np.arange(_SECONDS * _RATE) / _RATE
    if not starts:
        return np.asarray(0.1 * np.sin(2 * np.pi * _HUM * times), np.float32)
    gate = np.zeros(len(times))
    for start in starts:
        gate[(times >= start) & (times < start + _EVENT_SECONDS)] = 1.0
    # 10 ms of rise and fall: a step would be heard as a click.
    gate = np.convolve(gate, np.ones(160) / 160, "same")
    return np.asarray(_LOUDNESS * gate * np.sin(2 * np.pi * _PITCH * times), np.float32)
