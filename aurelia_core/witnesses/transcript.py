"""What is said, by Parakeet-CTC on the parts in which the voice detector hears somebody.

A CTC model writes down what it hears frame by frame; one that generates text invents words in silence.
"""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from aurelia_core.arrays import Samples
from aurelia_core.claims import Claim, ClaimKind, Finding
from aurelia_core.witnesses.base import SAMPLE_RATE, ClipView, decide, threshold, undecided
from aurelia_core.witnesses.checkpoint import WeightsWitness, load_checkpoint
from aurelia_core.witnesses.voice import VoiceWitness, clip_speech
from aurelia_core.witnesses.written import quoted_texts

_NAME = "parakeet-ctc"
_MARGIN_SECONDS = 0.2


class Utterance(NamedTuple):
    """What is said from `start` to `end`, seconds."""

    start: float
    end: float
    text: str


class TranscriptWitness(WeightsWitness):
    """Claims that certain words are said."""

    name = _NAME
    kinds: frozenset[ClaimKind] = frozenset({"speech"})

    def lacks(self) -> list[str]:
        """The packages or the weights, if they are not on this machine; the voice detector is needed too."""
        return VoiceWitness().lacks() + super().lacks()

    def utterances(self, view: ClipView) -> tuple[Utterance, ...]:
        """What is said in the clip; measured once a view.

        Raises:
            MediaError: the sound cannot be decoded.
        """
        key = (_NAME, self._weights)
        if key not in view.memory:
            samples = view.sound()
            view.memory[key] = tuple(
                Utterance(start, end, self._transcribe(_cut(samples, start, end))) for start, end in clip_speech(view)
            )
        found: tuple[Utterance, ...] = view.memory[key]
        return found

    def _transcribe(self, samples: Samples) -> str:
        import torch

        checkpoint = load_checkpoint(
            self._weights, "ParakeetForCTC", {"sound": "ParakeetFeatureExtractor", "text": "AutoTokenizer"}
        )
        given = checkpoint.parts["sound"](samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with torch.inference_mode():
            logits = checkpoint.model(**{key: value.to(checkpoint.device) for key, value in given.items()}).logits
        return read_ctc(logits[0].argmax(-1).tolist(), checkpoint.model.config.pad_token_id, checkpoint.parts["text"])

    def check(self, claim: Claim, view: ClipView) -> Finding:
        """By the share of the claimed words that are heard, in their order."""
        said = quoted_texts(claim["text"]) or [text for text in [claim.get("value", "")] if text]
        if not said:
            return undecided(claim, _NAME, "the claim names no words")
        if not view.has_audio:
            return undecided(claim, _NAME, "the clip has no sound track")
        window = claim["window"]
        heard = " ".join(
            one.text
            for one in self.utterances(view)
            if window is None or (one.end > window["start"] and one.start < window["end"])
        )
        if not heard.strip():
            return undecided(claim, _NAME, "no words were heard")
        score = min(words_heard(text, heard) for text in said)
        return decide(claim, _NAME, score, (threshold(_NAME, "no"), threshold(_NAME, "yes")), f'heard: "{heard[:200]}"')


def read_ctc(ids: list[int], blank: int, tokenizer: object) -> str:
    """The text of a CTC model's best token of each frame: repeated tokens once, without blanks."""
    kept = [now for before, now in zip([None, *ids], ids, strict=False) if now != before and now != blank]
    decode = getattr(tokenizer, "decode")  # noqa: B009
    try:
        return str(decode(kept, group_tokens=False)).strip()
    except TypeError:
        return str(decode(kept)).strip()


def words_heard(claimed: str, heard: str) -> float:
    """The share of claimed words that were heard in their order, 0..1; case and punctuation do not count."""
    asked, found = (re.findall(r"[\w']+", text.casefold()) for text in (claimed, heard))
    if not asked:
        return 0.0
    matching = SequenceMatcher(None, asked, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in matching) / len(asked)


def _cut(samples: Samples, start: float, end: float) -> Samples:
    return samples[
        round(max(0.0, start - _MARGIN_SECONDS) * SAMPLE_RATE) : round((end + _MARGIN_SECONDS) * SAMPLE_RATE)
    ]
