"""Recovery from a wrong word that is said or written: clips with an espeak-ng sentence and drawn text, by critic.

The caption quotes both; in the first attempt one word of one of them is another. A later attempt that looks there is
right. `tools` are the witnesses of this machine; a reader of this module's own wording takes the caption apart for
them, so that they alone are measured. The sentences and voices with which the limits of `pocketsphinx` were chosen are
those of seeds 100 to 159.
Run: `python -m benchmarks.offline.said_and_written` (`--clips 100`, from seed 5000).
"""

import argparse
import asyncio
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.signal import resample_poly

from aurelia.profiles import context_from_profile
from aurelia.run.ask import answer_question
from aurelia_core.claims import Claim
from aurelia_core.errors import ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.models.requests import ClaimsRequest, GeneratorRequest, RoleRequest
from aurelia_core.settings import Settings
from aurelia_core.types import Reasoning, Step
from aurelia_offline.study.miniature_critic import StudyChat
from aurelia_offline.study.planted_errors import make_plausibility_critic
from aurelia_offline.study.tables import share_text, study_table
from aurelia_offline.world.scene import encode_clip
from aurelia_offline.world.synth import RENDER_RATE
from benchmarks.offline.schedules import RATE
from benchmarks.witness_clips import VOICES, beside, speak

_WHO = (
    "my sister",
    "my brother",
    "the teacher",
    "the doctor",
    "our neighbour",
    "the driver",
    "her father",
    "the farmer",
)
_DOES = ("bought", "sold", "found", "lost", "carried", "painted", "washed", "dropped")
_HOW_MANY = ("two", "three", "four", "five", "seven", "nine", "eleven", "twenty")
_WHAT = ("apples", "windows", "bottles", "tables", "letters", "candles", "baskets", "horses")
_WHEN = ("on monday", "last summer", "this morning", "yesterday evening", "in october", "after dinner",
         "before breakfast", "in april")  # fmt: skip
_SENTENCE = (_WHO, _DOES, _HOW_MANY, _WHAT, _WHEN)
_NUMBERED = ("Platform {}", "Gate B{}", "Room {}", "Exit {}", "Bus {}", "Episode {}", "Sale {} %", "Track {}")
_PAIRS = (("No smoking", "No parking"), ("Open", "Closed"), ("Main Street", "High Street"), ("Bakery", "Pharmacy"),
          ("Slow down", "Speed up"), ("Way in", "Way out"), ("Coffee", "Tea"), ("Airport", "Harbour"))  # fmt: skip
_SECONDS, _FPS, _START = 6.0, 12, 0.8
Wrong = Literal["none", "said", "written"]
_WORDS: dict[Wrong, str] = {"none": "nothing wrong", "said": "a wrong word said", "written": "a wrong word written"}
_CRITICS = {
    "caption only": ("plausible:text", "holistic"),
    "measuring, holistic": ("offline:measure", "holistic"),
    "measuring, claim by claim": ("offline:measure", "claims"),
    "tools": ("words:claims", "tools"),
}
_MAX_ITERATIONS, _THRESHOLD = 3, 8


class Words(NamedTuple):
    """What is said and written in a clip, a wrong copy of each, and when the voice ends, seconds."""

    said: str
    not_said: str
    written: str
    not_written: str
    end: float


def draw_sentences(rng: random.Random) -> tuple[str, str]:
    """A sentence, and a copy with one word or phrase replaced."""
    true = [rng.choice(words) for words in _SENTENCE]
    place = rng.randrange(len(_SENTENCE))
    false = list(true)
    false[place] = rng.choice([words for words in _SENTENCE[place] if words != true[place]])
    return " ".join(true), " ".join(false)


def draw_texts(rng: random.Random) -> tuple[str, str]:
    """A text for a sign, and a copy with another number or word."""
    if rng.random() < 0.5:
        form, (one, other) = rng.choice(_NUMBERED), rng.sample(range(2, 60), 2)
        return form.format(one), form.format(other)
    pair = rng.sample(rng.choice(_PAIRS), 2)
    return pair[0], pair[1]


def write_words_clip(seed: int, path: Path) -> Words:
    """Write the clip of a seed."""
    rng = random.Random(seed)
    said, not_said = draw_sentences(rng)
    wave = beside(rng.choice(("silence", "rumble")), _SECONDS, np.random.default_rng(seed))
    voice = speak(said, rng.choice(VOICES))
    first = round(_START * RATE)
    voice = voice[: len(wave) - first]
    wave[first : first + len(voice)] += voice
    written, not_written = draw_texts(rng)
    image = Image.new("RGB", (640, 360), tuple(rng.randrange(110) for _ in range(3)))
    place = rng.uniform(20, 200), rng.uniform(20, 260)
    ImageDraw.Draw(image).text(place, written, font=ImageFont.load_default(64), fill=(245, 245, 235))
    samples = np.clip(resample_poly(wave, RENDER_RATE, RATE), -1, 1).astype(np.float32)
    encode_clip([np.asarray(image)] * round(_SECONDS * _FPS), samples, _FPS, image.size, path)
    return Words(said, not_said, written, not_written, round(_START + len(voice) / RATE, 2))


