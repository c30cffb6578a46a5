"""Is what the keyless profile states true, and does it answer what can be measured?

Clips with known content are made in memory: hard cuts under a moving camera, fades, a loudest sound that one look does
not hear, rumble, wind, something that comes twice, and simple scenes. Each gets questions in ordinary words, of which
some cannot be answered by measuring. Run `python -m benchmarks.offline.truthful [SEEDS]`; it prints the share of stated
answers that are true, the share of answerable questions that are answered, and every failure.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from langchain_core.messages import HumanMessage
from scipy.ndimage import gaussian_filter

from aurelia_offline.agents.chat import MeasuringChat
from benchmarks.offline.schedules import RATE, MemoryStore

FPS = 12
HEIGHT, WIDTH = 180, 320
_MAX_ATTEMPTS = 3
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
Check = Callable[[str], bool]
Wave = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]
COLOURS = {"red": (220, 20, 20), "green": (20, 170, 40), "blue": (30, 60, 220), "yellow": (245, 225, 30)}


class Asked(NamedTuple):
    """A question, the check of its answer, and whether it can be answered by measuring."""

    question: str
    check: Check
    answerable: bool = True


class Clip(NamedTuple):
    """A clip and its questions."""

    kind: str
    store: MemoryStore
    asked: Sequence[Asked]


class Outcome(NamedTuple):
    """A question about a clip with its answer."""

    kind: str
    asked: Asked
    answer: str

    @property
    def stated(self) -> bool:
        """Whether the answer states anything."""
        return not self.answer.startswith("unknown")

    @property
    def true(self) -> bool:
        """Whether the stated answer is true."""
        return self.asked.check(self.answer.lower())


def yes(said: str) -> bool:
    """The check of a question whose answer is yes."""
    return said.startswith("yes")


def no(said: str) -> bool:
    """The check of a question whose answer is no."""
    return said.startswith("no")


def never(said: str) -> bool:
    """The check of a question that cannot be answered: whatever is stated is not known."""
    return False


def number(count: int) -> Check:
    """The check of a number, in digits or as a word."""
    return lambda said: bool(re.match(rf"(about )?({count}|{_WORDS[min(count, 12)]})\b(?! s\b)(?!\.)", said))


def near(value: float, room: float) -> Check:
    """The check of the first number in an answer."""

    def check(said: str) -> bool:
        found = re.search(r"\d+(?:\.\d+)?", said)
        return found is not None and abs(float(found.group()) - value) <= room

    return check


def holds(*words: str) -> Check:
    """The check of an answer that contains one of the words."""
    return lambda said: any(word in said for word in words)


def tone(pitch: float, seconds: float, level: float) -> Wave:
    """A tone with short ramps; `level` in dBFS RMS."""
    clock = np.arange(round(seconds * RATE)) / RATE
    ramp = np.minimum(1, np.minimum(clock, seconds - clock) / 0.01)
    return np.sin(2 * np.pi * pitch * clock) * ramp * np.sqrt(2) * 10 ** (level / 20)


def sound_track(seconds: float, events: Sequence[tuple[float, Wave]], floor: float = -78.0, seed: int = 0) -> Wave:
    """Events over faint noise."""
    wave = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 10 ** (floor / 20)
    for start, event in events:
        first = round(start * RATE)
        wave[first : first + len(event)] += event[: len(wave) - first]
    return wave


def texture(rng: np.random.Generator, colour: Sequence[int], height: int = HEIGHT, width: int = WIDTH) -> Wave:
    """A filmed surface of a colour, float64[height, width, 3]."""
    coarse, fine = (gaussian_filter(rng.standard_normal((height, width)), sigma) for sigma in (14, 1.6))
    light = 1 + 0.28 * coarse / coarse.std() + 0.22 * fine / fine.std()
    return np.asarray(colour) * np.clip(light, 0.1, 2.0)[..., None]


def plain(seconds: float, colour: Sequence[int] = (0, 0, 0)) -> Images:
    """A plain picture."""
    return np.zeros((round(seconds * FPS), HEIGHT, WIDTH, 3), np.uint8) + np.asarray(colour, np.uint8)


def bounce(images: Images, spans: Sequence[tuple[float, float]], x: float, colour: Sequence[int]) -> Images:
    """The picture with a square that bounces at `x` (0..1) in some spans of time, and rests else."""
    for index in range(len(images)):
        time = index / FPS
        lift = next((abs(np.sin(np.pi * 3.7 * (time - start))) for start, end in spans if start <= time < end), 0.0)
        top, left = round(70 - 20 * lift), round(x * WIDTH - 22)
        images[index, top : top + 44, max(0, left) : left + 44] = colour
    return images


def make(wave: Wave | None, images: Images) -> MemoryStore:
    """A clip of the picture's length."""
    seconds = len(images) / FPS
    samples = None
    if wave is not None:
        samples = np.clip(wave, -1, 1).astype(np.float32)
    return MemoryStore(samples, np.arange(len(images)) / FPS, images, seconds)


