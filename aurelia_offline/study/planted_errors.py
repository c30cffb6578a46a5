"""The models of the recovery study: a generator with a planted error, and a critic that knows only the caption.

The error is planted in the measurements of the first look, at the whole clip. Later, guided looks are correct and
replace it where they look.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from aurelia_core.errors import InputError
from aurelia_core.models.code_models import code_reply
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.signals.look import merge_observations
from aurelia_core.signals.observation import DetectedSound, Motion, Observation
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.answering.selection import is_continuous
from aurelia_offline.world.mini_world import SHAPE_COLOURS

PlantedError = Literal["none", "missed", "source", "order", "count", "colour", "place"]
PLANTED_ERRORS: tuple[PlantedError, ...] = get_args(PlantedError)
ERROR_WORDS = {
    "none": "nothing wrong",
    "missed": "a missed event: one turn is not heard",
    "source": "a wrong source: two shapes change places",
    "order": "a wrong order: two turns' sounds change places",
    "count": "a wrong count: one strike too few",
    "colour": "a wrong colour: one shape has another one",
    "place": "a wrong place: one shape at the other end",
}


_RIGHT_END = 0.875
"""The place of the last spot, 0..1 of the picture's width."""
_MIN_SILENCE_SECONDS = 0.3
"""The shortest silence of an observation."""


def plant_error(seen: Observation, plant: PlantedError) -> Observation:
    """The observation with one planted error; the affected turn depends only on the clip."""
    rng = np.random.default_rng(int(1000 * sum(sound.start for sound in seen.sounds)))
    turns = sorted({turn_of(sound) for sound in seen.sounds})
    if plant == "none" or not turns:
        return seen
    if plant == "missed":
        gone = int(rng.choice(turns))
        return _with_sounds(seen, [sound for sound in seen.sounds if turn_of(sound) != gone])
    if plant == "count":
        struck = [number for number in turns if sum(turn_of(sound) == number for sound in seen.sounds) > 1]
        last = [max(i for i, s in enumerate(seen.sounds) if turn_of(s) == number) for number in struck]
        gone = -1
        if last:
            gone = int(rng.choice(last))
        return _with_sounds(seen, [sound for i, sound in enumerate(seen.sounds) if i != gone])
    if plant in ("colour", "place"):
        turn = int(rng.choice(turns))
        return replace(
            seen, motions=tuple(_change_motion(motion, turn, plant, seen.motions) for motion in seen.motions)
        )
    first = int(rng.integers(0, 3))
    if plant == "order":
        return _with_sounds(seen, [_shift_sound(sound, first) for sound in seen.sounds])
    return replace(seen, motions=_swap_motions(seen.motions, first))


def turn_of(event: DetectedSound | Motion) -> int:
    """The turn in which an event has its middle, from 0."""
    return int((event.start + event.end) / 2)


def _with_sounds(seen: Observation, sounds: Sequence[DetectedSound]) -> Observation:
    """The observation with other sounds: who does not hear a sound finds silence in its place."""
    ordered = sorted(sounds, key=lambda sound: sound.start)
    if is_continuous("sound", seen):
        return replace(seen, sounds=tuple(ordered))
    silences = []
    for reached, until in seen.audio_spans:
        for start, end in [*((sound.start, sound.end) for sound in ordered), (until, until)]:
            if min(start, until) - reached >= _MIN_SILENCE_SECONDS:
                silences.append((reached, min(start, until)))
            reached = max(reached, end)
    return replace(seen, sounds=tuple(ordered), silences=tuple(silences))


def _shift_sound(sound: DetectedSound, first: int) -> DetectedSound:
    """The sound moved one second later in turn `first`, one second earlier in the next turn."""
    by = {first: 1.0, first + 1: -1.0}.get(turn_of(sound), 0.0)
    return replace(sound, start=round(sound.start + by, 3), end=round(sound.end + by, 3))