class _WordsGenerator(StudyChat):
    """Says what is said and written; the first look is wrong in one of them, a closer look there is right."""

    words: Words
    wrong: Wrong

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"words": self.words, "wrong": self.wrong}

    def reply(self, request: RoleRequest) -> dict[str, Any]:
        """The reasoning of a generator's request."""
        if not isinstance(request, GeneratorRequest):
            raise ModelError("This model reasons, and nothing else.")
        looked = [window for look in request.looks for window in look]
        words = self.words
        mended = self.wrong == "written" and bool(looked)
        mended |= any(window["start"] < words.end and window["end"] > _START for window in looked)
        said = words.not_said if self.wrong == "said" and not mended else words.said
        written = words.not_written if self.wrong == "written" and not mended else words.written
        heard = f'A voice says "{said}" from {_START} s to {words.end} s.'
        shown = f'A sign shows "{written}" from 0.0 s to {_SECONDS} s.'
        steps: list[Step] = [
            {"step": "Find what is said.", "justification": "", "answer": heard, "modality": "audio"},
            {"step": "Find what is written.", "justification": "", "answer": shown, "modality": "visual"},
        ]
        reasoning: Reasoning = {"steps": steps, "answer": f"{said}; {written}"}
        return {**reasoning}


class _ClaimReader(StudyChat):
    """Takes this module's captions apart."""

    def reply(self, request: RoleRequest) -> dict[str, Any]:
        """The claims of a caption."""
        if not isinstance(request, ClaimsRequest):
            raise ModelError("This model takes captions apart, and nothing else.")
        claims: list[Claim] = []
        for text, says, start, end in re.findall(
            r'(A \w+ (\w+) "[^"]+" from ([\d.]+) s to ([\d.]+) s\.)', request.caption
        ):
            claim: Claim = {"text": text, "kind": "text", "modality": "visual", "window": None}
            if says == "says":
                claim |= {"kind": "speech", "modality": "audio"}
            claim["window"] = {"start": float(start), "end": float(end)}
            claims.append(claim)
        return {"claims": claims}


class Outcome(NamedTuple):
    """The score of the first attempt, and whether the best attempt is right."""

    score: int | None
    right: bool


async def run(first: int, clips: int, folder: Path, progress: Callable[[str], None]) -> str:
    """The table over clips from a seed on; `progress` is called with the table so far."""
    settings = Settings(home=folder / "home", allow_any_file=True)
    store, ledger = ClipStore(settings), CallLedger(settings.ledger_file)
    found: dict[tuple[str, Wrong], list[Outcome]] = {
        (critic, wrong): [] for critic in _CRITICS for wrong in get_args(Wrong)
    }
    for seed in range(first, first + clips):
        words = write_words_clip(seed, folder / f"{seed}.mp4")
        providers = {
            "words": lambda name, _, words=words: _ClaimReader() if name == "claims" else _WordsGenerator(
                words=words, wrong=name
            ),
            "plausible": make_plausibility_critic,
        }  # fmt: skip
        client = ModelClient(settings, providers=providers, store=store, ledger=ledger)
        for (critic, wrong), outcomes in found.items():
            evaluator, kind = _CRITICS[critic]
            context = context_from_profile(
                "offline",
                {"generator": f"words:{wrong}", "evaluator": evaluator, "critic": kind, "compare": False,
                 "max_iterations": _MAX_ITERATIONS, "threshold": _THRESHOLD},
            )  # fmt: skip
            asked: Any = {"video": str(folder / f"{seed}.mp4"), "question": "What is said, and what is written?"}
            outcomes.append(_judge(await answer_question(asked, context, client=client), words))
        if (seed - first) % 10 == 9:
            progress(_table(found))
    ledger.close()
    return _table(found)


def _judge(result: dict[str, Any], words: Words) -> Outcome:
    best = result["best"] or {"answer": ""}
    return Outcome(result["iterations"][0]["score"], best["answer"] == f"{words.said}; {words.written}")


def _table(found: dict[tuple[str, Wrong], list[Outcome]]) -> str:
    rows = []
    for (critic, wrong), outcomes in found.items():
        count = len(outcomes)
        scores = [one.score for one in outcomes if one.score is not None]
        noticed = share_text(sum(score < _THRESHOLD for score in scores), count)
        mended = "–" if wrong == "none" else share_text(sum(one.right for one in outcomes), count)
        rows.append([critic, _WORDS[wrong], str(count), noticed, f"{100 * (count - len(scores)) / count:.0f}", mended])
    heads = ["critic", "planted in the first look", "clips", "noticed, % [95 %]", "no score, %", "mended by T = 3, %"]
    return study_table("Recovery from a wrong word", heads, rows)


def main() -> None:
    """Print the table, and the table so far after every tenth clip."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--clips", type=int, default=100)
    options.add_argument("--first", type=int, default=5000, help="seed of the first clip")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(run(arguments.first, arguments.clips, Path(folder), lambda text: print(text, flush=True))))


if __name__ == "__main__":
    main()