_NOT_MEASURED = (
    Asked("How many people are in the clip?", never, False),
    Asked("What instrument is playing?", never, False),
    Asked("Is the person happy?", never, False),
    Asked("Why does this happen?", never, False),
    Asked("What is the animal doing?", never, False),
    Asked("What is the speaker talking about?", never, False),
    Asked("Which song is this?", never, False),
    Asked("Where was this filmed?", never, False),
)


def cuts_under_moving_camera(rng: np.random.Generator) -> Clip:
    """A new place every second, while the camera pans."""
    count = int(rng.integers(5, 11))
    seconds = count + 1
    pace = rng.uniform(0.5, 3.0)
    frames = []
    for _ in range(seconds):
        ground = texture(rng, rng.integers(60, 200, 3), HEIGHT + 80, WIDTH + 80)
        for step in range(FPS):
            shift = round(pace * step)
            frames.append(ground[shift : shift + HEIGHT, 2 * shift % 80 : 2 * shift % 80 + WIDTH])
    images = np.clip(np.stack(frames), 0, 255).astype(np.uint8)
    asked = [
        Asked("How many cuts are there?", number(count)),
        Asked("How many scene changes are there in the video?", number(count)),
        Asked("Is there a cut?", yes),
        Asked("Are there any cuts in this clip?", yes),
        Asked("When is the first cut?", near(1.0, 0.15)),
        Asked("Does the picture fade to black?", no),
        Asked("Are there more than three cuts?", yes),
        Asked("Is the clip silent?", yes),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("cuts", make(sound_track(seconds, []), images), asked)


def fade(rng: np.random.Generator) -> Clip:
    """A filmed picture that fades to black at the end, or comes out of black at the start."""
    seconds, length = 8, rng.uniform(1.0, 2.0)
    ground = texture(rng, rng.integers(80, 200, 3))
    times = np.arange(seconds * FPS) / FPS
    to_black = bool(rng.random() < 0.5)
    light = np.clip((seconds - 0.5 - times) / length, 0, 1)
    if not to_black:
        light = np.clip((times - 0.5) / length, 0, 1)
    images = np.clip(light[:, None, None, None] * ground, 0, 255).astype(np.uint8)
    asked = [
        Asked("Does the picture fade to black?", yes if to_black else no),
        Asked("Is there a fade to black at the end?", yes if to_black else no),
        Asked("Does the clip fade in from black?", no if to_black else yes),
        Asked("Is there a cut?", no),
        Asked("How many cuts are there?", number(0)),
        Asked("Is there a flash?", no),
        Asked("Does anything move?", no),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("fade", make(None, images), asked)


def loudest_is_high(rng: np.random.Generator) -> Clip:
    """Three or four sounds, of which the loudest lies above what one look of a long clip hears."""
    seconds, count = 10, int(rng.integers(3, 5))
    starts = 0.6 + np.arange(count) * (seconds - 1.2) / count + rng.uniform(0, 0.5, count)
    loud = int(rng.integers(count))
    pitches = [5600.0 if index == loud else float(p) for index, p in enumerate(rng.choice([220, 330, 440, 660], count))]
    levels = [-14.0 if index == loud else float(rng.uniform(-32, -22)) for index in range(count)]
    events = [(s, tone(p, 0.5, v)) for s, p, v in zip(starts, pitches, levels, strict=True)]
    ordinal = ("first", "second", "third", "fourth")[loud]
    asked = [
        Asked("How many sounds are there?", number(count)),
        Asked("How many sounds can be heard?", number(count)),
        Asked("When is the loudest sound?", near(starts[loud], 0.25)),
        Asked("When does the loudest sound start?", near(starts[loud], 0.25)),
        Asked("Which sound is the loudest?", holds("5600", "560", ordinal)),
        Asked("What is the pitch of the highest sound?", near(5600, 150)),
        Asked("Is the first sound the loudest?", yes if loud == 0 else no),
        Asked("Is there any silence?", yes),
        Asked("Is there a steady beat?", lambda said: said.startswith(("yes", "no"))),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("loudest is high", make(sound_track(seconds, events), plain(seconds)), asked)


def rumble(rng: np.random.Generator) -> Clip:
    """A low rumble throughout."""
    seconds = 8
    noise = gaussian_filter(rng.standard_normal(seconds * RATE), RATE / (2 * np.pi * rng.uniform(40, 90)))
    noise *= 10 ** (rng.uniform(-30, -18) / 20) / noise.std()
    asked = [
        Asked("Is the clip silent?", no),
        Asked("Can anything be heard?", yes),
        Asked("Is there any sound?", yes),
        Asked("What kind of sound is heard?", holds("low", "rumble")),
        Asked("What is the tempo?", never, False),
        Asked("Is there a beep?", no, False),
        Asked("How many beeps are there?", number(0), False),
        Asked("Does anything move?", no),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("rumble", make(noise, plain(seconds, (30, 60, 90))), asked)


def wind(rng: np.random.Generator) -> Clip:
    """Wind that swells and falls, over the whole band."""
    seconds = 9
    swell = gaussian_filter(rng.standard_normal(seconds * RATE), RATE * 0.4)
    swell = 1 + 0.5 * swell / swell.std()
    noise = gaussian_filter(rng.standard_normal(seconds * RATE), 1.5) * np.clip(swell, 0.2, 2.0)
    noise *= 10 ** (-26 / 20) / noise.std()
    asked = [
        Asked("Is the clip silent?", no),
        Asked("Can anything be heard?", yes),
        Asked("Is there any sound?", yes),
        Asked("What is the tempo?", never, False),
        Asked("How many sounds are there?", never, False),
        Asked("Is there a steady beat?", no, False),
        Asked("Is there a moment of silence?", no),
        Asked("Is there a cut?", no),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("wind", make(noise, plain(seconds, (90, 120, 150))), asked)


def comes_twice(rng: np.random.Generator) -> Clip:
    """Something enters a filmed picture from one side, leaves, and comes again."""
    seconds, left = 9, bool(rng.random() < 0.5)
    starts = (float(rng.uniform(1, 2)), float(rng.uniform(5, 6)))
    ground, hand = texture(rng, (80, 110, 70)), texture(rng, (215, 160, 130), 80, 90)
    images = np.repeat(np.clip(ground, 0, 255).astype(np.uint8)[None], seconds * FPS, axis=0)
    for index in range(len(images)):
        for start in starts:
            reach = round(90 * np.sin(np.pi * np.clip((index / FPS - start) / 1.5, 0, 1)))
            if reach > 0:
                part = np.clip(hand, 0, 255).astype(np.uint8)
                if left:
                    images[index, 60:140, :reach] = part[:, 90 - reach :]
                else:
                    images[index, 60:140, WIDTH - reach :] = part[:, :reach]
    side = "left" if left else "right"
    asked = [
        Asked("How many times does something move?", number(2)),
        Asked("How often does something move?", number(2)),
        Asked("On which side does something move?", holds(side)),
        Asked("When does something first move?", near(starts[0], 0.4)),
        Asked("Does anything move?", yes),
        Asked("Does anything move in the second half?", yes),
        Asked("Does anything move before 0.5 seconds?", no),
        Asked("How many cuts are there?", number(0)),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("comes twice", make(None, images), asked)


def simple_scene(rng: np.random.Generator) -> Clip:
    """Two shapes that move with two sounds, and a cut to another background."""
    seconds, names = 10.0, [str(name) for name in rng.permutation(list(COLOURS))]
    first, second = float(rng.uniform(1, 2)), float(rng.uniform(4.5, 5.5))
    low, high = float(rng.choice([220, 262, 330])), float(rng.choice([880, 1047, 1319]))
    rises, louder = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    pitches = (low, high) if rises else (high, low)
    levels = (-28.0, -16.0) if louder else (-16.0, -28.0)
    events = [(s, tone(p, 1.2, v)) for s, p, v in zip((first, second), pitches, levels, strict=True)]
    images = plain(seconds)
    images[round(8 * FPS) :] = COLOURS[names[2]]
    spots = (0.2, 0.8) if rng.random() < 0.5 else (0.8, 0.2)
    bounce(images[: round(8 * FPS)], [(first, first + 1.2)], spots[0], COLOURS[names[0]])
    bounce(images[: round(8 * FPS)], [(second, second + 1.2)], spots[1], COLOURS[names[1]])
    sides = ["left" if spot < 0.5 else "right" for spot in spots]
    asked = [
        Asked("How many sounds are there?", number(2)),
        Asked("Which sound is louder, the first or the second?", holds("second" if louder else "first")),
        Asked("Which of the two sounds is higher?", holds("second" if rises else "first", f"{high:.0f}")),
        Asked("Is the second sound higher than the first?", yes if rises else no),
        Asked("Does the pitch rise or fall?", holds("rise", "higher") if rises else holds("fall", "lower")),
        Asked(f"On which side is the {names[0]} shape?", holds(sides[0])),
        Asked(f"What moves first, the {names[0]} or the {names[1]} shape?", holds(names[0])),
        Asked(f"Does the {names[1]} shape move before the {names[0]} one?", no),
        Asked("What colour is the background at the end?", holds(names[2])),
        Asked("What colour is the picture at the end of the clip?", holds(names[2])),
        Asked("When does the first sound start?", near(first, 0.2)),
        Asked("How long is the first sound?", near(1.2, 0.2)),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("simple scene", make(sound_track(seconds, events), images), asked)


def beat(rng: np.random.Generator) -> Clip:
    """A steady beat, then silence."""
    bpm, seconds = float(rng.choice([80, 100, 120, 150])), 10.0
    onsets = np.arange(0.5, 6.5, 60 / bpm)
    events = [(float(start), tone(700, 0.08, -18) * np.exp(-np.arange(1280) / 300)) for start in onsets]
    asked = [
        Asked("What is the tempo?", near(bpm, 5)),
        Asked("How many beats per minute?", near(bpm, 5)),
        Asked("How fast is the beat?", near(bpm, 5)),
        Asked("Is there a steady beat?", yes),
        Asked("Is there silence at the end?", yes),
        Asked("Is anything heard after 8 seconds?", no),
        Asked("When does the sound stop?", near(float(onsets[-1]), 0.4)),
        Asked("How long is the silence at the end?", near(seconds - float(onsets[-1]) - 0.1, 0.4)),
        Asked("Is the clip silent?", no),
        _NOT_MEASURED[int(rng.integers(8))],
    ]
    return Clip("beat", make(sound_track(seconds, events), plain(seconds)), asked)


KINDS = (
    cuts_under_moving_camera,
    fade,
    loudest_is_high,
    rumble,
    wind,
    comes_twice,
    simple_scene,
    beat,
)


def caller(store: MemoryStore, name: str, question: str) -> Callable[..., str]:
    """Asks a role of the offline agents about a clip; the arguments are the role and fields of its request."""
    chat, clip = MeasuringChat(store=store), store.reference(name)
    shared = {"clip": clip, "tracks": [], "duration": clip["duration"], "has_audio": clip["has_audio"], "choices": []}

    def call(role: str, **fields: Any) -> str:
        request = {**shared, "frames": 16, "samples": 48000, "role": role, "question": question, **fields}
        return chat.invoke([HumanMessage(question, additional_kwargs={"request": request})]).text

    return call


def answer_at_once(store: MemoryStore, name: str, question: str) -> str:
    """The target's answer after one look, without a reasoning."""
    return caller(store, name, question)("target", reasoning=None)


def ask(store: MemoryStore, name: str, question: str) -> str:
    """The target's answer after at most three attempts, as `aurelia ask` gives it offline."""
    call = caller(store, name, question)
    looks: list[Any] = [[]]
    reasoning: dict[str, Any] = {}
    for iteration in range(1, _MAX_ATTEMPTS + 1):
        reasoning = json.loads(call("generator", looks=looks, iteration=iteration))
        if not reasoning["answer"].startswith("unknown"):
            break
        looks.append(json.loads(call("feedback", looks=looks, iteration=iteration, reasoning=reasoning))["windows"])
    steps = [{**step, "justification": "", "answer": ""} for step in reasoning["steps"]]
    return call("target", reasoning={"steps": steps, "answer": ""})


def outcomes(seeds: int, kinds: Sequence[Callable[[np.random.Generator], Clip]] = KINDS) -> Iterator[Outcome]:
    """Every question about every clip, `seeds` clips of each kind."""
    for place, kind in enumerate(kinds):
        for seed in range(seeds):
            clip = kind(np.random.default_rng([seed, place]))
            for asked in clip.asked:
                yield Outcome(clip.kind, asked, ask(clip.store, f"{kind.__name__}-{seed}", asked.question))


class Figures(NamedTuple):
    """Questions, stated answers, true ones among them, answerable questions, and answered ones among them."""

    questions: int
    stated: int
    true: int
    answerable: int
    answered: int

    @classmethod
    def of(cls, found: Sequence[Outcome]) -> "Figures":
        """The figures of outcomes."""
        return cls(
            len(found),
            sum(one.stated for one in found),
            sum(one.stated and one.true for one in found),
            sum(one.asked.answerable for one in found),
            sum(one.asked.answerable and one.stated for one in found),
        )


def main(seeds: int = 5) -> None:
    """Ask, and print the figures and the failures."""
    found = list(outcomes(seeds))
    for one in found:
        if one.stated and not one.true:
            print(f"FALSE   {one.kind}: {one.asked.question} -> {one.answer}")
        elif one.asked.answerable and not one.stated:
            print(f"unknown {one.kind}: {one.asked.question} -> {one.answer}")
    figures = Figures.of(found)
    print(
        f"{figures.questions} questions: of {figures.stated} stated answers {figures.true / max(1, figures.stated):.1%}"
        f" true; of {figures.answerable} answerable ones {figures.answered / max(1, figures.answerable):.1%} answered"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