def _swap_motions(motions: Sequence[Motion], first: int) -> tuple[Motion, ...]:
    """The motions with place and colour swapped between two turns."""
    main = {turn: max((m for m in motions if turn_of(m) == turn), key=lambda m: m.extent, default=None)
            for turn in (first, first + 1)}  # fmt: skip
    other = {first: main[first + 1], first + 1: main[first]}
    found = []
    for motion in motions:
        source = other.get(turn_of(motion))
        found.append(replace(motion, x=source.x, y=source.y, colour=source.colour) if source else motion)
    return tuple(found)


def _change_motion(motion: Motion, turn: int, plant: PlantedError, motions: Sequence[Motion]) -> Motion:
    """The motion in another colour, which no other has, or at the other end of the row, if it belongs to the turn."""
    if turn_of(motion) != turn:
        return motion
    if plant == "place":
        return replace(motion, x=_RIGHT_END if motion.x < 0.5 else 1.0 - _RIGHT_END)
    taken = {other.colour for other in motions}
    return replace(motion, colour=next(colour for colour in SHAPE_COLOURS if colour not in taken))


class PlantedErrorChat(MeasuringChat):
    """The measuring model with one planted error in its look at the whole clip.

    Attributes:
        plant: the kind of error.
    """

    plant: PlantedError

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**super()._identifying_params, "plant": self.plant}

    def _look(
        self, media: MediaRequest, looks: list[list[Window]], track: MediaRef | None, samples: int
    ) -> Observation:
        seen = [super(PlantedErrorChat, self)._look(media, [windows], track, samples) for windows in looks]
        observations = [
            one if windows else plant_error(one, self.plant) for one, windows in zip(seen, looks, strict=True)
        ]
        if len(observations) > 1:
            return merge_observations(observations)
        return observations[0]


def make_planted_agent(name: str, store: Any) -> PlantedErrorChat:
    """The model `planted:name`.

    Raises:
        InputError: there is no error of this kind.
    """
    for plant in PLANTED_ERRORS:
        if plant == name:
            return PlantedErrorChat(store=store, plant=plant)
    raise InputError(f"There is no planted error {name!r}. Use one of {', '.join(PLANTED_ERRORS)}.")


class PlausibilityChat(BaseChatModel):
    """A critic that does not look at the clip and scores how plausible a caption is, 1 to 10.

    A fifth of the score each for: whole sentences, times, both a sound and a motion, counts that match the list, and
    times in order. It represents evaluators that score plausibility.
    """

    @property
    def _llm_type(self) -> str:
        return "plausible"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        caption = str(messages[-1].additional_kwargs["request"]["caption"])
        verdict = {"score": plausibility_score(caption), "justification": "By its wording alone.", "windows": []}
        return code_reply(verdict)


def plausibility_score(caption: str) -> int:
    """The plausibility of a caption by its form, 1..10."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", caption.strip()) if part]
    times = [[float(time) for time in re.findall(r"(\d+\.\d) s", part)] for part in sentences]
    heard = next((part for part in sentences if re.match(r"\w+ sounds are heard: ", part)), "")
    numbers = ("two", "three", "four", "five", "six", "seven", "eight")
    listed = {word: number for number, word in enumerate(numbers, 2)}
    stated = None
    if heard:
        stated = listed.get(heard.split(" ")[0].lower())
    starts = [float(time) for time in re.findall(r"(?:from|at) (\d+\.\d) s", heard)]
    checks = [
        len(sentences) > 1 and all(part[0].isupper() and part[-1] in ".!?" for part in sentences),
        any(times),
        bool(re.search(r"\bheard\b", caption) and re.search(r"\bmoves?\b", caption)),
        stated is None or stated == heard.count(", then ") + 1,
        all(a <= b for a, b in pairwise(starts)),
    ]
    return max(1, 2 * sum(checks))


def make_plausibility_critic(name: str, store: Any) -> PlausibilityChat:
    """The model `plausible:text`.

    Raises:
        InputError: the name is not `text`, the only model.
    """
    del store
    if name != "text":
        raise InputError(f"There is no plausible:{name}. The only model is plausible:text.")
    return PlausibilityChat()
